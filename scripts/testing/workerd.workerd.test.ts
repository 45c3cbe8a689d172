import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningWorkerd, startWorkerd } from './workerd.ts';

let workerd: RunningWorkerd;
beforeAll(async () => {
  workerd = await startWorkerd({
    entry: new URL('./workerd-fixture.ts', import.meta.url),
    vars: { GREETING: 'hello', LIMIT: 3 },
  });
});
afterAll(() => workerd?.stop());

test('a TypeScript entry runs in workerd with variables, a compiled wasm module and no way out', async () => {
  const response = await workerd.fetch('/');
  expect(await response.json()).toEqual({ greeting: 'hello', limit: 3, compiled: true, outside: 599 });
  expect(workerd.refused).toEqual(['http://outside.test/']);
});
