// Owns building the demo page when its sources are newer than the last build.

import { execFile } from 'node:child_process';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const OUT = join(ROOT, 'dist/web-demo/index.html');
const SOURCES = ['web-demo', 'runtime', 'models', 'vite.config.ts', 'package-lock.json'];

/** Builds into dist/web-demo; returns false when the last build was still true. */
export async function buildDemo(): Promise<boolean> {
  if ((await newest(SOURCES.map((name) => join(ROOT, name)))) < (await modified(OUT))) return false;
  // A process of its own: a test runner's NODE_ENV would make it a development build.
  const vite = join(ROOT, 'node_modules/vite/bin/vite.js');
  const env = { ...process.env, NODE_ENV: 'production' };
  await promisify(execFile)(process.execPath, [vite, 'build', '--logLevel', 'warn'], { cwd: ROOT, env });
  return true;
}

async function newest(paths: readonly string[]): Promise<number> {
  const times = await Promise.all(
    paths.map(async (path) => {
      const entry = await stat(path);
      if (!entry.isDirectory()) return entry.mtimeMs;
      const names = await readdir(path);
      return await newest(names.filter((name) => name !== 'node_modules').map((name) => join(path, name)));
    }),
  );
  return Math.max(0, ...times);
}

async function modified(path: string): Promise<number> {
  return await stat(path).then(
    (entry) => entry.mtimeMs,
    () => 0,
  );
}
