// Owns `npm run models -- pull <owner/name>`: a model from a hub, its revision pinned to a commit, every file
// hashed, a cut download resumed at the next try. A model made for this runtime is ready then; a checkpoint of
// the Llama family is quantised for the kernel; anything else is kept as it is, for transformers.js.
import { spawn } from 'node:child_process';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fetchHubFile, type HubFile, type HubListing, listHubModel } from '../../runtime/model-files/hub.ts';
import { createNodeFileStore } from '../../runtime/model-files/node-files.ts';
import type { ScriptCommand } from '../cli.ts';

const WORK = fileURLToPath(new URL('../../.nearfield/', import.meta.url));
const CONVERT = fileURLToPath(new URL('./python/build_llama.py', import.meta.url));
const DEFAULT_HOST = 'https://huggingface.co';

export interface PullOptions {
  readonly id: string;
  readonly host: string;
  readonly revision?: string | undefined;
  /** Folder of folders. */
  readonly out: string;
  readonly include?: RegExp | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onLine?: ((line: string) => void) | undefined;
}

export interface Pulled {
  readonly folder: string;
  readonly commit: string;
  readonly kind: 'ready' | 'llama' | 'other';
  readonly files: readonly { readonly path: string; readonly bytes: number; readonly sha256: string }[];
}

/** Weights in other forms, and pictures, are left where they are. */
const WANTED = /(?:\.json|\.safetensors|\.jinja|\.model|\.onnx|\.onnx_data|tokenizer.*|NOTICE|LICENSE.*)$/;

export const command: ScriptCommand = {
  summary: 'fetch a model from a hub: pinned revision, every file hashed, cut downloads resumed',
  configure(command) {
    command
      .argument('<id>', 'owner/name on the hub')
      .option('--host <url>', 'the hub', process.env.NEARFIELD_HUB ?? DEFAULT_HOST)
      .option('--revision <name>', 'branch, tag or commit', 'main')
      .option('--include <pattern>', 'only files whose path matches this regular expression')
      .option('--out <folder>', 'folder of models', join(WORK, 'models'))
      .option('--python <path>', 'a Python with the requirements, to quantise', process.env.NEARFIELD_PYTHON)
      .action(
        async (
          id: string,
          options: { host: string; revision: string; include?: string; out: string; python?: string },
        ) => {
          const stop = new AbortController();
          process.once('SIGINT', () => stop.abort());
          const include = options.include === undefined ? undefined : new RegExp(options.include);
          const pulled = await pull({ ...options, id, include, signal: stop.signal, onLine: console.log });
          if (pulled.kind === 'llama') await convert(pulled.folder, options.python ?? 'python3');
          console.log(`Ready: ${pulled.folder} (commit ${pulled.commit})`);
        },
      );
  },
};

/** Files end up whole in the folder, or not at all. */
export async function pull(options: PullOptions): Promise<Pulled> {
  const { id, signal, onLine } = options;
  const listing = await listHubModel({ ...options, fetch: ask });
  const folder = join(options.out, id.split('/')[1]!.toLowerCase());
  const wanted = listing.files.filter(({ path }) => (options.include ?? WANTED).test(path));
  const bytes = wanted.reduce((sum, file) => sum + file.bytes, 0);
  onLine?.(`${id}@${listing.commit}: ${wanted.length} files, ${(bytes / 1e6).toFixed(1)} MB`);
  const files: Pulled['files'][number][] = [];
  for (const file of wanted) files.push(await bring(listing, file, folder, options));
  signal?.throwIfAborted();
  const lock = { source: { host: options.host, id, commit: listing.commit }, files };
  await writeWhole(
    join(folder, 'pulled.json'),
    new TextEncoder().encode(`${JSON.stringify(lock, null, 2)}\n`),
  );
  return { folder, commit: listing.commit, kind: await kindOf(folder, files), files };
}

// A command line speaks to the host its user names; the runtime itself has no fetch of its own.
const ask = (input: Request | URL | string, init?: RequestInit): Promise<Response> => fetch(input, init);

async function bring(
  listing: HubListing,
  file: HubFile,
  folder: string,
  { out, signal, onLine }: PullOptions,
): Promise<Pulled['files'][number]> {
  let told = 0;
  const { bytes, sha256 } = await fetchHubFile({
    listing,
    file,
    fetch: ask,
    store: createNodeFileStore(join(out, '.parts')),
    signal,
    onProgress({ loadedBytes, totalBytes }) {
      const tenth = Math.floor((loadedBytes / Math.max(1, totalBytes)) * 10);
      if (tenth > told && totalBytes > 2 ** 24) onLine?.(`  ${file.path} ${tenth * 10} %`);
      told = Math.max(told, tenth);
    },
  });
  await writeWhole(join(folder, file.path), bytes);
  onLine?.(`  ${file.path} ${sha256}`);
  return { path: file.path, bytes: bytes.byteLength, sha256 };
}

async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.part`, bytes);
  await rename(`${path}.part`, path);
}

/** Model types whose layers the kernel computes. */
const LLAMA_LIKE: ReadonlySet<string> = new Set(['llama', 'qwen2', 'qwen3', 'mistral']);

async function kindOf(folder: string, files: Pulled['files']): Promise<Pulled['kind']> {
  if (files.some(({ path }) => path === 'manifest.json')) return 'ready';
  const weights = files.some(({ path }) => path.endsWith('.safetensors'));
  if (!weights || !files.some(({ path }) => path === 'config.json')) return 'other';
  const { model_type: type } = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as {
    model_type?: string;
  };
  return LLAMA_LIKE.has(type ?? '') ? 'llama' : 'other';
}

async function convert(folder: string, python: string): Promise<void> {
  const child = spawn(python, [CONVERT, '--folder', folder], { stdio: 'inherit' });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  if (code !== 0)
    throw new Error(`Quantising ended with ${code}; NEARFIELD_PYTHON names a Python with the requirements.`);
}
