// Owns a model file as a stream: the kept copy piece by piece from where it lies, else the network with checkpoints
// on the way, and what becomes of it once its reader knows whether the bytes were right. Never holds the file whole.
import { NearfieldError } from '../errors.ts';
import type { LoadEvent, ModelFile } from '../models.ts';
import type { GuardedFetch } from '../types.ts';
import { createByteCheck } from './byte-check.ts';
import { type Download, openDownload, type Sleep } from './download.ts';
import { readThrough } from './read-through.ts';
import type { ModelStore } from './store.ts';

/** A file to be read from its start, any number of times, one reader at a time. */
export interface FileSource {
  /** In order; nobody has checked them. A part is the reader's until it asks for the next. */
  parts(): AsyncGenerator<Uint8Array, void, void>;
  /**
   * Told by the reader, after the last part, whether the bytes were the manifest's: keeps them or drops them. True where
   * another reading would bring other bytes.
   */
  settle(right: boolean): Promise<boolean>;
}

export interface FileSourceOptions {
  readonly file: ModelFile;
  readonly url: URL;
  /** The app's guarded fetch. */
  readonly fetch: GuardedFetch;
  readonly store?: ModelStore | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly sleep?: Sleep | undefined;
  readonly onProgress?: ((event: LoadEvent) => void) | undefined;
}

/** @returns a source, how many bytes the network has brought, and why it last brought no more */
export function createFileSource(
  options: FileSourceOptions,
): FileSource & { readonly fetchedBytes: () => number; readonly failure: () => unknown } {
  const { file, store, onProgress } = options;
  const { path, bytes, sha256: key } = file;
  let reading: 'kept' | Download | undefined;
  let fetchedBytes = 0;
  let failure: unknown;

  async function keep(download: Download): Promise<void> {
    try {
      await download.keep();
    } catch (error) {
      const full = error instanceof NearfieldError && error.code === 'quota-exceeded';
      onProgress?.({ type: 'not-kept', path, code: full ? 'quota-exceeded' : 'storage-failed' });
    }
    if (!options.signal?.aborted) return;
    await store?.delete(key).catch(() => undefined);
    options.signal.throwIfAborted();
  }

  return {
    fetchedBytes: () => fetchedBytes,
    failure: () => failure,
    async *parts() {
      failure = undefined;
      const kept = await openKept(store, key);
      if (kept !== undefined) {
        reading = 'kept';
        yield* untilItFails(kept, options.signal);
        return;
      }
      const download = openDownload({
        ...options,
        store,
        signal: options.signal,
        sleep: options.sleep,
        onProgress: (progress) => onProgress?.({ type: 'download', path, ...progress }),
      });
      reading = download;
      try {
        yield* download.parts();
      } catch (error) {
        failure = error;
        throw error;
      } finally {
        fetchedBytes += download.facts.fetchedBytes;
      }
    },
    async settle(right) {
      const read = reading;
      reading = undefined;
      if (read === undefined) return false;
      if (read === 'kept') {
        if (!right) await store?.delete(key).catch(() => undefined);
        onProgress?.(right ? { type: 'kept-copy', path, bytes } : { type: 'kept-copy-dropped', path });
        return !right;
      }
      if (right) await keep(read);
      else await read.drop();
      // Bytes of a checkpoint may be of another publication.
      return !right && read.facts.resumedBytes > 0;
    },
  };
}

/** A store that can not give pieces gives the whole, which is then held beside its reader's copy. */
async function openKept(
  store: ModelStore | undefined,
  key: string,
): Promise<AsyncGenerator<Uint8Array, void, void> | undefined> {
  if (store === undefined) return undefined;
  try {
    if (store.read !== undefined) return await store.read(key);
    const bytes = await store.get(key);
    return bytes && readThrough(new Blob([bytes]).stream());
  } catch {
    return undefined;
  }
}

/** One evicted under us ends early: it is not the right one then, and its reader says so. */
async function* untilItFails(
  pieces: AsyncGenerator<Uint8Array, void, void>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    for (;;) {
      const next = await pieces.next().catch(() => undefined);
      signal?.throwIfAborted();
      if (next === undefined || next.done) return;
      yield next.value;
    }
  } finally {
    await pieces.return();
  }
}

/** `again`: not the manifest's, but another reading would bring other bytes. `unread`: not read to the end. */
export type Verdict = 'unread' | 'right' | 'wrong' | 'again';

export interface VerifiedFile {
  /**
   * The file's parts, hashed on their way. The last step throws where they were not the manifest's, so that a reader
   * which waits for the end never uses wrong ones. @throws integrity-mismatch
   */
  parts(): AsyncGenerator<Uint8Array, void, void>;
  /** What the last reading came to; read on to its end where its reader gave up, for that may be the bytes' fault. */
  verdict(): Promise<Verdict>;
}

export function verifiedFile(source: FileSource, file: ModelFile): VerifiedFile {
  let verdict: Verdict = 'unread';
  let reading: AsyncGenerator<Uint8Array, void, void> | undefined;

  async function* checked(): AsyncGenerator<Uint8Array, void, void> {
    const check = createByteCheck(file);
    for await (const part of source.parts()) {
      await check.add(part);
      yield part;
    }
    const wrong = await check.end();
    const again = await source.settle(wrong === undefined);
    verdict = wrong === undefined ? 'right' : again ? 'again' : 'wrong';
    if (wrong !== undefined) throw mismatch(file, wrong);
  }

  /** Leaving it leaves the reading where it stands. */
  async function* parts(): AsyncGenerator<Uint8Array, void, void> {
    verdict = 'unread';
    const own = checked();
    reading = own;
    for (let next = await own.next(); !next.done; next = await own.next()) yield next.value;
  }

  return {
    parts,
    async verdict() {
      try {
        while (verdict === 'unread' && reading !== undefined) if ((await reading.next()).done) break;
      } catch {
        // What it was is the verdict; a network that failed leaves none.
      }
      return verdict;
    },
  };
}

function mismatch(file: ModelFile, got: string): NearfieldError {
  return new NearfieldError(
    'integrity-mismatch',
    `${file.path}: expected ${file.bytes} bytes of SHA-256 ${file.sha256}, got ${got}. The file was not used; publish it again or correct the manifest.`,
  );
}
