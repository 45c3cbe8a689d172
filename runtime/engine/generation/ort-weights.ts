// Owns reading the kernel's packed weights for ONNX Runtime: the same file, its panels turned back into rows of
// 8-bit codes. Four-bit blocks, which carry a minimum, become 8-bit ones without: WebGPU has no kernel for a minimum.
import { rotaryFrequencies } from '../kernel/decoder-rope.ts';
import {
  broken,
  type LlamaShape,
  matricesOf,
  openWeights,
  packedBytes,
  type WeightsIndex,
  type WeightsSource,
  type WeightsType,
} from '../kernel/decoder-weights.ts';
import type { Int8Matrix, LlamaTensors } from './ort-decoder-graph.ts';

const BLOCK = 32;
const COLUMNS = 8;

/** The file's tensors by Hugging Face's names. @throws model-load-failed */
export async function readOrtWeights(
  source: WeightsSource,
  shape: LlamaShape,
  context: number,
): Promise<LlamaTensors> {
  const { index, data } = await openWeights(source);
  const bytes = new Uint8Array(index.bytes);
  let at = 0;
  for await (const part of data) {
    if (at + part.length > bytes.length) throw broken('more bytes than its header says');
    bytes.set(part, at);
    at += part.length;
  }
  if (at !== bytes.length) throw broken(`${at} bytes of data, its header says ${bytes.length}`);
  const packed = new Packed(bytes, index, shape);
  const kept = new Map<string, Int8Matrix>();
  return {
    matrix(name) {
      const source = name === 'lm_head.weight' && shape.tiedEmbeddings ? 'model.embed_tokens.weight' : name;
      const matrix = kept.get(source) ?? packed.matrix(source);
      // The table of embeddings is asked for twice; everything else goes to the GPU and is forgotten here.
      if (source === 'model.embed_tokens.weight') kept.set(source, matrix);
      return matrix;
    },
    vector: (name) => packed.vector(name),
    rotary: () => rotaryTables(shape, context),
  };
}

/** Rows of a packed matrix that make up one of Hugging Face's. */
interface Rows {
  readonly tensor: string;
  readonly count: number;
  readonly row: (at: number) => number;
}

class Packed {
  readonly #bytes: Uint8Array;
  readonly #index: WeightsIndex;
  readonly #shape: LlamaShape;
  readonly #sizes: ReadonlyMap<string, readonly [n: number, k: number]>;

  constructor(bytes: Uint8Array, index: WeightsIndex, shape: LlamaShape) {
    this.#bytes = bytes;
    this.#index = index;
    this.#shape = shape;
    this.#sizes = matricesOf(shape);
  }

  vector(name: string): Float32Array {
    const [, layer, rest] = /^model\.(layers\.\d+\.)?(.*?)(?:\.weight)?$/.exec(name) ?? [];
    const bias = /^self_attn\.([qkv])_proj\.bias$/.exec(rest ?? '');
    if (bias !== null) {
      const { start, count } = this.#partOfQkv(bias[1]!);
      return this.#floats(`${layer}qkv.bias`).subarray(start, start + count);
    }
    return this.#floats(`${layer ?? ''}${VECTORS[rest!] ?? rest}`);
  }

  matrix(name: string): Int8Matrix {
    const { tensor, count, row } = this.#rowsOf(name);
    const [n, k] = this.#sizes.get(tensor) ?? [0, 0];
    const { type, offset, bytes } = this.#tensor(tensor);
    if (type === 'F32' || bytes !== packedBytes(type, n, k))
      throw broken(`tensor ${tensor} has ${bytes} bytes`);
    const scales = this.#floats(`${tensor}.scale`);
    const mins = type === 'U8' ? this.#floats(`${tensor}.min`) : undefined;
    const out = {
      n: count,
      k,
      block: BLOCK,
      codes: new Uint8Array(count * k),
      scales: new Float32Array((count * k) / BLOCK),
    };
    const blockBytes = packedBytes(type, COLUMNS, BLOCK);
    for (let at = 0; at < count; at += 1) {
      const from = row(at);
      const panel = offset + Math.floor(from / COLUMNS) * (k / BLOCK) * blockBytes;
      for (let block = 0; block < k / BLOCK; block += 1) {
        const target = at * (k / BLOCK) + block;
        const start = panel + block * blockBytes;
        if (mins === undefined) this.#copyEight(start, from % COLUMNS, scales[from]!, out, target);
        else this.#copyFour(start, from % COLUMNS, scales[from]!, mins[from]!, out, target);
      }
    }
    return out;
  }

  /** 16 pairs of neighbouring codes, eight columns each; then eight 16-bit scales. */
  #copyEight(start: number, column: number, scale: number, out: Int8Matrix, target: number): void {
    for (let k = 0; k < BLOCK; k += 1) {
      out.codes[target * BLOCK + k] = this.#bytes[start + (k >> 1) * 16 + column * 2 + (k & 1)]! ^ 0x80;
    }
    out.scales[target] = this.#word(start + 256, column) * scale;
  }

  /** Four groups of eight k: for each column four bytes, low halves the first four k; then scales, then minima. */
  #copyFour(
    start: number,
    column: number,
    scale: number,
    min: number,
    out: Int8Matrix,
    target: number,
  ): void {
    const step = this.#word(start + 128, column) * scale;
    const least = ((this.#word(start + 144, column) << 16) >> 16) * min;
    const values = Array.from({ length: BLOCK }, (_, k) => {
      const byte = this.#bytes[start + (k >> 3) * 32 + column * 4 + (k & 3)]!;
      return least + (k & 4 ? byte >> 4 : byte & 15) * step;
    });
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    out.scales[target] = largest / 127;
    values.forEach((value, k) => {
      out.codes[target * BLOCK + k] = 128 + (largest === 0 ? 0 : Math.round((value / largest) * 127));
    });
  }

  #word(start: number, column: number): number {
    return this.#bytes[start + column * 2]! | (this.#bytes[start + column * 2 + 1]! << 8);
  }

  #rowsOf(name: string): Rows {
    if (name === 'model.embed_tokens.weight') return whole('embedding', this.#shape.vocab);
    if (name === 'lm_head.weight') return whole('head', this.#shape.vocab);
    const [, layer, part] = /^model\.(layers\.\d+)\.(?:self_attn|mlp)\.(\w+)_proj\.weight$/.exec(name) ?? [];
    if (part === 'o') return whole(`${layer}.output`, this.#shape.hidden);
    if (part === 'down') return whole(`${layer}.down`, this.#shape.hidden);
    if (part === 'gate' || part === 'up') {
      // Eight rows of the gate and eight of up lie in turns.
      const shift = part === 'gate' ? 0 : COLUMNS;
      const row = (at: number) => at + Math.floor(at / COLUMNS) * COLUMNS + shift;
      return { tensor: `${layer}.gate_up`, count: this.#shape.intermediate, row };
    }
    const { start, count } = this.#partOfQkv(part ?? '');
    return { tensor: `${layer}.qkv`, count, row: (at) => start + at };
  }

  #partOfQkv(part: string): { start: number; count: number } {
    const { heads, kvHeads, headDims } = this.#shape;
    const start = { q: 0, k: heads, v: heads + kvHeads }[part] ?? 0;
    return { start: start * headDims, count: (part === 'q' ? heads : kvHeads) * headDims };
  }

  #tensor(name: string): { readonly type: WeightsType; readonly offset: number; readonly bytes: number } {
    const tensor = this.#index.tensors.get(name);
    if (tensor === undefined) throw broken(`no tensor ${name}`);
    return tensor;
  }

  #floats(name: string): Float32Array {
    const { offset, bytes } = this.#tensor(name);
    return new Float32Array(this.#bytes.buffer, offset, bytes / 4);
  }
}

const VECTORS: Readonly<Record<string, string>> = {
  input_layernorm: 'attention_norm',
  post_attention_layernorm: 'mlp_norm',
  'self_attn.q_norm': 'query_norm',
  'self_attn.k_norm': 'key_norm',
};

function whole(tensor: string, count: number): Rows {
  return { tensor, count, row: (at) => at };
}

function rotaryTables(shape: LlamaShape, context: number): { cos: Float32Array; sin: Float32Array } {
  const frequencies = rotaryFrequencies(shape);
  const half = frequencies.length;
  const angle = (at: number) => Math.floor(at / half) * frequencies[at % half]!;
  return {
    cos: Float32Array.from({ length: context * half }, (_, at) => Math.cos(angle(at))),
    sin: Float32Array.from({ length: context * half }, (_, at) => Math.sin(angle(at))),
  };
}
