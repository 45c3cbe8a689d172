// An edge in a real workerd that cannot put itself together: what its callers are told.
import OpenAI from 'openai';
import { afterAll, expect, it } from 'vitest';
import { type RunningWorkerd, startWorkerd } from '../scripts/testing/workerd.ts';

let workerd: RunningWorkerd | undefined;
afterAll(async () => await workerd?.stop());

it('says so in the shape of the OpenAI API, that it may be asked again, and nothing of its settings', async () => {
  workerd = await startWorkerd({
    entry: new URL('worker.ts', import.meta.url),
    compatibilityFlags: ['enable_request_signal'],
    vars: { NEARFIELD_POLICY: 'lenient-XYZ' },
  });
  const client = new OpenAI({ apiKey: 'none', baseURL: `${workerd.url}/v1`, maxRetries: 0 });
  const failure = await client.models.list().catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(OpenAI.InternalServerError);
  expect(failure).toMatchObject({ status: 503, code: 'backend-unavailable', type: 'api_error' });
  const { headers, message } = failure as InstanceType<typeof OpenAI.APIError>;
  expect([headers?.get('x-should-retry'), headers?.get('retry-after')]).toEqual(['true', '1']);
  expect(message).not.toMatch(/XYZ|NEARFIELD/);
});
