// Owns one file's way over the network: a stream of parts that resumes with Range after a cut and leaves
// checkpoints, so that even a reload resumes and the file need never be whole in memory. Refuses bytes beyond the
// promised size.
import { NearfieldError } from '../errors.ts';
import type { GuardedFetch } from '../types.ts';
import { readThrough } from './read-through.ts';
import type { ModelStore } from './store.ts';

export type Sleep = (ms: number, signal: AbortSignal | undefined) => Promise<void>;

export interface DownloadProgress {
  readonly loadedBytes: number;
  readonly totalBytes: number;
  /** Bytes that an earlier, cut download had brought. */
  readonly resumedBytes: number;
}

export interface DownloadOptions {
  readonly url: URL;
  readonly file: { readonly path: string; readonly bytes: number; readonly sha256: string };
  readonly fetch: GuardedFetch;
  readonly store: ModelStore | undefined;
  readonly signal: AbortSignal | undefined;
  readonly sleep: Sleep | undefined;
  readonly onProgress: (progress: DownloadProgress) => void;
}

/** A file on its way, part by part. Nobody has checked its bytes. */
export interface Download {
  /** In order, once; a part is the reader's until it asks for the next. */
  parts(): AsyncGenerator<Uint8Array, void, void>;
  /** So far. */
  readonly facts: { readonly resumedBytes: number; readonly fetchedBytes: number };
  /** Keeps what came as the file, after its last part. @throws quota-exceeded, storage-failed; nothing is kept then */
  keep(): Promise<void>;
  /** Leaves no checkpoint behind. */
  drop(): Promise<void>;
}

/** Tries that bring no new byte before giving up. */
const FRUITLESS_TRIES = 4;
const FIRST_DELAY_MS = 250;
/** A checkpoint this often. 4 MiB: 6 writes for a 22 MB model; a reload loses at most this much. */
const CHECKPOINT_BYTES = 4 * 2 ** 20;

/** A file as a stream: what checkpoints hold, then the network. A cut keeps its checkpoints, an abort leaves none. */
export function openDownload(options: DownloadOptions): Download {
  const checkpoints = createCheckpoints(options);
  const state: FillState = { loaded: 0, resumedBytes: 0, fetchedBytes: 0 };
  return {
    async *parts() {
      try {
        for await (const part of checkpoints.restore()) {
          state.loaded += part.byteLength;
          state.resumedBytes = state.loaded;
          yield part;
        }
        yield* fillWithRetries(state, checkpoints, options);
      } finally {
        if (options.signal?.aborted) await checkpoints.drop();
      }
    },
    facts: state,
    keep: () => checkpoints.join(),
    drop: () => checkpoints.drop(),
  };
}

/**
 * A file whole. `verify` throws integrity-mismatch.
 * @throws integrity-mismatch, model-not-found, model-load-failed, AbortError
 */
export async function downloadFile(
  options: DownloadOptions & { readonly verify: (bytes: Uint8Array<ArrayBuffer>) => Promise<void> },
): Promise<{ bytes: Uint8Array<ArrayBuffer>; fetchedBytes: number }> {
  const bytes = new Uint8Array(options.file.bytes);
  let fetchedBytes = 0;
  for (;;) {
    const download = openDownload(options);
    try {
      let at = 0;
      for await (const part of download.parts()) {
        bytes.set(part, at);
        at += part.byteLength;
      }
      fetchedBytes += download.facts.fetchedBytes;
      await options.verify(bytes);
      await download.drop();
      return { bytes, fetchedBytes };
    } catch (error) {
      const wrong = error instanceof NearfieldError && error.code === 'integrity-mismatch';
      if (wrong) await download.drop();
      // Bytes of a checkpoint may be of another publication: then once more from the start.
      if (!wrong || download.facts.resumedBytes === 0) throw error;
    }
  }
}

interface FillState {
  loaded: number;
  resumedBytes: number;
  fetchedBytes: number;
}

type Checkpoints = ReturnType<typeof createCheckpoints>;

async function* fillWithRetries(
  state: FillState,
  checkpoints: Checkpoints,
  options: DownloadOptions,
): AsyncGenerator<Uint8Array, void, void> {
  let fruitless = 0;
  while (state.loaded < options.file.bytes) {
    const before = state.loaded;
    try {
      yield* fillOnce(state, checkpoints, options);
      if (state.loaded === before) throw new Error('The body ended before its first new byte.');
    } catch (error) {
      options.signal?.throwIfAborted();
      if (error instanceof NearfieldError && !error.retryable) throw error;
      fruitless = state.loaded > before ? 1 : fruitless + 1;
      if (fruitless >= FRUITLESS_TRIES) throw gaveUp(state, options, error);
      await (options.sleep ?? sleep)(FIRST_DELAY_MS * 2 ** (fruitless - 1), options.signal);
    }
  }
}

function gaveUp(state: FillState, options: DownloadOptions, cause: unknown): NearfieldError {
  return new NearfieldError(
    'model-load-failed',
    `${options.file.path}: ${state.loaded} of ${options.file.bytes} bytes came before the network gave up.`,
    { cause },
  );
}

async function* fillOnce(
  state: FillState,
  checkpoints: Checkpoints,
  options: DownloadOptions,
): AsyncGenerator<Uint8Array, void, void> {
  const { file, signal } = options;
  const headers: Record<string, string> = state.loaded > 0 ? { Range: `bytes=${state.loaded}-` } : {};
  const response = await options.fetch(options.url, { headers, ...(signal && { signal }) });
  checkStatus(response, options);
  if (response.status === 206 && rangeStart(response) !== state.loaded) {
    throw new Error('The server sent another range than asked.');
  }
  // A server without Range sends the whole file again; its reader has the beginning already.
  let skip = response.status === 206 ? 0 : state.loaded;
  if (response.body === null) throw new Error('The response had no body.');
  for await (const read of readThrough(response.body)) {
    const part = read.subarray(Math.min(skip, read.byteLength));
    skip -= read.byteLength - part.byteLength;
    state.fetchedBytes += read.byteLength;
    if (part.byteLength === 0) continue;
    if (state.loaded + part.byteLength > file.bytes) {
      throw new NearfieldError('integrity-mismatch', `${file.path}: more than ${file.bytes} bytes came.`);
    }
    state.loaded += part.byteLength;
    await checkpoints.add(part);
    signal?.throwIfAborted();
    options.onProgress({
      loadedBytes: state.loaded,
      totalBytes: file.bytes,
      resumedBytes: state.resumedBytes,
    });
    yield part;
  }
}

function checkStatus(response: Response, options: DownloadOptions): void {
  if (response.ok) return;
  const { path } = options.file;
  const said = `${path}: HTTP ${response.status}`;
  if (response.status === 404 || response.status === 410) {
    throw new NearfieldError('model-not-found', `${said}; expected the file the manifest names.`);
  }
  if (response.status === 416)
    throw new NearfieldError('integrity-mismatch', `${said}; the file is shorter.`);
  if (response.status === 429 || response.status >= 500) throw new Error(said);
  throw new NearfieldError('model-load-failed', `${said}; expected 200 or 206.`);
}

function rangeStart(response: Response): number | undefined {
  const start = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1];
  return start === undefined ? undefined : Number(start);
}

/** What came so far in the store, one entry for each CHECKPOINT_BYTES; with the last one they are the file. */
function createCheckpoints({ file, store }: DownloadOptions) {
  const key = (index: number) => `${file.sha256}.part${index}`;
  const sizeOf = (index: number) => Math.min(CHECKPOINT_BYTES, file.bytes - index * CHECKPOINT_BYTES);
  let saved = 0;
  let held = 0;
  let failure: unknown;
  let buffer: Uint8Array<ArrayBuffer> | undefined;

  async function save(): Promise<void> {
    // No room for checkpoints: then the download simply has none.
    await store?.put(key(saved), buffer!.subarray(0, held)).catch((error: unknown) => {
      failure = error;
    });
    if (failure === undefined) saved += 1;
    held = 0;
  }

  async function drop(): Promise<void> {
    for (; saved > 0; saved -= 1) await store?.delete(key(saved - 1)).catch(() => undefined);
  }

  return {
    async *restore(): AsyncGenerator<Uint8Array, void, void> {
      for (; store !== undefined && sizeOf(saved) > 0; saved += 1) {
        const part = await store.get(key(saved)).catch(() => undefined);
        if (part?.byteLength !== sizeOf(saved)) break;
        yield part;
      }
    },
    async add(bytes: Uint8Array): Promise<void> {
      if (store === undefined) return;
      for (let from = 0; from < bytes.byteLength && failure === undefined; ) {
        buffer ??= new Uint8Array(Math.min(CHECKPOINT_BYTES, file.bytes));
        const piece = bytes.subarray(from, from + CHECKPOINT_BYTES - held);
        buffer.set(piece, held);
        held += piece.byteLength;
        from += piece.byteLength;
        if (held === CHECKPOINT_BYTES) await save();
      }
    },
    async join(): Promise<void> {
      if (store === undefined) return;
      if (held > 0 && failure === undefined) await save();
      buffer = undefined;
      try {
        if (failure !== undefined) throw failure;
        const parts = Array.from({ length: saved }, (_, index) => key(index));
        if (store.join !== undefined) await store.join(file.sha256, parts);
        else await putWhole(store, file.sha256, parts);
        saved = store.join === undefined ? saved : 0;
      } finally {
        await drop();
      }
    },
    drop,
  };
}

async function putWhole(store: ModelStore, key: string, parts: readonly string[]): Promise<void> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for (const part of parts) pieces.push((await store.get(part)) ?? new Uint8Array(0));
  await store.put(key, new Uint8Array(await new Blob(pieces).arrayBuffer()));
}

const sleep: Sleep = (ms, signal) =>
  new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', abort, { once: true });
  });
