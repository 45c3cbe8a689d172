// What README's "Embed it" does, run by browser.chromium.test.ts inside a real page.
import OpenAI from 'openai';
import { createPageRuntime } from './browser.ts';

const LEASE = 'The lease begins on 1 May. The tenant pays a deposit of 900 euros. Pets need written consent.';

export async function embedAsReadme(): Promise<{
  text: string;
  bytesOut: number;
  denied: string;
  dims: number;
  similar: number;
  streamed: string;
  label: string | undefined;
  volatility: string;
}> {
  const nearfield = await createPageRuntime({ models: '/models/', name: 'readme' });
  const documents = [{ id: 'lease', text: LEASE }];
  const { text, receipt } = await nearfield.answer({ question: 'How much is the deposit?', documents });
  const denied = await nearfield
    .complete({ messages: [{ role: 'user', content: 'Hello' }], privacy: 'edge' })
    .catch((error: { code: string }) => error.code);
  const openai = new OpenAI({
    fetch: nearfield.fetch,
    baseURL: 'https://nearfield.invalid/v1',
    apiKey: 'none',
    dangerouslyAllowBrowser: true,
  });
  const { data } = await openai.embeddings.create({
    model: 'all-minilm-l6-v2',
    input: ['a cat sleeps', 'a kitten is asleep'],
  });
  const [cat, kitten] = data.map((entry) => entry.embedding) as [number[], number[]];
  const body = { model: 'nearfield', stream: true as const, messages: [], documents };
  const stream = await openai.chat.completions.create({
    ...body,
    messages: [{ role: 'user', content: 'When does the lease begin?' }],
  });
  let streamed = '';
  for await (const chunk of stream) streamed += chunk.choices[0]?.delta.content ?? '';
  const { label } = await nearfield.classify('my card was stolen', [
    'lost_card',
    'exchange_rate',
    'opening_hours',
  ]);
  const { volatility } = await nearfield.intent('What time is it in Lima right now?');
  await nearfield.close();
  return {
    text,
    denied: String(denied),
    bytesOut: receipt.bytesOut,
    dims: cat.length,
    similar: cat.reduce((sum, value, at) => sum + value * kitten[at]!, 0),
    streamed,
    label,
    volatility: volatility.label,
  };
}
