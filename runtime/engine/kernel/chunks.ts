// Owns how a batch is cut: into jobs that fit the static buffers, and a job into chunks of whole texts that
// stay in cache and that threads take one by one.
import { CHUNK_TOKENS, JOB_TOKENS } from './plan.ts';

export interface Job {
  readonly firstRow: number;
  readonly rows: number;
  readonly firstToken: number;
  readonly tokens: number;
}

/** Runs of rows with at most JOB_TOKENS tokens each. */
export function* cutJobs(rowTokens: Int32Array): Generator<Job> {
  let firstRow = 0;
  let firstToken = 0;
  let tokens = 0;
  for (let row = 0; row < rowTokens.length; row += 1) {
    const length = rowTokens[row]!;
    if (tokens + length > JOB_TOKENS && row > firstRow) {
      yield { firstRow, rows: row - firstRow, firstToken, tokens };
      firstRow = row;
      firstToken += tokens;
      tokens = 0;
    }
    tokens += length;
  }
  if (rowTokens.length > firstRow) yield { firstRow, rows: rowTokens.length - firstRow, firstToken, tokens };
}

/** Chunks need not be smaller than this for fairness' sake: each reads all weights once. Not tuned. */
const LONE_TOKENS = 48;

export interface Chunks {
  /** int32 [count][4]: first row, rows, first token, tokens. */
  readonly chunks: Int32Array;
  readonly count: number;
  /** All threads run each chunk together, instead of a chunk each. */
  readonly together: boolean;
}

/** Chunks of one job. */
export function cutChunks(rowTokens: Int32Array, threads: number): Chunks {
  let total = 0;
  for (const tokens of rowTokens) total += tokens;
  const limit = threads === 1 ? CHUNK_TOKENS : sharedLimit(total, threads);
  const found: number[] = [];
  let first = 0;
  let firstToken = 0;
  let tokens = 0;
  for (let row = 0; row < rowTokens.length; row += 1) {
    const length = rowTokens[row]!;
    if (tokens + length > limit && row > first) {
      found.push(first, row - first, firstToken, tokens);
      first = row;
      firstToken += tokens;
      tokens = 0;
    }
    tokens += length;
  }
  found.push(first, rowTokens.length - first, firstToken, tokens);
  const count = found.length / 4;
  return { chunks: Int32Array.from(found), count, together: threads > 1 && count < threads };
}

/** Two chunks a thread even out texts of unlike length, but one is enough where texts are few. */
function sharedLimit(tokens: number, threads: number): number {
  const two = Math.ceil(tokens / (threads * 2));
  const one = Math.ceil(tokens / threads);
  return Math.min(CHUNK_TOKENS, Math.max(two, Math.min(one, LONE_TOKENS)));
}
