// Owns labels for texts without training: a label is a name, perhaps a description and a few examples, and
// the nearest one by embedding is chosen. Says `undefined` where no label is near. Never sends anything.
import { NearfieldError } from '../errors.ts';
import type { Embedder } from '../types.ts';

/** A label by its name, or with what says more about it. */
export interface ClassLabel {
  /** What comes back; words of a name in snake_case, kebab-case or CamelCase are read apart. */
  readonly name: string;
  /** What the label is about, in a sentence; read beside the name. */
  readonly description?: string | undefined;
  /** Texts that carry the label; from two or three on they count more than the name. */
  readonly examples?: readonly string[] | undefined;
}

export interface ClassifyOptions {
  readonly signal?: AbortSignal | undefined;
  readonly scope?: string | undefined;
  /**
   * Similarity, -1…1, that the best label must reach; under it the label is `undefined`. `false` always names
   * one. Default: calibrated ({@link CLASSIFY_WEIGHTS}), `otherShown` where every label has examples.
   */
  readonly other?: number | false | undefined;
  /** Sentences round a label's name, `{}` its place. Default: {@link LABEL_TEMPLATES}. */
  readonly templates?: readonly string[] | undefined;
}

export interface LabelScore {
  readonly label: string;
  /** 0…1, calibrated: of a hundred answers with .8, about eighty are right. All labels' scores sum to 1. */
  readonly score: number;
  /** Cosine to what stands for the label, -1…1. */
  readonly similarity: number;
}

export interface Classification {
  /** The best label; `undefined` when none is near enough. */
  readonly label: string | undefined;
  /** Every label, best first. */
  readonly scores: readonly LabelScore[];
}

export interface Classifier {
  /** @throws invalid-request when there are no labels, or two of one name; AbortError */
  classify(
    text: string,
    labels: readonly (string | ClassLabel)[],
    options?: ClassifyOptions,
  ): Promise<Classification>;
  /** Many texts against one set of labels, in one go. */
  classifyAll(
    texts: readonly string[],
    labels: readonly (string | ClassLabel)[],
    options?: ClassifyOptions,
  ): Promise<readonly Classification[]>;
}

export interface ClassifyWeights {
  /** Examples that weigh as much as the name. */
  readonly nameWeight: number;
  /** Softmax's temperature over similarities, by name alone and with examples. */
  readonly temperature: number;
  readonly temperatureShown: number;
  readonly other: number;
  readonly otherShown: number;
}

/** Fitted on the development splits of Banking77 and CLINC150 with all-minilm-l6-v2 (docs/classify.md). */
export const CLASSIFY_WEIGHTS: ClassifyWeights = Object.freeze({
  nameWeight: 2,
  temperature: 0.05,
  temperatureShown: 0.042,
  other: 0.3,
  otherShown: 0.4,
});

/** Few and bare: longer sentences round a name make all labels alike. */
export const LABEL_TEMPLATES: readonly string[] = Object.freeze(['{}', '{}?', 'My request: {}']);

/** Label sets whose vectors are kept; an app asks with the same few again and again. */
const KEPT_SETS = 16;

interface LabelSet {
  readonly names: readonly string[];
  /** One direction a label, length 1. */
  readonly vectors: readonly Float32Array[];
  /** Every label has examples. */
  readonly shown: boolean;
}

/** Labels by embedding; the labels' own vectors are kept between calls. */
export function createClassifier(options: {
  readonly embedder: Embedder;
  readonly weights?: ClassifyWeights | undefined;
}): Classifier {
  const { embedder, weights = CLASSIFY_WEIGHTS } = options;
  const kept = new Map<string, Promise<LabelSet>>();

  /** Not under the caller's signal: another call may be waiting for the same labels. */
  function labelSet(labels: readonly ClassLabel[], templates: readonly string[]): Promise<LabelSet> {
    const key = JSON.stringify([labels, templates]);
    const known = kept.get(key);
    kept.delete(key);
    const made = known ?? describeLabels(embedder, labels, templates, weights.nameWeight);
    kept.set(key, made);
    made.catch(() => kept.delete(key));
    if (kept.size > KEPT_SETS) kept.delete(kept.keys().next().value!);
    return made;
  }

  async function classifyAll(
    texts: readonly string[],
    labels: readonly (string | ClassLabel)[],
    options: ClassifyOptions = {},
  ): Promise<readonly Classification[]> {
    const { signal, scope, templates = LABEL_TEMPLATES } = options;
    signal?.throwIfAborted();
    const set = await labelSet(checkLabels(labels), templates);
    if (texts.length === 0) return [];
    const { embeddings } = await embedder.embed(texts, { signal, scope });
    const least = options.other ?? (set.shown ? weights.otherShown : weights.other);
    const temperature = set.shown ? weights.temperatureShown : weights.temperature;
    return embeddings.map((vector) => rank(vector, set, temperature, least));
  }

  return {
    classifyAll,
    classify: async (text, labels, options) => (await classifyAll([text], labels, options))[0]!,
  };
}

function checkLabels(given: readonly (string | ClassLabel)[]): readonly ClassLabel[] {
  const labels = given.map((label) => (typeof label === 'string' ? { name: label } : label));
  const names = new Set(labels.map((label) => label.name.trim()));
  if (labels.length > 0 && names.size === labels.length && !names.has('')) return labels;
  throw new NearfieldError(
    'invalid-request',
    `classify: expected one or more labels with different, non-empty names, got ${labels.length} with ${names.size}.`,
  );
}

/** What stands for each label: the mean of its examples, its name and description counting as `nameWeight` of them. */
async function describeLabels(
  embedder: Embedder,
  labels: readonly ClassLabel[],
  templates: readonly string[],
  nameWeight: number,
): Promise<LabelSet> {
  const texts = labels.map((label) => ({
    said: [
      ...templates.map((template) => template.replaceAll('{}', labelWords(label.name))),
      ...(label.description ? [label.description] : []),
    ],
    shown: label.examples ?? [],
  }));
  const { embeddings } = await embedder.embed(texts.flatMap(({ said, shown }) => [...said, ...shown]));
  let at = 0;
  const take = (count: number): readonly Float32Array[] => {
    at += count;
    return embeddings.slice(at - count, at);
  };
  const vectors = texts.map(({ said, shown }) => {
    const name = unit(total(take(said.length))).map((value) => value * nameWeight);
    return unit(total([name, ...take(shown.length)]));
  });
  return {
    names: labels.map((label) => label.name),
    vectors,
    shown: texts.every(({ shown }) => shown.length > 0),
  };
}

/** `card_arrival`, `PlayMusic` and `alarm/set` as words. */
export function labelWords(name: string): string {
  return name
    .replace(/(\p{Ll})(\p{Lu})/gu, '$1 $2')
    .replace(/[_/-]+/g, ' ')
    .trim()
    .toLowerCase();
}

function total(vectors: readonly Float32Array[]): Float32Array {
  const sum = new Float32Array(vectors[0]!.length);
  for (const vector of vectors) for (let at = 0; at < sum.length; at += 1) sum[at]! += vector[at]!;
  return sum;
}

function unit(vector: Float32Array): Float32Array {
  const norm = Math.hypot(...vector) || 1;
  return vector.map((value) => value / norm);
}

function rank(
  vector: Float32Array,
  set: LabelSet,
  temperature: number,
  least: number | false,
): Classification {
  const similarity = set.vectors.map((label) => dot(vector, label));
  const best = Math.max(...similarity);
  const weight = similarity.map((value) => Math.exp((value - best) / temperature));
  const sum = weight.reduce((a, b) => a + b, 0);
  const scores = set.names
    .map((label, at) => ({ label, score: weight[at]! / sum, similarity: similarity[at]! }))
    .sort((a, b) => b.similarity - a.similarity);
  return { label: least === false || best >= least ? scores[0]!.label : undefined, scores };
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at += 1) sum += a[at]! * b[at]!;
  return sum;
}
