// Owns attack 13 in the page: telemetry turned on, values asked about, weeks passed on the page's own clock. What
// goes is what the page showed; after opting out nothing goes and nothing is left.
import type { BrowserContext, Page } from 'playwright-core';
import { ask, openDemo, reach } from './browser.ts';
import type { CanarySource } from './canaries.ts';
import { type PageWorld, remember } from './page-texts.ts';
import { createScanner } from './scan.ts';

const ATTACK = '13 telemetry';
const HOUR = 3_600_000;

export async function proveTelemetry(
  world: PageWorld,
  context: BrowserContext,
  { take }: CanarySource,
): Promise<void> {
  const { tap, ledger } = world;
  const told = take(1);
  const own = createScanner();
  for (const canary of told) {
    remember(world, `${ATTACK}: asked while it is on`, canary, canary.value);
    own.add(canary.value);
  }
  const demo = await openDemo(context, tap.url, true);
  await reach(demo, 'device');
  await turn(demo, 'Turn on');
  for (const { value } of told.slice(0, 4)) await ask(demo, value);
  await demo.clock.fastForward(8 * 24 * HOUR);
  await ask(demo, told[4]!.value);
  const shown = await outboxOf(demo);
  const from = tap.received().length;
  await demo.clock.fastForward(24 * HOUR);
  await demo.waitForTimeout(500);
  const sent = tap.received().subarray(from).toString('latin1');
  const bodies = shown.filter((body) => sent.includes(body));
  if (shown.length === 0 || bodies.length !== shown.length) {
    ledger.leak({
      attack: ATTACK,
      attempt: 'a report goes as shown',
      where: `${bodies.length} of ${shown.length} as shown`,
    });
  }
  ledger.attempt(ATTACK, 'policy', sent.length);

  await ask(demo, told[5]!.value);
  await turn(demo, 'Turn off and erase');
  const after = tap.received().length;
  const kept = await demo.evaluate(() => JSON.stringify({ ...localStorage }));
  for (let week = 0; week < 5; week += 1) {
    await demo.clock.fastForward(8 * 24 * HOUR);
    await ask(demo, told[6]!.value);
  }
  const late = tap.received().subarray(after).toString('latin1');
  if (late.includes('/v1/telemetry'))
    ledger.leak({ attack: ATTACK, attempt: 'opted out', where: 'a report that went' });
  for (const body of await outboxOf(demo)) {
    ledger.leak({
      attack: ATTACK,
      attempt: 'opted out',
      where: `an outbox that holds ${body.length} characters`,
    });
  }
  for (const hit of own.scan(Buffer.from(kept))) {
    ledger.leak({ attack: ATTACK, attempt: hit.form, where: "the page's localStorage" });
  }
  ledger.attempt(ATTACK, late.includes('/v1/telemetry') ? undefined : 'policy', late.length + kept.length);
  await demo.close();
}

async function turn(page: Page, button: string): Promise<void> {
  await page.getByRole('link', { name: 'Telemetry' }).click();
  await page.getByRole('button', { name: button }).click();
  await page.waitForTimeout(100);
  await page.getByRole('link', { name: 'Ask', exact: true }).click();
}

async function outboxOf(page: Page): Promise<readonly string[]> {
  await page.getByRole('link', { name: 'Telemetry' }).click();
  await page.waitForTimeout(200);
  const bodies = await page.locator('.outbox pre').allTextContents();
  await page.getByRole('link', { name: 'Ask', exact: true }).click();
  return bodies;
}
