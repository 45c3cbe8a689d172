// Owns the ONNX graph of a Llama-architecture decoder, made from the model's shape and INT8 weights when the model
// is opened: one artefact serves the kernel and the GPU. Inputs: hidden states of the new tokens (the
// embedding row is looked up by the host), the cache's fill, one keys and one values buffer a layer, which the attention
// writes in place. Output: logits of the rows asked for.
import type { LlamaShape } from '../kernel/decoder-weights.ts';
import { FLOAT, INT32, INT64, OnnxGraph, type OnnxValue, UINT8 } from './onnx-writer.ts';

/** What of a model's shape its graph needs. */
export type GraphShape = Pick<
  LlamaShape,
  | 'hidden'
  | 'layers'
  | 'heads'
  | 'kvHeads'
  | 'headDims'
  | 'intermediate'
  | 'vocab'
  | 'epsilon'
  | 'qkvBias'
  | 'qkNorm'
>;

/** `weight[row][column] = (codes[row * k + column] - 128) * scales[row * (k / block) + floor(column / block)]` */
export interface Int8Matrix {
  readonly n: number;
  readonly k: number;
  /** Columns a scale covers; a power of two, at least 16, that divides k. */
  readonly block: number;
  readonly codes: Uint8Array;
  readonly scales: Float32Array;
}

/** A checkpoint by Hugging Face's parameter names, e.g. `model.layers.0.self_attn.q_proj.weight`. */
export interface LlamaTensors {
  matrix(name: string): Int8Matrix;
  vector(name: string): Float32Array;
  /** Rotary angles: `[context * headDims / 2]`, cosine and sine, row by position. */
  rotary(): { readonly cos: Float32Array; readonly sin: Float32Array };
}

const CONTRIB = 'com.microsoft';

export interface DecoderGraph {
  readonly model: Uint8Array;
  readonly external: readonly { readonly path: string; readonly data: Uint8Array }[];
}

/** `context`: positions in each cache buffer. */
export function buildDecoderGraph(shape: GraphShape, tensors: LlamaTensors, context: number): DecoderGraph {
  const graph = new OnnxGraph();
  const write = new Writer(graph, shape, tensors, context);
  let { stream, normed } = write.start();
  for (let layer = 0; layer < shape.layers; layer += 1)
    ({ stream, normed } = write.layer(layer, stream, normed));
  write.logits(normed);
  return graph.finish(inputs(shape, context), outputs(shape, context));
}

class Writer {
  readonly #graph: OnnxGraph;
  readonly #shape: GraphShape;
  readonly #tensors: LlamaTensors;

  constructor(graph: OnnxGraph, shape: GraphShape, tensors: LlamaTensors, context: number) {
    this.#graph = graph;
    this.#shape = shape;
    this.#tensors = tensors;
    const { cos, sin } = tensors.rotary();
    for (const [name, values] of [
      ['cos', cos],
      ['sin', sin],
    ] as const) {
      this.#floats(name, values, [context, shape.headDims / 2]);
    }
  }

  start(): { stream: string; normed: string } {
    return { stream: 'embeds', normed: this.#norm('embeds', 'model.layers.0.input_layernorm.weight') };
  }

  layer(index: number, stream: string, normed: string): { stream: string; normed: string } {
    const name = `model.layers.${index}`;
    const attended = this.#attention(index, normed);
    const mixed = this.#product(attended, `${name}.self_attn.o_proj.weight`);
    const middle = this.#skipNorm(mixed, stream, `${name}.post_attention_layernorm.weight`);
    const fed = this.#feedForward(name, middle.normed);
    const last = index + 1 === this.#shape.layers;
    const next = last ? 'model.norm.weight' : `model.layers.${index + 1}.input_layernorm.weight`;
    return this.#skipNorm(fed, middle.stream, next);
  }

  logits(normed: string): void {
    const rows = this.#graph.add('Gather', [normed, 'logit_rows'], 'kept', { axis: 1 });
    this.#product(rows, 'lm_head.weight', 'logits');
  }

  #attention(index: number, normed: string): string {
    const { heads, kvHeads } = this.#shape;
    const name = `model.layers.${index}.self_attn`;
    const [query, key, value] = ['q', 'k', 'v'].map((part) => this.#head(name, part, normed));
    return this.#graph.add(
      'GroupQueryAttention',
      [query!, key!, value!, `past.${index}.key`, `past.${index}.value`, 'last', 'total', 'cos', 'sin'],
      [`${name}.out`, `present.${index}.key`, `present.${index}.value`],
      { num_heads: heads, kv_num_heads: kvHeads, do_rotary: 1 },
      CONTRIB,
    );
  }

  #head(name: string, part: string, normed: string): string {
    const { qkvBias, qkNorm, headDims } = this.#shape;
    let out = this.#product(normed, `${name}.${part}_proj.weight`);
    if (qkvBias) {
      const bias = this.#tensors.vector(`${name}.${part}_proj.bias`);
      const inputs = [out, this.#floats(`${name}.${part}_proj.bias`, bias, [bias.length])];
      out = this.#graph.add('Add', inputs, `${name}.${part}.biased`);
    }
    if (!qkNorm || part === 'v') return out;
    const split = this.#graph.add(
      'Reshape',
      [out, this.#ints('by-head', [0, 0, -1, headDims])],
      `${out}.split`,
    );
    const normal = this.#norm(split, `${name}.${part}_norm.weight`);
    return this.#graph.add('Reshape', [normal, this.#ints('joined', [0, 0, -1])], `${out}.joined`);
  }

  #feedForward(name: string, normed: string): string {
    const gate = this.#product(normed, `${name}.mlp.gate_proj.weight`);
    const up = this.#product(normed, `${name}.mlp.up_proj.weight`);
    const sigmoid = this.#graph.add('Sigmoid', [gate], `${name}.mlp.sigmoid`);
    const silu = this.#graph.add('Mul', [gate, sigmoid], `${name}.mlp.silu`);
    const gated = this.#graph.add('Mul', [silu, up], `${name}.mlp.gated`);
    return this.#product(gated, `${name}.mlp.down_proj.weight`);
  }

  #product(x: string, name: string, output = `${name}.out`): string {
    const { n, k, block, codes, scales } = this.#tensors.matrix(name);
    const blocks = k / block;
    this.#graph.constant({ name, type: UINT8, shape: [n, blocks, block], data: codes });
    const scale = this.#floats(`${name}.scales`, scales, [n, blocks]);
    return this.#graph.add(
      'MatMulNBits',
      [x, name, scale],
      output,
      { bits: 8, block_size: block, K: k, N: n },
      CONTRIB,
    );
  }

  #norm(x: string, name: string): string {
    const weight = this.#tensors.vector(name);
    const inputs = [x, this.#floats(name, weight, [weight.length])];
    return this.#graph.add('SimplifiedLayerNormalization', inputs, `${x}.normed`, {
      axis: -1,
      epsilon: { float: this.#shape.epsilon },
    });
  }

  #skipNorm(x: string, skip: string, name: string): { stream: string; normed: string } {
    const weight = this.#tensors.vector(name);
    const [normed, stream] = [`${x}.normed`, `${x}.stream`];
    const inputs = [x, skip, this.#floats(name, weight, [weight.length])];
    const epsilon = { float: this.#shape.epsilon };
    this.#graph.add(
      'SkipSimplifiedLayerNormalization',
      inputs,
      [normed, '', '', stream],
      { epsilon },
      CONTRIB,
    );
    return { stream, normed };
  }

  #floats(name: string, values: Float32Array, shape: readonly number[]): string {
    const data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    return this.#graph.constant({ name, type: FLOAT, shape, data });
  }

  #ints(name: string, values: readonly number[]): string {
    const data = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    return this.#graph.constant({ name, type: INT64, shape: [values.length], data });
  }
}

/** Name and shape of every cache buffer, layer by layer. */
export function cacheNames(shape: GraphShape): readonly string[] {
  return Array.from({ length: shape.layers }, (_, layer) => [`${layer}.key`, `${layer}.value`]).flat();
}

function inputs(shape: GraphShape, context: number): OnnxValue[] {
  return [
    { name: 'embeds', type: FLOAT, shape: [1, 'tokens', shape.hidden] },
    { name: 'last', type: INT32, shape: [1] },
    { name: 'total', type: INT32, shape: [1] },
    { name: 'logit_rows', type: INT64, shape: ['rows'] },
    ...caches(shape, context, 'past'),
  ];
}

function outputs(shape: GraphShape, context: number): OnnxValue[] {
  const logits = { name: 'logits', type: FLOAT, shape: [1, 'rows', shape.vocab] };
  return [logits, ...caches(shape, context, 'present')];
}

function caches(shape: GraphShape, context: number, prefix: string): OnnxValue[] {
  const size = [1, shape.kvHeads, context, shape.headDims];
  return cacheNames(shape).map((name) => ({ name: `${prefix}.${name}`, type: FLOAT, shape: size }));
}
