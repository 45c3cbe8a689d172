import { describe, expect, it } from 'vitest';
import { createBookDecoder, hashedLogits } from './fixtures/decoder-book.ts';
import { createScheduler, type Lane, type Scheduler, type SchedulerOptions } from './scheduler.ts';
import type { DecoderSequence, ForwardWork } from './types.ts';

interface StepTaken {
  readonly atMs: number;
  readonly tokens: readonly number[];
}

/** A decoder whose step costs 1 ms and 0.1 ms a token, on a clock of its own. */
function world(options: Omit<SchedulerOptions, 'decoder'> = {}) {
  const clock = { ms: 0 };
  const steps: StepTaken[] = [];
  const onForward = (work: readonly ForwardWork[]) => {
    const tokens = work.map((entry) => entry.tokens.length);
    clock.ms += 1 + 0.1 * tokens.reduce((sum, count) => sum + count, 0);
    steps.push({ atMs: clock.ms, tokens });
  };
  const decoder = createBookDecoder({ vocab: 8, context: 20_000, onForward }, hashedLogits(8));
  return { clock, steps, decoder, scheduler: createScheduler({ decoder, ...options }) };
}

type World = ReturnType<typeof world>;

/** Feeds a prompt, then `tokens` tokens one by one; tells when each came. */
async function converse(
  { scheduler, decoder, clock }: World,
  plan: { scope?: string; prompt?: number; tokens: number; background?: boolean },
): Promise<readonly number[]> {
  const lane = await scheduler.enter({
    scope: plan.scope ?? 'a',
    priority: plan.background ? 'background' : 'interactive',
  });
  const sequence = decoder.open();
  const times: number[] = [];
  try {
    await lane.forward(sequence, Array<number>(plan.prompt ?? 1).fill(1), 'last');
    times.push(clock.ms);
    while (times.length < plan.tokens) {
      await lane.forward(sequence, [2], 'last');
      times.push(clock.ms);
    }
    return times;
  } finally {
    sequence.close();
    lane.leave();
  }
}

const gaps = (times: readonly number[]) => times.slice(1).map((time, at) => time - times[at]!);
const most = (values: readonly number[]) => Math.max(...values);

describe('createScheduler', () => {
  it('computes conversations in flight in one step', async () => {
    const here = world();
    await Promise.all([converse(here, { tokens: 10 }), converse(here, { tokens: 10 })]);
    expect(here.steps.map(({ tokens }) => tokens.length)).toEqual(Array<number>(10).fill(2));
  });

  it('lets a long prompt hold up nobody’s next token by more than a chunk', async () => {
    const here = world({ chunkTokens: 40 });
    const talker = converse(here, { scope: 'talker', tokens: 60 });
    const reader = converse(here, { scope: 'reader', prompt: 2000, tokens: 1 });
    const times = await talker;
    await reader;
    // One step: 1 ms, 40 prompt tokens, one decode token.
    expect(most(gaps(times))).toBeLessThanOrEqual(1 + 4 + 0.1 + 1e-9);
    expect(most(here.steps.map(({ tokens }) => tokens.length))).toBe(2);
  });

  it('feeds a lone prompt in large chunks, and says the logits of its last token only', async () => {
    const here = world({ soloChunkTokens: 100 });
    await converse(here, { prompt: 250, tokens: 1 });
    expect(here.steps.map(({ tokens }) => tokens)).toEqual([[100], [100], [50]]);
  });

  it('gives scopes equal shares, whatever number of conversations they open', async () => {
    const here = world({ maxRunning: 8, chunkTokens: 32 });
    const prompt = 1600;
    const ends = new Map<string, number>();
    const read = async (scope: string) => {
      await converse(here, { scope, prompt, tokens: 1 });
      ends.set(scope, here.clock.ms);
    };
    await Promise.all([read('many'), read('many'), read('many'), read('one')]);
    // Alone `one` would need 55 steps of 32; with an equal share about twice that, not four times.
    expect(ends.get('one')!).toBeLessThan(ends.get('many')! * 0.6);
  });

  it('serves background work in the gaps, and a little while there are none', async () => {
    const here = world({ backgroundShare: 8 });
    const person = converse(here, { scope: 'person', tokens: 200 });
    const batch = converse(here, { scope: 'batch', tokens: 200, background: true });
    const personTimes = await person;
    const personEnd = personTimes[personTimes.length - 1]!;
    const batchTimes = await batch;
    const meanwhile = batchTimes.filter((time) => time <= personEnd).length;
    expect(meanwhile).toBeGreaterThanOrEqual(200 / 8 - 2);
    expect(meanwhile).toBeLessThanOrEqual(200 / 8 + 2);
    expect(batchTimes).toHaveLength(200);
  });

  it('lets nobody catch up on what he did not ask for', async () => {
    const here = world();
    await converse(here, { scope: 'early', tokens: 100 });
    const steady = converse(here, { scope: 'early', tokens: 30 });
    const late = converse(here, { scope: 'late', tokens: 30 });
    await Promise.all([steady, late]);
    expect(here.steps.slice(-29).every(({ tokens }) => tokens.length === 2)).toBe(true);
  });

  it('admits a person before background work, and background work in the end', async () => {
    const here = world({ maxRunning: 1 });
    const order: string[] = [];
    const note = async (name: string, background: boolean) => {
      await converse(here, { scope: name, tokens: 2, background });
      order.push(name);
    };
    const all = [note('first', false), note('batch', true)];
    for (let i = 0; i < 8; i += 1) all.push(note(`person${i}`, false));
    await Promise.all(all);
    expect(order.indexOf('batch')).toBe(5);
    expect(order.filter((name) => name.startsWith('person'))).toEqual(
      Array.from({ length: 8 }, (_, i) => `person${i}`),
    );
  });

  it('refuses with queue-full when its seats are taken', async () => {
    const here = world({ maxRunning: 1, maxWaiting: 1 });
    const one = await here.scheduler.enter({ scope: 'a' });
    const two = here.scheduler.enter({ scope: 'a' });
    await expect(here.scheduler.enter({ scope: 'b' })).rejects.toMatchObject({
      code: 'queue-full',
      retryable: true,
    });
    one.leave();
    (await two).leave();
    (await here.scheduler.enter({ scope: 'b' })).leave();
    expect(here.scheduler.running()).toBe(0);
  });

  it('takes an aborted one out of the queue and out of the prompt, between chunks', async () => {
    const here = world({ maxRunning: 1, soloChunkTokens: 10 });
    const lane = await here.scheduler.enter({ scope: 'a' });
    const waiting = new AbortController();
    const guest = here.scheduler.enter({ scope: 'a', signal: waiting.signal });
    waiting.abort();
    await expect(guest).rejects.toThrow(/abort/i);
    expect(here.scheduler.waiting()).toBe(0);

    const reading = new AbortController();
    const sequence = here.decoder.open();
    const prompt = lane.forward(sequence, Array<number>(1000).fill(1), 'last', reading.signal);
    while (here.steps.length < 3) await new Promise((resolve) => setImmediate(resolve));
    reading.abort();
    await expect(prompt).rejects.toThrow(/abort/i);
    expect(sequence.length).toBeLessThan(100);
    expect(sequence.length % 10).toBe(0);
    lane.leave();
  });

  it('ends only the request that is at fault', async () => {
    const here = world();
    const enter = async (): Promise<[Lane, DecoderSequence]> => [
      await here.scheduler.enter({ scope: 'a' }),
      here.decoder.open(),
    ];
    const [[good, goodSequence], [bad, badSequence]] = await Promise.all([enter(), enter()]);
    const fine = good.forward(goodSequence, [1], 'last');
    await expect(bad.forward(badSequence, [999], 'last')).rejects.toMatchObject({ code: 'invalid-request' });
    expect(await fine).toHaveLength(8);
  });

  it('fails whatever is there when closed', async () => {
    const here = world({ maxRunning: 1 });
    const lane = await here.scheduler.enter({ scope: 'a' });
    const guest = here.scheduler.enter({ scope: 'a' });
    const step = lane.forward(here.decoder.open(), [1, 2], 'all');
    here.scheduler.close(new Error('unloaded'));
    await expect(guest).rejects.toThrow('unloaded');
    await expect(step).rejects.toThrow('unloaded');
    await expect(enterAgain(here.scheduler)).rejects.toThrow('unloaded');
  });

  const enterAgain = (scheduler: Scheduler) => scheduler.enter({ scope: 'a' });
});
