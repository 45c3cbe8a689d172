// Owns building the demo page when its sources are newer than the last build.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'vite';

const ROOT = new URL('../../', import.meta.url).pathname;
const OUT = join(ROOT, 'dist/web-demo/index.html');
const SOURCES = ['web-demo', 'runtime', 'models', 'vite.config.ts', 'package-lock.json'];

/** Builds into dist/web-demo; returns false when the last build was still true. */
export async function buildDemo(): Promise<boolean> {
  if ((await newest(SOURCES.map((name) => join(ROOT, name)))) < (await modified(OUT))) return false;
  await build({ configFile: join(ROOT, 'vite.config.ts'), root: join(ROOT, 'web-demo'), logLevel: 'warn' });
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
