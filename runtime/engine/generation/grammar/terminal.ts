// Owns what a terminal is: a small automaton over bytes whose states are numbers of its own.

export interface Terminal {
  readonly start: number;
  /** The state after this byte; -1 where it can not follow. A state returned can always reach an end. */
  step(state: number, byte: number): number;
  /** The text so far is whole. */
  accepts(state: number): boolean;
  /** Some byte may follow. */
  more(state: number): boolean;
  /** A short way to an end, in bytes; empty where it accepts. */
  closing(state: number): readonly number[];
  /**
   * A state in which the same texts of at most `reach` bytes may follow, the same for as many states as
   * possible: what was worked out for one then holds for all.
   */
  alike(state: number, reach: number): number;
}

/** Numbers for values, the same for the same key. */
export function createNumbering<T>(keyOf: (value: T) => string): {
  of(value: T): number;
  get(number: number): T;
  size(): number;
} {
  const values: T[] = [];
  const numbers = new Map<string, number>();
  return {
    of(value) {
      const key = keyOf(value);
      const known = numbers.get(key);
      if (known !== undefined) return known;
      values.push(value);
      numbers.set(key, values.length - 1);
      return values.length - 1;
    },
    get: (number) => values[number]!,
    size: () => values.length,
  };
}
