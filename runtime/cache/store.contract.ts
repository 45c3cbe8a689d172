// The battery every cache store passes. The browser tests run it inside the page, where there is no
// vitest, so a check throws plain errors.
import { allPages, type CacheStore, type EntryHead, type StoredEntry } from './store.ts';

export interface StoreCheck {
  readonly name: string;
  /** `reopen` closes nothing: the check closes what it opened, then asks for the same place again. */
  run(open: () => Promise<CacheStore>): Promise<void>;
}

export function sampleEntry(seed: number, changes: Partial<StoredEntry> = {}): StoredEntry {
  const values = Int8Array.from({ length: 8 }, (_, at) => ((seed * 31 + at * 17) % 255) - 127);
  return {
    id: seed.toString(16).padStart(32, '0'),
    scopeHash: `scope-${seed % 3}`,
    contextHash: `context-${seed % 5}`,
    text: `question ${seed} — ¿qué? 漢字 \u0000 '"%_`,
    vector: { values, scale: 1 / 127 / (seed + 1) },
    tags: seed % 2 === 0 ? [] : ['a', `tag ${seed}`],
    createdAtMs: 1_790_000_000_000 + seed,
    expiresAtMs: 1_790_000_900_000 + seed,
    usedAtMs: 1_790_000_000_000 + seed,
    hits: 0,
    costMs: 12.5 + seed,
    bytes: 100,
    answer: JSON.stringify({ text: `answer ${seed} \u2028 \ud83d\ude00` }),
    ...changes,
  };
}

export const STORE_CHECKS: readonly StoreCheck[] = [
  {
    name: 'gives back what was put, after reopening',
    async run(open) {
      const put = [sampleEntry(1), sampleEntry(2), { ...sampleEntry(3), vector: undefined }];
      const first = await open();
      await first.apply({ put });
      await first.close();
      const again = await open();
      same(await allHeads(again), put.map(toHead));
      for (const entry of put) same(await again.answer(entry.id), entry.answer);
      same(await again.answer('absent'), undefined);
      await again.close();
    },
  },
  {
    name: 'replaces an entry of the same id',
    async run(open) {
      const store = await open();
      await store.apply({ put: [sampleEntry(1)] });
      const next = sampleEntry(1, { answer: '{"text":"new"}', hits: 4, tags: ['t'], vector: undefined });
      await store.apply({ put: [next] });
      same(await allHeads(store), [toHead(next)]);
      same(await store.answer(next.id), next.answer);
      await store.close();
    },
  },
  {
    name: 'removes, touches and passes over what is gone',
    async run(open) {
      const store = await open();
      await store.apply({ put: [sampleEntry(1), sampleEntry(2)] });
      const gone = sampleEntry(9).id;
      await store.apply({
        remove: [sampleEntry(1).id, gone],
        touch: [
          { id: sampleEntry(2).id, usedAtMs: 7, hits: 3 },
          { id: gone, usedAtMs: 7, hits: 3 },
        ],
      });
      same(await allHeads(store), [{ ...toHead(sampleEntry(2)), usedAtMs: 7, hits: 3 }]);
      same(await store.answer(sampleEntry(1).id), undefined);
      same(await store.answer(gone), undefined);
      await store.close();
    },
  },
  {
    name: 'removes before it puts, so an id in both stays',
    async run(open) {
      const store = await open();
      await store.apply({ put: [sampleEntry(1)] });
      await store.apply({ remove: [sampleEntry(1).id], put: [sampleEntry(1, { hits: 9 })] });
      same((await allHeads(store))[0]?.hits, 9);
      await store.close();
    },
  },
  {
    name: 'keeps meta rows, finds them by prefix, removes on null',
    async run(open) {
      const store = await open();
      await store.apply({ meta: { 'a/1': 'x', 'a/2': 'y', 'b%_1': 'z', bxx1: 'w' } });
      same([...(await store.meta('a/'))].sort(), [
        ['a/1', 'x'],
        ['a/2', 'y'],
      ]);
      same([...(await store.meta('b%_'))], [['b%_1', 'z']]);
      await store.apply({ meta: { 'a/1': null, 'a/2': 'v' } });
      same([...(await store.meta('a/'))], [['a/2', 'v']]);
      await store.close();
    },
  },
  {
    name: 'lets one claim win',
    async run(open) {
      const store = await open();
      const claims = await Promise.all([store.claim('secret', 'one'), store.claim('secret', 'two')]);
      same(claims[0], claims[1]);
      same(await store.claim('secret', 'three'), claims[0]);
      await store.close();
      const again = await open();
      same(await again.claim('secret', 'four'), claims[0]);
      await again.close();
    },
  },
  {
    name: 'pages through more entries than one page',
    async run(open) {
      const store = await open();
      const put = Array.from({ length: 4_100 }, (_, at) => sampleEntry(at));
      await store.apply({ put });
      const heads = await allHeads(store);
      same(heads.length, put.length);
      same(new Set(heads.map((head) => head.id)).size, put.length);
      same(heads[4_099], toHead(sampleEntry(4_099)));
      await store.close();
    },
  },
  {
    name: 'keeps concurrent changes whole',
    async run(open) {
      const store = await open();
      await Promise.all(
        Array.from({ length: 40 }, (_, at) =>
          store.apply({ put: [sampleEntry(at)], remove: at > 0 ? [sampleEntry(at - 1).id] : [] }),
        ),
      );
      same(await allHeads(store), [toHead(sampleEntry(39))]);
      await store.close();
    },
  },
  {
    name: 'rejects with storage-failed once closed',
    async run(open) {
      const store = await open();
      await store.close();
      const code = await store.answer('x').then(
        () => 'no error',
        (error: { code?: string }) => error.code,
      );
      same(code, 'storage-failed');
    },
  },
];

export async function allHeads(store: CacheStore): Promise<EntryHead[]> {
  const heads: EntryHead[] = [];
  for await (const page of allPages(store)) heads.push(...page);
  return heads.sort((a, b) => (a.id < b.id ? -1 : 1));
}

export function toHead(entry: StoredEntry): EntryHead {
  const { answer: _answer, ...head } = entry;
  return head;
}

/** Deep equality by canonical JSON, vectors spelled out, absent and undefined alike. */
export function same(actual: unknown, expected: unknown): void {
  const [a, b] = [canonical(actual), canonical(expected)];
  if (a !== b) throw new Error(`Expected ${b.slice(0, 400)}, got ${a.slice(0, 400)}.`);
}

function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_key, part: unknown) => {
      if (part instanceof Int8Array) return { int8: [...part] };
      if (part === null || typeof part !== 'object' || Array.isArray(part)) return part;
      return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
    }) ?? 'undefined'
  );
}
