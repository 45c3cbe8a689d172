// Owns the world the battery runs in: an emulated cloud, edge workers on files that can be read afterwards, a
// tap between page and edge, and everything anyone logs. All of it on loopback.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningEdge, startEdge } from '../../../edge-worker/node.ts';
import type { PolicyDocument } from '../../../runtime/policy/index.ts';
import { type BedrockEmulator, emulatorEnv, startBedrockEmulator } from '../../emulators/bedrock.ts';
import { createFakeEmbedder } from '../../testing/fake-embedder.ts';

export interface ProvenEdge extends RunningEdge {
  readonly cloud: BedrockEmulator;
  /** Bytes of the database files, journals included; empty names for both. */
  stored(which: 'edge' | 'cache'): Promise<Buffer>;
}

export interface EdgeWorldOptions {
  readonly policy?: PolicyDocument | 'balanced' | 'strict' | 'open';
  readonly pages?: string;
  /** Where the cloud is, if not at the emulator. */
  readonly cloudUrl?: string;
}

/** One edge worker as its operator would start it, with its own emulated Bedrock behind it. */
export async function startProvenEdge(options: EdgeWorldOptions = {}): Promise<ProvenEdge> {
  const folder = await mkdtemp(join(tmpdir(), 'nearfield-prove-'));
  const cloud = await startBedrockEmulator();
  const { policy = 'balanced' } = options;
  const running = await startEdge({
    port: 0,
    embedder: createFakeEmbedder(384),
    dataFolder: folder,
    pages: options.pages,
    env: {
      NEARFIELD_POLICY: typeof policy === 'string' ? policy : JSON.stringify(policy),
      NEARFIELD_REQUESTS_PER_MINUTE: '1000000',
      ...emulatorEnv(options.cloudUrl ?? cloud.url),
    },
  });
  return {
    ...running,
    cloud,
    async stored(which) {
      const names = (await readdir(folder)).filter((name) => name.startsWith(`${which}.db`)).sort();
      return Buffer.concat(await Promise.all(names.map((name) => readFile(join(folder, name)))));
    },
    async stop() {
      await running.stop();
      await cloud.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Redaction with nothing in front of it: what is found leaves as placeholders, whatever it is. */
export const REDACTION_ALONE: PolicyDocument = {
  version: 1,
  base: { farthest: 'cloud', redact: ['edge', 'cloud'], cacheable: true },
  rules: [],
};

export interface Tap {
  readonly url: string;
  /** Every byte that came from the page, as it came. */
  received(): Buffer;
  /** From now on the API answers with a redirect to this URL; undefined passes on again. */
  redirectTo(url: string | undefined): void;
  stop(): Promise<void>;
}

/** Stands where the page thinks its site and its edge are, and passes everything on. */
export async function startTap(target: string): Promise<Tap> {
  const bytes: Buffer[] = [];
  let redirect: string | undefined;
  const server = createServer((message, response) => {
    if (redirect !== undefined && message.url?.startsWith('/v1/')) {
      message.resume();
      response.writeHead(307, { location: redirect }).end();
    } else passOn(message, response, target);
  });
  server.on('connection', (socket) => socket.on('data', (chunk: Buffer) => bytes.push(chunk)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received: () => Buffer.concat(bytes),
    redirectTo: (url) => {
      redirect = url;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function passOn(message: IncomingMessage, response: ServerResponse, target: string): void {
  const { method, url, headers } = message;
  const onward = httpRequest(new URL(url ?? '/', target), { method, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  onward.on('error', () => response.destroy());
  response.on('close', () => onward.destroy());
  message.pipe(onward);
}

export interface LogCapture {
  bytes(): Buffer;
  stop(): void;
}

/** Everything the process writes for people from now on, kept as well as shown. */
export function captureLogs(): LogCapture {
  const kept: Buffer[] = [];
  const undo = [process.stdout, process.stderr].map((stream) => {
    const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
    stream.write = ((...args: unknown[]) => {
      kept.push(Buffer.from(args[0] as string | Uint8Array));
      return write(...args);
    }) as typeof stream.write;
    return () => {
      stream.write = write as typeof stream.write;
    };
  });
  return {
    bytes: () => Buffer.concat(kept),
    stop: () => {
      for (const put of undo) put();
    },
  };
}
