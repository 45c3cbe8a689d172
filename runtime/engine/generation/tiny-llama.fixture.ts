// A random Llama, tiny, and what it must compute, in loops as plain as the papers' formulas: RMSNorm
// (Zhang & Sennrich 2019), rotary positions in halves (Su et al. 2021, GPT-NeoX layout), grouped queries (Ainslie et al. 2023),
// SiLU gate (Shazeer 2020).
import type { GraphShape, Int8Matrix, LlamaTensors } from './ort-decoder-graph.ts';

export const TINY: GraphShape = {
  hidden: 64,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  headDims: 32,
  intermediate: 96,
  vocab: 80,
  epsilon: 1e-5,
  qkvBias: false,
  qkNorm: false,
};

const BLOCK = 32;

/** A linear congruential generator: the same weights everywhere. Numbers in -1…1. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32) * 2 - 1;
  };
}

export function tinyTensors(shape: GraphShape, context: number, seed = 1): LlamaTensors {
  const kept = new Map<string, Int8Matrix | Float32Array>();
  const rows: Record<string, [number, number]> = {
    q_proj: [shape.heads * shape.headDims, shape.hidden],
    k_proj: [shape.kvHeads * shape.headDims, shape.hidden],
    v_proj: [shape.kvHeads * shape.headDims, shape.hidden],
    o_proj: [shape.hidden, shape.heads * shape.headDims],
    gate_proj: [shape.intermediate, shape.hidden],
    up_proj: [shape.intermediate, shape.hidden],
    down_proj: [shape.hidden, shape.intermediate],
    embed_tokens: [shape.vocab, shape.hidden],
  };
  const make = (name: string): Int8Matrix | Float32Array => {
    // By name, so that the weights do not hang on the order in which they are asked for.
    const next = generator([...name].reduce((sum, char) => Math.imul(sum, 31) + char.charCodeAt(0), seed));
    const part = name.split('.').at(-2)!;
    const size = rows[part];
    if (name.endsWith('.bias')) return Float32Array.from({ length: size![0] }, () => next() * 0.5);
    if (size === undefined) {
      const length = part.endsWith('q_norm') || part.endsWith('k_norm') ? shape.headDims : shape.hidden;
      return Float32Array.from({ length }, () => 1 + next() * 0.3);
    }
    const [n, k] = size;
    const codes = Uint8Array.from({ length: n * k }, () => 128 + Math.round(next() * 127));
    const scales = Float32Array.from({ length: (n * k) / BLOCK }, () => (1 + next() * 0.5) * 0.002);
    return { n, k, block: BLOCK, codes, scales };
  };
  const get = (name: string) => {
    const source = name === 'lm_head.weight' ? 'model.embed_tokens.weight' : name;
    if (!kept.has(source)) kept.set(source, make(source));
    return kept.get(source)!;
  };
  return {
    matrix: (name) => get(name) as Int8Matrix,
    vector: (name) => get(name) as Float32Array,
    rotary: () => rotary(shape, context),
  };
}

function rotary(shape: GraphShape, context: number): { cos: Float32Array; sin: Float32Array } {
  const half = shape.headDims / 2;
  const angle = (at: number) => Math.floor(at / half) / 10000 ** ((2 * (at % half)) / shape.headDims);
  return {
    cos: Float32Array.from({ length: context * half }, (_, at) => Math.cos(angle(at))),
    sin: Float32Array.from({ length: context * half }, (_, at) => Math.sin(angle(at))),
  };
}

/** Logits after each token, by the whole text at once. */
export function referenceLogits(
  shape: GraphShape,
  tensors: LlamaTensors,
  ids: readonly number[],
): number[][] {
  const table = dense(tensors.matrix('model.embed_tokens.weight'));
  let stream = ids.map((id) => table[id]!.slice());
  for (let layer = 0; layer < shape.layers; layer += 1) {
    const name = `model.layers.${layer}`;
    const normed = stream.map((row) => rmsNorm(row, tensors.vector(`${name}.input_layernorm.weight`), shape));
    const mixed = attend(shape, tensors, `${name}.self_attn`, normed);
    stream = stream.map((row, at) => add(row, mixed[at]!));
    const wide = stream.map((row) =>
      rmsNorm(row, tensors.vector(`${name}.post_attention_layernorm.weight`), shape),
    );
    stream = stream.map((row, at) => add(row, feedForward(tensors, `${name}.mlp`, wide[at]!)));
  }
  const last = stream.map((row) => rmsNorm(row, tensors.vector('model.norm.weight'), shape));
  return last.map((row) => times(tensors.matrix('lm_head.weight'), row));
}

function attend(shape: GraphShape, tensors: LlamaTensors, name: string, normed: number[][]): number[][] {
  const { heads, kvHeads, headDims } = shape;
  const part = (letter: string, count: number) =>
    normed.map((row, position) => {
      let out = times(tensors.matrix(`${name}.${letter}_proj.weight`), row);
      if (shape.qkvBias) out = add(out, tensors.vector(`${name}.${letter}_proj.bias`));
      return Array.from({ length: count }, (_, head) => {
        const slice = out.slice(head * headDims, (head + 1) * headDims);
        if (letter === 'v') return slice;
        const normal = shape.qkNorm
          ? rmsNorm(slice, tensors.vector(`${name}.${letter}_norm.weight`), shape)
          : slice;
        return rotate(normal, position);
      });
    });
  const [query, key, value] = [part('q', heads), part('k', kvHeads), part('v', kvHeads)];
  return normed.map((_, position) => {
    const context = query[position]!.flatMap((q, head) => {
      const group = Math.floor(head / (heads / kvHeads));
      const scores = key.slice(0, position + 1).map((row) => dot(q, row[group]!) / Math.sqrt(headDims));
      const top = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - top));
      const sum = weights.reduce((a, b) => a + b, 0);
      return q.map((_, at) =>
        weights.reduce((total, w, row) => total + (w / sum) * value[row]![group]![at]!, 0),
      );
    });
    return times(tensors.matrix(`${name}.o_proj.weight`), context);
  });
}

function rotate(x: readonly number[], position: number): number[] {
  const half = x.length / 2;
  return x.map((value, at) => {
    const angle = position / 10000 ** ((2 * (at % half)) / x.length);
    const other = at < half ? -x[at + half]! : x[at - half]!;
    return value * Math.cos(angle) + other * Math.sin(angle);
  });
}

function feedForward(tensors: LlamaTensors, name: string, x: number[]): number[] {
  const gate = times(tensors.matrix(`${name}.gate_proj.weight`), x);
  const up = times(tensors.matrix(`${name}.up_proj.weight`), x);
  const gated = gate.map((value, at) => (value / (1 + Math.exp(-value))) * up[at]!);
  return times(tensors.matrix(`${name}.down_proj.weight`), gated);
}

function rmsNorm(x: readonly number[], weight: Float32Array, shape: GraphShape): number[] {
  const mean = x.reduce((sum, value) => sum + value * value, 0) / x.length;
  return x.map((value, at) => (value / Math.sqrt(mean + shape.epsilon)) * weight[at]!);
}

function dense({ n, k, block, codes, scales }: Int8Matrix): number[][] {
  return Array.from({ length: n }, (_, row) =>
    Array.from({ length: k }, (_, column) => {
      const at = row * k + column;
      return (codes[at]! - 128) * scales[Math.floor(at / block)]!;
    }),
  );
}

function times(matrix: Int8Matrix, x: readonly number[]): number[] {
  return dense(matrix).map((row) => dot(row, x));
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, at) => sum + value * b[at]!, 0);
}

function add(a: readonly number[], b: ArrayLike<number>): number[] {
  return a.map((value, at) => value + b[at]!);
}
