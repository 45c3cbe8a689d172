// Owns attacks 7, 10 and 13 on the edge: values in errors, labels, paths and headers; names rebound to loopback
// and pages of others; an allowed host that forwards; reports that hold what no report may.
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { NOT_READY, SERVER_ERROR, THROTTLED, UNAVAILABLE } from '../../emulators/bedrock.ts';
import type { CanarySource } from './canaries.ts';
import { createEdgeRunner, type EdgeAttempt, type EdgeRunner, postChat, said } from './edge-runner.ts';
import type { Ledger } from './report.ts';
import { type ProvenEdge, startProvenEdge } from './world.ts';

type Send = (edge: ProvenEdge, value: string) => Promise<Response>;

const get = (path: string): Promise<Response> => fetch(path);
const FAULTS = [
  THROTTLED,
  NOT_READY,
  SERVER_ERROR,
  UNAVAILABLE,
  { kind: 'exception', type: 'validationException', afterDeltas: 0 },
  { kind: 'cut', afterDeltas: 1 },
  { kind: 'corrupt', afterDeltas: 0 },
] as const;

const MISTAKES: Readonly<Record<string, Send>> = {
  'body is no JSON': (edge, v) => postChat(edge, `{"messages": ${v}`),
  'messages is a string': (edge, v) => postChat(edge, { messages: v }),
  'role unknown': (edge, v) => postChat(edge, { messages: [{ role: v, content: 'Hi' }] }),
  'content is an object': (edge, v) => postChat(edge, { messages: [{ role: 'user', content: { [v]: v } }] }),
  'image part': (edge, v) =>
    postChat(edge, { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: v } }] }] }),
  'privacy unknown': (edge, v) => postChat(edge, said('Hi', { privacy: v })),
  'tool choice unknown': (edge, v) => postChat(edge, said('Hi', { tool_choice: v })),
  'temperature is text': (edge, v) => postChat(edge, said('Hi', { temperature: v })),
  'privacy header': (edge, v) => postChat(edge, said('Hi'), { 'nearfield-privacy': encodeURIComponent(v) }),
  'content type': (edge, v) =>
    postChat(edge, said('Hi'), { 'content-type': `text/${encodeURIComponent(v)}` }),
  'model as a label': (edge, v) => postChat(edge, said('Hi', { model: v })),
  'tool name as a label': (edge, v) =>
    postChat(edge, said('Hi', { tools: [{ type: 'function', function: { name: v } }] })),
  'path of a model': (edge, v) => get(`${edge.url}/v1/models/${encodeURIComponent(v)}`),
  'unknown path': (edge, v) => get(`${edge.url}/v1/${encodeURIComponent(v)}?q=${encodeURIComponent(v)}`),
  'path of a file': (edge, v) => get(`${edge.url}/files/${encodeURIComponent(v)}`),
  'embedding of nothing': (edge, v) =>
    fetch(`${edge.url}/v1/embeddings`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: v, input: [[v]] }),
    }),
};

/** Told twice over: once where the caller errs, once where the cloud does. */
export async function errorAttempts(
  runner: EdgeRunner,
  edge: ProvenEdge,
  take: CanarySource['take'],
): Promise<void> {
  const attack = '7 errors, logs, labels';
  for (const [name, send] of Object.entries(MISTAKES)) {
    for (const canary of take(1)) {
      if (canary.kind === 'name' && name.endsWith('label')) continue; // a bare name is what the tagger is for
      await runner.run({
        attack,
        name: `${canary.kind}, ${name}`,
        canaries: [{ canary, worn: canary.value }],
        send: async () => await send(edge, canary.value),
      });
    }
  }
  for (const fault of FAULTS) {
    for (const canary of take(1)) {
      if (canary.kind === 'name') continue;
      edge.cloud.script(fault, fault);
      await runner.run({
        attack,
        name: `${canary.kind}, cloud fails (${'type' in fault ? fault.type : fault.kind})`,
        canaries: [{ canary, worn: canary.value }],
        send: async () =>
          await postChat(edge, said(`Please note ${canary.value} for me.`, { cache: 'bypass' })),
      });
      // What was scripted and not asked for must not meet the next attempt.
      await drainScript(edge);
    }
  }
}

async function drainScript(edge: ProvenEdge): Promise<void> {
  for (let tries = 0; tries < 4; tries += 1) {
    const response = await postChat(edge, said('Say hello.', { cache: 'bypass' }));
    const text = await response.text().catch(() => '');
    if (response.ok && text.includes('That is all it was told')) return;
  }
}

/** Callers who are not who they seem, and a cloud that sends its callers on. */
export async function guardAttempts(
  runner: EdgeRunner,
  edge: ProvenEdge,
  ledger: Ledger,
  take: CanarySource['take'],
): Promise<void> {
  const attack = '10 round the guard';
  const [canary] = take(1);
  const body = JSON.stringify(said(`Please note ${canary!.value} for me.`));
  const strangers: Readonly<Record<string, Record<string, string>>> = {
    'name rebound to loopback': { host: 'rebound.test' },
    'name rebound, with port': { host: `rebound.test:${new URL(edge.url).port}` },
    'page of another origin': { origin: 'https://stranger.test' },
    'sandboxed page': { origin: 'null' },
  };
  for (const [name, headers] of Object.entries(strangers)) {
    await runner.run({
      attack,
      name,
      canaries: [{ canary: canary!, worn: canary!.value }],
      send: async () => await rawPost(edge, body, headers),
      judge: (_reply, received) => (received.length > 0 ? 'a request of a stranger that went on' : undefined),
    });
  }
  await forwardingCloud(ledger, attack, take);
}

/** fetch() does not let a caller choose Host or Origin. */
async function rawPost(edge: ProvenEdge, body: string, headers: Record<string, string>): Promise<Response> {
  const all = { 'content-type': 'application/json', ...headers };
  return await new Promise((resolve, reject) => {
    const message = httpRequest(
      `${edge.url}/v1/chat/completions`,
      { method: 'POST', headers: all },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () =>
          resolve(new Response(Buffer.concat(chunks), { status: answer.statusCode ?? 500 })),
        );
      },
    );
    message.on('error', reject);
    message.end(body);
  });
}

const REDIRECTS = [301, 302, 303, 307, 308];

async function forwardingCloud(ledger: Ledger, attack: string, take: CanarySource['take']): Promise<void> {
  const beyond: Buffer[] = [];
  const stranger = createServer((message, response) => {
    message.on('data', (chunk: Buffer) => beyond.push(chunk));
    message.on('end', () => response.end('{}'));
  });
  stranger.on('connection', () => beyond.push(Buffer.from('connected')));
  const strangerUrl = await listen(stranger);
  let status = 307;
  const forwarder = createServer((message, response) => {
    message.resume();
    response.writeHead(status, { location: strangerUrl + (message.url ?? '') }).end();
  });
  const edge = await startProvenEdge({ cloudUrl: await listen(forwarder) });
  const runner = createEdgeRunner(edge, ledger, 'edge, forwarding cloud');
  for (status of REDIRECTS) {
    const [canary] = take(1);
    await runner.run({
      attack,
      name: `the cloud forwards (${status})`,
      canaries: [{ canary: canary!, worn: canary!.value }],
      send: async () => await postChat(edge, said('Say hello.', { cache: 'bypass' })),
      judge: () => (beyond.length > 0 ? 'a host nobody allowed' : undefined),
    });
  }
  await edge.stop();
  for (const server of [forwarder, stranger]) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

async function listen(server: ReturnType<typeof createServer>): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Reports that are none: whatever they hold, none of it may be kept. */
export async function telemetryAttempts(
  runner: EdgeRunner,
  edge: ProvenEdge,
  take: CanarySource['take'],
): Promise<void> {
  const day = Math.floor(Date.now() / 86_400_000);
  const good = { v: 1, day, metric: 'tier', value: 'device', nonce: 'A'.repeat(22) };
  const forge: Readonly<Record<string, (v: string) => string>> = {
    'as a value': (v) => JSON.stringify({ ...good, value: v }),
    'as a metric': (v) => JSON.stringify({ ...good, metric: v }),
    'as a nonce': (v) => JSON.stringify({ ...good, nonce: v }),
    'as one more field': (v) => JSON.stringify({ ...good, note: v }),
    'as the body': (v) => v,
  };
  for (const [name, make] of Object.entries(forge)) {
    for (const canary of take(1)) {
      await runner.run({
        attack: '13 telemetry',
        name: `${canary.kind}, ${name}`,
        canaries: [{ canary, worn: canary.value }],
        send: async () =>
          await fetch(`${edge.url}/v1/telemetry`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: make(canary.value),
          }),
      } satisfies EdgeAttempt);
    }
  }
}
