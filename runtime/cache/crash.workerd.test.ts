// A workerd killed in the middle of writing to a Durable Object loses no confirmed entry, keeps every change whole and
// leaves a store that opens. SIGKILL to the process itself: its pid comes from the shell it was started through.
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Miniflare, type WorkerOptions } from 'miniflare';
import { afterAll, expect, it } from 'vitest';
import { bundleWorker } from '../../scripts/testing/workerd.ts';
import type { Kept } from './crash-object.fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'nearfield-object-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The shell writes its number down and becomes workerd. */
function startedThroughShell(): string {
  const real: string = createRequire(import.meta.resolve('miniflare'))('workerd').default;
  const shell = join(folder, 'workerd.sh');
  writeFileSync(shell, `#!/bin/sh\necho $$ > '${join(folder, 'pid')}'\nexec '${real}' "$@"\n`);
  chmodSync(shell, 0o755);
  return shell;
}

interface Running {
  readonly url: string;
  kill(): void;
  end(): Promise<void>;
}

async function start(modules: WorkerOptions): Promise<Running> {
  const before = process.env.MINIFLARE_WORKERD_PATH;
  process.env.MINIFLARE_WORKERD_PATH = startedThroughShell();
  const miniflare = new Miniflare({
    ...modules,
    compatibilityDate: '2026-04-01',
    durableObjects: { CACHE: { className: 'CrashObject', useSQLite: true } },
    durableObjectsPersist: join(folder, 'objects'),
    host: '127.0.0.1',
    port: 0,
    cf: false,
  });
  const url = (await miniflare.ready).href;
  if (before === undefined) delete process.env.MINIFLARE_WORKERD_PATH;
  else process.env.MINIFLARE_WORKERD_PATH = before;
  const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
  return {
    url,
    kill: () => process.kill(pid, 'SIGKILL'),
    end: () => miniflare.dispose().catch(() => undefined),
  };
}

/** Three writers, so that one is always in a transaction; returns the numbers confirmed when all have failed. */
async function writeUntilKilled(
  workerd: Running,
  from: number,
  writes: number,
  delayMs: number,
): Promise<number[]> {
  const confirmed: number[] = [];
  let next = from;
  async function write(): Promise<void> {
    for (;;) {
      const at = next++;
      const response = await fetch(`${workerd.url}?write=${at}`, { headers: { connection: 'close' } });
      if ((await response.text()) !== `kept ${at}`) throw new Error('The object failed to write.');
      confirmed.push(at);
      if (confirmed.length === writes) setTimeout(() => workerd.kill(), delayMs);
    }
  }
  const ended = await Promise.allSettled([write(), write(), write()]);
  expect(ended.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  return confirmed;
}

it('keeps every confirmed change, whole, through kills at different moments', async () => {
  const modules = await bundleWorker({ entry: new URL('./crash-object.fixture.ts', import.meta.url) });
  const worker = { modules } as unknown as WorkerOptions;
  const confirmed: number[] = [];
  let from = 0;
  for (const delayMs of [0, 4, 11, 23]) {
    const workerd = await start(worker);
    confirmed.push(...(await writeUntilKilled(workerd, from, 12, delayMs)));
    await workerd.end();
    const again = await start(worker);
    const kept = (await (await fetch(`${again.url}?kept`)).json()) as Kept;
    await again.end();
    // Of each change all of its entries are there, or none; those never confirmed may be either.
    expect(new Set(Object.values(kept.entries))).toEqual(new Set([kept.entriesAWrite]));
    const writes = Object.keys(kept.entries).map(Number);
    expect(confirmed.filter((at) => !writes.includes(at))).toEqual([]);
    expect(writes.length).toBeLessThanOrEqual(confirmed.length + 3 * (confirmed.length / 12));
    expect(kept.wrongAnswers).toEqual([]);
    from = Math.max(...writes, from) + 4;
  }
  expect(confirmed.length).toBeGreaterThanOrEqual(48);
});
