// Owns one file's way over the network: streams into a buffer of the promised size, resumes with Range
// after a cut, leaves checkpoints so that even a reload resumes. Refuses bytes beyond the promised size.
import { NearfieldError } from '../errors.ts';
import type { GuardedFetch } from '../types.ts';
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
  readonly verify: (bytes: Uint8Array<ArrayBuffer>) => Promise<void>;
  readonly onProgress: (progress: DownloadProgress) => void;
}

/** Tries that bring no new byte before giving up. */
const FRUITLESS_TRIES = 4;
const FIRST_DELAY_MS = 250;
/** A checkpoint this often. 4 MiB: 6 writes for a 22 MB model; a reload loses at most this much. */
const CHECKPOINT_BYTES = 4 * 2 ** 20;

/** @throws integrity-mismatch, model-not-found, model-load-failed, AbortError */
export async function downloadFile(
  options: DownloadOptions,
): Promise<{ bytes: Uint8Array<ArrayBuffer>; fetchedBytes: number }> {
  const parts = createParts(options);
  const resumedBytes = await parts.restore();
  try {
    const state = { bytes: parts.buffer, loaded: resumedBytes, resumedBytes, fetched: 0 };
    await fillWithRetries(state, parts, options);
    await verifyOrRestart(state, parts, options);
    await parts.drop();
    return { bytes: state.bytes, fetchedBytes: state.fetched };
  } catch (error) {
    // A cut keeps its checkpoints for the next start; an abort or wrong bytes leave nothing.
    const wrong = error instanceof NearfieldError && error.code === 'integrity-mismatch';
    if (options.signal?.aborted || wrong) await parts.drop();
    throw error;
  }
}

interface FillState {
  readonly bytes: Uint8Array<ArrayBuffer>;
  loaded: number;
  readonly resumedBytes: number;
  fetched: number;
}

type Parts = ReturnType<typeof createParts>;

/** Bytes resumed from a checkpoint may be of another publication: then once more from the start. */
async function verifyOrRestart(state: FillState, parts: Parts, options: DownloadOptions): Promise<void> {
  try {
    await options.verify(state.bytes);
  } catch (error) {
    if (state.resumedBytes === 0) throw error;
    await parts.drop();
    state.loaded = 0;
    await fillWithRetries(state, parts, options);
    await options.verify(state.bytes);
  }
}

async function fillWithRetries(state: FillState, parts: Parts, options: DownloadOptions): Promise<void> {
  let fruitless = 0;
  while (state.loaded < options.file.bytes) {
    const before = state.loaded;
    try {
      await fillOnce(state, parts, options);
      if (state.loaded === before) throw new Error('The body ended before its first byte.');
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

async function fillOnce(state: FillState, parts: Parts, options: DownloadOptions): Promise<void> {
  const { file, signal } = options;
  const headers: Record<string, string> = state.loaded > 0 ? { Range: `bytes=${state.loaded}-` } : {};
  const response = await options.fetch(options.url, { headers, ...(signal && { signal }) });
  checkStatus(response, options);
  // A server without Range sends the whole file again.
  if (response.status !== 206 || rangeStart(response) !== state.loaded) {
    if (response.status === 206) throw new Error('The server sent another range than asked.');
    state.loaded = 0;
  }
  const reader = response.body?.getReader();
  if (reader === undefined) throw new Error('The response had no body.');
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      if (state.loaded + read.value.byteLength > file.bytes) {
        throw new NearfieldError('integrity-mismatch', `${file.path}: more than ${file.bytes} bytes came.`);
      }
      state.bytes.set(read.value, state.loaded);
      state.loaded += read.value.byteLength;
      state.fetched += read.value.byteLength;
      await parts.checkpoint(state.loaded);
      signal?.throwIfAborted();
      options.onProgress({
        loadedBytes: state.loaded,
        totalBytes: file.bytes,
        resumedBytes: state.resumedBytes,
      });
    }
  } finally {
    await reader.cancel().catch(() => undefined);
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

/** Checkpoints of the growing buffer in the store, one entry for each CHECKPOINT_BYTES. */
function createParts(options: DownloadOptions) {
  const { file, store } = options;
  const buffer = new Uint8Array(file.bytes);
  const key = (index: number) => `${file.sha256}.part${index}`;
  let saved = 0;
  let usable = store !== undefined;
  const partCount = Math.floor(file.bytes / CHECKPOINT_BYTES);
  return {
    buffer,
    async restore(): Promise<number> {
      for (; usable && saved < partCount; saved += 1) {
        const part = await store?.get(key(saved)).catch(() => undefined);
        if (part?.byteLength !== CHECKPOINT_BYTES) break;
        buffer.set(part, saved * CHECKPOINT_BYTES);
      }
      return saved * CHECKPOINT_BYTES;
    },
    async checkpoint(loaded: number): Promise<void> {
      while (usable && (saved + 1) * CHECKPOINT_BYTES <= loaded) {
        const part = buffer.slice(saved * CHECKPOINT_BYTES, (saved + 1) * CHECKPOINT_BYTES);
        // No room for parts: then the download simply has none.
        await store?.put(key(saved), part).catch(() => {
          usable = false;
        });
        saved += 1;
      }
    },
    async drop(): Promise<void> {
      for (; saved > 0; saved -= 1) await store?.delete(key(saved - 1)).catch(() => undefined);
    },
  };
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
