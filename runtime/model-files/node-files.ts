// Owns keeping model files in a folder of a Node process. A file is written beside its place and renamed
// into it, so that a crash leaves no half file under a key.
import { randomUUID } from 'node:crypto';
import { createReadStream, openAsBlob } from 'node:fs';
import { access, appendFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NearfieldError } from '../errors.ts';
import type { ModelStore } from './store.ts';

const TEMPORARY = '.tmp-';

export function createNodeFileStore(folder: string): ModelStore {
  const place = (key: string) => join(folder, checked(key));

  async function replace(key: string, write: (temporary: string) => Promise<void>): Promise<void> {
    const temporary = join(folder, `${TEMPORARY}${randomUUID()}`);
    try {
      await mkdir(folder, { recursive: true });
      await write(temporary);
      await rename(temporary, place(key));
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw failed(error);
    }
  }

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
    async open(key) {
      const path = place(key);
      const there = await access(path).then(
        () => true,
        () => false,
      );
      return there ? await openAsBlob(path) : undefined;
    },
    put: (key, bytes) => replace(key, (temporary) => writeFile(temporary, bytes)),
    async join(key, parts) {
      const places = parts.map(place);
      await replace(key, async (temporary) => {
        for (const part of places) await appendFile(temporary, createReadStream(part));
      });
      await Promise.all(places.map((part) => rm(part, { force: true })));
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
