// The encoder in plain doubles, from the same tensors, written to be read: what the kernel is tested against.
// Weights are the stored integers times their scales; activations are never rounded.
import type { Manifest } from '../../models.ts';
import type { EncoderInput } from '../../types.ts';
import type { OnnxTensor } from './onnx.ts';

type Tensors = ReadonlyMap<string, OnnxTensor>;
type Row = Float64Array;

/** Token states [sum(rowTokens)] of float64 [dims]. */
export function referenceStates(tensors: Tensors, manifest: Manifest, input: EncoderInput): Row[] {
  const states: Row[] = [];
  let start = 0;
  for (const tokens of input.rowTokens) {
    const ids = [...input.inputIds.subarray(start, start + tokens)];
    const types = input.typeIds && [...input.typeIds.subarray(start, start + tokens)];
    states.push(...encode(tensors, manifest, ids, types));
    start += tokens;
  }
  return states;
}

/** Pooled unit vectors, one float64 [dims] a text. */
export function referenceVectors(tensors: Tensors, manifest: Manifest, input: EncoderInput): Row[] {
  const states = referenceStates(tensors, manifest, input);
  let start = 0;
  return [...input.rowTokens].map((tokens) => {
    const rows = states.slice(start, start + tokens);
    start += tokens;
    const sum = Float64Array.from(rows[0]!, (_, at) => rows.reduce((total, row) => total + row[at]!, 0));
    const length = Math.hypot(...sum);
    return sum.map((value) => value / length);
  });
}

function encode(
  tensors: Tensors,
  manifest: Manifest,
  ids: readonly number[],
  types: readonly number[] | undefined,
): Row[] {
  const { hidden, layers, vocab } = manifest;
  const linear = (name: string, x: Row[]) => multiply(tensors, name, x);
  const norm = (name: string, x: Row[]) => layerNorm(tensors, name, x, manifest.layerNormEps);
  const words = tensors.has('embeddings.word.q4')
    ? halfBytes(tensors, vocab, manifest.embedding?.dims ?? hidden)
    : dequantise(tensors, 'embeddings.word', vocab, manifest.embedding?.dims ?? hidden);
  let x = ids.map((id) => words[id]!);
  if (tensors.has('embeddings.projection.q8')) x = linear('embeddings.projection', x);
  const positions = floats(tensors, 'embeddings.position');
  x = x.map((row, at) => row.map((value, i) => value + positions[at * hidden + i]!));
  if (types !== undefined) {
    const table = floats(tensors, 'embeddings.type');
    x = x.map((row, at) => row.map((value, i) => value + table[types[at]! * hidden + i]!));
  }
  x = norm('embeddings.norm', x);
  for (let layer = 0; layer < layers; layer += 1) {
    const name = `layer.${layer}`;
    const mixed = attend(linear(`${name}.attention.qkv`, x), manifest);
    x = norm(`${name}.attention.norm`, add(x, linear(`${name}.attention.output`, mixed)));
    const up = linear(`${name}.ffn.up`, x).map((row) => row.map(gelu));
    x = norm(`${name}.ffn.norm`, add(x, linear(`${name}.ffn.down`, up)));
  }
  return tensors.has('head.q8') ? linear('head', x) : x;
}

const add = (a: Row[], b: Row[]): Row[] => a.map((row, r) => row.map((value, i) => value + b[r]![i]!));

function attend(qkv: Row[], { hidden, heads }: Manifest): Row[] {
  const width = hidden / heads;
  return qkv.map((query) => {
    const out = new Float64Array(hidden);
    for (let head = 0; head < heads; head += 1) {
      const at = head * width;
      const scores = qkv.map((row) => {
        let dot = 0;
        for (let i = 0; i < width; i += 1) dot += query[at + i]! * row[hidden + at + i]!;
        return dot / Math.sqrt(width);
      });
      const weights = softmax(scores);
      for (let i = 0; i < width; i += 1) {
        out[at + i] = qkv.reduce((sum, row, t) => sum + weights[t]! * row[2 * hidden + at + i]!, 0);
      }
    }
    return out;
  });
}

export function softmax(scores: readonly number[]): number[] {
  const top = Math.max(...scores);
  const weights = scores.map((score) => Math.exp(score - top));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

/** x * Phi(x); Phi by erf's series and continued fraction, to 1e-15 or so. */
export function gelu(x: number): number {
  return (x / 2) * (1 + erf(x / Math.SQRT2));
}

function erf(x: number): number {
  const z = Math.abs(x);
  if (z > 6) return Math.sign(x);
  if (z < 2.5) {
    // Source: Abramowitz and Stegun 7.1.5.
    let term = z;
    let sum = z;
    for (let n = 1; n < 80; n += 1) {
      term *= -(z * z) / n;
      sum += term / (2 * n + 1);
    }
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI);
  }
  // Source: Abramowitz and Stegun 7.1.14.
  let fraction = z;
  for (let n = 60; n > 0; n -= 1) fraction = z + n / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-z * z) / (fraction * Math.sqrt(Math.PI)));
}

function layerNorm(tensors: Tensors, name: string, x: Row[], epsilon: number): Row[] {
  const weight = floats(tensors, `${name}.weight`);
  const bias = floats(tensors, `${name}.bias`);
  return x.map((row) => {
    const mean = row.reduce((sum, value) => sum + value, 0) / row.length;
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / row.length;
    return row.map((value, i) => ((value - mean) / Math.sqrt(variance + epsilon)) * weight[i]! + bias[i]!);
  });
}

const unpacked = new WeakMap<OnnxTensor, Row[]>();

function multiply(tensors: Tensors, name: string, x: Row[]): Row[] {
  const bias = floats(tensors, `${name}.bias`);
  const weights = dequantise(tensors, name, bias.length, x[0]!.length);
  return x.map((row) =>
    Float64Array.from(weights, (weight, n) => {
      let sum = bias[n]!;
      for (let i = 0; i < weight.length; i += 1) sum += weight[i]! * row[i]!;
      return sum;
    }),
  );
}

/** Rows of integers minus 128, times the row's scale. Stored rows are padded to whole blocks. */
function dequantise(tensors: Tensors, name: string, rows: number, width: number): Row[] {
  const tensor = tensors.get(`${name}.q8`)!;
  const known = unpacked.get(tensor);
  if (known !== undefined) return known;
  const scales = floats(tensors, `${name}.scale`);
  const stride = tensor.bytes.length / rows;
  const blocks = scales.length / rows;
  const found = Array.from({ length: rows }, (_, row) =>
    Float64Array.from(
      { length: width },
      (__, i) => (tensor.bytes[row * stride + i]! - 128) * scales[row * blocks]!,
    ),
  );
  unpacked.set(tensor, found);
  return found;
}

/** Integers minus 8, two a byte, times the scale of their block of 128. */
function halfBytes(tensors: Tensors, rows: number, width: number): Row[] {
  const { bytes } = tensors.get('embeddings.word.q4')!;
  const scales = floats(tensors, 'embeddings.word.scale');
  const blocks = scales.length / rows;
  return Array.from({ length: rows }, (_, row) =>
    Float64Array.from({ length: width }, (__, i) => {
      const at = row * width + i;
      const code = at % 2 === 0 ? bytes[at >> 1]! & 15 : bytes[at >> 1]! >> 4;
      return (code - 8) * scales[row * blocks + Math.floor(i / 128)]!;
    }),
  );
}

function floats(tensors: Tensors, name: string): Float32Array {
  const { bytes } = tensors.get(name)!;
  return new Float32Array(bytes.slice().buffer);
}
