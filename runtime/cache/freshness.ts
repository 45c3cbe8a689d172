// Owns how long an answer stays fresh: by what the question asks about, and by how often answers of its
// kind changed when they were made again. Refuses to guess beyond the floor and the ceiling.

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

export type Volatility = 'live' | 'daily' | 'seasonal' | 'unknown' | 'settled';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Where an answer of this kind starts; refreshes move it. Unmeasured starting points. */
const START_MS: Readonly<Record<Exclude<Volatility, 'unknown'>, number>> = {
  live: MINUTE,
  daily: 30 * MINUTE,
  seasonal: 6 * HOUR,
  settled: 7 * DAY,
};

/** First match decides. Words are whole, lower case, without accents. */
const SIGNS: readonly (readonly [Exclude<Volatility, 'unknown'>, RegExp])[] = [
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

export function volatilityOf(text: string): Volatility {
  const plain = text.normalize('NFD').replaceAll(/\p{M}/gu, '').toLowerCase();
  return SIGNS.find(([, sign]) => sign.test(plain))?.[0] ?? 'unknown';
}

function words(alternatives: string): RegExp {
  return new RegExp(`(?<![\\p{L}\\p{N}])(?:${alternatives})(?![\\p{L}\\p{N}])`, 'u');
}

/** What refreshes of one kind of question have shown. */
export interface FreshnessRecord {
  /** What an answer of this kind is given now, before floor and ceiling. */
  readonly ttlMs: number;
  readonly refreshes: number;
  readonly changes: number;
}

export interface Freshness {
  /** Milliseconds an answer to this text is fresh. `ceilingMs` is a further cap, e.g. `max-age`. */
  ttlMs(text: string, ceilingMs?: number): number;
  staleUntilMs(expiresAtMs: number, createdAtMs: number): number;
  /** An answer of this age was made again. Returns what changed, for the store. */
  refreshed(text: string, ageMs: number, changed: boolean): Readonly<Record<string, string>>;
}

export const FRESHNESS_PREFIX = 'freshness/';

/**
 * Learns multiplicatively, the faster way down: an answer that changed within its time halves its kind's
 * TTL, one still the same after its time lengthens it by a fifth. Steps unmeasured.
 */
export function createFreshness(options: TtlOptions, kept: ReadonlyMap<string, string>): Freshness {
  const { floorMs = 10_000, ceilingMs = 30 * DAY, defaultMs = DAY, staleShare = 1 } = options;
  const records = new Map<Volatility, FreshnessRecord>();
  for (const [key, value] of kept) {
    const record = readRecord(value);
    if (record !== undefined) records.set(key.slice(FRESHNESS_PREFIX.length) as Volatility, record);
  }

  function recordOf(kind: Volatility): FreshnessRecord {
    const start = kind === 'unknown' ? defaultMs : START_MS[kind];
    return records.get(kind) ?? { ttlMs: start, refreshes: 0, changes: 0 };
  }

  return {
    ttlMs(text, furtherCeilingMs = Number.POSITIVE_INFINITY) {
      const learned = clamp(recordOf(volatilityOf(text)).ttlMs, floorMs, ceilingMs);
      return Math.min(learned, furtherCeilingMs);
    },
    staleUntilMs: (expiresAtMs, createdAtMs) => expiresAtMs + staleShare * (expiresAtMs - createdAtMs),
    refreshed(text, ageMs, changed) {
      const kind = volatilityOf(text);
      const record = recordOf(kind);
      const told = changed ? ageMs <= 2 * record.ttlMs : ageMs >= record.ttlMs;
      const factor = told ? (changed ? 0.5 : 1.2) : 1;
      const next = {
        ttlMs: clamp(record.ttlMs * factor, floorMs, ceilingMs),
        refreshes: record.refreshes + 1,
        changes: record.changes + (changed ? 1 : 0),
      };
      records.set(kind, next);
      return { [FRESHNESS_PREFIX + kind]: JSON.stringify(next) };
    },
  };
}

function readRecord(stored: string): FreshnessRecord | undefined {
  try {
    const { ttlMs, refreshes, changes } = JSON.parse(stored) as { [key: string]: unknown };
    const numbers = [ttlMs, refreshes, changes];
    if (!numbers.every((at): at is number => typeof at === 'number' && at >= 0)) return undefined;
    return { ttlMs: numbers[0]!, refreshes: numbers[1]!, changes: numbers[2]! };
  } catch {
    return undefined;
  }
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
