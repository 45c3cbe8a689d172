// Owns a decoder's weights file: a safetensors container whose matrices already lie in the order the kernel reads,
// so that its data section goes into linear memory as it comes and nothing is packed. docs/decoder.md says how a
// panel lies.
import { NearfieldError } from '../../errors.ts';
import type { DecoderShape, Manifest } from '../../models.ts';
import * as at from './decoder-layout.ts';

/** Weights as they arrive: whole, or part by part; a part may be overwritten once the next is asked for. */
export type WeightsSource = Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** I8: blocks of int8 codes. U8: blocks of four-bit codes. Both one-dimensional, packed. */
export type WeightsType = 'F32' | 'I8' | 'U8';

export interface WeightsTensor {
  readonly type: WeightsType;
  /** From the start of the data section. */
  readonly offset: number;
  readonly bytes: number;
}

export interface WeightsIndex {
  readonly tensors: ReadonlyMap<string, WeightsTensor>;
  /** Length of the data section. */
  readonly bytes: number;
}

/** A Llama-shaped model, checked: what the kernel's loops take for granted holds. */
export interface LlamaShape extends DecoderShape {
  readonly id: string;
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  readonly intermediate: number;
  readonly vocab: number;
  readonly context: number;
  readonly epsilon: number;
}

/** @throws model-unsupported naming what does not fit */
export function shapeOf(manifest: Manifest, context: number = manifest.maxTokens): LlamaShape {
  const { id, hidden, layers, heads, intermediate, vocab, decoder, architecture } = manifest;
  if (architecture !== 'llama' || decoder === undefined) {
    const text = `Expected a manifest of architecture llama with its field decoder; ${id} is ${architecture}.`;
    throw new NearfieldError('model-unsupported', text);
  }
  const { kvHeads, headDims } = decoder;
  const fits =
    [hidden, intermediate, heads * headDims].every((n) => n % at.BLOCK === 0) &&
    headDims % 16 === 0 &&
    vocab % at.COLUMNS === 0 &&
    heads % kvHeads === 0;
  if (!fits) {
    const text =
      'Expected hidden, intermediate and heads * headDims in multiples of 32, headDims of 16, vocab of 8 and heads of ' +
      `kvHeads; ${id} has ${hidden}, ${intermediate}, ${heads} x ${headDims}, ${vocab}, ${kvHeads}.`;
    throw new NearfieldError('model-unsupported', text);
  }
  const most = Math.min(context, manifest.maxTokens);
  return {
    ...decoder,
    id,
    hidden,
    layers,
    heads,
    intermediate,
    vocab,
    context: most,
    epsilon: manifest.layerNormEps,
  };
}

/** Columns and depth of every matrix, by name. */
export function matricesOf(shape: LlamaShape): ReadonlyMap<string, readonly [n: number, k: number]> {
  const { hidden, heads, kvHeads, headDims, intermediate, vocab } = shape;
  const found = new Map<string, readonly [number, number]>([['embedding', [vocab, hidden]]]);
  for (let layer = 0; layer < shape.layers; layer += 1) {
    found.set(`layers.${layer}.qkv`, [(heads + 2 * kvHeads) * headDims, hidden]);
    found.set(`layers.${layer}.output`, [hidden, heads * headDims]);
    found.set(`layers.${layer}.gate_up`, [intermediate * 2, hidden]);
    found.set(`layers.${layer}.down`, [hidden, intermediate]);
  }
  if (!shape.tiedEmbeddings) found.set('head', [vocab, hidden]);
  return found;
}

/** Bytes of a packed matrix. */
export function packedBytes(type: WeightsType, n: number, k: number): number {
  return (n / at.COLUMNS) * (k / at.BLOCK) * (type === 'U8' ? at.BLOCK_4 : at.BLOCK_8);
}

const MOST_HEADER_BYTES = 16 * 2 ** 20;

interface Opened {
  readonly index: WeightsIndex;
  /** The data section's parts, in order. */
  readonly data: AsyncIterable<Uint8Array>;
}

/** Reads the header and leaves the rest to be read. @throws model-load-failed */
export async function openWeights(source: WeightsSource): Promise<Opened> {
  const parts = iterate(source);
  let head = new Uint8Array(0);
  const grow = async (length: number): Promise<void> => {
    while (head.byteLength < length) {
      const next = await parts.next();
      if (next.done === true) throw broken('the file ends within its header');
      head = head.byteLength === 0 ? next.value.slice() : join(head, next.value);
    }
  };
  await grow(8);
  const length = Number(new DataView(head.buffer).getBigUint64(0, true));
  if (length > MOST_HEADER_BYTES) throw broken(`a header of ${length} bytes`);
  await grow(8 + length);
  const index = parseHeader(head.subarray(8, 8 + length));
  const rest = head.subarray(8 + length);
  async function* data(): AsyncGenerator<Uint8Array> {
    yield rest;
    for (;;) {
      const next = await parts.next();
      if (next.done === true) return;
      yield next.value;
    }
  }
  return { index, data: data() };
}

/** Small parts of a whole array, so that its header's neighbours are not copied. */
async function* iterate(source: WeightsSource): AsyncGenerator<Uint8Array> {
  if (!(source instanceof Uint8Array)) {
    yield* source;
    return;
  }
  const step = 2 ** 20;
  for (let from = 0; from < source.byteLength; from += step) yield source.subarray(from, from + step);
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(a.byteLength + b.byteLength);
  whole.set(a);
  whole.set(b, a.byteLength);
  return whole;
}

function parseHeader(bytes: Uint8Array): WeightsIndex {
  const tensors = new Map<string, WeightsTensor>();
  let total = 0;
  for (const [name, entry] of Object.entries(parseJson(bytes))) {
    if (name === '__metadata__') continue;
    const { dtype, data_offsets: range } = entry as { dtype?: unknown; data_offsets?: unknown };
    const [from, to] = Array.isArray(range) ? range : [];
    if (!isType(dtype) || !isOffset(from) || !isOffset(to) || to < from) {
      throw broken(`tensor ${name} is none of F32, I8, U8 with its offsets`);
    }
    if (from % 16 !== 0) throw broken(`tensor ${name} is not aligned to 16 bytes`);
    tensors.set(name, { type: dtype, offset: from, bytes: to - from });
    total = Math.max(total, to);
  }
  return { tensors, bytes: total };
}

function parseJson(bytes: Uint8Array): object {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof value === 'object' && value !== null) return value;
  } catch (cause) {
    throw broken('its header is no JSON', cause);
  }
  throw broken('its header is no object');
}

const isType = (value: unknown): value is WeightsType => value === 'F32' || value === 'I8' || value === 'U8';
const isOffset = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

export function broken(what: string, cause?: unknown): NearfieldError {
  const text = `The weights are not a decoder's safetensors file: ${what}. Build the model again.`;
  return new NearfieldError('model-load-failed', text, cause === undefined ? {} : { cause });
}
