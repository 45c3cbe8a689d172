// Owns keeping model files in a folder of a Node process. A file is written beside its place and renamed
// into it, so that a crash leaves no half file under a key.
import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NearfieldError } from '../errors.ts';
import { PIECE_BYTES } from './read-through.ts';
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
    async read(key) {
      try {
        return readPieces(await open(place(key)));
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return undefined;
        throw failed(error);
      }
    },
    put: (key, bytes) => replace(key, (temporary) => writeFile(temporary, bytes)),
    async join(key, parts) {
      const places = parts.map(place);
      await replace(key, async (temporary) => {
        const whole = await open(temporary, 'w');
        try {
          for (const part of places) {
            for await (const piece of readPieces(await open(part))) await whole.appendFile(piece);
          }
        } finally {
          await whole.close();
        }
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

/** Through one buffer; closes the file at its end, or left early. */
async function* readPieces(file: FileHandle): AsyncGenerator<Uint8Array, void, void> {
  try {
    const buffer = new Uint8Array(PIECE_BYTES);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, PIECE_BYTES);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
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
