// Owns keeping model files in a folder of a Node process. A file is written beside its place and renamed
// into it, so that a crash leaves no half file under a key.
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NearfieldError } from '../errors.ts';
import type { ModelStore } from './store.ts';

const TEMPORARY = '.tmp-';

export function createNodeFileStore(folder: string): ModelStore {
  const place = (key: string) => join(folder, checked(key));
  return {
    id: 'node-files',
    async get(key) {
      try {
        return Uint8Array.from(await readFile(place(key)));
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return undefined;
        throw failed(error);
      }
    },
    async put(key, bytes) {
      const temporary = join(folder, `${TEMPORARY}${randomUUID()}`);
      try {
        await mkdir(folder, { recursive: true });
        await writeFile(temporary, bytes);
        await rename(temporary, place(key));
      } catch (error) {
        await rm(temporary, { force: true }).catch(() => undefined);
        throw failed(error);
      }
    },
    async delete(key) {
      await rm(place(key), { force: true });
    },
    async keys() {
      const names = await readdir(folder).catch(() => []);
      return names.filter((name) => !name.startsWith(TEMPORARY));
    },
  };
}

function checked(key: string): string {
  if (/^[a-z0-9][a-z0-9.-]*$/i.test(key)) return key;
  throw new NearfieldError('storage-failed', 'A store key is letters, digits, dots and dashes.');
}

function failed(cause: unknown): NearfieldError {
  const code = codeOf(cause);
  return code === 'ENOSPC' || code === 'EDQUOT'
    ? new NearfieldError('quota-exceeded', 'The disk is full; free some space.', { cause })
    : new NearfieldError('storage-failed', `The model folder could not be used (${code}).`, { cause });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}
