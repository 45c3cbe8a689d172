// What every tier owes the router, whatever is behind it. A tier's test opens a world with something real
// on the other side and runs this battery.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { allowsFallback, isAbortError, isNearfieldError, type NearfieldError } from '../errors.ts';
import type { ChatRequest, FinishReason, GuardedFetch, Tier, TierPart } from '../types.ts';

/** What the other side does with the next request. */
export type Scenario =
  | { readonly kind: 'says'; readonly texts: readonly string[]; readonly finishReason?: FinishReason }
  | {
      readonly kind: 'calls';
      readonly calls: readonly { readonly name: string; readonly input: unknown }[];
    }
  | { readonly kind: 'hangs'; readonly afterTexts: number }
  | { readonly kind: 'throttles'; readonly retryAfterSeconds: number }
  | { readonly kind: 'fails' }
  /** Its stream breaks, after so many texts. */
  | { readonly kind: 'breaks'; readonly afterTexts: number };

export interface TierWorld {
  readonly tier: Tier;
  readonly fetch: GuardedFetch;
  next(...scenarios: readonly Scenario[]): void;
  /** Requests that reached the other side. */
  asked(): number;
  /** True once the other side knows that its reader went away. */
  left(): boolean;
  close(): Promise<void>;
}

const request: ChatRequest = { messages: [{ role: 'user', content: 'Hello?' }] };
const offering: ChatRequest = {
  ...request,
  tools: ['forecast', 'now'].map((name) => ({ type: 'function', function: { name } })),
};
// One, two, three and four bytes a character, and a placeholder as redaction writes them.
const TEXTS = ['Plain, ', 'Grüße, ', '日本語, ', '🌍🇵🇹 ', '⟦EMAIL_1⟧', '.'];

export function tierContract(name: string, open: () => Promise<TierWorld>): void {
  describe(`${name} keeps the tier contract`, () => {
    let world: TierWorld;
    beforeEach(async () => {
      world = await open();
    });
    afterEach(async () => await world.close());

    const start = (signal: AbortSignal, splitBytes?: number, asked = request): AsyncIterable<TierPart> => {
      const fetch = splitBytes === undefined ? world.fetch : splitting(world.fetch, splitBytes);
      return world.tier.stream(asked, { signal, fetch });
    };
    const read = async (
      signal = new AbortController().signal,
      splitBytes?: number,
      asked = request,
    ): Promise<TierPart[]> => {
      const parts: TierPart[] = [];
      for await (const part of start(signal, splitBytes, asked)) parts.push(part);
      return parts;
    };

    it('says it can answer a plain request', async () => {
      expect(await world.tier.can(request)).toBe(true);
      expect(world.tier.host === undefined).toBe(world.tier.kind === 'device');
    });

    it.each([undefined, 1, 2, 3, 5, 7, 13, 64, 1024])(
      'gives the text whole and one finish, last, in chunks of %s bytes',
      async (splitBytes) => {
        world.next({ kind: 'says', texts: TEXTS });
        const parts = await read(undefined, splitBytes);
        expect(textOf(parts)).toBe(TEXTS.join(''));
        expect(parts.filter(({ type }) => type === 'finish')).toHaveLength(1);
        expect(parts.at(-1)).toMatchObject({ type: 'finish', finishReason: 'stop' });
        expect(parts.every((part) => part.type !== 'text-delta' || part.text !== '')).toBe(true);
        const finish = parts.at(-1);
        expect(finish?.type === 'finish' && finish.usage?.completionTokens).toBeGreaterThan(0);
      },
    );

    it.each(['length', 'content_filter'] as const)('tells a finish for %s', async (finishReason) => {
      world.next({ kind: 'says', texts: ['Half'], finishReason });
      expect((await read()).at(-1)).toMatchObject({ type: 'finish', finishReason });
    });

    it('gives a tool call in pieces that make its JSON, id and name first', async () => {
      const input = { city: 'Évora', days: [1, 2] };
      world.next({ kind: 'calls', calls: [{ name: 'forecast', input }] });
      const parts = await read(undefined, 5, offering);
      const pieces = parts.filter((part) => part.type === 'tool-call-delta');
      expect(pieces[0]).toMatchObject({ index: 0, name: 'forecast', id: expect.stringMatching(/./) });
      expect(JSON.parse(pieces.map(({ argumentsText }) => argumentsText).join(''))).toEqual(input);
      expect(parts.at(-1)).toMatchObject({ type: 'finish', finishReason: 'tool_calls' });
    });

    it('gives several tool calls one after another, each with its own index, id, name and JSON', async () => {
      const calls = [
        { name: 'forecast', input: { city: 'Évora' } },
        { name: 'now', input: {} },
        { name: 'forecast', input: { city: '東京', days: [1, 2] } },
      ];
      world.next({ kind: 'calls', calls });
      const parts = await read(undefined, 7, offering);
      const pieces = parts.filter((part) => part.type === 'tool-call-delta');
      expect(pieces.map(({ index }) => index)).toEqual(pieces.map(({ index }) => index).sort());
      const heads = pieces.filter(({ id }) => id !== undefined);
      expect(heads.map(({ index, name }) => ({ index, name }))).toEqual(
        calls.map(({ name }, index) => ({ index, name })),
      );
      expect(new Set(heads.map(({ id }) => id)).size).toBe(calls.length);
      const inputs = calls.map((_, at) =>
        pieces.map(({ index, argumentsText }) => (index === at ? argumentsText : '')).join(''),
      );
      expect(inputs.map((json) => JSON.parse(json))).toEqual(calls.map(({ input }) => input));
      expect(parts.at(-1)).toMatchObject({ type: 'finish', finishReason: 'tool_calls' });
    });

    it('asks nothing when the signal has already fired', async () => {
      expect(isAbortError(await failureOf(read(AbortSignal.abort('a reason that is no error'))))).toBe(true);
      expect(world.asked()).toBe(0);
    });

    it('throws AbortError when the signal fires before the first part, and the other side learns it', async () => {
      world.next({ kind: 'hangs', afterTexts: 0 });
      const controller = new AbortController();
      const failed = failureOf(read(controller.signal));
      await expect.poll(() => world.asked()).toBe(1);
      controller.abort('a reason that is no error');
      expect(isAbortError(await failed)).toBe(true);
      await expect.poll(() => world.left()).toBe(true);
    });

    it('throws AbortError when the signal fires between parts, and the other side learns it', async () => {
      world.next({ kind: 'hangs', afterTexts: 2 });
      const controller = new AbortController();
      const iterator = start(controller.signal)[Symbol.asyncIterator]();
      expect((await iterator.next()).value).toMatchObject({ type: 'text-delta' });
      setTimeout(() => controller.abort(), 5);
      const rest = (async () => {
        while ((await iterator.next()).done !== true);
      })();
      expect(isAbortError(await failureOf(rest))).toBe(true);
      await expect.poll(() => world.left()).toBe(true);
    });

    it('lets the other side know when its reader leaves', async () => {
      world.next({ kind: 'hangs', afterTexts: 1 });
      for await (const _part of start(new AbortController().signal)) break;
      await expect.poll(() => world.left()).toBe(true);
    });

    it('tells throttling, with how long to wait', async () => {
      world.next({ kind: 'throttles', retryAfterSeconds: 7 });
      const error = await failureOf(read());
      expect(error).toMatchObject({ code: 'upstream-throttled', retryAfterMs: 7000, tier: world.tier.id });
    });

    it('tells an unavailable tier so that the router goes on', async () => {
      world.next({ kind: 'fails' });
      const error = await failureOf(read());
      expect(error.code).toBe('upstream-unavailable');
      expect(allowsFallback(error)).toBe(true);
    });

    it('lets the router go on when the stream breaks before its first part, never after it', async () => {
      world.next({ kind: 'breaks', afterTexts: 0 }, { kind: 'breaks', afterTexts: 2 });
      expect(allowsFallback(await failureOf(read()))).toBe(true);
      const parts: TierPart[] = [];
      const error = await failureOf(
        (async () => {
          for await (const part of start(new AbortController().signal)) parts.push(part);
        })(),
      );
      expect(error.code).toBe('upstream-cut');
      expect(allowsFallback(error)).toBe(false);
      expect(parts.length).toBeGreaterThan(0);
    });

    it('keeps two streams apart', async () => {
      world.next({ kind: 'says', texts: ['a', 'a', 'a'] }, { kind: 'says', texts: ['b', 'b', 'b'] });
      const texts = (await Promise.all([read(), read()])).map(textOf);
      expect(texts.sort()).toEqual(['aaa', 'bbb']);
    });

    it('works again after a failure', async () => {
      world.next({ kind: 'breaks', afterTexts: 1 }, { kind: 'says', texts: ['fine'] });
      await failureOf(read());
      expect(textOf(await read())).toBe('fine');
    });
  });
}

function textOf(parts: readonly TierPart[]): string {
  return parts.map((part) => (part.type === 'text-delta' ? part.text : '')).join('');
}

async function failureOf(promise: Promise<unknown>): Promise<NearfieldError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (isNearfieldError(error) || isAbortError(error)) return error as NearfieldError;
  throw new Error(`Expected a NearfieldError or an AbortError, got ${error}.`);
}

/** A fetch whose bodies come in chunks of exactly this size. */
export function splitting(fetch: GuardedFetch, bytes: number): GuardedFetch {
  return async (input, init) => {
    const response = await fetch(input, init);
    const split = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        for (let at = 0; at < chunk.length; at += bytes) controller.enqueue(chunk.slice(at, at + bytes));
      },
    });
    return new Response(response.body?.pipeThrough(split) ?? null, response);
  };
}
