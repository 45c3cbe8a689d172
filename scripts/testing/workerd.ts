// Owns how tests and benchmarks run our TypeScript in a real workerd: bundle an entry for it, serve it on
// loopback, answer its outgoing fetches here. Refuses every way out that the caller did not open.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import {
  Miniflare,
  type Request as MiniflareRequest,
  Response as MiniflareResponse,
  type WorkerOptions,
} from 'miniflare';

export interface WorkerdOptions {
  /** A TypeScript or JavaScript module with a default export; a path or a file: URL. */
  readonly entry: string | URL;
  /** Plain text and JSON variables, as `vars` in a wrangler file. */
  readonly vars?: Readonly<Record<string, Json>>;
  /** Other bindings and settings in Miniflare's own form, e.g. `{ d1Databases: ['DB'] }`. */
  readonly bindings?: Partial<WorkerOptions>;
  readonly compatibilityDate?: string;
  /** Default none. `nodejs_compat` makes onnxruntime-web take its Node branch, which fails here. */
  readonly compatibilityFlags?: readonly string[];
  readonly define?: Readonly<Record<string, string>>;
  readonly minify?: boolean;
  /**
   * Answers the worker's outgoing fetches; `fetch` itself lets them through to the network.
   * Default: each is answered with 599 and listed in `refused`.
   */
  readonly outbound?: (request: Request) => Response | Promise<Response>;
}

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

export interface RunningWorkerd {
  /** Ends without a slash. */
  readonly url: string;
  /** URLs the worker asked for while no `outbound` was given. */
  readonly refused: readonly string[];
  /** What was uploaded, by module name, in bytes. */
  readonly moduleBytes: Readonly<Record<string, number>>;
  /** Platform fetch against the worker; a path or a whole URL. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  stop(): Promise<void>;
}

/** Bundles and starts the entry. Modules: `.wasm` compiled, `.onnx`/`.bin` ArrayBuffer, `.txt` string. */
export async function startWorkerd(options: WorkerdOptions): Promise<RunningWorkerd> {
  const modules = await bundleWorker(options);
  const refused: string[] = [];
  const miniflare = new Miniflare({
    ...options.bindings,
    modules: modules as NonNullable<Extract<WorkerOptions, { modules: readonly object[] }>['modules']>,
    compatibilityDate: options.compatibilityDate ?? '2026-04-01',
    compatibilityFlags: [...(options.compatibilityFlags ?? [])],
    bindings: { ...options.vars },
    host: '127.0.0.1',
    port: 0,
    cf: false,
    outboundService: async (request: MiniflareRequest) => {
      if (options.outbound === undefined) {
        refused.push(request.url);
        return new MiniflareResponse('This worker was given no way out.', { status: 599 });
      }
      return toMiniflare(await options.outbound(await toPlatform(request)));
    },
  });
  const url = (await miniflare.ready).href.replace(/\/$/, '');
  return {
    url,
    refused,
    moduleBytes: Object.fromEntries(modules.map((module) => [module.path, module.contents.byteLength])),
    fetch(path, init) {
      // A kept connection goes stale while a test computes; a reused stale one fails the fetch.
      const headers = new Headers(init?.headers);
      headers.set('connection', 'close');
      return fetch(new URL(path, `${url}/`), { ...init, headers });
    },
    stop: () => miniflare.dispose(),
  };
}

interface WorkerModule {
  readonly type: 'ESModule' | 'CompiledWasm' | 'Data' | 'Text';
  readonly path: string;
  readonly contents: Uint8Array;
}

const MODULE_TYPES: Readonly<Record<string, WorkerModule['type']>> = Object.freeze({
  wasm: 'CompiledWasm',
  onnx: 'Data',
  bin: 'Data',
  txt: 'Text',
});

/** One ES module plus the files it imports, each as the module type workerd gives its extension. */
export async function bundleWorker(
  options: Pick<WorkerdOptions, 'entry' | 'define' | 'minify'>,
): Promise<readonly WorkerModule[]> {
  const files = new Map<string, string>();
  const result = await build({
    entryPoints: [entryPath(options.entry)],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2024',
    outfile: 'worker.mjs',
    conditions: ['nearfield-source', 'workerd', 'worker', 'browser'],
    mainFields: ['browser', 'module', 'main'],
    external: ['cloudflare:*', 'node:*'],
    define: { 'process.env.NODE_ENV': '"production"', ...options.define },
    minify: options.minify ?? false,
    logLevel: 'error',
    plugins: [fileModules(files)],
  });
  const script = result.outputFiles[0];
  if (script === undefined) throw new Error('The bundler gave no script for the worker.');
  const others = [...files].map(async ([path, file]): Promise<WorkerModule> => {
    const type = MODULE_TYPES[path.slice(path.lastIndexOf('.') + 1)] ?? 'Data';
    return { type, path, contents: await readFile(file) };
  });
  return [
    { type: 'ESModule', path: 'worker.mjs', contents: script.contents },
    ...(await Promise.all(others)),
  ];
}

/** Leaves `.wasm`, `.onnx`, `.bin` and `.txt` imports as imports, and remembers which files they mean. */
function fileModules(files: Map<string, string>): Plugin {
  return {
    name: 'file-modules',
    setup(builder) {
      builder.onResolve({ filter: /\.(wasm|onnx|bin|txt)(\?module)?$/ }, async (found) => {
        if (found.pluginData === 'inner') return undefined;
        const { kind, resolveDir, importer } = found;
        const path = found.path.replace('?module', '');
        const inner = await builder.resolve(path, { kind, resolveDir, importer, pluginData: 'inner' });
        if (inner.errors.length > 0) return { errors: inner.errors };
        const name = `./${files.size}-${inner.path.slice(inner.path.lastIndexOf('/') + 1)}`;
        const known = [...files].find(([, file]) => file === inner.path)?.[0];
        if (known === undefined) files.set(name.slice(2), inner.path);
        return { path: known === undefined ? name : `./${known}`, external: true };
      });
    },
  };
}

/** Miniflare's Request and Response are another undici's; their parts are the platform's. */
async function toPlatform(request: MiniflareRequest): Promise<Request> {
  const body = await request.arrayBuffer();
  const headers = new Headers([...request.headers]);
  return new Request(request.url, {
    method: request.method,
    headers,
    ...(body.byteLength > 0 && { body }),
  });
}

function toMiniflare(response: Response): MiniflareResponse {
  return new MiniflareResponse(response.body as ConstructorParameters<typeof MiniflareResponse>[0], {
    status: response.status,
    headers: [...response.headers],
  });
}

function entryPath(entry: string | URL): string {
  const text = String(entry);
  return text.startsWith('file:') ? fileURLToPath(text) : text;
}
