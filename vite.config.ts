// One Vite config: the demo page (web-demo/) is its root; the runtime is imported from source through
// the package's own subpaths. The build is dist/web-demo: page, engine, model and service worker, with
// nothing fetched from anyone else.

import { copyFileSync, createReadStream, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin, type UserConfig } from 'vite';
import { VitePWA } from 'vite-plugin-pwa';
import { createCsp } from './runtime/policy/csp.ts';

const ROOT: string = fileURLToPath(new URL('./', import.meta.url));
const MODEL = 'all-minilm-l6-v2';
/** The cache's guard; a page without its files finds exact repeats only. */
const GUARD = 'nearfield-guard';

/** The policy's tagger; a page whose tagger does not open keeps its questions. */
const TAGGER = 'nearfield-pii';

/** The cache's idea of how soon an answer goes out of date; a page without it goes by words. */
const INTENT = 'nearfield-intent';

interface ModelManifest {
  readonly id: string;
  readonly dims: number;
  readonly license: string;
  readonly maxTokens: number;
  readonly files: readonly { path: string; bytes: number; role: string; sha256: string }[];
}

const manifest: ModelManifest = readManifest(join(ROOT, 'models', MODEL));

/** A model's folder; served where `npm run models -- build` has made it, for it is too large for the repository. */
const LANGUAGE_MODEL: string = resolve(
  ROOT,
  process.env.NEARFIELD_LANGUAGE_MODEL ?? '.nearfield/models/smollm2-135m-instruct',
);
const languageModel: ModelManifest | undefined = existsSync(join(LANGUAGE_MODEL, 'manifest.json'))
  ? readManifest(LANGUAGE_MODEL)
  : undefined;

/** An edge worker elsewhere, as `https://host`; empty when it serves the page itself. */
const edgeUrl: string = process.env.NEARFIELD_EDGE_URL ?? '';

const config: UserConfig = defineConfig({
  root: join(ROOT, 'web-demo'),
  base: './', // any folder of any static host will do
  resolve: { conditions: ['nearfield-source', 'module', 'browser', 'development|production'] },
  worker: { format: 'es' },
  // Their WASM lies beside their modules; a pre-bundled copy would look for it elsewhere.
  optimizeDeps: {
    exclude: ['@libsql/libsql-wasm-experimental', 'onnxruntime-web'],
    // Named, or finding them at the first import would reload the page under a test.
    include: ['@huggingface/tokenizers', 'idb', 'zod'],
  },
  define: {
    __NEARFIELD_LANGUAGE_MODEL__: JSON.stringify(
      languageModel === undefined
        ? null
        : { id: languageModel.id, licence: languageModel.license, bytes: bytesOf(languageModel) },
    ),
    __NEARFIELD_MODEL__: JSON.stringify({
      id: manifest.id,
      dims: manifest.dims,
      maxTokens: manifest.maxTokens,
      licence: manifest.license,
      weightsHash: manifest.files.find((file) => file.role === 'weights')?.sha256 ?? '',
      bytes: manifest.files.reduce((sum, file) => sum + file.bytes, 0),
    }),
  },
  build: {
    target: 'es2023',
    outDir: join(ROOT, 'dist/web-demo'),
    emptyOutDir: true,
    modulePreload: { polyfill: false },
  },
  preview: {
    headers: { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' },
  },
  plugins: [
    servesModels(),
    pinsThePage(),
    VitePWA({
      strategies: 'injectManifest',
      srcDir: 'src',
      filename: 'sw.ts',
      injectRegister: false,
      injectManifest: {
        rollupFormat: 'iife',
        // The model's own files are kept by the model store, checked by hash; its manifest is the way to them.
        globPatterns: ['**/*.{html,js,css,svg,png,wasm,mjs,webmanifest}', 'models/*/manifest.json'],
        maximumFileSizeToCacheInBytes: 32 * 2 ** 20, // the engine's WASM is the largest file
      },
      manifest: {
        name: 'Nearfield',
        short_name: 'Nearfield',
        description: 'Ask your own documents on this device, with the network off as well.',
        start_url: './',
        scope: './',
        display: 'standalone',
        background_color: '#f6f6f3',
        theme_color: '#0d5c54',
        icons: [
          { src: 'icon-192.png', sizes: '192x192', type: 'image/png' },
          { src: 'icon-512.png', sizes: '512x512', type: 'image/png' },
          { src: 'icon-512.png', sizes: '512x512', type: 'image/png', purpose: 'maskable' },
        ],
      },
    }),
  ],
});
export default config;

function readManifest(folder: string): ModelManifest {
  return JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as ModelManifest;
}

/** Of the files a page loads. */
function bytesOf({ files }: ModelManifest): number {
  const loaded = files.filter(({ role }) => role !== 'other');
  return loaded.reduce((sum, file) => sum + file.bytes, 0);
}

/** The page's models under `models/<id>/`: from the repository in development, copied into a build. */
function servesModels(): Plugin {
  let outDir = '';
  return {
    name: 'nearfield:models',
    configResolved: (resolved) => {
      outDir = resolved.build.outDir;
    },
    configureServer(server) {
      server.middlewares.use('/models', (request, response, next) => {
        const path = normalize(new URL(request.url ?? '/', 'http://localhost').pathname);
        const [, id = '', ...rest] = path.split('/');
        const folder = id === languageModel?.id ? LANGUAGE_MODEL : join(ROOT, '.nearfield/models', id);
        const file = [join(ROOT, 'models', path), join(folder, ...rest)].find(
          (candidate) => existsSync(candidate) && statSync(candidate).isFile(),
        );
        if (file === undefined) return next();
        response.setHeader(
          'Content-Type',
          path.endsWith('.json') ? 'application/json' : 'application/octet-stream',
        );
        response.setHeader('Content-Length', statSync(file).size);
        createReadStream(file).pipe(response);
      });
    },
    writeBundle(options) {
      // The service worker is a build of its own into the same folder; one copy is enough.
      if (options.dir !== outDir) return;
      const copy = (folder: string, more: readonly string[]) => {
        const { id, files: listed } = readManifest(folder);
        const files = listed.map((file) => file.path);
        for (const path of ['manifest.json', ...more, ...files]) {
          const target = join(outDir, 'models', id, path);
          mkdirSync(dirname(target), { recursive: true });
          copyFileSync(join(folder, path), target);
        }
      };
      for (const id of [MODEL, GUARD, TAGGER, INTENT]) copy(join(ROOT, 'models', id), ['NOTICE']);
      if (languageModel !== undefined) copy(LANGUAGE_MODEL, []);
    },
  };
}

// A page cannot set these itself; only the server's header can.
const HEADER_ONLY = /^(?:frame-ancestors|webrtc) /;

/** A built page carries its policy in itself, so that a static host that sets no headers keeps it too. */
function pinsThePage(): Plugin {
  return {
    name: 'nearfield:csp',
    apply: 'build',
    transformIndexHtml(html) {
      const hosts = edgeUrl === '' ? [] : [new URL(edgeUrl).host];
      const policy = createCsp('balanced', hosts)
        .split('; ')
        .filter((directive) => !HEADER_ONLY.test(directive))
        .join('; ');
      return {
        html: html.replace('name="nearfield-edge" content=""', `name="nearfield-edge" content="${edgeUrl}"`),
        tags: [
          {
            tag: 'meta',
            attrs: { 'http-equiv': 'Content-Security-Policy', content: policy },
            injectTo: 'head-prepend',
          },
        ],
      };
    },
  };
}
