import { describe, expect, test } from 'vitest';
import { NearfieldError } from '../errors.ts';
import type { BackendId } from '../types.ts';
import { createMemoryBudget } from './memory.ts';
import { type ChoiceStore, createLadder, type LadderOptions, type Rung } from './session.ts';

interface FakeRung extends Rung<BackendId> {
  opened: number;
  disposed: number;
}

function rung(
  id: BackendId,
  options: { ms?: number; fails?: () => unknown; absent?: boolean } = {},
): FakeRung {
  const fake: FakeRung = {
    id,
    opened: 0,
    disposed: 0,
    available: () => options.absent !== true,
    async open() {
      const failure = options.fails?.();
      if (failure !== undefined) throw failure;
      fake.opened += 1;
      return {
        value: id,
        time: async () => options.ms ?? 1,
        dispose: async () => {
          fake.disposed += 1;
        },
      };
    },
  };
  return fake;
}

function ladder(rungs: readonly FakeRung[], options: Partial<LadderOptions<BackendId>> = {}) {
  return createLadder<BackendId>({ rungs, choiceKey: 'device/hash', contenders: 1, ...options });
}

function choiceStore(): ChoiceStore & { readonly kept: Map<string, string> } {
  const kept = new Map<string, string>();
  return {
    kept,
    get: async (key) => kept.get(key),
    set: async (key, value) => {
      kept.set(key, value);
    },
  };
}

const lost = () => new NearfieldError('device-lost', 'lost');

describe('choosing', () => {
  test('takes the best that this platform has, whatever the order listed', async () => {
    const subject = ladder([rung('ort-wasm'), rung('kernel'), rung('ort-webgpu', { absent: true })]);
    expect(await subject.use(async (id) => id)).toBe('kernel');
    expect(subject.backend()).toBe('kernel');
  });

  test('times the two front runners, keeps the faster, disposes the other and remembers', async () => {
    const choices = choiceStore();
    const rungs = [rung('ort-webgpu', { ms: 9 }), rung('kernel', { ms: 2 }), rung('ort-wasm', { ms: 1 })];
    const subject = ladder(rungs, { contenders: 2, choices });
    expect(await subject.warm()).toBe('kernel');
    expect(rungs.map((entry) => [entry.opened, entry.disposed])).toEqual([
      [1, 1],
      [1, 0],
      [0, 0],
    ]);
    expect(choices.kept.get('device/hash')).toBe('kernel');
  });

  test('a remembered choice is opened alone', async () => {
    const choices = choiceStore();
    choices.kept.set('device/hash', 'kernel');
    const rungs = [rung('ort-webgpu'), rung('kernel')];
    expect(await ladder(rungs, { contenders: 2, choices }).warm()).toBe('kernel');
    expect(rungs[0]?.opened).toBe(0);
  });

  test('a remembered choice that fails falls to the others', async () => {
    const choices = choiceStore();
    choices.kept.set('device/hash', 'ort-wasm');
    const rungs = [rung('kernel'), rung('ort-wasm', { fails: lost })];
    expect(await ladder(rungs, { choices }).warm()).toBe('kernel');
  });

  test('a choice store that throws changes nothing', async () => {
    const broken = () => Promise.reject(new Error('blocked'));
    expect(await ladder([rung('kernel')], { choices: { get: broken, set: broken } }).warm()).toBe('kernel');
  });
});

describe('falling', () => {
  test.each(['device-lost', 'out-of-memory', 'golden-mismatch', 'model-load-failed'] as const)(
    '%s in a run falls one rung and replays the request',
    async (code) => {
      const falls: string[] = [];
      const rungs = [rung('ort-webgpu'), rung('kernel')];
      const subject = ladder(rungs, { onFall: (from) => falls.push(from) });
      const answer = await subject.use(async (id) => {
        if (id === 'ort-webgpu') throw new NearfieldError(code, 'x');
        return `answered by ${id}`;
      });
      expect(answer).toBe('answered by kernel');
      expect(falls).toEqual(['ort-webgpu']);
      expect(rungs[0]?.disposed).toBe(1);
      expect(subject.backend()).toBe('kernel');
    },
  );

  test('requests at work when a device is lost are all replayed, and it is buried once', async () => {
    const falls: string[] = [];
    const rungs = [rung('ort-webgpu'), rung('kernel')];
    const subject = ladder(rungs, { onFall: (from) => falls.push(from) });
    const work = async (id: BackendId) => {
      await Promise.resolve();
      if (id === 'ort-webgpu') throw lost();
      return id;
    };
    expect(await Promise.all([1, 2, 3].map(() => subject.use(work)))).toEqual(['kernel', 'kernel', 'kernel']);
    expect(falls).toEqual(['ort-webgpu']);
    expect(rungs.map((entry) => entry.opened)).toEqual([1, 1]);
  });

  test('a failed open is passed over, and a dead rung is not tried again', async () => {
    let tries = 0;
    const failing = rung('ort-webgpu', {
      fails: () => {
        tries += 1;
        return new NearfieldError('golden-mismatch', 'wrong vectors');
      },
    });
    const subject = ladder([failing, rung('ort-wasm')]);
    await subject.use(async (id) => id);
    await subject.use(async (id) => id);
    expect(tries).toBe(1);
  });

  test('a request that fails on every rung gets its own error and leaves the engine alive', async () => {
    const subject = ladder([rung('kernel'), rung('ort-wasm')]);
    const poison = new NearfieldError('internal', 'index out of range');
    await expect(subject.use(() => Promise.reject(poison))).rejects.toBe(poison);
    expect(await subject.use(async (id) => id)).toBe('kernel');
  });

  test('a fault of the request does not fall', async () => {
    const rungs = [rung('ort-webgpu'), rung('kernel')];
    const subject = ladder(rungs);
    const wrong = new NearfieldError('invalid-request', 'texts');
    await expect(subject.use(() => Promise.reject(wrong))).rejects.toBe(wrong);
    expect(subject.backend()).toBe('ort-webgpu');
  });

  test('no rung left says which were tried', async () => {
    const subject = ladder([
      rung('kernel', { fails: lost }),
      rung('ort-wasm', { fails: () => new Error('x') }),
    ]);
    await expect(subject.warm()).rejects.toMatchObject({
      code: 'backend-unavailable',
      message: expect.stringContaining('kernel (device-lost), ort-wasm (failed)'),
    });
  });

  test('a rung that never opens is left, and closed should it open later', async () => {
    let stand: (() => void) | undefined;
    const gate = new Promise<void>((resolve) => {
      stand = resolve;
    });
    const slow = rung('ort-webgpu');
    const inner = slow.open.bind(slow);
    const hanging = Object.assign(slow, { open: () => gate.then(() => inner()) });
    const subject = ladder([hanging, rung('kernel')], { openTimeoutMs: 5 });
    expect(await subject.warm()).toBe('kernel');
    stand?.();
    await expect.poll(() => slow.disposed).toBe(1);
  });

  test('one waiting request may be aborted while the backend opens for the others', async () => {
    let open: (() => void) | undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const slow = rung('kernel');
    const inner = slow.open.bind(slow);
    const subject = ladder([Object.assign(slow, { open: () => gate.then(() => inner()) })]);
    const abort = new AbortController();
    const aborted = subject.use(async (id) => id, abort.signal);
    const kept = subject.use(async (id) => id);
    abort.abort();
    await expect(aborted).rejects.toMatchObject({ name: 'AbortError' });
    open?.();
    expect(await kept).toBe('kernel');
  });

  test('after dispose the session is closed and nothing opens', async () => {
    const only = rung('kernel');
    const subject = ladder([only]);
    await subject.warm();
    await subject.dispose();
    expect(only.disposed).toBe(1);
    await expect(subject.warm()).rejects.toMatchObject({ code: 'backend-unavailable' });
  });
});

describe('memory', () => {
  test('opening past the budget closes the least recently used, which opens again at its next use', async () => {
    const budget = createMemoryBudget(100);
    const rungs = [rung('kernel'), rung('kernel'), rung('kernel')];
    const ladders = rungs.map((entry) => ladder([entry], { memory: { budget, bytes: 50 } }));
    await ladders[0]?.warm();
    await ladders[1]?.warm();
    await ladders[0]?.use(async (id) => id);
    await ladders[2]?.warm();
    expect(rungs.map((entry) => entry.disposed)).toEqual([0, 1, 0]);
    expect(budget.heldBytes()).toBe(100);
    await ladders[1]?.use(async (id) => id);
    expect(rungs[1]?.opened).toBe(2);
    expect(budget.heldBytes()).toBe(100);
  });

  test('a model at work is never closed', async () => {
    const budget = createMemoryBudget(50);
    const busy = rung('kernel');
    const first = ladder([busy], { memory: { budget, bytes: 50 } });
    const second = ladder([rung('kernel')], { memory: { budget, bytes: 50 } });
    await first.use(async () => {
      await second.warm();
      expect(busy.disposed).toBe(0);
    });
  });
});
