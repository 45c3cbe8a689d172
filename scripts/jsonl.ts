// Owns reading JSON Lines, gzipped or plain, for the evaluations.
import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';

/** Rows of a .jsonl or .jsonl.gz file. @throws Error naming the file and the line that is not JSON. */
export async function readJsonLines<T>(file: string): Promise<readonly T[]> {
  const bytes = await readFile(file);
  const gzipped = bytes[0] === 0x1f && bytes[1] === 0x8b;
  const text = (gzipped ? gunzipSync(bytes) : bytes).toString('utf8');
  return text
    .split('\n')
    .flatMap((line, at) => (line.trim() === '' ? [] : [parseLine<T>(line, file, at + 1)]));
}

function parseLine<T>(line: string, file: string, number: number): T {
  try {
    return JSON.parse(line) as T;
  } catch (cause) {
    throw new Error(`${file}:${number}: expected one JSON object a line, got something else.`, { cause });
  }
}
