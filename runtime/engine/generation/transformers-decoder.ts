// Owns a transformers.js model as a decoder: one sequence a run, its cache handed on, computed anew where a
// sequence was cut back, since the library's caches can only grow.
import { NearfieldError } from '../../errors.ts';
import type { Decoder, DecoderSequence, ForwardWork } from './types.ts';

/** The part of a transformers.js model used here. */
export interface ForwardModel {
  forward(inputs: Record<string, unknown>): Promise<Record<string, unknown>>;
  dispose(): Promise<unknown>;
}

export type TensorConstructor = new (type: 'int64', data: BigInt64Array, shape: readonly number[]) => unknown;

interface Cached extends DecoderSequence {
  readonly tokens: number[];
  /** The library's cache, and how many of the tokens it holds. */
  past: Readonly<Record<string, unknown>> | undefined;
  held: number;
}

export function createTransformersDecoder(
  model: ForwardModel,
  Tensor: TensorConstructor,
  { backend, vocab, context }: { readonly backend: string; readonly vocab: number; readonly context: number },
): Decoder {
  const open = (first: readonly number[] = []): Cached => {
    const sequence: Cached = {
      tokens: [...first],
      past: undefined,
      held: 0,
      get length() {
        return this.tokens.length;
      },
      truncate(length) {
        if (length >= this.tokens.length) return;
        this.tokens.length = length;
        if (this.held > length) forget(this);
      },
      fork: (length) => open(sequence.tokens.slice(0, length)),
      close: () => forget(sequence),
    };
    return sequence;
  };

  async function run(sequence: Cached, tokens: readonly number[], all: boolean): Promise<Float32Array> {
    const whole = [...sequence.tokens, ...tokens];
    const fed = whole.slice(sequence.held);
    const integers = (values: readonly number[]) =>
      new Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length]);
    const output = await model.forward({
      input_ids: integers(fed),
      attention_mask: integers(whole.map(() => 1)),
      past_key_values: sequence.past ?? null,
    });
    sequence.past = pastOf(output);
    sequence.held = whole.length;
    sequence.tokens.push(...tokens);
    const { data } = output.logits as { data: Float32Array };
    return data.slice(data.length - (all ? tokens.length : 1) * vocab);
  }

  return {
    backend,
    vocab,
    context,
    open: () => open(),
    async forward(work, { signal } = {}) {
      check(work, context);
      const rows: Float32Array[] = [];
      for (const { sequence, tokens, logits } of work) {
        signal?.throwIfAborted();
        const row = await run(sequence as Cached, tokens, logits === 'all');
        rows.push(logits === 'none' ? new Float32Array(0) : row);
      }
      return rows;
    },
    // The library does not tell what it holds.
    memory: () => ({ weightBytes: 0, cacheBytes: 0, totalBytes: 0 }),
    async dispose() {
      await model.dispose();
    },
  };
}

function check(work: readonly ForwardWork[], context: number): void {
  for (const { sequence, tokens } of work) {
    if (sequence.length + tokens.length <= context) continue;
    throw new NearfieldError('context-overflow', `A sequence holds at most ${context} tokens.`);
  }
}

function forget(sequence: Cached): void {
  for (const value of Object.values(sequence.past ?? {})) (value as { dispose?(): void }).dispose?.();
  sequence.past = undefined;
  sequence.held = 0;
}

function pastOf(output: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const present = Object.entries(output).filter(([name]) => name.startsWith('present'));
  return Object.fromEntries(
    present.map(([name, value]) => [name.replace('present', 'past_key_values'), value]),
  );
}
