// A process killed at any point of a write loses no committed entry and leaves a store that opens.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { openLibsqlCacheStore } from './libsql.ts';
import { allHeads, sampleEntry } from './store.contract.ts';

const folder = mkdtempSync(join(tmpdir(), 'nearfield-crash-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const WRITER = new URL('./crash-writer.fixture.ts', import.meta.url).pathname;

/** Starts the writer, kills it after some writes and a moment more. Returns the last number it confirmed. */
async function writeUntilKilled(url: string, from: number, writes: number, delayMs: number): Promise<number> {
  const child = spawn(process.execPath, ['--conditions=nearfield-source', WRITER, url, String(from)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  const enough = new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.split('\n').length > writes) resolve();
    });
    child.on('exit', () => reject(new Error('The writer ended by itself.')));
  });
  await enough;
  await new Promise((resolve) => setTimeout(resolve, delayMs));
  const gone = new Promise((resolve) => child.on('close', resolve));
  child.kill('SIGKILL');
  await gone;
  return Number(said.split('\n').at(-2));
}

it('keeps every confirmed entry through kills at different moments', { timeout: 120_000 }, async () => {
  const url = `file:${join(folder, 'cache.db')}`;
  let confirmed = -1;
  for (const delayMs of [0, 2, 7]) {
    confirmed = await writeUntilKilled(url, confirmed + 1, 12, delayMs);
    const store = await openLibsqlCacheStore({ url });
    const ids = new Set((await allHeads(store)).map((head) => head.id));
    const last = Number((await store.meta('last')).get('last'));
    // One write may have been kept without its confirmation having been read.
    expect([confirmed, confirmed + 1]).toContain(last);
    for (let at = 0; at <= last; at += 1) {
      const removed = at % 10 === 4 && at + 5 <= last;
      expect(ids.has(sampleEntry(at).id), `entry ${at} of ${last}`).toBe(!removed);
    }
    expect(await store.answer(sampleEntry(last).id)).toContain(`${last} `.repeat(2_000));
    await store.close();
    confirmed = last;
  }
});
