// Makes small Llama-shaped models of random weights for tests, packed as docs/decoder.md says, together with what
// they must compute: loops as plain as the papers' formulas, in double precision, sharing no code with the kernel.
import type { DecoderShape, Manifest } from '../../models.ts';
import { createNoise } from './random-model.ts';

export interface RandomDecoder {
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  readonly intermediate: number;
  readonly vocab: number;
  readonly maxTokens: number;
  readonly decoder: Omit<DecoderShape, 'stopTokens'>;
  /** Bits of the layers' weights; `mixed` takes both. */
  readonly bits: 4 | 8 | 'mixed';
}

export const TINY: RandomDecoder = Object.freeze({
  hidden: 64,
  layers: 2,
  heads: 4,
  intermediate: 96,
  vocab: 88,
  maxTokens: 160,
  decoder: {
    kvHeads: 2,
    headDims: 16,
    rope: { theta: 10_000 },
    qkvBias: false,
    qkNorm: false,
    tiedEmbeddings: true,
  },
  bits: 'mixed',
});

const BLOCK = 32;

/** Weights [n][k] as they count, and as they lie in the file. */
interface Matrix {
  readonly dense: readonly Float64Array[];
  readonly tensors: readonly Tensor[];
}

interface Tensor {
  readonly name: string;
  readonly dtype: 'F32' | 'I8' | 'U8';
  readonly bytes: Uint8Array;
}

const floats = (name: string, values: ArrayLike<number>): Tensor => ({
  name,
  dtype: 'F32',
  bytes: new Uint8Array(Float32Array.from(values).buffer),
});

/** Random codes and scales, laid in panels of 8 rows and blocks of 32 k. */
function matrix(name: string, n: number, k: number, bits: 4 | 8, noise: () => number): Matrix {
  const blocks = k / BLOCK;
  const four = bits === 4;
  const blockBytes = four ? 160 : 272;
  const bytes = new Uint8Array((n / 8) * blocks * blockBytes);
  const view = new DataView(bytes.buffer);
  const scale = Float32Array.from({ length: n }, () => (0.3 + 0.1 * noise()) / (four ? 15 : 127) / 65535);
  const least = Float32Array.from({ length: n }, () => (0.15 + 0.05 * noise()) / 32767);
  const dense = Array.from({ length: n }, () => new Float64Array(k));
  for (let row = 0; row < n; row += 1) {
    const column = row % 8;
    for (let block = 0; block < blocks; block += 1) {
      const at = (((row - column) / 8) * blocks + block) * blockBytes;
      const factor = 40_000 + Math.floor(noise() * 20_000);
      const minimum = four ? -20_000 + Math.floor(noise() * 10_000) : 0;
      view.setUint16(at + (four ? 128 : 256) + column * 2, factor, true);
      if (four) view.setInt16(at + 144 + column * 2, minimum, true);
      for (let i = 0; i < BLOCK; i += 1) {
        const code = four ? Math.floor((noise() + 1) * 8) : Math.round(noise() * 127);
        if (four) {
          // Eight k to 32 bytes: the first four in low halves, the others in high ones; columns 0…3, then 4…7.
          const byte = at + (i >> 3) * 32 + (column >> 2) * 16 + (column & 3) * 4 + (i & 3);
          bytes[byte]! |= (i & 4) === 0 ? code : code << 4;
        } else {
          view.setInt8(at + (i >> 1) * 16 + column * 2 + (i & 1), code);
        }
        dense[row]![block * BLOCK + i] = code * factor * scale[row]! + (four ? minimum * least[row]! : 0);
      }
    }
  }
  const packed: Tensor = { name, dtype: four ? 'U8' : 'I8', bytes };
  return {
    dense,
    tensors: [packed, floats(`${name}.scale`, scale), ...(four ? [floats(`${name}.min`, least)] : [])],
  };
}

interface Layer {
  readonly norm: Float32Array;
  readonly qkv: Matrix;
  readonly bias: Float32Array;
  readonly queryNorm: Float32Array;
  readonly keyNorm: Float32Array;
  readonly output: Matrix;
  readonly mlpNorm: Float32Array;
  readonly gateUp: Matrix;
  readonly down: Matrix;
}

export interface BuiltDecoder {
  readonly manifest: Manifest;
  /** The weights file. */
  readonly weights: Uint8Array<ArrayBuffer>;
  /** Logits of every position, [tokens][vocab]. */
  reference(ids: readonly number[]): readonly Float64Array[];
}

export function randomDecoder(model: RandomDecoder = TINY, seed = 1): BuiltDecoder {
  const noise = createNoise(seed);
  const { hidden, heads, intermediate, vocab, decoder } = model;
  const { kvHeads, headDims } = decoder;
  const vector = (length: number, around: number, spread: number): Float32Array =>
    Float32Array.from({ length }, () => around + noise() * spread);
  const tensors: Tensor[] = [];
  const keep = (made: Matrix): Matrix => {
    tensors.push(...made.tensors);
    return made;
  };
  const bitsOf = (part: number): 4 | 8 => (model.bits === 'mixed' ? (part % 2 === 0 ? 4 : 8) : model.bits);
  const layers = Array.from({ length: model.layers }, (_, index): Layer => {
    const name = `layers.${index}`;
    const qkvRows = (heads + 2 * kvHeads) * headDims;
    const layer = {
      norm: vector(hidden, 1, 0.3),
      qkv: keep(matrix(`${name}.qkv`, qkvRows, hidden, bitsOf(index), noise)),
      bias: vector(qkvRows, 0, 0.2),
      queryNorm: vector(headDims, 1, 0.3),
      keyNorm: vector(headDims, 1, 0.3),
      output: keep(matrix(`${name}.output`, hidden, heads * headDims, bitsOf(index + 1), noise)),
      mlpNorm: vector(hidden, 1, 0.3),
      gateUp: keep(matrix(`${name}.gate_up`, intermediate * 2, hidden, bitsOf(index), noise)),
      down: keep(matrix(`${name}.down`, hidden, intermediate, bitsOf(index + 1), noise)),
    };
    tensors.push(floats(`${name}.attention_norm`, layer.norm), floats(`${name}.mlp_norm`, layer.mlpNorm));
    if (decoder.qkvBias) tensors.push(floats(`${name}.qkv.bias`, layer.bias));
    if (decoder.qkNorm) {
      tensors.push(floats(`${name}.query_norm`, layer.queryNorm), floats(`${name}.key_norm`, layer.keyNorm));
    }
    return layer;
  });
  const norm = vector(hidden, 1, 0.3);
  tensors.push(floats('norm', norm));
  const embedding = keep(matrix('embedding', vocab, hidden, 8, noise));
  const head = decoder.tiedEmbeddings ? embedding : keep(matrix('head', vocab, hidden, bitsOf(0), noise));
  return {
    manifest: manifestOf(model),
    weights: writeContainer(tensors),
    reference: (ids) => forward(model, layers, embedding.dense, head.dense, norm, ids),
  };
}

function manifestOf({ decoder, bits: _, ...sizes }: RandomDecoder): Manifest {
  return {
    schema: 1,
    id: 'random-decoder',
    task: 'generate',
    architecture: 'llama',
    dims: sizes.hidden,
    ...sizes,
    layerNormEps: 1e-5,
    pooling: 'none',
    decoder: { ...decoder, stopTokens: [0] },
    files: [],
  };
}

/** A safetensors file. */
function writeContainer(tensors: readonly Tensor[]): Uint8Array<ArrayBuffer> {
  let at = 0;
  const header: Record<string, unknown> = {};
  for (const { name, dtype, bytes } of tensors) {
    const shape = [bytes.length / (dtype === 'F32' ? 4 : 1)];
    header[name] = { dtype, shape, data_offsets: [at, at + bytes.length] };
    at += bytes.length;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const whole = new Uint8Array(8 + text.length + at);
  new DataView(whole.buffer).setBigUint64(0, BigInt(text.length), true);
  whole.set(text, 8);
  let next = 8 + text.length;
  for (const { bytes } of tensors) {
    whole.set(bytes, next);
    next += bytes.length;
  }
  return whole;
}

type Row = Float64Array;

const times = (weights: readonly Row[], x: Row): Row =>
  Float64Array.from(weights, (row) => row.reduce((sum, weight, i) => sum + weight * x[i]!, 0));

function rms(x: Row, weight: ArrayLike<number>): Row {
  const mean = x.reduce((sum, value) => sum + value * value, 0) / x.length;
  return x.map((value, i) => (value / Math.sqrt(mean + 1e-5)) * weight[i]!);
}

/** Source: Hugging Face transformers, modeling_rope_utils. */
function frequency(rope: DecoderShape['rope'], headDims: number, pair: number): number {
  const plain = 1 / rope.theta ** ((2 * pair) / headDims);
  const { scaling } = rope;
  if (scaling === undefined) return plain;
  if (scaling.type === 'linear') return plain / scaling.factor;
  const wavelength = (2 * Math.PI) / plain;
  if (wavelength < scaling.originalContext / scaling.highFrequencyFactor) return plain;
  if (wavelength > scaling.originalContext / scaling.lowFrequencyFactor) return plain / scaling.factor;
  const smooth =
    (scaling.originalContext / wavelength - scaling.lowFrequencyFactor) /
    (scaling.highFrequencyFactor - scaling.lowFrequencyFactor);
  return (1 - smooth) * (plain / scaling.factor) + smooth * plain;
}

function rotated(x: Row, position: number, rope: DecoderShape['rope']): Row {
  const half = x.length / 2;
  return x.map((value, i) => {
    const angle = position * frequency(rope, x.length, i % half);
    const other = i < half ? -x[i + half]! : x[i - half]!;
    return value * Math.cos(angle) + other * Math.sin(angle);
  });
}

function forward(
  model: RandomDecoder,
  layers: readonly Layer[],
  embedding: readonly Row[],
  head: readonly Row[],
  norm: Float32Array,
  ids: readonly number[],
): readonly Row[] {
  let stream: readonly Row[] = ids.map((id) => Float64Array.from(embedding[id]!));
  for (const layer of layers) {
    const mixed = attend(
      model,
      layer,
      stream.map((row) => times(layer.qkv.dense, rms(row, layer.norm))),
    );
    stream = stream.map((row, t) => plus(row, times(layer.output.dense, mixed[t]!)));
    stream = stream.map((row) => {
      const both = times(layer.gateUp.dense, rms(row, layer.mlpNorm));
      // Eight gates, then their eight values.
      const at = (i: number) => (i >> 3) * 16 + (i & 7);
      const inner = Float64Array.from({ length: model.intermediate }, (_, i) => {
        const gate = both[at(i)]!;
        return (gate / (1 + Math.exp(-gate))) * both[at(i) + 8]!;
      });
      return plus(row, times(layer.down.dense, inner));
    });
  }
  return stream.map((row) => times(head, rms(row, norm)));
}

const plus = (a: Row, b: Row): Row => a.map((value, i) => value + b[i]!);

function attend({ heads, decoder }: RandomDecoder, layer: Layer, qkv: readonly Row[]): readonly Row[] {
  const { kvHeads, headDims, rope } = decoder;
  const part = (row: Row, position: number, index: number): Row => {
    const from = index * headDims;
    const raw = row.slice(from, from + headDims).map((value, i) => {
      return decoder.qkvBias ? value + layer.bias[from + i]! : value;
    });
    if (index >= heads + kvHeads) return raw;
    const normed = decoder.qkNorm ? rms(raw, index < heads ? layer.queryNorm : layer.keyNorm) : raw;
    return rotated(normed, position, rope);
  };
  return qkv.map((row, t) => {
    const out = new Float64Array(heads * headDims);
    for (let index = 0; index < heads; index += 1) {
      const group = Math.floor(index / (heads / kvHeads));
      const query = part(row, t, index);
      const scores = qkv.slice(0, t + 1).map((other, position) => {
        const key = part(other, position, heads + group);
        return query.reduce((sum, value, i) => sum + value * key[i]!, 0) / Math.sqrt(headDims);
      });
      const top = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - top));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      weights.forEach((weight, position) => {
        const value = part(qkv[position]!, position, heads + kvHeads + group);
        for (let i = 0; i < headDims; i += 1) out[index * headDims + i]! += (weight / total) * value[i]!;
      });
    }
    return out;
  });
}
