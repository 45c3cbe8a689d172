// Owns how long an answer stays fresh: by how often answers to questions like it changed when they were made again,
// before that by what the question asks about. Refuses to guess beyond the floor and the ceiling.
import { cosine } from './quantise.ts';

export interface TtlOptions {
  /** Never fresh for less. Default 10 seconds. */
  readonly floorMs?: number;
  /** Never fresh for more. Default 30 days. */
  readonly ceilingMs?: number;
  /** A question that says nothing about time. Default 24 hours. */
  readonly defaultMs?: number;
  /** How long past its end an answer may still be served as `stale`, as a share of its TTL. Default 1. */
  readonly staleShare?: number;
}

/** How soon the answer to a question changes, as a model judges it. */
export type Volatility = 'timeless' | 'months' | 'days' | 'minutes';

/** Where an answer starts that a model judged. Unmeasured starting points. */
const JUDGED_MS: Readonly<Record<Volatility, number>> = {
  timeless: 30 * 24 * 3_600_000,
  months: 7 * 24 * 3_600_000,
  days: 6 * 3_600_000,
  minutes: 60_000,
};

/** How soon, by the words of a question. */
export type WordVolatility = 'live' | 'daily' | 'seasonal' | 'unknown' | 'settled';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Where an answer of this kind starts; refreshes move it. Unmeasured starting points. */
const START_MS: Readonly<Record<Exclude<WordVolatility, 'unknown'>, number>> = {
  live: MINUTE,
  daily: 30 * MINUTE,
  seasonal: 6 * HOUR,
  settled: 7 * DAY,
};

/** First match decides. Words are whole, lower case, without accents. */
const SIGNS: readonly (readonly [Exclude<WordVolatility, 'unknown'>, RegExp])[] = [
  [
    'live',
    words(
      'now|right now|currently|at the moment|live|score|traffic|stock|stocks|price|prices|exchange rate|bitcoin|' +
        'what time is it|is it open|in stock|available|ahora|ahora mismo|actualmente|en vivo|precio|precios|bolsa|' +
        'cotizacion|tipo de cambio|que hora es|disponible|agora|agora mesmo|neste momento|ao vivo|preco|precos|' +
        'bolsa de valores|cotacao|cambio|que horas sao|disponivel|placar|marcador',
    ),
  ],
  [
    'daily',
    words(
      'today|tonight|tomorrow|yesterday|weather|forecast|news|this morning|this afternoon|this evening|hoy|' +
        'esta noche|manana|ayer|clima|pronostico|noticias|esta tarde|hoje|esta noite|amanha|ontem|tempo|' +
        'previsao|noticias|esta manha|latest|breaking|ultima hora|ultimas',
    ),
  ],
  [
    'seasonal',
    words(
      'this week|this month|this year|next week|next month|recent|recently|newest|new|upcoming|current|esta semana|' +
        'este mes|este ano|proxima semana|proximo mes|reciente|recientes|nuevo|nueva|actual|ultimo|semana que vem|' +
        'recente|recentes|novo|nova|atual|president|presidente|ceo|version|versao',
    ),
  ],
  [
    'settled',
    words(
      'what is the capital|definition|define|meaning of|who wrote|who invented|history of|translate|synonym|' +
        'definicion|significado|quien escribio|quien invento|historia de|traduce|traducir|definicao|' +
        'quem escreveu|quem inventou|historia do|historia da|traduza|traduzir',
    ),
  ],
];

export function volatilityOf(text: string): WordVolatility {
  const plain = text.normalize('NFD').replaceAll(/\p{M}/gu, '').toLowerCase();
  return SIGNS.find(([, sign]) => sign.test(plain))?.[0] ?? 'unknown';
}

function words(alternatives: string): RegExp {
  return new RegExp(`(?<![\\p{L}\\p{N}])(?:${alternatives})(?![\\p{L}\\p{N}])`, 'u');
}

/** What refreshes of one kind or one cluster of questions have shown. */
export interface FreshnessRecord {
  /** What an answer is given now. */
  readonly ttlMs: number;
  readonly refreshes: number;
  readonly changes: number;
}

/** Questions near one another, of one scope. */
interface Cluster extends FreshnessRecord {
  readonly key: string;
  readonly vector: Int8Array;
}

/** A question as freshness sees it. */
export interface FreshnessQuestion {
  readonly text: string;
  readonly scopeHash: string;
  readonly vector?: Int8Array | undefined;
}

export type JudgeVolatility = (text: string) => Promise<Volatility | undefined>;

type Rows = Readonly<Record<string, string | null>>;

export interface Freshness {
  /** Milliseconds an answer to this question is fresh. `ceilingMs` is a further cap, e.g. `max-age`. */
  ttlMs(question: FreshnessQuestion, ceilingMs?: number): Promise<number>;
  staleUntilMs(expiresAtMs: number, createdAtMs: number): number;
  /** An answer of this age was made again. Returns what changed, for the store. */
  refreshed(question: FreshnessQuestion, ageMs: number, changed: boolean): Promise<Rows>;
  /** Drops what a scope's questions taught; returns the meta keys to remove. */
  forget(scopeHash: string): readonly string[];
}

export const FRESHNESS_PREFIX = 'freshness/';
const KIND_PREFIX = `${FRESHNESS_PREFIX}kind/`;
const CLUSTER_PREFIX = `${FRESHNESS_PREFIX}cluster/`;

/** From this cosine on a question belongs to a cluster: about one thing, if not the same question. Unmeasured. */
const CLUSTER_SIMILARITY = 0.75;
/** Clusters a scope may have; the one least often refreshed goes. */
const MOST_CLUSTERS = 64;
/** Volatilities remembered, so that a question is judged once, not at its write and its refresh. */
const JUDGED_REMEMBERED = 256;

/**
 * Learns multiplicatively, the faster way down: an answer that changed within its time halves the TTL of its cluster
 * and its kind, one still the same after its time lengthens both by a fifth. Steps unmeasured. A question near no
 * cluster has its kind's TTL; a kind starts where `judge` puts it, or by its words where there is none.
 */
export function createFreshness(
  options: TtlOptions,
  kept: ReadonlyMap<string, string>,
  judge?: JudgeVolatility,
): Freshness {
  const { floorMs = 10_000, ceilingMs = 30 * DAY, defaultMs = DAY, staleShare = 1 } = options;
  const kinds = new Map<string, FreshnessRecord>();
  const clusters = new Map<string, Cluster[]>();
  const judged = new Map<string, string>();
  for (const [key, value] of kept) restore(key, value);

  function restore(key: string, value: string): void {
    const record = readRecord(value);
    if (record === undefined) return;
    if (key.startsWith(KIND_PREFIX)) kinds.set(key.slice(KIND_PREFIX.length), record);
    if (!key.startsWith(CLUSTER_PREFIX) || record.vector === undefined) return;
    const scopeHash = key.slice(CLUSTER_PREFIX.length).split('/')[0] ?? '';
    clustersOf(scopeHash).push({ ...record, key, vector: record.vector });
  }

  function clustersOf(scopeHash: string): Cluster[] {
    const found = clusters.get(scopeHash) ?? [];
    clusters.set(scopeHash, found);
    return found;
  }

  async function kindOf(text: string): Promise<string> {
    const known = judged.get(text);
    if (known !== undefined) return known;
    const kind = (await judge?.(text).catch(() => undefined)) ?? volatilityOf(text);
    judged.set(text, kind);
    if (judged.size > JUDGED_REMEMBERED) judged.delete(judged.keys().next().value ?? '');
    return kind;
  }

  function kindRecord(kind: string): FreshnessRecord {
    const startMs = kind === 'unknown' ? defaultMs : STARTS_MS[kind];
    return kinds.get(kind) ?? { ttlMs: startMs ?? defaultMs, refreshes: 0, changes: 0 };
  }

  function nearestCluster({ scopeHash, vector }: FreshnessQuestion): Cluster | undefined {
    if (vector === undefined) return undefined;
    let nearest: Cluster | undefined;
    let least = CLUSTER_SIMILARITY;
    for (const cluster of clusters.get(scopeHash) ?? []) {
      const similarity = cosine(vector, cluster.vector);
      if (similarity >= least) [nearest, least] = [cluster, similarity];
    }
    return nearest;
  }

  function learn(record: FreshnessRecord, ageMs: number, changed: boolean): FreshnessRecord {
    const told = changed ? ageMs <= 2 * record.ttlMs : ageMs >= record.ttlMs;
    const factor = told ? (changed ? 0.5 : 1.2) : 1;
    return {
      ttlMs: clamp(record.ttlMs * factor, floorMs, ceilingMs),
      refreshes: record.refreshes + 1,
      changes: record.changes + (changed ? 1 : 0),
    };
  }

  /** The cluster with what was learned; a new one, around this question, where it was near none. */
  function learnCluster(
    question: FreshnessQuestion,
    start: FreshnessRecord,
    learned: (record: FreshnessRecord) => FreshnessRecord,
  ): Rows {
    const { scopeHash, vector } = question;
    if (vector === undefined) return {};
    const all = clustersOf(scopeHash);
    const before = nearestCluster(question);
    const key = before?.key ?? `${CLUSTER_PREFIX}${scopeHash}/${crypto.randomUUID()}`;
    const next = { ...learned(before ?? start), key, vector: before?.vector ?? vector.slice() };
    if (before === undefined) all.push(next);
    else all[all.indexOf(before)] = next;
    const rows = { [key]: writeRecord(next) };
    if (all.length <= MOST_CLUSTERS) return rows;
    const least = all.slice(0, -1).reduce((a, b) => (b.refreshes < a.refreshes ? b : a));
    all.splice(all.indexOf(least), 1);
    return { ...rows, [least.key]: null };
  }

  return {
    async ttlMs(question, furtherCeilingMs = Number.POSITIVE_INFINITY) {
      const record = nearestCluster(question) ?? kindRecord(await kindOf(question.text));
      return Math.min(clamp(record.ttlMs, floorMs, ceilingMs), furtherCeilingMs);
    },
    staleUntilMs: (expiresAtMs, createdAtMs) => expiresAtMs + staleShare * (expiresAtMs - createdAtMs),
    async refreshed(question, ageMs, changed) {
      const kind = await kindOf(question.text);
      const before = kindRecord(kind);
      const next = learn(before, ageMs, changed);
      kinds.set(kind, next);
      const start = { ttlMs: before.ttlMs, refreshes: 0, changes: 0 };
      const rows = learnCluster(question, start, (record) => learn(record, ageMs, changed));
      return { [KIND_PREFIX + kind]: writeRecord(next), ...rows };
    },
    forget(scopeHash) {
      const keys = (clusters.get(scopeHash) ?? []).map(({ key }) => key);
      clusters.delete(scopeHash);
      judged.clear();
      return keys;
    },
  };
}

const STARTS_MS: Readonly<Record<string, number>> = { ...START_MS, ...JUDGED_MS };

function writeRecord(record: FreshnessRecord & { readonly vector?: Int8Array }): string {
  const { ttlMs, refreshes, changes, vector } = record;
  return JSON.stringify({ ttlMs, refreshes, changes, ...(vector && { vector: [...vector] }) });
}

function readRecord(stored: string): (FreshnessRecord & { readonly vector?: Int8Array }) | undefined {
  try {
    const { ttlMs, refreshes, changes, vector } = JSON.parse(stored) as { [key: string]: unknown };
    const numbers = [ttlMs, refreshes, changes];
    if (!numbers.every((at): at is number => typeof at === 'number' && at >= 0)) return undefined;
    const record = { ttlMs: numbers[0]!, refreshes: numbers[1]!, changes: numbers[2]! };
    return Array.isArray(vector) ? { ...record, vector: Int8Array.from(vector as number[]) } : record;
  } catch {
    return undefined;
  }
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
