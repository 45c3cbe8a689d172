// Owns how numbers are shown. Pure; the locale is handed in.

/** 1 kB is 1000 bytes, as on the network. */
export function formatBytes(bytes: number, locale = 'en'): string {
  if (bytes < 1000) return `${bytes} B`;
  const [value, unit] =
    bytes < 1e6 ? [bytes / 1e3, 'kB'] : bytes < 1e9 ? [bytes / 1e6, 'MB'] : [bytes / 1e9, 'GB'];
  return `${value.toLocaleString(locale, { maximumFractionDigits: value < 10 ? 1 : 0 })} ${unit}`;
}

/** Milliseconds under a second, seconds above; under 1 ms says so instead of claiming zero. */
export function formatMs(ms: number, locale = 'en'): string {
  if (ms < 1) return '<1 ms';
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return `${(ms / 1000).toLocaleString(locale, { maximumFractionDigits: ms < 10_000 ? 1 : 0 })} s`;
}

export function formatPercent(share: number, locale = 'en'): string {
  return share.toLocaleString(locale, { style: 'percent', maximumFractionDigits: 0 });
}

export function formatCount(count: number, locale = 'en'): string {
  return count.toLocaleString(locale);
}

/** First and last characters of a hash; enough to compare by eye. */
export function shortHash(hash: string): string {
  return hash.length <= 14 ? hash : `${hash.slice(0, 8)}…${hash.slice(-4)}`;
}

export function formatTime(epochMs: number, locale = 'en'): string {
  return new Date(epochMs).toLocaleTimeString(locale, {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
}
