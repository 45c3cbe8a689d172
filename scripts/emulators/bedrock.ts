// Owns an emulated Amazon Bedrock runtime on loopback: Converse and ConverseStream over HTTP/1.1, SigV4
// checked, every byte kept so that a test can search it for what should never have left. Runs alone too:
//   node scripts/emulators/bedrock.ts --port 4566
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import {
  type BedrockBehaviour,
  type ConverseRequest,
  converseOf,
  framesOf,
  validationErrorOf,
} from './bedrock-answers.ts';
import { type AwsCredentials, type SignatureVerdict, verifySignature } from './sigv4.ts';

export * from './bedrock-answers.ts';
export type { AwsCredentials, SignatureVerdict } from './sigv4.ts';

/** Accepted unless others are given. They open nothing but this emulator. */
export const EMULATOR_CREDENTIALS: AwsCredentials = {
  accessKeyId: 'AKIDEMULATOR',
  secretAccessKey: 'emulated-secret-key',
};
export const EMULATOR_REGION = 'us-east-1';

/** What an operator would set at the edge for a real account, pointed at the emulator. */
export function emulatorEnv(url: string, model = 'amazon.nova-lite-v1:0'): Record<string, string> {
  return {
    NEARFIELD_BEDROCK_MODEL: model,
    AWS_REGION: EMULATOR_REGION,
    AWS_ACCESS_KEY_ID: EMULATOR_CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: EMULATOR_CREDENTIALS.secretAccessKey,
    AWS_ENDPOINT_URL_BEDROCK_RUNTIME: url,
  };
}

export interface BedrockEmulatorOptions {
  /** Default 0: any free port. */
  readonly port?: number;
  readonly credentials?: AwsCredentials;
  readonly region?: string;
  /** Bytes a write of streamed answers, to split frames anywhere. Default: a frame a write. */
  readonly chunkBytes?: number;
  /** What a request gets when nothing is scripted. Default: echo. */
  readonly answer?: BedrockBehaviour | ((request: ConverseRequest) => BedrockBehaviour);
}

export interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  readonly modelId: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
  readonly signature: SignatureVerdict;
  /** True once the client went away before its answer was whole. */
  left: boolean;
}

export interface BedrockEmulator {
  readonly url: string;
  /** Requests in order of arrival. */
  readonly requests: readonly RecordedRequest[];
  /** Everything received on any connection, as it came: request lines, headers, bodies. */
  received(): Buffer;
  /** Behaviours for the next requests, one each. */
  script(...behaviours: readonly BedrockBehaviour[]): void;
  /** Bytes a write from now on; undefined for a frame a write. */
  splitEvery(chunkBytes: number | undefined): void;
  stop(): Promise<void>;
}

export async function startBedrockEmulator(options: BedrockEmulatorOptions = {}): Promise<BedrockEmulator> {
  const credentials = options.credentials ?? EMULATOR_CREDENTIALS;
  const region = options.region ?? EMULATOR_REGION;
  const requests: RecordedRequest[] = [];
  const bytes: Buffer[] = [];
  const queue: BedrockBehaviour[] = [];
  let chunkBytes = options.chunkBytes;

  async function answer(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readAll(message);
    const path = message.url ?? '/';
    const match = /^\/model\/([^/]+)\/(converse|converse-stream)$/.exec(path);
    const headers = message.headers as RecordedRequest['headers'];
    const method = message.method ?? 'GET';
    const signature = verifySignature({ method, target: path, headers, body }, credentials, {
      region,
      service: 'bedrock',
      nowMs: Date.now(),
    });
    const modelId = match === null ? '' : decodeURIComponent(match[1]!);
    const record: RecordedRequest = {
      method,
      path,
      modelId,
      headers,
      body: body.toString('utf8'),
      signature,
      left: false,
    };
    requests.push(record);
    response.on('close', () => {
      record.left = !response.writableFinished;
    });
    if (match === null || method !== 'POST') return sendError(response, 404, 'UnknownOperationException');
    if (signature !== 'valid') return sendError(response, 403, signature);
    const request = parseBody(record.body);
    const invalid = request === undefined ? 'not JSON' : validationErrorOf(request, modelId);
    if (request === undefined || invalid !== undefined) {
      return sendError(response, 400, 'ValidationException', { message: invalid });
    }
    await perform(next(request), request, match[2] === 'converse-stream', response);
  }

  function next(request: ConverseRequest): BedrockBehaviour {
    const standing = typeof options.answer === 'function' ? options.answer(request) : options.answer;
    return queue.shift() ?? standing ?? { kind: 'echo' };
  }

  async function perform(
    behaviour: BedrockBehaviour,
    request: ConverseRequest,
    streamed: boolean,
    response: ServerResponse,
  ): Promise<void> {
    if (behaviour.kind === 'error') {
      return sendError(response, behaviour.status, behaviour.type, behaviour);
    }
    if (!streamed) return sendJson(response, 200, converseOf(behaviour, request));
    const plan = framesOf(behaviour, request);
    response.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' });
    response.flushHeaders();
    for (const frame of plan.frames) {
      if (plan.delayMs > 0) await sleep(plan.delayMs);
      if (!(await writeSplit(response, frame, chunkBytes))) return;
    }
    if (plan.end === 'close') response.end();
    if (plan.end !== 'destroy') return;
    // A client throws away what it has not read when its socket dies; let it read the whole frames.
    await sleep(200);
    response.destroy();
  }

  const server = createServer((message, response) => {
    answer(message, response).catch(() => response.destroy());
  });
  server.on('connection', (socket: Socket) => socket.on('data', (chunk: Buffer) => bytes.push(chunk)));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    received: () => Buffer.concat(bytes),
    script: (...behaviours) => void queue.push(...behaviours),
    splitEvery: (size) => {
      chunkBytes = size;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Writes piece by piece, each its own turn of the loop; false when the client has gone. */
async function writeSplit(
  response: ServerResponse,
  frame: Uint8Array,
  size = frame.length,
): Promise<boolean> {
  for (let at = 0; at < frame.length; at += size) {
    if (response.destroyed) return false;
    response.write(frame.subarray(at, at + size));
    await turn();
  }
  return !response.destroyed;
}

async function readAll(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function parseBody(text: string): ConverseRequest | undefined {
  try {
    return JSON.parse(text) as ConverseRequest;
  } catch {
    return undefined;
  }
}

function sendError(
  response: ServerResponse,
  status: number,
  type: string,
  more: { readonly message?: string | undefined; readonly retryAfterSeconds?: number | undefined } = {},
): void {
  response.setHeader('x-amzn-errortype', type);
  if (more.retryAfterSeconds !== undefined) response.setHeader('retry-after', String(more.retryAfterSeconds));
  sendJson(response, status, { message: more.message ?? `Emulated ${type}.` });
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

if (process.argv[1] === import.meta.filename) {
  const at = process.argv.indexOf('--port');
  const emulator = await startBedrockEmulator({ port: at < 0 ? 0 : Number(process.argv[at + 1]) });
  const { accessKeyId, secretAccessKey } = EMULATOR_CREDENTIALS;
  console.log(`Emulated Bedrock at ${emulator.url}, region ${EMULATOR_REGION}.`);
  console.log(`AWS_ACCESS_KEY_ID=${accessKeyId} AWS_SECRET_ACCESS_KEY=${secretAccessKey}`);
}
