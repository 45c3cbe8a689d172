// Owns guesses of what the model says next: whatever followed the last words where they stood before. Quoting
// models repeat themselves and their prompt, so guesses come cheap. Stops guessing while it does not pay.
// Source: prompt look-up decoding, github.com/apoorvumang/prompt-lookup-decoding.

export interface Guesser {
  /** A token of the prompt or the answer, in order. */
  accept(token: number): void;
  /** What may come next, at most `most` tokens; empty when nothing is known or guessing does not pay now. */
  guess(most: number): readonly number[];
  /** What one step brought: tokens guessed, tokens of the guess that were right, and its time. */
  learn(guessed: number, right: number, ms: number): void;
}

/** Tokens that have to agree. Two find more, three are right more often; the longer is tried first. */
const REACH = [3, 2] as const;
const MOST_GUESSED = 8;
/** The first guess is short; one that was right throughout doubles the next, one that was wrong halves it. */
const FIRST_GUESSED = 3;
/** Steps with guesses before they are judged, and tokens said plainly after they were found not to pay. */
const TRIAL_STEPS = 3;
const FIRST_PAUSE = 16;
const LONGEST_PAUSE = 512;

export function createGuesser(): Guesser {
  const tokens: number[] = [];
  const places = REACH.map(() => new Map<string, { latest: number; before: number }>());
  const plain = { tokens: 0, ms: 0 };
  let trial = { steps: 0, tokens: 0, ms: 0 };
  let pause = FIRST_PAUSE;
  let pausedFor = 0;
  let span = FIRST_GUESSED;

  return {
    accept(token) {
      tokens.push(token);
      for (const [at, reach] of REACH.entries()) {
        if (tokens.length < reach) continue;
        const key = tokens.slice(-reach).join();
        const known = places[at]!.get(key);
        places[at]!.set(key, { latest: tokens.length, before: known?.latest ?? -1 });
      }
    },
    guess(most) {
      if (pausedFor > 0) return [];
      for (const [at, reach] of REACH.entries()) {
        // The latest place is where we stand; the one before says what followed there.
        const from = places[at]!.get(tokens.slice(-reach).join())?.before ?? -1;
        if (from >= 0) return tokens.slice(from, from + Math.min(most, span));
      }
      return [];
    },
    learn(guessed, right, ms) {
      if (guessed === 0) {
        // Old steps count less: the machine's speed changes.
        plain.tokens = plain.tokens * 0.95 + 1;
        plain.ms = plain.ms * 0.95 + ms;
        pausedFor = Math.max(0, pausedFor - 1);
        return;
      }
      span =
        right === guessed ? Math.min(MOST_GUESSED, span * 2) : right === 0 ? Math.max(1, span >> 1) : span;
      trial = { steps: trial.steps + 1, tokens: trial.tokens + right + 1, ms: trial.ms + ms };
      if (trial.steps < TRIAL_STEPS) return;
      // Nothing to compare with yet: say a few tokens plainly.
      if (plain.tokens === 0) pausedFor = 2;
      else if (trial.tokens * plain.ms < plain.tokens * trial.ms) {
        pausedFor = pause;
        pause = Math.min(LONGEST_PAUSE, pause * 2);
      } else pause = FIRST_PAUSE;
      trial = { steps: 0, tokens: 0, ms: 0 };
    },
  };
}
