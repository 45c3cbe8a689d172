// The built page and its language model in a real Chromium, with no edge and no documents: a tiny model made
// on the spot is brought with its progress shown, answers, is stopped, remembers, and goes on offline.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { tinyChatModel } from '../runtime/engine/generation/fixtures/tiny-chat-model.ts';
import { launchChromium } from '../scripts/testing/chromium.ts';

const OUT = fileURLToPath(new URL('../dist/web-demo-chat-test', import.meta.url));
const SLOW = { timeout: 90_000 };
const WEIGHTS = '/models/tiny-llama/model.safetensors';

let folder = '';
let server: Server;
let url = '';
let browser: Browser;
let context: BrowserContext;
let page: Page;
const problems: string[] = [];
/** How the weights are served: whole, their first half until told otherwise, or not at all. */
let weights: 'whole' | 'half' | 'missing' = 'missing';
let sendRest: () => void = () => {};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tiny-llama-'));
  for (const [path, bytes] of Object.entries(await tinyChatModel({ seed: 4, maxTokens: 4096 }))) {
    await writeFile(join(folder, path), bytes);
  }
  vi.stubEnv('NODE_ENV', 'production'); // a test's own value would build a page without its service worker
  vi.stubEnv('NEARFIELD_LANGUAGE_MODEL', folder);
  await mkdir(OUT, { recursive: true });
  await build({
    configFile: fileURLToPath(new URL('../vite.config.ts', import.meta.url)),
    build: { outDir: OUT },
    logLevel: 'silent',
  });
  await withoutEdge();
  server = createServer((request, response) => void serve(request.url ?? '/', response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  browser = await launchChromium();
  context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 800 } });
  context.setDefaultTimeout(SLOW.timeout);
  page = await context.newPage();
  page.on('pageerror', (error) => problems.push(error.message));
  await page.goto(`${url}/`);
  await ready();
}, 180_000);

afterAll(async () => {
  await browser?.close();
  server?.closeAllConnections();
  server?.close();
  if (folder !== '') await rm(folder, { recursive: true });
});

/** The page of a site that has no edge. */
async function withoutEdge(): Promise<void> {
  const file = join(OUT, 'index.html');
  const html = await readFile(file, 'utf8');
  expect(html).toContain('name="nearfield-edge" content=""');
  await writeFile(
    file,
    html.replace('name="nearfield-edge" content=""', 'name="nearfield-edge" content="none"'),
  );
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

async function serve(path: string, response: ServerResponse): Promise<void> {
  const name = path === '/' ? '/index.html' : path.replace(/\?.*$/, '');
  const file = await readFile(join(OUT, name)).catch(() => undefined);
  if (file === undefined || (name === WEIGHTS && weights === 'missing')) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, {
    'content-type': TYPES[extname(name)] ?? 'application/octet-stream',
    'content-length': file.byteLength,
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-embedder-policy': 'require-corp',
  });
  if (name !== WEIGHTS || weights === 'whole') {
    response.end(file);
    return;
  }
  response.write(file.subarray(0, file.byteLength >> 1));
  sendRest = () => response.end(file.subarray(file.byteLength >> 1));
}

async function ready(): Promise<void> {
  await page.waitForSelector('.status[data-phase="ready"]', SLOW);
}

const panel = () => page.locator('.language-model');
const load = () => panel().getByRole('button', { name: /Load it|Open it/ });

/** Asks; resolves to the turn, whatever became of it. */
async function put(question: string): Promise<Locator> {
  const turns = page.locator('.turn');
  const before = await turns.count();
  await page.getByLabel('Your question').fill(question);
  await page.keyboard.press('Enter');
  return turns.nth(before);
}

async function ask(question: string): Promise<{ answer: string; facts: string }> {
  const turn = await put(question);
  await turn.and(page.locator('[aria-busy="false"]')).waitFor(SLOW);
  return {
    answer: (await turn.locator('.answer').textContent()) ?? '',
    facts: (await turn.locator('.facts').textContent()) ?? '',
  };
}

it('says what is missing where no model is loaded, and offers to bring it', async () => {
  const turn = await put('Hello?');
  await turn.getByText('Nothing on this device can answer that on its own.').waitFor(SLOW);
  expect(await turn.getByRole('button', { name: /Load the language model, .*B, and ask it/ }).count()).toBe(
    1,
  );
});

it('says why a load failed in one line, shows how far the next is, can be told to stop, and begins again', async () => {
  await load().click();
  const alert = panel().getByRole('alert');
  await alert.waitFor(SLOW);
  expect(await alert.textContent()).toMatch(/^\S*model.safetensors: .*404.*\.$/);
  weights = 'half';
  await panel().getByRole('button', { name: 'Try again' }).click();
  const bar = panel().getByRole('progressbar');
  await expect.poll(() => bar.getAttribute('value').catch(() => null), SLOW).not.toBeNull();
  await expect
    .poll(async () => Number(await bar.getAttribute('value')) / Number(await bar.getAttribute('max')), SLOW)
    .toBeGreaterThan(0.3);
  expect(Number(await bar.getAttribute('value'))).toBeLessThan(Number(await bar.getAttribute('max')));
  expect(await panel().getByRole('status').textContent()).toMatch(/^[\d.]+ kB of [\d.]+ kB$/);
  await panel().getByRole('button', { name: 'Stop loading' }).click();
  await load().waitFor(SLOW);
  expect(await bar.count()).toBe(0);

  weights = 'whole';
  sendRest();
  await load().click();
  await panel()
    .getByText(/Loaded in/)
    .waitFor(SLOW);
  expect(await panel().locator('.badge').textContent()).toMatch(/^kernel/);
});

it('answers, and says how soon its first words came and how fast the rest', async () => {
  const { answer, facts } = await ask('Hello');
  expect(answer.length).toBeGreaterThan(20);
  expect(facts).toMatch(/This device/);
  expect(facts).toMatch(/0 bytes/);
  expect(facts).toMatch(/First words\s*[\d.,]+\s*m?s/);
  expect(facts).toMatch(/Speed\s*\d+ tokens, [\d.,]+\/s/);
});

it('takes what was said before into account', async () => {
  const later = await ask('the world');
  await page.getByRole('button', { name: 'Clear the conversation' }).click();
  const alone = await ask('the world');
  expect(alone.answer).not.toBe(later.answer);
  expect(alone.facts).not.toMatch(/Hit/);
});

it('stops between two tokens when told to, keeps what was said, and answers the next', async () => {
  await page.getByRole('button', { name: 'Clear the conversation' }).click();
  const whole = (await ask('Hello the world')).answer;
  await page.getByRole('button', { name: 'Clear the conversation' }).click();
  await stopAtFirstWords();
  const turn = await put('Hello the world');
  await turn.getByText('Stopped. Nothing of this was kept in the cache.').waitFor(SLOW);
  const said = (await turn.locator('.answer').textContent()) ?? '';
  expect(said.length).toBeLessThan(whole.length);
  expect((await ask('And then?')).facts).toMatch(/\d+ tokens, /);
});

/** Presses the button from within the page: a tiny model is sooner done than a test's pointer is there. */
async function stopAtFirstWords(): Promise<void> {
  await page.evaluate(() => {
    const watcher = new MutationObserver(() => {
      const stop = document.querySelector<HTMLButtonElement>('.send[aria-label="Stop"]');
      if (stop === null || (document.querySelector('.turn .answer p')?.textContent ?? '').length < 8) return;
      watcher.disconnect();
      stop.click();
    });
    watcher.observe(document.body, { subtree: true, childList: true, characterData: true });
  });
}

it('goes on after a reload with the network cut: opens its kept copy and answers', async () => {
  await context.setOffline(true);
  server.close();
  server.closeAllConnections();
  await page.reload();
  await ready();
  await panel().getByRole('button', { name: 'Open it' }).click();
  await panel()
    .getByText(/Loaded in/)
    .waitFor(SLOW);
  const { answer, facts } = await ask('What about now?');
  expect(answer.length).toBeGreaterThan(0);
  expect(facts).toMatch(/0 bytes/);
  expect(problems).toEqual([]);
});
