import fc from 'fast-check';
import { expect, it } from 'vitest';
import { cutChunks, cutJobs } from './chunks.ts';
import { CHUNK_TOKENS, JOB_TOKENS } from './plan.ts';

const lengths = fc
  .array(fc.integer({ min: 1, max: 512 }), { minLength: 1, maxLength: 60 })
  .map((values) => Int32Array.from(values));
const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0);

it('jobs hold every row once, in order, and fit the buffers', () => {
  fc.assert(
    fc.property(lengths, (rowTokens) => {
      let [row, token] = [0, 0];
      for (const job of cutJobs(rowTokens)) {
        expect(job).toMatchObject({ firstRow: row, firstToken: token });
        expect(job.tokens).toBe(sum(rowTokens.subarray(row, row + job.rows)));
        expect(job.tokens).toBeLessThanOrEqual(JOB_TOKENS);
        row += job.rows;
        token += job.tokens;
      }
      expect(row).toBe(rowTokens.length);
    }),
  );
});

it('chunks hold every row once, in order, and only a lone text is longer than a chunk', () => {
  fc.assert(
    fc.property(lengths, fc.integer({ min: 1, max: 8 }), (rowTokens, threads) => {
      const { chunks, count, together } = cutChunks(rowTokens, threads);
      let [row, token] = [0, 0];
      for (let at = 0; at < count; at += 1) {
        const [firstRow, rows, firstToken, tokens] = chunks.subarray(at * 4, at * 4 + 4);
        expect([firstRow, firstToken]).toEqual([row, token]);
        expect(tokens).toBe(sum(rowTokens.subarray(row, row + rows!)));
        if (rows! > 1) expect(tokens).toBeLessThanOrEqual(CHUNK_TOKENS);
        row += rows!;
        token += tokens!;
      }
      expect(row).toBe(rowTokens.length);
      expect(together).toBe(threads > 1 && count < threads);
    }),
  );
});

it.each([
  [[16], 2, [16], true],
  [[16, 16], 2, [16, 16], false],
  [[16, 16, 16, 16], 2, [32, 32], false],
  [[16, 16, 16, 16], 1, [64], false],
  [[200, 3], 2, [200, 3], false],
])('texts of %j tokens on %d threads go as %j', (texts, threads, expected, together) => {
  const cut = cutChunks(Int32Array.from(texts), threads);
  expect([...cut.chunks].filter((_, at) => at % 4 === 3)).toEqual(expected);
  expect(cut.together).toBe(together);
});
