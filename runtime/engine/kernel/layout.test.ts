import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import * as decoder from './decoder-layout.ts';
import * as host from './layout.ts';

it('mirrors the kernel: every offset the host writes is where the kernel reads', async () => {
  const source = await readFile(new URL('assembly/layout.ts', import.meta.url), 'utf8');
  const kernel = new Map(
    [...source.matchAll(/^export const (\w+): \w+ = (\d+);/gm)].map(([, name, value]) => [
      name,
      Number(value),
    ]),
  );
  const { PLAN_BYTES, ...shared } = host;
  for (const [name, value] of Object.entries(shared)) expect([name, kernel.get(name)]).toEqual([name, value]);
  const offsets = [...kernel].filter(([name]) => !/^(M|L|MODE|SLOTS|PANEL|TILE|PLAN)(_|$)/.test(name ?? ''));
  for (const [, offset] of offsets) expect(offset).toBeLessThan(PLAN_BYTES);
});

it('mirrors the decoder likewise, and its fields lie apart from the words threads meet on', async () => {
  const read = async (name: string) => {
    const source = await readFile(new URL(`assembly/${name}.ts`, import.meta.url), 'utf8');
    const found = source.matchAll(/^export const (\w+): \w+ = (-?\d+);/gm);
    return new Map([...found].map(([, key, value]) => [key, Number(value)]));
  };
  const kernel = await read('decoder-layout');
  for (const [name, value] of Object.entries(decoder))
    expect([name, kernel.get(name)]).toEqual([name, value]);
  const fields = [...kernel].filter(([name]) => name?.startsWith('D_')).map(([, offset]) => offset);
  expect(new Set(fields).size).toBe(fields.length);
  const { SLEEPERS, PULSE } = Object.fromEntries(await read('layout'));
  for (const offset of fields) {
    expect(offset).toBeGreaterThanOrEqual(SLEEPERS! + 64);
    expect(offset).toBeLessThan(PULSE!);
  }
});
