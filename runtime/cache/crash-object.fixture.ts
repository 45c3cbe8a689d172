// The worker of crash.workerd.test.ts: an object that writes when told to and says when the store has said that it is
// kept, and after a kill tells what it finds.
import { type DurableObjectSql, openDurableObjectCacheStore } from './durable-object.ts';
import { type ObjectWorker, toObject } from './object-worker.fixture.ts';
import { allHeads, sampleEntry } from './store.contract.ts';
import type { CacheStore } from './store.ts';

const ENTRIES_A_WRITE = 24;

export interface Kept {
  readonly entriesAWrite: number;
  /** Entries found of each write. */
  readonly entries: Readonly<Record<string, number>>;
  /** Writes whose answers are not the ones written. */
  readonly wrongAnswers: readonly number[];
}

const answerOf = (write: number): string => JSON.stringify({ text: `${write} `.repeat(4_000) });

export class CrashObject {
  readonly #store: Promise<CacheStore>;

  constructor(state: { readonly storage: DurableObjectSql }) {
    this.#store = openDurableObjectCacheStore(state.storage);
  }

  async fetch(request: Request): Promise<Response> {
    const write = new URL(request.url).searchParams.get('write');
    const store = await this.#store;
    if (write === null) return Response.json(await this.#kept(store));
    const answer = answerOf(Number(write));
    const put = Array.from({ length: ENTRIES_A_WRITE }, (_, at) =>
      sampleEntry(Number(write) * ENTRIES_A_WRITE + at, { text: write, answer }),
    );
    await store.apply({ put });
    return new Response(`kept ${write}`);
  }

  async #kept(store: CacheStore): Promise<Kept> {
    const entries: Record<string, number> = {};
    const wrongAnswers = new Set<number>();
    for (const { id, text } of await allHeads(store)) {
      entries[text] = (entries[text] ?? 0) + 1;
      if ((await store.answer(id)) !== answerOf(Number(text))) wrongAnswers.add(Number(text));
    }
    return { entriesAWrite: ENTRIES_A_WRITE, entries, wrongAnswers: [...wrongAnswers] };
  }
}

const worker: ObjectWorker = toObject(() => 'one');
export default worker;
