import { MessageChannel } from 'node:worker_threads';
import { afterEach, expect, test } from 'vitest';
import { NearfieldError } from '../../errors.ts';
import type { FileSource } from '../../model-files/source.ts';
import { type FeedPort, feedSource, serveFeed } from './weights-feed.ts';
import type { FromFeed, ToFeed } from './wire.ts';

const PIECE = 2 ** 20;

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A source of so many parts of so many bytes, each filled with its number, behind a real channel. */
function feed(parts: number, bytes: number, options: { failAt?: number; again?: boolean } = {}) {
  const seen = { made: 0, left: 0, settled: [] as boolean[], longest: 0 };
  const source: FileSource = {
    async *parts() {
      try {
        for (let part = 0; part < parts; part += 1) {
          if (part === options.failAt) throw new NearfieldError('model-load-failed', 'cut');
          seen.made += 1;
          yield new Uint8Array(bytes).fill(part);
        }
      } finally {
        seen.left += 1;
      }
    },
    async settle(right) {
      seen.settled.push(right);
      return options.again ?? false;
    },
  };
  const { port1, port2 } = new MessageChannel();
  const page = port1 as unknown as FeedPort<FromFeed, ToFeed>;
  const post = page.postMessage.bind(page);
  page.postMessage = (message, transfer) => {
    if (message.type === 'part') seen.longest = Math.max(seen.longest, message.bytes.byteLength);
    post(message, transfer);
  };
  const end = serveFeed(page, source);
  closers.push(end, () => port2.close());
  return { worker: feedSource(port2 as unknown as FeedPort<ToFeed, FromFeed>), seen, end };
}

test('parts come in order, in pieces of one size, a few ahead of the reader and no more', async () => {
  const { worker, seen } = feed(40, 700_000);
  let bytes = 0;
  let most = 0;
  for await (const part of worker.parts()) {
    // The numbers of the source's parts that this piece covers.
    expect(part[0]).toBe(Math.floor(bytes / 700_000));
    bytes += part.byteLength;
    await new Promise((resolve) => setTimeout(resolve, 1));
    most = Math.max(most, seen.made * 700_000 - bytes);
  }
  expect(bytes).toBe(40 * 700_000);
  expect(seen.longest).toBe(PIECE);
  expect(most).toBeLessThan(5 * PIECE);
});

test('what the page’s file fails with is thrown in the worker', async () => {
  const { worker } = feed(9, PIECE, { failAt: 4 });
  const reading = async () => {
    for await (const _ of worker.parts());
  };
  await expect(reading()).rejects.toMatchObject({ code: 'model-load-failed' });
});

test('a reader that left early can start again and settle', async () => {
  const { worker, seen } = feed(20, PIECE, { again: true });
  for await (const part of worker.parts()) if (part[0] === 5) break;
  expect(await worker.settle(false)).toBe(true);
  const numbers: number[] = [];
  for await (const part of worker.parts()) numbers.push(part[0]!);
  expect(numbers).toEqual(Array.from({ length: 20 }, (_, at) => at));
  expect(seen).toMatchObject({ settled: [false], left: 2 });
});

test('ending the page’s side lets go of the file', async () => {
  const { worker, seen, end } = feed(20, PIECE);
  for await (const part of worker.parts()) if (part[0] === 2) break;
  end();
  await expect.poll(() => seen.left).toBe(1);
});
