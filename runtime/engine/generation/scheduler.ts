// Owns whose tokens the decoder computes next: conversations in flight share its steps, long prompts come in
// chunks between other people's tokens, background work takes what is left and a little more. Refuses
// conversations beyond its queue. Knows nothing of text.
import { NearfieldError } from '../../errors.ts';
import type { Decoder, DecoderSequence, ForwardWork } from './types.ts';
import { createWaitingRoom, type Priority } from './waiting-room.ts';

export type { Priority } from './waiting-room.ts';

export interface SchedulerOptions {
  readonly decoder: Decoder;
  /** Conversations decoded side by side; the rest wait. Default 4. */
  readonly maxRunning?: number | undefined;
  /** Conversations that may wait. Default 32. */
  readonly maxWaiting?: number | undefined;
  /** Prompt tokens a step while somebody else waits for a token. Default 48, a fifth of a second on slow devices. */
  readonly chunkTokens?: number | undefined;
  /** Prompt tokens a step with nobody else in flight. Default 256: an abort is seen between steps. */
  readonly soloChunkTokens?: number | undefined;
  /** Steps' share of background work while interactive work is there: one in this many tokens. Default 8. */
  readonly backgroundShare?: number | undefined;
  /** Calls back once what has already happened is dealt with, so that lanes served together come together. */
  readonly defer?: ((callback: () => void) => void) | undefined;
}

/** A conversation in flight. */
export interface Lane {
  /**
   * Appends tokens and resolves to the last one's logits, or all of them. Read them before the next await:
   * the next step overwrites them. An abort leaves the sequence with whatever chunks were done.
   */
  forward(
    sequence: DecoderSequence,
    tokens: readonly number[],
    logits: 'last' | 'all',
    signal?: AbortSignal | undefined,
  ): Promise<Float32Array>;
  /** Lets the next one in. */
  leave(): void;
}

export interface Scheduler {
  /** @throws queue-full, AbortError */
  enter(options: {
    readonly scope: string;
    readonly priority?: Priority | undefined;
    readonly signal?: AbortSignal | undefined;
  }): Promise<Lane>;
  running(): number;
  waiting(): number;
  /** Fails whatever waits or runs. */
  close(reason: unknown): void;
}

/** What a scope's priority class has been given, in weighted tokens. */
interface Account {
  readonly weight: number;
  readonly priority: Priority;
  served: number;
  lanes: number;
}

interface Pending {
  readonly account: Account;
  readonly sequence: DecoderSequence;
  readonly tokens: readonly number[];
  readonly logits: 'last' | 'all';
  readonly signal: AbortSignal | undefined;
  next: number;
  readonly resolve: (logits: Float32Array) => void;
  readonly reject: (reason: unknown) => void;
}

interface Share {
  readonly pending: Pending;
  readonly count: number;
}

/** Tokens up to which work counts as decode: a guess or two, never a prompt. */
const DECODE_TOKENS = 16;

export function createScheduler(options: SchedulerOptions): Scheduler {
  const { decoder, chunkTokens = 48, soloChunkTokens = 256, backgroundShare = 8 } = options;
  const defer = options.defer ?? platformDefer();
  const accounts = new Map<string, Account>();
  const room = createWaitingRoom(options.maxRunning ?? 4, options.maxWaiting ?? 32);
  let pending: Pending[] = [];
  let pumping = false;
  let closed: { readonly reason: unknown } | undefined;

  function join(scope: string, priority: Priority): Account {
    const key = `${priority}/${scope}`;
    const weight = priority === 'background' ? backgroundShare : 1;
    const account = accounts.get(key) ?? { weight, priority, served: 0, lanes: 0 };
    const others = [...accounts.values()].filter(({ lanes }) => lanes > 0);
    // Who was away has no claim to what he did not ask for.
    if (account.lanes === 0 && others.length > 0) {
      account.served = Math.max(account.served, Math.min(...others.map(({ served }) => served)));
    }
    account.lanes += 1;
    accounts.set(key, account);
    return account;
  }

  async function pump(): Promise<void> {
    if (pumping) return;
    pumping = true;
    try {
      while (pending.length > 0) {
        // Those served together answer together; wait for all of them before the next step.
        await new Promise<void>((resolve) => defer(resolve));
        const batch = choose();
        if (batch.length > 0) await step(batch);
      }
    } finally {
      pumping = false;
    }
  }

  /** Who takes part in the next step, and with how many tokens. */
  function choose(): readonly Share[] {
    for (const entry of pending.filter(({ signal }) => signal?.aborted)) {
      settle(entry, () => entry.reject(entry.signal?.reason));
    }
    const interactive = pending.filter(({ account }) => account.priority === 'interactive');
    const least = Math.min(...interactive.map(({ account }) => account.served));
    const eligible = pending
      .filter(({ account }) => account.priority === 'interactive' || account.served <= least)
      .sort((a, b) => a.account.served - b.account.served);
    let left = pending.length > 1 || room.running() > 1 ? chunkTokens : soloChunkTokens;
    const batch: Share[] = [];
    const sequences = new Set<DecoderSequence>();
    for (const entry of eligible) {
      const rest = entry.tokens.length - entry.next;
      // Guesses are checked in one piece, and somebody's next token never waits for another's prompt.
      const count = rest <= DECODE_TOKENS || entry.logits === 'all' ? rest : Math.min(rest, left);
      if (count <= 0 || sequences.has(entry.sequence)) continue;
      sequences.add(entry.sequence);
      batch.push({ pending: entry, count });
      left -= count;
    }
    return batch;
  }

  async function step(batch: readonly Share[]): Promise<void> {
    const [only] = batch;
    const signal = batch.length === 1 ? only!.pending.signal : undefined;
    let rows: readonly Float32Array[];
    try {
      rows = await decoder.forward(batch.map(workOf), signal === undefined ? {} : { signal });
    } catch (error) {
      // One request's fault must not end the others: each once more, alone.
      if (batch.length > 1) for (const share of batch) await step([share]);
      else settle(only!.pending, () => only!.pending.reject(error));
      return;
    }
    for (const [at, { pending: entry, count }] of batch.entries()) {
      entry.next += count;
      entry.account.served += count * entry.account.weight;
      if (entry.next === entry.tokens.length) settle(entry, () => entry.resolve(rows[at]!));
    }
  }

  function settle(entry: Pending, then: () => void): void {
    pending = pending.filter((other) => other !== entry);
    then();
  }

  return {
    async enter({ scope, priority = 'interactive', signal }) {
      if (closed !== undefined) throw closed.reason;
      const leave = await room.enter(scope, priority, signal);
      const account = join(scope, priority);
      let left = false;
      return {
        leave() {
          if (left) return;
          left = true;
          account.lanes -= 1;
          leave();
          if (room.running() + room.waiting() === 0) accounts.clear();
        },
        forward: (sequence, tokens, logits, laneSignal) =>
          new Promise((resolve, reject) => {
            if (closed !== undefined) return reject(closed.reason);
            if (laneSignal?.aborted) return reject(laneSignal.reason);
            if (tokens.length === 0) {
              return reject(new NearfieldError('internal', 'A step needs at least one token.'));
            }
            pending.push({ account, sequence, tokens, logits, signal: laneSignal, next: 0, resolve, reject });
            void pump();
          }),
      };
    },
    running: () => room.running(),
    waiting: () => room.waiting(),
    close(reason) {
      closed ??= { reason };
      room.close(reason);
      for (const entry of pending) settle(entry, () => entry.reject(reason));
    },
  };
}

function workOf({ pending: { sequence, tokens, logits, next }, count }: Share): ForwardWork {
  const last = next + count === tokens.length;
  return { sequence, tokens: tokens.slice(next, next + count), logits: last ? logits : 'none' };
}

function platformDefer(): (callback: () => void) => void {
  if (typeof setImmediate === 'function') return (callback) => void setImmediate(callback);
  const { port1, port2 } = new MessageChannel();
  const callbacks: (() => void)[] = [];
  port1.onmessage = () => callbacks.shift()?.();
  return (callback) => {
    callbacks.push(callback);
    port2.postMessage(undefined);
  };
}
