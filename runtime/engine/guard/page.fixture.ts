// What guard.chromium.test.ts runs inside the page.
import { createSemanticCache } from '../../cache/index.ts';
import { createMemoryCacheStore } from '../../cache/memory.ts';
import { loadModel } from '../../models.ts';
import type { CachedAnswer } from '../../types.ts';
import { createBrowserGuard } from '../browser.ts';
import type { AskGuard } from './ask.ts';

type Pairs = readonly (readonly [asked: string, kept: string])[];

const MANIFEST = '/models/nearfield-guard/manifest.json';
const fetchFile = (input: string | URL | Request, init?: RequestInit): Promise<Response> =>
  fetch(input, init);
const realWorker = (): Worker => new Worker(new URL('../worker.ts', import.meta.url), { type: 'module' });

function open(
  options: {
    readonly manifest?: string;
    readonly createWorker?: () => Worker;
    readonly waitMs?: number;
  } = {},
): AskGuard {
  // Patient: the machine of a test may be busy.
  return createBrowserGuard({
    manifest: MANIFEST,
    fetch: fetchFile,
    store: null,
    waitMs: 60_000,
    ...options,
  });
}

const shared: AskGuard = open();

const questions = (count: number): Pairs =>
  Array.from({ length: count }, (_, at) => [
    `How can I move the ${at} files of my old account to the new one without losing any of them?`,
    `What is the way to take ${at} files from an old account into a new one so that none is lost?`,
  ]);

/** Of the guard that hangs; who does not wait at all is far from it, be the machine as slow as it may. */
const HANGS_MS = 2000;

async function outcome(run: () => Promise<unknown>): Promise<string> {
  const start = performance.now();
  try {
    await run();
    return 'answered';
  } catch {
    return performance.now() - start < HANGS_MS / 2 ? 'rejected at once' : 'rejected';
  }
}

const rejected = async (run: () => Promise<unknown>): Promise<string> =>
  (await outcome(run)).replace(' at once', '');

export const guardPage = {
  ask: (pairs: Pairs): Promise<number[]> => Promise.all(pairs.map(([asked, kept]) => shared(asked, kept))),

  async askMany(count: number): Promise<{ readonly pairs: number }> {
    for (const [asked, kept] of questions(count)) await shared(asked, kept);
    return { pairs: count };
  },

  /** Milliseconds a pair on this thread. */
  async computeHere(count: number): Promise<number> {
    const { createQuestionGuard } = await import('./index.ts');
    const guard = createQuestionGuard(
      await loadModel({
        manifest: new URL(MANIFEST, location.href),
        baseUrl: new URL('.', new URL(MANIFEST, location.href)),
        fetch: fetchFile,
      }),
    );
    const start = performance.now();
    for (const [asked, kept] of questions(count)) guard.same(asked, kept);
    return (performance.now() - start) / count;
  },

  async failures(): Promise<Readonly<Record<string, string>>> {
    const workers: Worker[] = [];
    const lost = open({
      createWorker() {
        const worker = realWorker();
        workers.push(worker);
        return worker;
      },
    });
    await lost.warm();
    workers[0]?.terminate();
    const silent = (): Worker => new Worker(URL.createObjectURL(new Blob(['/* says nothing */'])));
    const hangs = open({ createWorker: silent, waitMs: HANGS_MS });
    return {
      'no model': await rejected(() => open({ manifest: '/models/no-guard/manifest.json' })('a', 'b')),
      'no worker': await rejected(() =>
        open({
          createWorker: () => {
            throw new DOMException('Refused by the policy of the page.', 'SecurityError');
          },
        })('a', 'b'),
      ),
      'no script': await rejected(() =>
        open({ createWorker: () => new Worker('/no-such-worker.js') })('a', 'b'),
      ),
      'lost while asked': await rejected(() => lost('a', 'b')),
      'asked again after it was lost': await outcome(() => lost('a', 'b')),
      hangs: await outcome(() => hangs('a', 'b')),
      'hangs, asked again': await outcome(() => hangs('c', 'd')),
    };
  },

  /** Disposed of while it is open, by the close of the cache that has it, and while it opens; told how each fails then. */
  async disposals(): Promise<Readonly<Record<string, string>>> {
    const byCache = open();
    const cache = createSemanticCache({ store: createMemoryCacheStore(), guard: byCache });
    await byCache.warm();
    await cache.close();
    const inOpening = open();
    const opening = inOpening.warm();
    await inOpening.dispose();
    const started = Promise.withResolvers<void>();
    const inStart = open({
      createWorker() {
        started.resolve();
        return realWorker();
      },
    });
    const starting = inStart.warm();
    await started.promise;
    await inStart.dispose();
    return {
      'closed with its cache': await rejected(() => byCache('a', 'b')),
      'while its files come': await rejected(() => opening),
      'while its worker starts': await rejected(() => starting),
    };
  },

  async cacheWithoutGuard(): Promise<Readonly<Record<string, string | undefined>>> {
    const cache = createSemanticCache({
      store: createMemoryCacheStore(),
      embed: async (texts) => texts.map(() => Float32Array.of(1, 0, 0, 0)),
      guard: open({ manifest: '/models/no-guard/manifest.json' }),
    });
    const query = { scope: 'page', context: '', text: 'How do I change my password?' };
    const answer: CachedAnswer = {
      parts: [{ type: 'text-delta', text: 'so' }],
      finishReason: 'stop',
      usage: { promptTokens: 0, completionTokens: 0 },
      model: 'test',
      tier: { id: 'test', kind: 'device' },
      costMs: 1,
    };
    await cache.write(query, answer);
    const exact = await cache.lookup(query);
    const reworded = await cache.lookup({ ...query, text: 'What is the way to change my password?' });
    await cache.close();
    return { exact: exact.reason, reworded: reworded.reason };
  },
};

Object.assign(globalThis, { guardPage });
