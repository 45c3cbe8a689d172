// Owns what a grammar is to the decode loop: states, which tokens may follow, how to get to an end. Types only.

/** A language over tokens. States are numbers, so that a guess can be taken back for nothing. */
export interface TokenGrammar {
  readonly start: number;
  /** A bit for each id that may follow, ends included; not to be written to. */
  mask(state: number): Uint32Array;
  /** The state after this token; undefined where it may not follow. */
  next(state: number, id: number): number | undefined;
  /** The state after this text; undefined where it may not follow. */
  nextText(state: number, text: string): number | undefined;
  /** Nothing may follow. */
  mustEnd(state: number): boolean;
  /** Tokens of the only text that can follow, but for its last token, which may be the start of a longer one. */
  forced(state: number): readonly number[];
  /** The shortest way to an end that is known, in tokens; empty where it may end here. */
  closing(state: number): readonly number[];
}
