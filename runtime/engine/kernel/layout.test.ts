import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
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
