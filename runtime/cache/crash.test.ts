// A process killed at any point of a write loses no committed entry and leaves a store that opens.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@libsql/client';
import { afterAll, expect, it } from 'vitest';
import { openLibsqlCacheStore } from './libsql.ts';
import { allHeads, sampleEntry } from './store.contract.ts';

const folder = mkdtempSync(join(tmpdir(), 'nearfield-crash-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const WRITER = new URL('./crash-writer.fixture.ts', import.meta.url).pathname;

interface Writing {
  readonly url: string;
  readonly from: number;
  /** Killed after so many writes, and a moment more. */
  readonly writes: number;
  readonly delayMs: number;
  readonly entries: number;
}

/** Starts the writer and kills it. Returns the last number it confirmed. */
async function writeUntilKilled({ url, from, writes, delayMs, entries }: Writing): Promise<number> {
  const args = ['--conditions=nearfield-source', WRITER, url, String(from), String(entries)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
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

it.each([
  { entries: 1, writes: 12, delays: [0, 2, 7] },
  { entries: 200, writes: 8, delays: [0, 3, 9, 17] },
])(
  'keeps every confirmed entry, $entries a write, through kills at different moments',
  {
    timeout: 120_000,
  },
  async ({ entries, writes, delays }) => {
    const url = `file:${join(folder, `${entries}.db`)}`;
    let confirmed = -1;
    for (const delayMs of delays) {
      confirmed = await writeUntilKilled({ url, from: confirmed + 1, writes, delayMs, entries });
      const store = await openLibsqlCacheStore({ url });
      const ids = new Set((await allHeads(store)).map((head) => head.id));
      const last = Number((await store.meta('last')).get('last'));
      // One write may have been kept without its confirmation having been read.
      expect([confirmed, confirmed + 1]).toContain(last);
      const missing: number[] = [];
      for (let at = 0; at < (last + 1) * entries; at += 1) {
        const write = at / entries;
        const removed = write % 10 === 4 && write + 5 <= last;
        if (ids.has(sampleEntry(at).id) === removed) missing.push(at);
      }
      expect(missing, `of ${last} writes`).toEqual([]);
      expect(await store.answer(sampleEntry(last * entries).id)).toContain(
        `${last} `.repeat(2_000 / entries),
      );
      await store.close();
      confirmed = last;
    }
    const client = createClient({ url });
    const { rows } = await client.execute('SELECT count(*) FROM cache_blocks WHERE length(data) > 0');
    client.close();
    // The kills came among sealings, where there were enough entries for any.
    if (entries > 1) expect(rows[0]?.[0]).toBeGreaterThan(1);
  },
);
