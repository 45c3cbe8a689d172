// Owns where a decoder's things lie in linear memory and what the kernel is told of them. Buffers come first, then
// the weights as the file has them, then pages of keys and values up to the memory's end.
import * as at from './decoder-layout.ts';
import type { DecoderExports } from './decoder-module.ts';
import { writeRotary } from './decoder-rope.ts';
import { broken, type LlamaShape, matricesOf, packedBytes, type WeightsIndex } from './decoder-weights.ts';
import { MAY_WAIT, PLAN, PLAN_BYTES, THREADS } from './layout.ts';

/** Rows a run takes at most: activations stay in the second cache, weights are read once for all of them. */
export const MOST_ROWS = 64;
/** Rows of logits a run gives at most. */
export const MOST_PICKED = 8;

export interface DecoderPlan {
  readonly shape: LlamaShape;
  /** Where the file's data section goes. */
  readonly weights: number;
  /** First byte behind everything that is placed. */
  readonly end: number;
  readonly ids: number;
  readonly positions: number;
  /** Address of each row's page table. */
  readonly tables: number;
  readonly picked: number;
  /** Page tables themselves, one after another. */
  readonly pageTables: number;
  readonly tableBytes: number;
  readonly logits: number;
  /** Bytes of one page of keys and values, all layers. */
  readonly pageBytes: number;
  readonly fields: ReadonlyMap<number, number>;
  readonly structs: ReadonlyMap<string, number>;
  readonly layerTable: number;
}

/** Lays everything out; needs no memory yet. */
export function placeDecoder(shape: LlamaShape, index: WeightsIndex, threads: number): DecoderPlan {
  let next = PLAN + PLAN_BYTES;
  const take = (bytes: number): number => {
    const address = next;
    next += (bytes + 63) & ~63;
    return address;
  };
  const { hidden, heads, kvHeads, headDims, intermediate, context, vocab } = shape;
  const widest = Math.max(hidden, intermediate, heads * headDims);
  const wide = Math.max((heads + 2 * kvHeads) * headDims, intermediate * 2);
  const padded = Math.ceil(context / at.PAGE) * at.PAGE;
  const scores = (padded * 6 + headDims * 2 + 127) & ~63;
  const panel = (widest / at.BLOCK) * 320 + 128;
  const structs = new Map([...matricesOf(shape).keys()].map((name) => [name, take(at.X_BYTES)] as const));
  const layerTable = take(shape.layers * at.Y_BYTES);
  const fields = new Map<number, number>([
    [at.D_ROPE, take(context * headDims * 4)],
    [at.D_STREAM, take(MOST_ROWS * hidden * 4)],
    [at.D_WIDE, take(MOST_ROWS * wide * 4)],
    [at.D_MIXED, take(MOST_ROWS * Math.max(hidden, heads * headDims) * 4)],
    [at.D_CODES, take(MOST_ROWS * widest * 2)],
    [at.D_SCALES, take(MOST_ROWS * (widest / 8))],
    [at.D_SUMS, take(MOST_ROWS * (widest / 8))],
    [at.D_LOGITS, take(MOST_PICKED * vocab * 4)],
    [at.D_OWN, take((scores + panel) * threads)],
    [at.D_OWN_BYTES, scores + panel],
    [at.D_OWN_SCORES, 0],
    [at.D_OWN_PANEL, scores],
    [at.D_LAYER_TABLE, layerTable],
  ]);
  const ids = take(MOST_ROWS * 4);
  const positions = take(MOST_ROWS * 4);
  const tables = take(MOST_ROWS * 4);
  const picked = take(MOST_ROWS * 4);
  const tableBytes = (padded / at.PAGE) * 4;
  const pageTables = take(MOST_ROWS * tableBytes);
  const logits = fields.get(at.D_LOGITS)!;
  const weights = take(index.bytes);
  const pageBytes = shape.layers * kvHeads * at.PAGE * (headDims * 3 + 8);
  const given = { ids, positions, tables, picked, pageTables, tableBytes, logits, weights, pageBytes };
  return { shape, end: next, fields, structs, layerTable, ...given };
}

/** Writes structs and plan once the weights lie in memory. @throws model-load-failed */
export function writeDecoderPlan(
  plan: DecoderPlan,
  index: WeightsIndex,
  threads: number,
  mayWait: boolean,
  memory: WebAssembly.Memory,
): void {
  const { shape } = plan;
  const view = new DataView(memory.buffer);
  const put = (address: number, value: number) => view.setUint32(address, value, true);
  for (const [name, [n, k]] of matricesOf(shape)) writeMatrix(plan, index, name, n, k, put);
  for (let layer = 0; layer < shape.layers; layer += 1) writeLayer(plan, index, layer, put);
  const set = (field: number, value: number) => put(PLAN + field, value);
  for (const [field, value] of plan.fields) set(field, value);
  set(at.D_HIDDEN, shape.hidden);
  set(at.D_LAYERS, shape.layers);
  set(at.D_HEADS, shape.heads);
  set(at.D_KV_HEADS, shape.kvHeads);
  set(at.D_HEAD_DIMS, shape.headDims);
  set(at.D_INTERMEDIATE, shape.intermediate);
  view.setFloat32(PLAN + at.D_EPSILON, shape.epsilon, true);
  set(at.D_EMBEDDING, plan.structs.get('embedding')!);
  set(at.D_HEAD, plan.structs.get(shape.tiedEmbeddings ? 'embedding' : 'head')!);
  set(at.D_NORM, floats(plan, index, 'norm', shape.hidden));
  set(at.D_IDS, plan.ids);
  set(at.D_POSITIONS, plan.positions);
  set(at.D_TABLES, plan.tables);
  set(at.D_PICKED, plan.picked);
  set(THREADS, threads);
  set(MAY_WAIT, mayWait ? 1 : 0);
  const rope = new Float32Array(memory.buffer, plan.fields.get(at.D_ROPE)!, shape.context * shape.headDims);
  writeRotary(rope, shape, shape.context);
}

type Put = (address: number, value: number) => void;

function writeMatrix(
  plan: DecoderPlan,
  index: WeightsIndex,
  name: string,
  n: number,
  k: number,
  put: Put,
): void {
  const tensor = index.tensors.get(name);
  if (tensor === undefined || tensor.type === 'F32' || tensor.bytes !== packedBytes(tensor.type, n, k)) {
    throw broken(`expected ${name} of ${n} by ${k} packed, it has ${tensor?.bytes ?? 'no'} bytes`);
  }
  if (name === 'embedding' && tensor.type !== 'I8') throw broken('embeddings must be int8');
  const struct = plan.structs.get(name)!;
  const bias = index.tensors.has(`${name}.bias`) ? floats(plan, index, `${name}.bias`, n) : 0;
  put(struct + at.X_N, n);
  put(struct + at.X_K, k);
  put(struct + at.X_KIND, tensor.type === 'U8' ? at.KIND_4 : at.KIND_8);
  put(struct + at.X_DATA, plan.weights + tensor.offset);
  put(struct + at.X_SCALE, floats(plan, index, `${name}.scale`, n));
  put(struct + at.X_MIN, tensor.type === 'U8' ? floats(plan, index, `${name}.min`, n) : 0);
  put(struct + at.X_BIAS, bias);
}

function writeLayer(plan: DecoderPlan, index: WeightsIndex, layer: number, put: Put): void {
  const struct = plan.layerTable + layer * at.Y_BYTES;
  const name = `layers.${layer}`;
  const { hidden, headDims, qkNorm, qkvBias } = plan.shape;
  if (qkvBias !== index.tensors.has(`${name}.qkv.bias`)) {
    throw broken(`the manifest says qkvBias ${qkvBias}, ${name} says otherwise`);
  }
  put(struct + at.Y_QKV, plan.structs.get(`${name}.qkv`)!);
  put(struct + at.Y_OUTPUT, plan.structs.get(`${name}.output`)!);
  put(struct + at.Y_GATE_UP, plan.structs.get(`${name}.gate_up`)!);
  put(struct + at.Y_DOWN, plan.structs.get(`${name}.down`)!);
  put(struct + at.Y_NORM, floats(plan, index, `${name}.attention_norm`, hidden));
  put(struct + at.Y_MLP_NORM, floats(plan, index, `${name}.mlp_norm`, hidden));
  put(struct + at.Y_QUERY_NORM, qkNorm ? floats(plan, index, `${name}.query_norm`, headDims) : 0);
  put(struct + at.Y_KEY_NORM, qkNorm ? floats(plan, index, `${name}.key_norm`, headDims) : 0);
}

function floats(plan: DecoderPlan, index: WeightsIndex, name: string, length: number): number {
  const tensor = index.tensors.get(name);
  if (tensor?.type === 'F32' && tensor.bytes === length * 4) return plan.weights + tensor.offset;
  throw broken(`expected ${name} of ${length} floats, it has ${tensor?.bytes ?? 'no'} bytes`);
}

/** The sizes the host reckons with are the kernel's own. */
export function agrees(plan: DecoderPlan, kernel: DecoderExports): boolean {
  const { shape, fields } = plan;
  const room = fields.get(at.D_OWN_BYTES)! - fields.get(at.D_OWN_PANEL)!;
  const widest = Math.max(shape.hidden, shape.intermediate, shape.heads * shape.headDims);
  return (
    kernel.panelScratch(widest) <= room &&
    kernel.scoreScratch(shape.context, shape.headDims) <= fields.get(at.D_OWN_PANEL)!
  );
}
