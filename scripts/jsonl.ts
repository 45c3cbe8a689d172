// Owns reading JSON Lines, gzipped or plain, for the evaluations.
import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import type * as z from 'zod/mini';

/**
 * Rows of a .jsonl or .jsonl.gz file; with a schema, each checked against it.
 * @throws Error naming the file, the line, and the field that is not what was expected
 */
export async function readJsonLines<T>(file: string, schema?: z.ZodMiniType<T>): Promise<readonly T[]> {
  const bytes = await readFile(file);
  const gzipped = bytes[0] === 0x1f && bytes[1] === 0x8b;
  const text = (gzipped ? gunzipSync(bytes) : bytes).toString('utf8');
  return text.split('\n').flatMap((line, at) => {
    if (line.trim() === '') return [];
    const row = parseLine<T>(line, file, at + 1);
    if (schema !== undefined) checkRow(row, schema, file, at + 1);
    return [row];
  });
}

function parseLine<T>(line: string, file: string, number: number): T {
  try {
    return JSON.parse(line) as T;
  } catch (cause) {
    throw new Error(`${file}:${number}: expected one JSON object a line, got something else.`, { cause });
  }
}

function checkRow<T>(row: T, schema: z.ZodMiniType<T>, file: string, number: number): void {
  const issue = schema.safeParse(row).error?.issues[0];
  if (issue === undefined) return;
  const field = issue.path.join('.') || 'the row';
  const fields = typeof row === 'object' && row !== null ? Object.keys(row).join(', ') : typeof row;
  throw new Error(`${file}:${number}: field ${field}: ${issue.message}. The row has: ${fields}.`);
}
