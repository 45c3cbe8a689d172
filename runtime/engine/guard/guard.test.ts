// The shipped guard in Node: what it keeps apart, that it is symmetric, and how it fails.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, describe, expect, it } from 'vitest';
import { describeModel, type FileRole, type LoadedModel } from '../../models.ts';
import { createNodeGuard, loadNodeModel } from '../node.ts';
import { askOnceOpened, type OpenedGuard } from './ask.ts';
import { createQuestionGuard, openGuardOnce } from './index.ts';

const model = await loadNodeModel({ model: 'nearfield-guard' });
const guard = createQuestionGuard(model);

function withFile(role: FileRole, bytes: Uint8Array<ArrayBuffer>): LoadedModel {
  const roles = ['weights', 'tokenizer', 'golden'] as const;
  return describeModel(
    model.manifest,
    new Map([...roles.map((each) => [each, model.file(each)] as const), [role, bytes]]),
  );
}

describe('the shipped guard', () => {
  it('is surer of a rewording than of another question', () => {
    const asked = 'How do I change my password?';
    const reworded = guard.same(asked, 'What is the way to change my password?');
    for (const other of [
      'How do I change my address?',
      'Why should I change my password?',
      'How do I change my password on a Mac?',
    ]) {
      expect(guard.same(asked, other), other).toBeLessThan(reworded);
    }
    expect(reworded).toBeGreaterThan(0.5);
  });

  it('says the same either way round', () => {
    const [a, b] = ['How do I convert euros to dollars?', 'How can I change dollars into euros?'];
    expect(guard.same(a, b)).toBeCloseTo(guard.same(b, a), 6);
  });

  it('takes any text: none, one word, a very long one, other scripts', () => {
    for (const text of ['', 'ok', 'word '.repeat(5_000), '你好吗', '🙂'.repeat(50), '\u0000']) {
      const said = guard.same(text, 'How do I change my password?');
      expect(said, text.slice(0, 10)).toBeGreaterThanOrEqual(0);
      expect(said).toBeLessThanOrEqual(1);
    }
  });

  it('keeps to its reference: a weights file with other numbers is refused', () => {
    const weights = model.file('weights').slice();
    for (let at = weights.length - 60_000; at < weights.length - 40_000; at += 1)
      weights[at] = (weights[at]! + 60) % 256;
    expect(() => createQuestionGuard(withFile('weights', weights))).toThrow();
  });

  it('names what is missing in a file that is no guard', () => {
    expect(() => createQuestionGuard(withFile('weights', new Uint8Array([1, 2, 3])))).toThrow(/ONNX/);
    expect(() => createQuestionGuard(withFile('golden', new TextEncoder().encode('{}')))).toThrow(/golden/);
  });
});

describe('a guard opened at its first question', () => {
  const folders: string[] = [];
  afterAll(async () => {
    for (const folder of folders) await rm(folder, { recursive: true });
  });

  it('fails the question, not the start, when its model is missing', async () => {
    const missing = createNodeGuard({ model: '/nowhere/nearfield-guard' });
    await expect(missing('a', 'b')).rejects.toMatchObject({ code: 'model-not-found' });
    await expect(missing.warm()).rejects.toMatchObject({ code: 'model-not-found' });
  });

  it('refuses files whose bytes are not the ones its manifest names', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'guard-'));
    folders.push(folder);
    const manifest = JSON.parse(await readFile('models/nearfield-guard/manifest.json', 'utf8')) as {
      files: { path: string; bytes: number }[];
    };
    const files = manifest.files.map((file) => ({ ...file, path: file.path.replace('onnx/', '') }));
    await writeFile(join(folder, 'manifest.json'), JSON.stringify({ ...manifest, files }));
    for (const { path, bytes } of files) await writeFile(join(folder, path), new Uint8Array(bytes));
    await expect(createNodeGuard({ model: folder })('a', 'b')).rejects.toMatchObject({
      code: 'integrity-mismatch',
    });
  });

  it('loads once for many questions, and stops for a caller who left', async () => {
    let loads = 0;
    const ask = openGuardOnce(async () => {
      loads += 1;
      return model;
    });
    await Promise.all([ask.warm(), ask('a', 'b'), ask('c', 'd')]);
    expect(loads).toBe(1);
    await expect(ask('a', 'b', { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
  });
});

describe('a guard that may hang or be lost', () => {
  const silent = (): Promise<number> => new Promise(() => undefined);

  it('fails a question that waits too long, and those after it at once', async () => {
    let left = 0;
    const ask = askOnceOpened(async () => ({ same: silent, leave: () => (left += 1) }), { waitMs: 20 });
    await expect(ask('a', 'b')).rejects.toMatchObject({ code: 'backend-unavailable' });
    expect(left).toBe(1);
    await expect(ask('a', 'b')).rejects.toMatchObject({ code: 'backend-unavailable' });
    expect(left).toBe(1);
  });

  it('lets a slow opening go on, and answers once it is done', async () => {
    const opening = Promise.withResolvers<OpenedGuard>();
    const ask = askOnceOpened(() => opening.promise, { waitMs: 20 });
    await expect(ask('a', 'b')).rejects.toMatchObject({ code: 'backend-unavailable' });
    opening.resolve({ same: () => 0.75 });
    await ask.warm();
    expect(await ask('a', 'b')).toBe(0.75);
  });

  it('opens anew after it was lost, and not because a caller left', async () => {
    let opened = 0;
    const ask = askOnceOpened(async () => {
      opened += 1;
      const isLost = opened === 1;
      return { same: () => (isLost ? Promise.reject(new Error('lost')) : 0.5), leave: () => undefined };
    });
    await expect(ask('a', 'b')).rejects.toThrow('lost');
    expect(await ask('a', 'b')).toBe(0.5);
    const left = new AbortController();
    const waiting = ask('a', 'b', { signal: left.signal });
    left.abort();
    await waiting.catch(() => undefined);
    expect(await ask('a', 'b')).toBe(0.5);
    expect(opened).toBe(2);
  });

  it('fails every question from its disposal on, the waiting ones at once, and is left once', async () => {
    let left = 0;
    const leave = () => {
      left += 1;
    };
    const ask = askOnceOpened(async () => ({ same: silent, leave }));
    await ask.warm();
    const waiting = [ask('a', 'b'), ask('c', 'd')];
    const ends = Promise.allSettled(waiting);
    await ask.dispose();
    await ask.dispose();
    expect(
      (await ends).map((one) => one.status === 'rejected' && (one.reason as { code: string }).code),
    ).toEqual(['backend-unavailable', 'backend-unavailable']);
    await expect(ask('e', 'f')).rejects.toMatchObject({ code: 'backend-unavailable' });
    await expect(ask.warm()).rejects.toMatchObject({ code: 'backend-unavailable' });
    expect(left).toBe(1);
  });

  it('tells its opening of its disposal, waits for no such opening, and leaves what opens all the same', async () => {
    const opening = Promise.withResolvers<OpenedGuard>();
    let told: AbortSignal | undefined;
    const ask = askOnceOpened((signal) => {
      told = signal;
      return opening.promise;
    });
    const waiting = [ask('a', 'b'), ask.warm()];
    const codes = Promise.all(waiting.map((one) => one.catch((error: { code: string }) => error.code)));
    await ask.dispose();
    expect(told?.aborted).toBe(true);
    expect(await codes).toEqual(['backend-unavailable', 'backend-unavailable']);
    const left = new Promise<string>((resolve) => {
      opening.resolve({ same: () => 1, leave: () => resolve('left') });
    });
    expect(await left).toBe('left');
  });

  it('is no part of what a page loads: the arithmetic is in the worker alone', async () => {
    const { metafile } = await build({
      entryPoints: ['runtime/engine/browser.ts'],
      bundle: true,
      write: false,
      metafile: true,
      format: 'esm',
      conditions: ['nearfield-source'],
    });
    const files = Object.keys(metafile.inputs).filter((path) => path.includes('/guard/'));
    expect(files.map((path) => path.replace(/.*\//, '')).sort()).toEqual(['ask.ts', 'in-worker.ts']);
  });
});
