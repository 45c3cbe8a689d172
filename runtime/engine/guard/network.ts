// Owns the guard's arithmetic: two rows of word ids to one number, as scripts/models/python/guard_model.py does
// it. Small enough for plain code: about a million multiply-adds a pair.

/** A product's weights, row-major [outputs, inputs], and its bias where it has one. */
export interface Linear {
  readonly weight: Float32Array;
  readonly bias: Float32Array | undefined;
  readonly inputs: number;
  readonly outputs: number;
}

export interface GuardWeights {
  /** [vocab, dims], INT8 with one scale a row. */
  readonly words: Int8Array;
  readonly wordScales: Float32Array;
  readonly dims: number;
  readonly enter: Linear;
  readonly context: Linear;
  readonly normWeight: Float32Array;
  readonly normBias: Float32Array;
  readonly align: Linear;
  /** Of the words' cosine, and of being the same piece. */
  readonly sharpness: Float32Array;
  readonly compare: Linear;
  readonly compareAgain: Linear;
  readonly decide: Linear;
  readonly logit: Linear;
}

/** One text as the network has read it; good for any number of comparisons. */
export interface ReadText {
  readonly ids: Int32Array;
  /** [words, dims], length 1 each. */
  readonly units: Float32Array;
  /** [words, width], each read with its neighbours. */
  readonly states: Float32Array;
  /** [words, width], what alignment compares. */
  readonly keys: Float32Array;
}

export interface GuardNetwork {
  read(ids: Int32Array): ReadText;
  /** Logit that both ask the same. */
  compare(a: ReadText, b: ReadText): number;
}

/** [words of one, words of the other]; `columns` is the other's count. */
interface Meeting {
  readonly cosines: Float32Array;
  readonly scores: Float32Array;
  readonly columns: number;
}

interface Side {
  readonly mean: Float32Array;
  readonly most: Float32Array;
}

const NORM_EPS = 1e-5;

export function createGuardNetwork(weights: GuardWeights): GuardNetwork {
  const { dims, enter, context, align, compare, compareAgain, decide, logit, sharpness } = weights;
  const width = enter.outputs;
  const compared = compareAgain.outputs;

  function read(ids: Int32Array): ReadText {
    const count = ids.length;
    const units = new Float32Array(count * dims);
    const entered = new Float32Array(count * width);
    ids.forEach((id, at) => {
      const word = units.subarray(at * dims, (at + 1) * dims);
      const scale = weights.wordScales[id] ?? 0;
      for (let dim = 0; dim < dims; dim += 1) word[dim] = (weights.words[id * dims + dim] ?? 0) * scale;
      apply(enter, word, entered.subarray(at * width, (at + 1) * width));
      toUnit(word);
    });
    const states = new Float32Array(count * width);
    const keys = new Float32Array(count * width);
    const beside = new Float32Array(3 * width);
    for (let at = 0; at < count; at += 1) {
      beside.fill(0);
      for (const [slot, other] of [at - 1, at, at + 1].entries()) {
        if (other < 0 || other >= count) continue;
        beside.set(entered.subarray(other * width, (other + 1) * width), slot * width);
      }
      const state = states.subarray(at * width, (at + 1) * width);
      apply(context, beside, state);
      relu(state);
      for (let dim = 0; dim < width; dim += 1) state[dim]! += entered[at * width + dim]!;
      normalise(state, weights.normWeight, weights.normBias);
      apply(align, state, keys.subarray(at * width, (at + 1) * width));
    }
    return { ids, units, states, keys };
  }

  /** How near each word of `a` is to each of `b`: the same either way, so both sides share it. */
  function meet(a: ReadText, b: ReadText): Meeting {
    const [rows, columns] = [a.ids.length, b.ids.length];
    const cosines = new Float32Array(rows * columns);
    const scores = new Float32Array(rows * columns);
    for (let at = 0; at < rows; at += 1) {
      for (let to = 0; to < columns; to += 1) {
        const cosine = dot(a.units, at * dims, b.units, to * dims, dims);
        const equal = a.ids[at] === b.ids[to] ? 1 : 0;
        const key = dot(a.keys, at * width, b.keys, to * width, width) / Math.sqrt(width);
        cosines[at * columns + to] = cosine;
        scores[at * columns + to] = key + sharpness[0]! * cosine + sharpness[1]! * equal;
      }
    }
    return { cosines, scores, columns };
  }

  /** Mean and maximum over the words of `own` of how each compares with what it meets in `other`. */
  function side(own: ReadText, other: ReadText, met: Meeting, turned: boolean): Side {
    const [count, others] = [own.ids.length, other.ids.length];
    const mean = new Float32Array(compared);
    const most = new Float32Array(compared).fill(Number.NEGATIVE_INFINITY);
    const shares = new Float32Array(others);
    const features = new Float32Array(compare.inputs);
    const hidden = new Float32Array(compare.outputs);
    const found = new Float32Array(compared);
    for (let at = 0; at < count; at += 1) {
      let [best, same] = [-1, 0];
      for (let to = 0; to < others; to += 1) {
        const cell = turned ? to * met.columns + at : at * met.columns + to;
        shares[to] = met.scores[cell]!;
        best = Math.max(best, met.cosines[cell]!);
        if (own.ids[at] === other.ids[to]) same = 1;
      }
      const sure = softmax(shares);
      const aligned = features.subarray(width, 2 * width).fill(0);
      for (let to = 0; to < others; to += 1) {
        for (let dim = 0; dim < width; dim += 1)
          aligned[dim]! += shares[to]! * other.states[to * width + dim]!;
      }
      for (let dim = 0; dim < width; dim += 1) {
        const state = own.states[at * width + dim]!;
        features[dim] = state;
        features[2 * width + dim] = Math.abs(state - aligned[dim]!);
        features[3 * width + dim] = state * aligned[dim]!;
      }
      features.set([best, same, sure], 4 * width);
      apply(compare, features, hidden);
      relu(hidden);
      apply(compareAgain, hidden, found);
      relu(found);
      for (let dim = 0; dim < compared; dim += 1) {
        mean[dim]! += found[dim]! / count;
        most[dim] = Math.max(most[dim]!, found[dim]!);
      }
    }
    return { mean, most };
  }

  return {
    read,
    compare(a, b) {
      if (a.ids.length === 0 || b.ids.length === 0) return Number.NEGATIVE_INFINITY;
      const met = meet(a, b);
      const [left, right] = [side(a, b, met, false), side(b, a, met, true)];
      const pooled = new Float32Array(4 * compared);
      for (let dim = 0; dim < compared; dim += 1) {
        pooled[dim] = left.mean[dim]! + right.mean[dim]!;
        pooled[compared + dim] = Math.abs(left.mean[dim]! - right.mean[dim]!);
        pooled[2 * compared + dim] = Math.max(left.most[dim]!, right.most[dim]!);
        pooled[3 * compared + dim] = Math.min(left.most[dim]!, right.most[dim]!);
      }
      const decided = new Float32Array(decide.outputs);
      apply(decide, pooled, decided);
      relu(decided);
      const out = new Float32Array(1);
      apply(logit, decided, out);
      return out[0]!;
    },
  };
}

function apply({ weight, bias, inputs, outputs }: Linear, x: Float32Array, out: Float32Array): void {
  for (let row = 0; row < outputs; row += 1) {
    out[row] = (bias?.[row] ?? 0) + dot(weight, row * inputs, x, 0, inputs);
  }
}

function dot(a: Float32Array, aFrom: number, b: Float32Array, bFrom: number, length: number): number {
  // Four sums: the processor need not wait for one addition before the next.
  let [first, second, third, fourth] = [0, 0, 0, 0];
  const whole = length - (length % 4);
  for (let at = 0; at < whole; at += 4) {
    first += a[aFrom + at]! * b[bFrom + at]!;
    second += a[aFrom + at + 1]! * b[bFrom + at + 1]!;
    third += a[aFrom + at + 2]! * b[bFrom + at + 2]!;
    fourth += a[aFrom + at + 3]! * b[bFrom + at + 3]!;
  }
  for (let at = whole; at < length; at += 1) first += a[aFrom + at]! * b[bFrom + at]!;
  return first + second + third + fourth;
}

function relu(x: Float32Array): void {
  for (let at = 0; at < x.length; at += 1) if (x[at]! < 0) x[at] = 0;
}

function toUnit(x: Float32Array): void {
  const length = Math.max(Math.sqrt(dot(x, 0, x, 0, x.length)), 1e-12);
  for (let at = 0; at < x.length; at += 1) x[at]! /= length;
}

function normalise(x: Float32Array, weight: Float32Array, bias: Float32Array): void {
  const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
  const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length;
  const scale = 1 / Math.sqrt(variance + NORM_EPS);
  for (let at = 0; at < x.length; at += 1) x[at] = (x[at]! - mean) * scale * weight[at]! + bias[at]!;
}

/** In place. Returns the largest share. */
function softmax(x: Float32Array): number {
  const top = x.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  let sum = 0;
  for (let at = 0; at < x.length; at += 1) {
    x[at] = Math.exp(x[at]! - top);
    sum += x[at]!;
  }
  for (let at = 0; at < x.length; at += 1) x[at]! /= sum;
  return 1 / sum;
}
