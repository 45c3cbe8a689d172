// Owns which requests are in flight and who may read along: the very same question, or one that the judge takes
// for the same, of the same scope and context. Knows nothing of what the parts are.
import type { CacheReport, MakeShared, SharedAnswer } from '../types.ts';
import type { Match } from './catalogue.ts';
import type { Verdict } from './judge.ts';
import type { QueryKeys } from './keys.ts';
import { cosine } from './quantise.ts';
import { createSerial, type Serial } from './serial.ts';
import { createSharedStream, type SharedStream } from './shared-stream.ts';
import type { StoredVector } from './store.ts';

export interface CoalesceOptions {
  /** A follower goes on by itself when the first part does not come within this. Default 10 seconds. */
  readonly waitMs?: number | undefined;
  /** Follow questions in other words too, where the judge takes them for the same. Default true. */
  readonly similar?: boolean | undefined;
}

export interface Flights {
  join<Part, Asker>(
    asked: {
      readonly keys: QueryKeys;
      readonly vector: StoredVector | undefined;
      readonly decide: (matches: readonly Match[]) => Promise<Verdict>;
      readonly signal?: AbortSignal | undefined;
    },
    asker: Asker,
    make: MakeShared<Part, Asker>,
  ): Promise<SharedAnswer<Part>>;
  size(): number;
}

interface Flight {
  readonly keys: QueryKeys;
  readonly vector: StoredVector | undefined;
  readonly stream: SharedStream<unknown, unknown>;
}

/** Questions in flight a new one is compared with. */
const MOST_COMPARED = 8;

export function createFlights({ waitMs = 10_000, similar = true }: CoalesceOptions): Flights {
  /** By context hash, which holds the scope; within it by the exact key. */
  const contexts = new Map<string, Map<string, Flight>>();
  const serials = new Map<string, { readonly serial: Serial; users: number }>();

  function start(keys: QueryKeys, vector: StoredVector | undefined, make: Make, asker: unknown): Flight {
    const flights = contexts.get(keys.contextHash) ?? new Map<string, Flight>();
    contexts.set(keys.contextHash, flights);
    const stream = createSharedStream(make, asker, () => {
      if (flights.get(keys.id) === flight) flights.delete(keys.id);
      if (flights.size === 0 && contexts.get(keys.contextHash) === flights) contexts.delete(keys.contextHash);
    });
    const flight: Flight = { keys, vector, stream };
    flights.set(keys.id, flight);
    return flight;
  }

  function like(keys: QueryKeys, vector: StoredVector): Match[] {
    const flights = [...(contexts.get(keys.contextHash)?.values() ?? [])];
    return flights
      .flatMap(({ keys: { id, scopeHash, contextHash, text }, vector: other }) =>
        other === undefined
          ? []
          : [
              {
                head: { ...UNKEPT, id, scopeHash, contextHash, text, vector: other },
                similarity: cosine(vector.values, other.values),
              },
            ],
      )
      .sort((a, b) => b.similarity - a.similarity)
      .slice(0, MOST_COMPARED);
  }

  /** Judging takes a while, in which a like question may take off: one of a context is judged at a time. */
  async function inTurn<T>(context: string, run: () => Promise<T>): Promise<T> {
    const turn = serials.get(context) ?? { serial: createSerial(), users: 0 };
    serials.set(context, turn);
    turn.users += 1;
    try {
      return await turn.serial(run);
    } finally {
      turn.users -= 1;
      if (turn.users === 0) serials.delete(context);
    }
  }

  return {
    async join(asked, asker, make) {
      const { keys, vector, signal } = asked;
      const find = (id: string): Flight | undefined => contexts.get(keys.contextHash)?.get(id);
      // One registry for all kinds of part: a cache is shared by the callers of one runtime, which use one kind.
      type Shared = SharedAnswer<ReturnType<typeof make> extends AsyncGenerator<infer P> ? P : never>;
      const lead = (): Shared => {
        const { stream } = start(keys, vector, make as Make, asker);
        return { leads: true, parts: stream.read(asker, { signal }) } as Shared;
      };
      const follow = (flight: Flight, report: CacheReport): Shared =>
        ({ leads: false, report, parts: flight.stream.read(asker, { signal, waitMs }) }) as Shared;

      const same = find(keys.id);
      if (same !== undefined) return follow(same, reportOf(keys.id, 'coalesced'));
      if (!similar || vector === undefined) return lead();
      return await inTurn(keys.contextHash, async () => {
        const matches = find(keys.id) === undefined ? like(keys, vector) : [];
        const verdict = matches.length === 0 ? undefined : await asked.decide(matches);
        const id = verdict?.serve === true ? verdict.match?.head.id : undefined;
        const flight = find(keys.id) ?? (id === undefined ? undefined : find(id));
        signal?.throwIfAborted();
        if (flight === undefined) return lead();
        return flight.keys.id === keys.id
          ? follow(flight, reportOf(keys.id, 'coalesced'))
          : follow(flight, reportOf(flight.keys.id, 'coalesced-similar', verdict?.match?.similarity));
      });
    },
    size: () => [...contexts.values()].reduce((sum, flights) => sum + flights.size, 0),
  };
}

type Make = MakeShared<unknown, unknown>;

/** What a head says of an answer that is not kept yet. */
const UNKEPT = {
  tags: [],
  createdAtMs: 0,
  expiresAtMs: Number.POSITIVE_INFINITY,
  usedAtMs: 0,
  hits: 0,
  costMs: 0,
  bytes: 0,
} as const;

function reportOf(
  entryId: string,
  reason: 'coalesced' | 'coalesced-similar',
  similarity?: number,
): CacheReport {
  return { status: 'hit', reason, entryId, collapsed: true, similarity };
}
