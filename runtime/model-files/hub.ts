// Owns a model hub's own paths: which files a repository has at a pinned commit, what each must hash to, and
// bringing them whole. Refuses to choose a host, and a revision that moves: a listing names its commit.
// Source: huggingface.co/docs/hub/api, the resolve and api/models paths and Git LFS pointers.
import * as z from 'zod/mini';
import { NearfieldError } from '../errors.ts';
import { sha256Hex } from '../hash.ts';
import type { GuardedFetch } from '../types.ts';
import { type DownloadProgress, downloadFile, type Sleep } from './download.ts';
import type { ModelStore } from './store.ts';

export interface HubOptions {
  /** Base URL of the hub, e.g. `https://hub.example`. */
  readonly host: string | URL;
  /** Whose model, e.g. `owner/name`. */
  readonly id: string;
  /** Branch, tag or commit. Default `main`. */
  readonly revision?: string | undefined;
  readonly fetch: GuardedFetch;
  readonly signal?: AbortSignal | undefined;
}

export interface HubFile {
  readonly path: string;
  readonly bytes: number;
  /** Hex SHA-256, of files kept in Git LFS. */
  readonly sha256?: string | undefined;
  /** Hex SHA-1 of the Git blob, of the rest. */
  readonly blobId?: string | undefined;
}

export interface HubListing {
  readonly id: string;
  /** The commit that the revision stood for. */
  readonly commit: string;
  readonly files: readonly HubFile[];
  /** Where a file of this commit lies. */
  url(path: string): URL;
}

export interface FetchHubFileOptions {
  readonly listing: HubListing;
  readonly file: HubFile;
  readonly fetch: GuardedFetch;
  /** Keeps parts of a cut download, so that the next start resumes. Default: nothing is kept. */
  readonly store?: ModelStore | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  readonly sleep?: Sleep | undefined;
}

const REPOSITORY = /^\w[\w.-]*\/\w[\w.-]*$/;
const safePath: z.ZodMiniType<string> = z
  .string()
  .check(z.regex(/^(?!.*(?:^|\/)\.\.?(?:\/|$))[\w@+-][\w@.+/ -]*$/, 'a relative path without ".."'));
const hex = (digits: number) => z.string().check(z.regex(new RegExp(`^[0-9a-f]{${digits}}$`)));
const listingSchema = z.looseObject({
  sha: hex(40),
  siblings: z.array(
    z.looseObject({
      rfilename: z.string(),
      size: z.optional(z.int().check(z.nonnegative())),
      blobId: z.optional(hex(40)),
      lfs: z.nullish(z.looseObject({ sha256: hex(64), size: z.int().check(z.nonnegative()) })),
    }),
  ),
});

/** @throws model-not-found, model-load-failed, invalid-request */
export async function listHubModel({
  host,
  id,
  revision = 'main',
  fetch,
  signal,
}: HubOptions): Promise<HubListing> {
  if (!REPOSITORY.test(id)) {
    throw new NearfieldError('invalid-request', 'Expected a model id as owner/name.', { param: 'id' });
  }
  const base = new URL(String(host).replace(/\/*$/, '/'));
  const url = new URL(`api/models/${id}/revision/${encodeURIComponent(revision)}?blobs=true`, base);
  const response = await fetch(url, signal ? { signal } : {});
  if (!response.ok) {
    const missing = response.status === 404 || response.status === 401;
    throw new NearfieldError(
      missing ? 'model-not-found' : 'model-load-failed',
      `${id}@${revision}: HTTP ${response.status}.${missing ? ' It does not exist, or may not be read without signing in.' : ''}`,
    );
  }
  const parsed = listingSchema.safeParse(await response.json());
  if (!parsed.success)
    throw new NearfieldError('model-load-failed', `${id}: the hub’s listing has another form.`);
  const { sha: commit, siblings } = parsed.data;
  return {
    id,
    commit,
    files: siblings.filter(({ rfilename }) => safePath.safeParse(rfilename).success).map(fileOf),
    url: (path) =>
      new URL(`${id}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`, base),
  };
}

function fileOf(sibling: z.infer<typeof listingSchema>['siblings'][number]): HubFile {
  const { rfilename: path, size = 0, blobId, lfs } = sibling;
  return lfs ? { path, bytes: lfs.size, sha256: lfs.sha256 } : { path, bytes: size, blobId };
}

/**
 * One file, whole: its bytes are those of the commit, whatever the network did on the way.
 * @throws integrity-mismatch, model-not-found, model-load-failed, AbortError
 */
export async function fetchHubFile(
  options: FetchHubFileOptions,
): Promise<{ readonly bytes: Uint8Array<ArrayBuffer>; readonly sha256: string }> {
  const { listing, file, fetch, store, signal, sleep, onProgress } = options;
  const kept = file.sha256 === undefined ? undefined : await store?.get(file.sha256).catch(() => undefined);
  if (kept !== undefined && (await sha256Hex(kept)) === file.sha256) {
    return { bytes: kept, sha256: file.sha256 };
  }
  const { bytes } = await downloadFile({
    url: listing.url(file.path),
    // Parts are kept by content: those of a file without SHA-256 by its blob.
    file: { path: file.path, bytes: file.bytes, sha256: file.sha256 ?? file.blobId ?? listing.commit },
    fetch,
    store,
    signal,
    sleep,
    verify: (whole) => verify(file, whole),
    onProgress: (progress) => onProgress?.(progress),
  });
  return { bytes, sha256: file.sha256 ?? (await sha256Hex(bytes)) };
}

async function verify(file: HubFile, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const [expected, actual] =
    file.sha256 === undefined ? [file.blobId, await blobIdOf(bytes)] : [file.sha256, await sha256Hex(bytes)];
  if (expected === undefined || expected === actual) return;
  throw new NearfieldError(
    'integrity-mismatch',
    `${file.path}: expected hash ${expected}, got ${actual}. The file was not used.`,
  );
}

/** Git's name for a file's content. */
async function blobIdOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const head = new TextEncoder().encode(`blob ${bytes.byteLength}\0`);
  const whole = new Uint8Array(head.length + bytes.byteLength);
  whole.set(head);
  whole.set(bytes, head.length);
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-1', whole));
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
