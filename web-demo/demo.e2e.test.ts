// The built page in a real Chromium, served beside the edge worker as `npm start` does, with an emulated
// cloud behind it: ask a dropped file, ask again, go offline, let a question travel.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type RunningEdge, startEdge } from '../edge-worker/node.ts';
import { type BedrockEmulator, emulatorEnv, startBedrockEmulator } from '../scripts/emulators/bedrock.ts';
import { launchChromium } from '../scripts/testing/chromium.ts';
import { createFakeEmbedder } from '../scripts/testing/fake-embedder.ts';
import { zipOf } from './src/documents/zip.fixture.ts';

const OUT = fileURLToPath(new URL('../dist/web-demo-test', import.meta.url));
const SLOW = { timeout: 90_000 };
const EMAIL = 'marta.soler@example.org';
const FEE = 'How much is the yearly fee?';
const HANDBOOK = `Allotment rules

The gate is locked at nine in the evening. Compost goes into the wooden bin behind the shed.
The yearly fee is 85 euros and is due on the first of March. Dogs must be kept on a lead.
Water may be taken from the blue tank only. The secretary is ${EMAIL}.`;

let emulator: BedrockEmulator;
let edge: RunningEdge;
let browser: Browser;
let context: BrowserContext;
let page: Page;
const requests: string[] = [];
const problems: string[] = [];

beforeAll(async () => {
  vi.stubEnv('NODE_ENV', 'production'); // a test's own value would build a page without its service worker
  // Whatever this machine has made: here there is none (chat.e2e.test.ts has one).
  vi.stubEnv('NEARFIELD_LANGUAGE_MODEL', fileURLToPath(new URL('no-such-model', import.meta.url)));
  await build({
    configFile: fileURLToPath(new URL('../vite.config.ts', import.meta.url)),
    build: { outDir: OUT },
    logLevel: 'silent',
  });
  emulator = await startBedrockEmulator();
  edge = await startEdge({
    port: 0,
    pages: OUT,
    embedder: createFakeEmbedder(),
    env: {
      ...emulatorEnv(emulator.url, 'anthropic.claude-emulated'),
    },
  });
  browser = await launchChromium();
  context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 800 } });
  context.setDefaultTimeout(SLOW.timeout);
  await context.addInitScript(drawTheMiddle);
  page = await context.newPage();
  context.on('request', (request) => requests.push(`${request.method()} ${request.url()}`));
  page.on('pageerror', (error) => problems.push(error.message));
  await page.goto(`${edge.url}/`);
  await ready();
}, 180_000);

afterAll(async () => {
  await browser?.close();
  await edge?.stop();
  await emulator?.stop();
});

/** One page of one line, as plain a PDF as readers take; offsets are left for them to find. */
function pdfOf(text: string): Buffer {
  const stream = `BT /F1 12 Tf 72 720 Td (${text}) Tj ET`;
  return Buffer.from(`%PDF-1.4
1 0 obj <</Type /Catalog /Pages 2 0 R>> endobj
2 0 obj <</Type /Pages /Kids [3 0 R] /Count 1>> endobj
3 0 obj <</Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources <</Font <</F1 5 0 R>>>>>> endobj
4 0 obj <</Length ${stream.length}>> stream
${stream}
endstream endobj
5 0 obj <</Type /Font /Subtype /Type1 /BaseFont /Helvetica>> endobj
trailer <</Root 1 0 R /Size 6>>
%%EOF`);
}

/** In the page: a single number drawn is the middle of its range, so that the cache asks no sure match anew. */
function drawTheMiddle(): void {
  const draw = crypto.getRandomValues.bind(crypto);
  crypto.getRandomValues = (array) =>
    array instanceof Uint32Array && array.length === 1 ? (array.fill(2 ** 31) as never) : draw(array);
}

async function ready(): Promise<void> {
  await page.waitForSelector('.status[data-phase="ready"], .status[data-phase="failed"]', SLOW);
  expect(await page.locator('.status').getAttribute('data-phase')).toBe('ready');
}

/** Asks and returns what the page shows of the newest answer once it is whole. */
async function ask(question: string): Promise<{ answer: string; facts: string }> {
  const turns = page.locator('.turn');
  const before = await turns.count();
  await page.getByLabel('Your question').fill(question);
  await page.keyboard.press('Enter');
  const turn = turns.nth(before);
  await turn.and(page.locator('[aria-busy="false"]')).waitFor(SLOW);
  const facts = turn.locator('.facts');
  return {
    answer: (await turn.locator('.answer').textContent()) ?? '',
    facts: (await facts.count()) > 0 ? ((await facts.textContent()) ?? '') : '',
  };
}

it('answers from a dropped file with its sentence marked, and sends nothing after load', async () => {
  await page.locator('input[type=file]').setInputFiles({
    name: 'allotment.txt',
    mimeType: 'text/plain',
    buffer: Buffer.from(HANDBOOK),
  });
  await page.getByText(/\d+ sentences/).waitFor(SLOW);
  // The embedder's, the guard's and the tagger's golden file, and the heads: each model's last file.
  const LAST = /\/(golden|heads)\.json$/;
  await expect.poll(() => requests.filter((url) => LAST.test(url)).length, SLOW).toBe(4);
  // Workers fetch their own code once their model is there; a first answer has waited for all that it needs, and
  // loaded is when a second brings nothing more.
  await ask('When is the gate locked?');
  await expect
    .poll(async () => {
      const before = requests.length;
      await new Promise((resolve) => setTimeout(resolve, 1000));
      return requests.length - before;
    }, SLOW)
    .toBe(0);
  const loaded = requests.length;
  const { answer, facts } = await ask(FEE);
  expect(answer).toContain('The yearly fee is 85 euros and is due on the first of March.');
  expect(facts).toMatch(/This device[\s\S]*0 bytes/);
  await page.locator('.turn').last().locator('.source').first().click();
  expect(await page.locator('.viewer mark[data-current]').textContent()).toBe(
    'The yearly fee is 85 euros and is due on the first of March.',
  );
  await page.keyboard.press('Escape');
  await ask(`Who is ${EMAIL}?`);
  expect(requests.slice(loaded)).toEqual([]);
  expect(emulator.received().length).toBe(0);
});

it('says in one line how a site without a language model gets one', async () => {
  const line = await page.locator('.language-model .note').textContent();
  expect(line).toContain('npm run models -- build smollm2-135m-instruct');
});

it('reads PDF, Word and HTML here in the page', async () => {
  await page.locator('input[type=file]').setInputFiles([
    {
      name: 'lease.pdf',
      mimeType: 'application/pdf',
      buffer: pdfOf('The deposit is returned within forty days.'),
    },
    {
      name: 'parking.docx',
      mimeType: '',
      buffer: Buffer.from(
        zipOf([['word/document.xml', '<w:p><w:t>Parking space seven belongs to flat 3B.</w:t></w:p>']]),
      ),
    },
    {
      name: 'pool.html',
      mimeType: 'text/html',
      buffer: Buffer.from('<script>no()</script><p>The pool opens on the <b>tenth</b> of May.</p>'),
    },
  ]);
  await expect.poll(() => page.locator('.document', { hasText: /1 sentence ·/ }).count(), SLOW).toBe(3);
  expect((await ask('When is the deposit returned?')).answer).toContain('within forty days');
  expect((await ask('Which flat has parking space seven?')).answer).toContain('flat 3B');
  expect((await ask('When does the pool open?')).answer).toContain('The pool opens on the tenth of May.');
  for (const name of ['lease', 'parking', 'pool']) {
    await page.getByRole('button', { name: `Remove ${name}` }).click();
  }
});

it('answers the question asked in other words from the cache', async () => {
  const first = await ask('How much is the annual fee?');
  const second = await ask('What is the amount of the yearly fee?');
  expect(first.answer).toContain('The yearly fee is 85 euros');
  expect(first.facts + second.facts).toMatch(/Hit[\s\S]*similarity 0\.9/);
});

it('answers the same question from the cache, which can be told it was wrong', async () => {
  const { facts } = await ask(FEE);
  expect(facts).toMatch(/Hit/);
  await page
    .locator('.turn')
    .last()
    .getByRole('button', { name: /Wrong answer/ })
    .click();
  await page.getByText('Noted.').waitFor();
  expect((await ask(FEE)).facts).not.toMatch(/Hit/);
});

it('keeps its receipts in a chain and lets no other site be reached', async () => {
  await page.getByRole('link', { name: 'Activity' }).click();
  await page.getByRole('button', { name: 'Verify the chain' }).click();
  await page.getByText(/receipts fit the chain/).waitFor();
  const strangers: string[] = [];
  const stranger = createServer((request) => strangers.push(request.url ?? ''));
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
  const { port } = stranger.address() as AddressInfo;
  await page.evaluate(async (url) => {
    const image = new Image();
    const shut = new Promise((resolve) => {
      image.onerror = resolve;
    });
    image.src = `${url}/pixel.png`;
    await Promise.allSettled([shut, fetch(url, { mode: 'no-cors' }), navigator.sendBeacon(url, 'x')]);
  }, `http://127.0.0.1:${port}`);
  stranger.close();
  expect(strangers).toEqual([]);
  await page.getByRole('link', { name: 'Ask', exact: true }).click();
});

it('lets a question travel only when told to, with personal data replaced and put back', async () => {
  await page.getByRole('checkbox', { name: 'Ask allotment' }).uncheck();
  await page.getByRole('radio', { name: 'Cloud' }).check();
  const { answer, facts } = await ask(`Write a short note to ${EMAIL} about the gate.`);
  expect(facts).toMatch(/Edge|Cloud/);
  expect(facts).toMatch(/email ×1/);
  expect(answer).toContain(EMAIL);
  expect(emulator.requests.length).toBe(1);
  expect(emulator.received().includes(EMAIL)).toBe(false);
  expect(emulator.received().includes('85 euros')).toBe(false); // nor what earlier answers quoted
});

it('answers after a reload with the network off', async () => {
  await page.getByRole('radio', { name: 'This device' }).check();
  await context.setOffline(true);
  await page.reload();
  await ready();
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  await page.getByText(/\d+ sentences/).waitFor(SLOW);
  expect((await ask('Where does compost go?')).answer).toContain('the wooden bin behind the shed');
  expect(problems).toEqual([]);
});
