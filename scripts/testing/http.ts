// Owns putting a Request-to-Response handler behind a real socket on loopback, for tests of clients.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ServedHandler {
  /** Without a trailing slash. */
  readonly url: string;
  /** Requests received so far. */
  requests(): number;
  /** Bytes of every request body received, as text. */
  received(): string;
  stop(): Promise<void>;
}

/** Serves a handler; its request's signal fires when the client leaves, a body that errors cuts the socket. */
export async function serveHandler(handler: (request: Request) => Promise<Response>): Promise<ServedHandler> {
  let requests = 0;
  let received = '';
  const server = createServer((message, response) => {
    requests += 1;
    respond(message, response).catch(() => response.destroy());
  });

  async function respond(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of message) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    received += `${message.url}\n${message.rawHeaders.join('\n')}\n${body.toString('utf8')}\n`;
    const left = new AbortController();
    response.on('close', () => left.abort());
    const answer = await handler(
      new Request(`http://${message.headers.host}${message.url}`, {
        method: message.method ?? 'GET',
        headers: message.headers as Record<string, string>,
        signal: left.signal,
        ...(body.length > 0 && { body }),
      }),
    );
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    response.flushHeaders();
    for await (const chunk of (answer.body ?? []) as AsyncIterable<Uint8Array>) {
      if (!response.write(chunk)) await new Promise((resolve) => response.once('drain', resolve));
    }
    response.end();
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: () => requests,
    received: () => received,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
