import { describe, expect, test } from 'vitest';
import { NearfieldError } from '../../errors.ts';
import { recoveringDecoder } from './decoder-recovery.ts';
import { ask, collect, generatorOn, never, vocabulary } from './fixtures/tiny-generator.ts';
import { createTinyLlama, referenceLogits, TINY, tinyTensors } from './fixtures/tiny-llama.ts';
import type { Decoder, DecoderSequence } from './types.ts';

const CONTEXT = 48;
const tensors = tinyTensors(TINY, CONTEXT);

interface Device extends Decoder {
  /** Tokens it computed. */
  readonly computed: () => number;
  readonly lose: () => void;
  disposed: boolean;
}

/** A decoder by its formulas, on a device that can be lost, at once or after so many more tokens. */
function device(backend: string, loseAfter = Number.POSITIVE_INFINITY): Device {
  const kept = new Map<DecoderSequence, number[]>();
  let computed = 0;
  let limit = loseAfter;
  const open = (ids: number[] = []): DecoderSequence => {
    const sequence: DecoderSequence = {
      get length() {
        return ids.length;
      },
      truncate: (length) => void ids.splice(length),
      fork: (length) => open(ids.slice(0, length)),
      close: () => void kept.delete(sequence),
    };
    kept.set(sequence, ids);
    return sequence;
  };
  return {
    backend,
    vocab: TINY.vocab,
    context: CONTEXT,
    disposed: false,
    open: () => open(),
    async forward(work, { signal } = {}) {
      return work.map(({ sequence, tokens, logits }) => {
        signal?.throwIfAborted();
        const ids = kept.get(sequence);
        if (ids === undefined || this.disposed) throw new NearfieldError('invalid-request', 'not open here');
        if (computed >= limit) throw new NearfieldError('device-lost', 'gone');
        computed += tokens.length;
        ids.push(...tokens);
        if (logits === 'none') return new Float32Array(0);
        return Float32Array.from(referenceLogits(TINY, tensors, ids).at(-1)!);
      });
    },
    memory: () => ({ weightBytes: 0, cacheBytes: kept.size, totalBytes: kept.size }),
    async dispose() {
      this.disposed = true;
    },
    computed: () => computed,
    lose: () => {
      limit = 0;
    },
  };
}

const truth = (ids: readonly number[]) => Float32Array.from(referenceLogits(TINY, tensors, ids).at(-1)!);
const last = async (decoder: Decoder, sequence: DecoderSequence, tokens: readonly number[]) =>
  (await decoder.forward([{ sequence, tokens, logits: 'last' }]))[0];

describe('a decoder whose device is lost', () => {
  test('goes on with the next token, every sequence where it stood', async () => {
    const [first, second] = [device('gpu'), device('gpu again')];
    const decoder = recoveringDecoder(first, { reopen: async () => second });
    const [a, b] = [decoder.open(), decoder.open()];
    await last(decoder, a, [1, 2, 3, 4]);
    await last(decoder, b, [9, 8, 7]);
    a.truncate(3);
    first.lose();
    expect(await last(decoder, a, [5])).toEqual(truth([1, 2, 3, 5]));
    // What nobody asks for is not computed.
    expect(second.computed()).toBe(4);
    expect(decoder.backend).toBe('gpu again');
    expect(first.disposed).toBe(true);
    const copy = b.fork(2);
    expect(await last(decoder, copy, [6])).toEqual(truth([9, 8, 6]));
    expect(await last(decoder, b, [6])).toEqual(truth([9, 8, 7, 6]));
    expect([a.length, b.length, copy.length]).toEqual([4, 4, 3]);
  });

  test('is replaced once, whoever sees it', async () => {
    const first = device('gpu');
    let opened = 0;
    const decoder = recoveringDecoder(first, {
      reopen: async () => {
        opened += 1;
        return device('kernel');
      },
    });
    const sequences = [decoder.open(), decoder.open()];
    first.lose();
    const rows = await Promise.all(sequences.map((each, at) => last(decoder, each, [at + 1])));
    expect(rows).toEqual([truth([1]), truth([2])]);
    expect(opened).toBe(1);
  });

  test('says device-lost, retryable, where nothing can be opened, and is opened at the next ask', async () => {
    const first = device('gpu');
    let tries = 0;
    const decoder = recoveringDecoder(first, {
      reopen: async () => {
        tries += 1;
        if (tries === 1) throw new NearfieldError('out-of-memory', 'none');
        return device('kernel');
      },
    });
    const sequence = decoder.open();
    await last(decoder, sequence, [1, 2]);
    first.lose();
    await expect(last(decoder, sequence, [3])).rejects.toMatchObject({
      code: 'device-lost',
      retryable: true,
    });
    expect(sequence.length).toBe(2);
    expect(await last(decoder, sequence, [3])).toEqual(truth([1, 2, 3]));
    const fresh = decoder.open();
    expect(await last(decoder, fresh, [4])).toEqual(truth([4]));
  });

  test('an abort while another is opened leaves the sequence as it was', async () => {
    const first = device('gpu');
    const stop = new AbortController();
    const opening = Promise.withResolvers<Decoder>();
    const decoder = recoveringDecoder(first, { reopen: () => opening.promise });
    const sequence = decoder.open();
    await last(decoder, sequence, [1]);
    first.lose();
    const asked = decoder.forward([{ sequence, tokens: [2], logits: 'last' }], { signal: stop.signal });
    setTimeout(() => stop.abort(), 5);
    await expect(asked).rejects.toMatchObject({ name: 'AbortError' });
    opening.resolve(device('kernel'));
    expect(await last(decoder, sequence, [3])).toEqual(truth([1, 3]));
  });

  test('other failures stay the caller’s', async () => {
    const decoder = recoveringDecoder(device('gpu'), {
      reopen: () => Promise.reject(new Error('never asked')),
    });
    const stranger = device('other').open();
    await expect(last(decoder, stranger, [1])).rejects.toMatchObject({ code: 'invalid-request' });
    const closed = decoder.open();
    closed.close();
    await expect(last(decoder, closed, [1])).rejects.toMatchObject({ code: 'invalid-request' });
  });
});

/** Fails its forwards after so many. */
function losing(decoder: Decoder, forwards: number): Decoder {
  let left = forwards;
  return {
    ...decoder,
    forward(work, options) {
      left -= 1;
      return left < 0
        ? Promise.reject(new NearfieldError('device-lost', 'gone'))
        : decoder.forward(work, options);
    },
  };
}

test.each([0, 1, 5])('an answer under way says the same, its device lost after %i steps', async (steps) => {
  const tiny = () => createTinyLlama({ vocab: vocabulary.size });
  const request = ask('Hi', { seed: 7, temperature: 1, frequency_penalty: 0.4, max_completion_tokens: 12 });
  const say = (decoder: Decoder) =>
    collect(generatorOn(decoder, { guess: false }).stream(request, { signal: never }));
  const whole = await say(tiny());
  const halved = await say(recoveringDecoder(losing(tiny(), steps), { reopen: async () => tiny() }));
  expect(halved.text).toBe(whole.text);
  expect(halved.finish).toEqual(whole.finish);
});
