// Owns which backend answers: tries them best first, checks each, times the front runners once, remembers
// the choice for this device and model, and on a lost device, lack of memory or a failed load falls one
// rung and replays the request. Refuses to let a dead rung touch the next: each is opened afresh.
import { isAbortError, isNearfieldError, NearfieldError } from '../errors.ts';
import type { BackendId } from '../types.ts';
import { inOrder } from './backend.ts';
import type { MemoryBudget } from './memory.ts';

/** One backend as the ladder sees it; `S` is a session here, or a worker that holds one. */
export interface Rung<S> {
  readonly id: BackendId;
  available(): boolean | Promise<boolean>;
  /** Opens and checks. Throws where the backend fails its golden check or can not load. */
  open(): Promise<OpenRung<S>>;
}

export interface OpenRung<S> {
  readonly value: S;
  /** Milliseconds of one short timing run, taken only when asked. */
  time(): Promise<number>;
  dispose(): Promise<void>;
}

/** Where a choice is remembered; handed in, so that it may be nowhere. Failures are ignored. */
export interface ChoiceStore {
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string): Promise<void>;
}

export interface LadderOptions<S> {
  readonly rungs: readonly Rung<S>[];
  /** Device and weights hash; the choice is remembered under it. */
  readonly choiceKey: string;
  readonly choices?: ChoiceStore | undefined;
  /** Front runners timed against each other when nothing is remembered. Default 2; 1 times none. */
  readonly contenders?: number | undefined;
  /** A rung that has not opened by then is left. Default 60 s: a slow phone compiling a large module. */
  readonly openTimeoutMs?: number | undefined;
  readonly memory?: { readonly budget: MemoryBudget; readonly bytes: number } | undefined;
  /** Told of each rung left and why; for traces. */
  readonly onFall?: ((from: BackendId, error: unknown) => void) | undefined;
}

export interface Ladder<S> {
  /** Runs `work` on the best living rung; after a failure of the rung, again on the next. */
  use<T>(work: (session: S) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Backend in use, or undefined before the first use. */
  backend(): BackendId | undefined;
  /** Opens the rung now instead of at the first use. */
  warm(signal?: AbortSignal): Promise<BackendId>;
  dispose(): Promise<void>;
}

/** Failures of the rung, not of the request: these fall to the next. */
const FALLS: ReadonlySet<string> = new Set([
  'device-lost',
  'out-of-memory',
  'backend-unavailable',
  'model-load-failed',
  'model-unsupported',
  'golden-mismatch',
  'internal',
]);

function fallsFrom(error: unknown): boolean {
  if (isAbortError(error)) return false;
  return isNearfieldError(error) ? FALLS.has(error.code) : true;
}

interface Held<S> {
  readonly rung: Rung<S>;
  readonly open: OpenRung<S>;
  readonly forget: () => void;
}

export function createLadder<S>(options: LadderOptions<S>): Ladder<S> {
  const dead = new Map<BackendId, unknown>();
  let opening: Promise<Held<S>> | undefined;
  let held: Held<S> | undefined;
  let using = 0;
  let disposed = false;

  async function use<T>(work: (session: S) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const killed: BackendId[] = [];
    let failure: unknown;
    for (;;) {
      signal?.throwIfAborted();
      const current = await ensure(signal).catch((error) => {
        // One request that fails on every rung is itself the fault: it must not leave the engine without any.
        for (const id of killed) dead.delete(id);
        throw killed.length > 0 && !isAbortError(error) ? failure : error;
      });
      options.memory?.budget.touch(current);
      using += 1;
      try {
        return await work(current.open.value);
      } catch (error) {
        if (!fallsFrom(error) || disposed) throw error;
        failure = error;
        killed.push(current.rung.id);
        await fall(current, error);
      } finally {
        using -= 1;
      }
    }
  }

  /** Several requests may see one rung die; the first buries it, the others find the next. */
  async function fall(current: Held<S>, error: unknown): Promise<void> {
    if (!dead.has(current.rung.id)) {
      dead.set(current.rung.id, error);
      options.onFall?.(current.rung.id, error);
    }
    if (held === current) await close();
  }

  async function close(): Promise<void> {
    const closing = held;
    held = undefined;
    opening = undefined;
    closing?.forget();
    await closing?.open.dispose().catch(() => undefined);
  }

  function ensure(signal: AbortSignal | undefined): Promise<Held<S>> {
    if (disposed)
      return Promise.reject(new NearfieldError('backend-unavailable', 'The engine was disposed.'));
    opening ??= open().then(
      (ready) => {
        held = ready;
        return ready;
      },
      (error) => {
        opening = undefined;
        throw error;
      },
    );
    return signal === undefined ? opening : withAbort(opening, signal);
  }

  /** Opening belongs to every waiting request, so no single one's signal ends it. */
  async function open(): Promise<Held<S>> {
    const candidates = await livingRungs();
    const remembered = await options.choices?.get(options.choiceKey).catch(() => undefined);
    const known = candidates.find((rung) => rung.id === remembered);
    const order = known === undefined ? candidates : [known, ...candidates.filter((rung) => rung !== known)];
    const opened = await openFirst(order, known === undefined ? (options.contenders ?? 2) : 1);
    if (known === undefined)
      await options.choices?.set(options.choiceKey, opened.rung.id).catch(() => undefined);
    const holder: Held<S> = { ...opened, forget: () => options.memory?.budget.forget(holder) };
    await options.memory?.budget.hold(holder, options.memory.bytes, { busy: () => using > 0, close });
    return holder;
  }

  async function livingRungs(): Promise<readonly Rung<S>[]> {
    const able = await Promise.all(
      inOrder(options.rungs).map(async (rung) => ({
        rung,
        able: !dead.has(rung.id) && (await Promise.resolve(rung.available()).catch(() => false)),
      })),
    );
    return able.filter((entry) => entry.able).map((entry) => entry.rung);
  }

  /** Opens down the list until enough stand, keeps the fastest, disposes the rest. */
  async function openFirst(
    order: readonly Rung<S>[],
    contenders: number,
  ): Promise<{ rung: Rung<S>; open: OpenRung<S> }> {
    const standing: { rung: Rung<S>; open: OpenRung<S> }[] = [];
    for (const rung of order) {
      if (standing.length >= contenders) break;
      try {
        standing.push({ rung, open: await openInTime(rung) });
      } catch (error) {
        dead.set(rung.id, error);
        options.onFall?.(rung.id, error);
      }
    }
    return await fastest(standing);
  }

  async function openInTime(rung: Rung<S>): Promise<OpenRung<S>> {
    const ms = options.openTimeoutMs ?? 60_000;
    const opening = rung.open();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        // It may stand up after all, with nobody left to close it.
        opening.then((open) => open.dispose()).catch(() => undefined);
        reject(new NearfieldError('backend-unavailable', `${rung.id} did not open within ${ms} ms.`));
      }, ms);
    });
    return await Promise.race([opening, late]).finally(() => clearTimeout(timer));
  }

  async function fastest(
    standing: { rung: Rung<S>; open: OpenRung<S> }[],
  ): Promise<{ rung: Rung<S>; open: OpenRung<S> }> {
    const [first, ...others] = standing;
    if (first === undefined) throw noBackend();
    if (others.length === 0) return first;
    const timed: { entry: typeof first; ms: number }[] = [];
    for (const entry of standing) {
      timed.push({ entry, ms: await entry.open.time().catch(() => Number.POSITIVE_INFINITY) });
    }
    timed.sort((a, b) => a.ms - b.ms);
    await Promise.all(timed.slice(1).map(({ entry }) => entry.open.dispose().catch(() => undefined)));
    return timed[0]!.entry;
  }

  function noBackend(): NearfieldError {
    const tried = [...dead].map(
      ([id, error]) => `${id} (${isNearfieldError(error) ? error.code : 'failed'})`,
    );
    const cause = [...dead.values()].at(-1);
    // One rung, one reason: the reason is worth more than the list.
    if (dead.size === 1 && isNearfieldError(cause)) return cause;
    const said = tried.length > 0 ? `Tried ${tried.join(', ')}.` : 'This platform has none of them.';
    return new NearfieldError('backend-unavailable', `No backend can run the model. ${said}`, { cause });
  }

  return {
    use,
    backend: () => held?.rung.id,
    async warm(signal) {
      return (await ensure(signal)).rung.id;
    },
    async dispose() {
      disposed = true;
      await opening?.catch(() => undefined);
      await close();
    },
  };
}

function withAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
