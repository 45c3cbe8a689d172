import { describe, expect, test } from 'vitest';
import { NearfieldError } from '../../errors.ts';
import type { Verdict } from '../../model-files/source.ts';
import type { BackendId } from '../../types.ts';
import { type DecoderModel, type DecoderRow, openDecoder } from './decoder-choice.ts';
import { checkDecoder, type DecoderGolden, parseDecoderGolden, timeDecoder } from './decoder-golden.ts';
import { referenceLogits, TINY, tinyTensors } from './fixtures/tiny-llama.ts';
import type { Decoder, DecoderSequence } from './types.ts';

const CONTEXT = 32;
const IDS = [5, 17, 40, 3, 66, 21];

/** The tiny model by its formulas; `seed` other than 1 stands for a backend that computes wrongly. */
function plainDecoder(backend: string, seed: number, spend: () => void): Decoder & { disposed: boolean } {
  const tensors = tinyTensors(TINY, CONTEXT, seed);
  const kept = new Map<DecoderSequence, number[]>();
  return {
    backend,
    vocab: TINY.vocab,
    context: CONTEXT,
    disposed: false,
    open() {
      const ids: number[] = [];
      const sequence: DecoderSequence = {
        get length() {
          return ids.length;
        },
        truncate: (length) => void ids.splice(length),
        fork: () => Promise.reject(new Error('not here')) as never,
        close: () => void kept.delete(sequence),
      };
      kept.set(sequence, ids);
      return sequence;
    },
    async forward(work) {
      return work.map(({ sequence, tokens }) => {
        spend();
        const ids = kept.get(sequence)!;
        ids.push(...tokens);
        return Float32Array.from(referenceLogits(TINY, tensors, ids).slice(-tokens.length).flat());
      });
    },
    memory: () => ({ weightBytes: 0, cacheBytes: kept.size, totalBytes: kept.size }),
    async dispose() {
      this.disposed = true;
    },
  };
}

function goldenOf(seed: number): DecoderGolden {
  const top = referenceLogits(TINY, tinyTensors(TINY, CONTEXT, seed), IDS).map((row) => {
    const ids = row
      .map((_, id) => id)
      .sort((a, b) => row[b]! - row[a]!)
      .slice(0, 5);
    return { ids, logits: ids.map((id) => row[id]!) };
  });
  return { texts: ['x'], inputIds: [IDS], top: [top] };
}

interface World {
  readonly opened: ReturnType<typeof plainDecoder>[];
  readonly rows: DecoderRow[];
  readonly now: () => number;
}

/** Rows by name: what a step costs, and whether it computes rightly. */
function world(specs: readonly { id: BackendId; ms: number; seed?: number; able?: boolean }[]): World {
  let clock = 0;
  const opened: ReturnType<typeof plainDecoder>[] = [];
  const rows = specs.map(
    ({ id, ms, seed = 1, able = true }): DecoderRow => ({
      id,
      available: () => able,
      async create() {
        const decoder = plainDecoder(id, seed, () => {
          clock += ms;
        });
        opened.push(decoder);
        return decoder;
      },
    }),
  );
  return { opened, rows, now: () => clock };
}

const model: DecoderModel = {
  manifest: {} as never,
  weightsHash: 'hash',
  golden: goldenOf(1),
  weights: () => new Uint8Array(),
};

describe('which backend decodes', () => {
  test('the faster of the GPU and the kernel, the other disposed of', async () => {
    const { rows, opened, now } = world([
      { id: 'kernel', ms: 5 },
      { id: 'ort-webgpu', ms: 9 },
    ]);
    const decoder = await openDecoder(model, rows, { now });
    expect(decoder.backend).toBe('kernel');
    expect(opened.map(({ backend, disposed }) => [backend, disposed])).toEqual([
      ['ort-webgpu', true],
      ['kernel', false],
    ]);
  });

  test('a GPU that computes wrongly is left, however fast', async () => {
    const falls: string[] = [];
    const { rows, opened, now } = world([
      { id: 'ort-webgpu', ms: 1, seed: 2 },
      { id: 'kernel', ms: 50 },
    ]);
    const onFall = (id: BackendId, error: unknown) =>
      void falls.push(`${id} ${(error as { code: string }).code}`);
    const decoder = await openDecoder(model, rows, { now, onFall });
    expect(decoder.backend).toBe('kernel');
    expect(falls).toEqual(['ort-webgpu golden-mismatch']);
    expect(opened[0]!.disposed).toBe(true);
  });

  test('without a GPU one copy is opened, the first that can', async () => {
    const { rows, opened, now } = world([
      { id: 'ort-webgpu', ms: 1, able: false },
      { id: 'kernel', ms: 1 },
      { id: 'kernel-threads', ms: 9 },
    ]);
    expect((await openDecoder(model, rows, { now })).backend).toBe('kernel-threads');
    expect(opened).toHaveLength(1);
  });

  test('a choice is remembered for these weights and this device', async () => {
    const kept = new Map<string, string>();
    const choices = {
      get: async (key: string) => kept.get(key),
      set: async (key: string, value: string) => void kept.set(key, value),
    };
    const specs = [
      { id: 'ort-webgpu', ms: 9 },
      { id: 'kernel', ms: 5 },
    ] as const;
    await openDecoder(model, world(specs).rows, { now: world(specs).now, choices, deviceKey: 'gpu a' });
    const again = world(specs);
    await openDecoder(model, again.rows, { now: again.now, choices, deviceKey: 'gpu a' });
    expect(again.opened).toHaveLength(1);
    const other = world(specs);
    await openDecoder(model, other.rows, { now: other.now, choices, deviceKey: 'gpu b' });
    expect(other.opened).toHaveLength(2);
  });

  test('none that computes rightly: the reason is given', async () => {
    const { rows, now } = world([{ id: 'kernel', ms: 1, seed: 3 }]);
    await expect(openDecoder(model, rows, { now })).rejects.toMatchObject({ code: 'golden-mismatch' });
  });
});

describe('weights that are wrong', () => {
  const opening = (verdicts: Verdict[], fails: number) => {
    let created = 0;
    const row = (id: BackendId): DecoderRow => ({
      id,
      available: () => true,
      async create() {
        created += 1;
        if (created <= fails) throw new NearfieldError('model-load-failed', 'no header');
        return plainDecoder(id, 1, () => {});
      },
    });
    const opened = openDecoder({ ...model, verdict: async () => verdicts.shift() ?? 'right' }, [
      row('kernel-threads'),
      row('kernel'),
    ]);
    return { opened, created: () => created };
  };

  test('are read again where that brings others, on the same backend', async () => {
    const { opened, created } = opening(['again'], 1);
    expect((await opened).backend).toBe('kernel-threads');
    expect(created()).toBe(2);
  });

  test('end the search: the next backend would read the same', async () => {
    const { opened, created } = opening(['wrong'], 9);
    await expect(opened).rejects.toMatchObject({ code: 'integrity-mismatch' });
    expect(created()).toBe(1);
  });

  test('twice are wrong; right ones leave the fault with the backend', async () => {
    await expect(opening(['again', 'again'], 9).opened).rejects.toMatchObject({ code: 'integrity-mismatch' });
    expect((await opening(['right'], 1).opened).backend).toBe('kernel');
  });
});

describe('a lost device', () => {
  test('is opened once more, then the next backend takes its place', async () => {
    const falls: string[] = [];
    const { rows, opened, now } = world([
      { id: 'ort-webgpu', ms: 1 },
      { id: 'kernel', ms: 9 },
    ]);
    const onFall = (id: BackendId, error: unknown) =>
      void falls.push(`${id} ${(error as { code: string }).code}`);
    const decoder = await openDecoder(model, rows, { now, onFall });
    const sequence = decoder.open();
    const lose = () => {
      const gpu = opened.filter(({ backend }) => backend === 'ort-webgpu').at(-1)!;
      gpu.forward = () => Promise.reject(new NearfieldError('device-lost', 'gone'));
    };
    const backends: string[] = [];
    for (const token of [3, 4, 5]) {
      await decoder.forward([{ sequence, tokens: [token], logits: 'last' }]);
      backends.push(decoder.backend);
      lose();
    }
    expect(backends).toEqual(['ort-webgpu', 'ort-webgpu', 'kernel']);
    expect(falls).toEqual(['ort-webgpu device-lost', 'ort-webgpu device-lost']);
    expect(sequence.length).toBe(3);
  });
});

describe('the check', () => {
  test('leaves no sequence behind and passes what agrees', async () => {
    const decoder = plainDecoder('kernel', 1, () => {});
    await checkDecoder(decoder, goldenOf(1));
    expect(decoder.memory().cacheBytes).toBe(0);
  });

  test('a row that is not a number fails', async () => {
    const decoder = plainDecoder('kernel', 1, () => {});
    const broken: Decoder = {
      ...decoder,
      forward: async () => [new Float32Array(TINY.vocab * IDS.length).fill(Number.NaN)],
    };
    await expect(checkDecoder(broken, goldenOf(1))).rejects.toMatchObject({ code: 'golden-mismatch' });
  });

  test('a file without what is needed is refused by name', () => {
    const bytes = new TextEncoder().encode('{"texts":["a"],"inputIds":[[1]]}');
    expect(() => parseDecoderGolden(bytes)).toThrow(/texts, inputIds and top/);
  });

  test('times the quickest step after a first that is not counted', async () => {
    const costs = [90, 7, 5, 6];
    let clock = 0;
    const decoder = plainDecoder('kernel', 1, () => {
      clock += costs.shift() ?? 0;
    });
    expect(await timeDecoder(decoder, () => clock)).toBe(5);
  });
});
