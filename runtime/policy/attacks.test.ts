// The attack battery: made-up identifiers in every disguise, in every carrier sentence. Recall counts a
// canary as found only when every character of its disguise is covered.
import { describe, expect, it } from 'vitest';
import { CARRIERS, type Canary, DISGUISES, type Disguise, makeCanaries } from './canaries.fixture.ts';
import { createPatternDetector } from './index.ts';

const detector = createPatternDetector();
const canaries = makeCanaries(8);

async function covered(canary: Canary, carrier: string, disguise?: Disguise): Promise<boolean> {
  const worn = disguise ? disguise.wear(canary.value) : canary.value;
  const text = carrier.replace('{}', () => worn);
  const spans = await detector.detect(text, { signal: new AbortController().signal });
  const from = carrier.indexOf('{}');
  const hidden = new Uint8Array(text.length);
  for (const span of spans) hidden.fill(1, span.start, span.end);
  for (let at = from; at < from + worn.length; at += 1) {
    // What carries no information need not be covered: separators, wrappers, invisible characters.
    if (hidden[at] === 0 && /[\p{L}\p{N}]/u.test(text.charAt(at)) && !wrapper(worn, at - from)) return false;
  }
  return true;
}

/** Parts of a URL or data URI around the value. */
function wrapper(worn: string, at: number): boolean {
  const lead = /^(?:data:[^,]*,|https:\/\/example\.com\/(?:u\/|find\?a=1&q=))/.exec(worn)?.[0].length ?? 0;
  const tail = /(?:\/edit|&b=2)$/.exec(worn)?.[0].length ?? 0;
  return at < lead || at >= worn.length - tail;
}

async function recall(disguise?: Disguise): Promise<{ readonly recall: number; readonly missed: string[] }> {
  const missed: string[] = [];
  let tried = 0;
  for (const canary of canaries) {
    if (disguise?.suits && !disguise.suits(canary)) continue;
    for (const carrier of CARRIERS) {
      tried += 1;
      if (!(await covered(canary, carrier, disguise))) missed.push(`${canary.kind} in "${carrier}"`);
    }
  }
  return { recall: 1 - missed.length / tried, missed };
}

describe('recall on made-up identifiers', () => {
  it('plain: at least .99', async () => {
    const plain = await recall();
    expect(plain.missed.slice(0, 5)).toEqual([]);
    expect(plain.recall).toBeGreaterThanOrEqual(0.99);
  });

  it.each(DISGUISES)('$name ($group): at least .98', async (disguise) => {
    const worn = await recall(disguise);
    if (process.env.SHOW_MISSED) console.log(disguise.name, worn.recall, worn.missed.slice(0, 4));
    expect(worn.recall).toBeGreaterThanOrEqual(0.98);
  });
});

it('knows an identity number for what it is when the next row begins with digits', async () => {
  const ids = canaries.filter(({ kind }) => kind === 'ssn' || kind === 'cpf').map(({ value }) => value);
  const text = `id,contact\n${ids.map((value, at) => `${at},${value}`).join('\n')}\n7,none`;
  const spans = await detector.detect(text, { signal: new AbortController().signal });
  const found = spans
    .filter(({ type }) => type === 'national-id')
    .map(({ start, end }) => text.slice(start, end));
  expect(ids.filter((id) => !found.includes(id))).toEqual([]);
});
