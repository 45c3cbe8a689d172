// Owns the rule of who may import whom (docs/architecture.md). Reads every import of the tree, prints each
// breach with its rule, exits 1 on any. A new folder must be added to RULES or its files are refused.
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s[^'"`;]*?from\s*['"]([^'"]+)['"]|(?:^|[^.\w])import\s*\(?\s*['"]([^'"]+)['"]/g;

interface Rule {
  /** Files the rule speaks of. */
  readonly files: RegExp;
  /** What they may import of our own tree, as paths from the root. */
  readonly own: RegExp;
  /** Packages they may import. */
  readonly packages: RegExp;
  readonly says: string;
}

const LEAVES = 'runtime/(types|errors|hash|messages|models|tracer|deferred)\\.ts$';
const NONE = /^$/;
const NODE = /^node:/;
const folder = (name: string, leaves: string = LEAVES): RegExp => new RegExp(`^(runtime/${name}/|${leaves})`);

// First match decides.
const RULES: readonly Rule[] = [
  {
    files: /^runtime\/(types|errors)\.ts$/,
    own: /^runtime\/(types|errors)\.ts$/,
    packages: NONE,
    says: 'types.ts and errors.ts import nothing but each other',
  },
  {
    files: /^runtime\/(hash|messages|tracer|cache-key|deferred)\.ts$/,
    own: new RegExp(`^${LEAVES}`),
    packages: NONE,
    says: 'leaves import only leaves',
  },
  {
    files: /^runtime\/models\.ts$/,
    own: folder('model-files'),
    packages: /^zod(\/mini)?$/,
    says: 'models.ts imports leaves, zod and model-files/',
  },
  {
    files: /^runtime\/model-files\//,
    own: folder('model-files'),
    packages: /^(idb|@noble\/hashes\/sha2\.js|zod(\/mini)?|node:.*)$/,
    says: 'model-files/ imports leaves and itself; idb for IndexedDB, SHA-256 of streams by @noble/hashes',
  },
  {
    files: /^runtime\/policy\//,
    own: folder('policy'),
    packages: /^(zod(\/mini)?|idb|libphonenumber-js(\/.*)?)$/,
    says: 'policy/ imports leaves and itself',
  },
  {
    files: /^runtime\/cache\/(libsql|libsql-[a-z-]+|durable-object)\.ts$/,
    own: folder('cache'),
    packages: /^(zod(\/mini)?|drizzle-orm(\/.*)?|@libsql\/(client|libsql-wasm-experimental)(\/.*)?|node:.*)$/,
    says: 'libSQL and Drizzle live in cache/libsql*.ts and cache/durable-object.ts',
  },
  {
    files: /^runtime\/cache\//,
    own: folder('cache'),
    packages: /^(zod(\/mini)?|idb)$/,
    says: 'cache/ imports leaves and itself; idb for IndexedDB',
  },
  {
    files: /^runtime\/engine\//,
    own: /^(runtime\/(engine|model-files)\/|runtime\/(types|errors|hash|messages|models|tracer|deferred)\.ts$|models\/)/,
    packages: /^(zod(\/mini)?|onnxruntime-web(\/.*)?|@huggingface\/(transformers|tokenizers|jinja)|node:.*)$/,
    says: 'engine/ imports leaves and itself; onnxruntime and transformers only here',
  },
  {
    files: /^runtime\/telemetry\//,
    own: folder('telemetry'),
    packages: /^(zod(\/mini)?|idb)$/,
    says: 'telemetry/ imports leaves and itself',
  },
  {
    files: /^runtime\/tasks\//,
    own: new RegExp(`^(runtime/(tasks|engine)/|${LEAVES})`),
    packages: /^zod(\/mini)?$/,
    says: 'tasks/ may import engine/',
  },
  {
    files: /^runtime\/tiers\/device\.ts$/,
    own: new RegExp(`^(runtime/tasks/|${LEAVES})`),
    packages: NONE,
    says: 'tiers/device.ts may import tasks/',
  },
  {
    files: /^runtime\/tiers\//,
    own: folder('tiers'),
    packages: /^(zod\/mini|aws4fetch|eventsource-parser(\/.*)?|@smithy\/.*)$/,
    says: 'tiers import leaves; the network is handed in',
  },
  {
    files: /^runtime\/(openai|router)(\/.*)?(\.ts)?$/,
    own: new RegExp(`^(runtime/(openai|router)/|${LEAVES})`),
    packages: /^zod(\/mini)?$/,
    says: 'openai and router import leaves',
  },
  {
    files: /^runtime\/(browser|node)\.ts$/,
    own: /^runtime\//,
    packages: NONE,
    says: 'browser.ts and node.ts put the usual parts together and need no package of their own',
  },
  {
    files: /^runtime\/[a-z-]+(\.test)?\.ts$/,
    own: /^runtime\/([a-z-]+\.ts|policy\/index\.ts|openai\/|tasks\/index\.ts)/,
    packages: /^zod(\/mini)?$/,
    says: 'runtime.ts imports modules, never an adapter',
  },
  {
    files: /^edge-worker\/worker\.ts$/,
    own: /^((edge-worker|models)\/|runtime\/engine\/kernel\/[a-z-]+\.wasm$)/,
    packages: /^(nearfield(\/.*)?|hono(\/.*)?|drizzle-orm(\/.*)?|@libsql\/client(\/.*)?|cloudflare:.*)$/,
    says: "worker.ts binds the model and the engine's WASM as modules of the bundle",
  },
  {
    files: /^edge-worker\//,
    own: /^edge-worker\//,
    packages:
      /^(nearfield(\/.*)?|hono(\/.*)?|@hono\/.*|drizzle-orm(\/.*)?|@libsql\/client(\/.*)?|zod|node:.*|cloudflare:.*)$/,
    says: 'edge-worker/ uses the runtime through its subpaths; hono and Drizzle live here',
  },
  {
    files: /^web-demo\//,
    own: /^web-demo\//,
    packages:
      /^(nearfield(\/.*)?|preact(\/.*)?|@preact\/.*|idb|unpdf|virtual:.*|workbox-.*|dompurify|marked|\/.*)$/,
    says: 'web-demo/ uses the runtime through its subpaths',
  },
  { files: /^(scripts\/|[a-z.]+\.ts$)/, own: /./, packages: /./, says: 'scripts may import anything' },
];

const files = await listFiles(['runtime', 'edge-worker', 'web-demo', 'scripts']);
const breaches = (await Promise.all(files.map(breachesOf))).flat();
for (const breach of breaches) console.error(breach);
console.log(`imports: ${files.length} files, ${breaches.length} breaches`);
process.exitCode = breaches.length === 0 ? 0 : 1;

async function breachesOf(file: string): Promise<string[]> {
  if (isTestFile(file)) return [];
  const rule = RULES.find(({ files }) => files.test(file));
  if (rule === undefined)
    return [`${file}: no rule speaks of this file; add its folder to scripts/check-imports.ts`];
  const text = stripComments(await readFile(join(ROOT, file), 'utf8'));
  const imports = [...text.matchAll(IMPORT)].map((match) => match[1] ?? match[2]!);
  return imports
    .filter((name) => !allowed(rule, file, name))
    .map((name) => `${file}: imports ${name}; ${rule.says}`);
}

function allowed(rule: Rule, file: string, name: string): boolean {
  const bare = name.replace(/\?.*$/, '');
  if (bare.startsWith('.')) return rule.own.test(normalize(join(dirname(file), bare)));
  return rule.packages.test(bare) || (/\.node\.ts$|\/node\.ts$/.test(file) && NODE.test(bare));
}

/** Tests and contracts may reach across: they check how the parts fit. */
function isTestFile(file: string): boolean {
  return /\.(test|contract|fixture)\.ts$|-fixture\.ts$|\/testing\//.test(file);
}

function stripComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}

async function listFiles(folders: readonly string[]): Promise<string[]> {
  const found = await Promise.all(folders.map((name) => readdir(join(ROOT, name), { recursive: true })));
  return folders
    .flatMap((name, at) => found[at]!.map((file) => `${name}/${file}`))
    .filter(
      (file) => /\.tsx?$/.test(file) && !/node_modules|\/assembly\/|\.generated\.ts$|\.d\.ts$/.test(file),
    )
    .sort();
}
