// Owns how tests and benchmarks drive a real Chromium: find one, serve the repository through Vite,
// open a page. Refuses to download a browser.

import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { createServer, type ViteDevServer } from 'vite';

const CANDIDATES = [
  process.env.CHROMIUM_PATH,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
];

export function findChromium(): string {
  const found = CANDIDATES.find((path) => path !== undefined && existsSync(path));
  if (found === undefined) {
    throw new Error(
      'No Chromium found. Install one (Debian: apt-get install chromium) or set CHROMIUM_PATH to its binary.',
    );
  }
  return found;
}

export interface LaunchOptions {
  /** Adds a software WebGPU adapter: right for correctness, meaningless for speed. */
  readonly webgpu?: boolean;
  readonly args?: readonly string[];
}

/** Playwright's own half a minute is short where two cores compile a page and do much else. */
const PATIENCE_MS = 100_000;

export async function launchChromium(options: LaunchOptions = {}): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath: findChromium(),
    args: chromiumArgs(options),
    timeout: PATIENCE_MS,
  });
  browser.on('context', (context) => context.setDefaultTimeout(PATIENCE_MS));
  return browser;
}

/** Flags for a quiet headless browser; root needs --no-sandbox. */
export function chromiumArgs(options: LaunchOptions = {}): string[] {
  return [
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    ...(options.webgpu ? ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'] : []),
    ...(options.args ?? []),
  ];
}

export interface TestPage {
  readonly page: Page;
  readonly browser: Browser;
  readonly server: ViteDevServer;
  readonly url: string;
  /** Everything the page logged or threw, for a failing test to print. */
  readonly log: readonly string[];
  close(): Promise<void>;
}

/**
 * A blank page served by Vite from the repository root, so `page.evaluate` can
 * `import('/runtime/…ts')`. `isolated` sends COOP and COEP, so SharedArrayBuffer works.
 */
export async function openTestPage(
  options: LaunchOptions & { readonly isolated?: boolean; readonly path?: string } = {},
): Promise<TestPage> {
  const headers = options.isolated
    ? { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' }
    : {};
  const server = await createServer({
    root: fileURLToPath(new URL('../../', import.meta.url)),
    configFile: fileURLToPath(new URL('../../vite.config.ts', import.meta.url)),
    cacheDir: `node_modules/.vite-test-${process.pid}-${Math.random().toString(36).slice(2)}`,
    appType: 'mpa',
    logLevel: 'error',
    server: { host: '127.0.0.1', port: 0, headers, hmr: false, watch: null },
  });
  await server.listen();
  const url = server.resolvedUrls?.local[0] ?? '';
  const browser = await launchChromium(options);
  const page = await browser.newPage();
  const log: string[] = [];
  page.on('console', (message) => log.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => log.push(`pageerror: ${error.message}`));
  await page.goto(new URL(options.path ?? '/scripts/testing/blank.html', url).href);
  return {
    page,
    browser,
    server,
    url,
    log,
    async close() {
      await browser.close();
      await server.close();
      await rm(server.config.cacheDir, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
