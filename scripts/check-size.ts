// Holds the files named in package.json's `budgets` to their sizes in bytes, raw and gzipped (level 9).
// Prints a table; exits 1 on any breach or missing file.
import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { table } from './report.ts';

interface Budget {
  readonly raw: number;
  readonly gzip: number;
}

const root = new URL('../', import.meta.url);
const { budgets }: { budgets: Readonly<Record<string, Budget>> } = JSON.parse(
  await readFile(new URL('package.json', root), 'utf8'),
);

const rows = await Promise.all(
  Object.entries(budgets).map(async ([file, budget]) => {
    const bytes = await readFile(new URL(file, root));
    const gzip = gzipSync(bytes, { level: 9 }).byteLength;
    const over = bytes.byteLength > budget.raw || gzip > budget.gzip;
    return {
      file,
      raw: bytes.byteLength,
      of: budget.raw,
      gzip,
      'of ': budget.gzip,
      '': over ? 'OVER' : 'ok',
    };
  }),
);
console.log(table(rows));
if (rows.some((row) => row[''] === 'OVER')) process.exitCode = 1;
