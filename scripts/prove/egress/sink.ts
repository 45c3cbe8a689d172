// Owns where everything ends up that leaves a browser and should not: one loopback port that takes TCP (HTTP,
// WebSocket, TLS) and UDP (STUN, QUIC), and a DNS server, spoken to over HTTPS, that says every name is here.
import { createSocket } from 'node:dgram';
import { createSecureServer, type Http2ServerRequest } from 'node:http2';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { type SelfSigned, selfSigned } from './certificate.ts';

export interface Packet {
  readonly kind: 'tcp' | 'udp' | 'dns';
  /** The name asked for, or nothing. */
  readonly name: string;
  /** All that came on the connection so far, decrypted. */
  readonly chunks: Buffer[];
}

export interface Sink {
  /** Takes TCP and UDP. */
  readonly port: number;
  /** For Chromium's `dns_over_https.templates`. */
  readonly dnsUrl: string;
  /** In order of arrival; an open connection is one packet. */
  readonly packets: readonly Packet[];
  /** Every byte and every name. */
  received(): Buffer;
  stop(): Promise<void>;
}

/** Answers that let a door open as far as it can: any origin, any body. */
const ANSWER =
  'HTTP/1.1 200 OK\r\naccess-control-allow-origin: *\r\naccess-control-allow-headers: *\r\n' +
  'content-type: text/html\r\ncontent-length: 0\r\nconnection: close\r\n\r\n';

export async function startSink(): Promise<Sink> {
  const packets: Packet[] = [];
  const certificate = selfSigned('sink.test');
  const keep = (kind: Packet['kind'], name = '', first?: Buffer): Packet => {
    const packet = { kind, name, chunks: first === undefined ? [] : [first] };
    packets.push(packet);
    return packet;
  };
  const { tcp, udp, port } = await listenOnBoth(
    (socket) => take(socket, keep('tcp'), certificate),
    (message) => keep('udp', '', message),
  );
  const dns = createSecureServer({ ...certificate, allowHTTP1: true }, (request, response) => {
    void readAll(request).then((query) => {
      const { name, answer } = answerDns(query);
      // Chromium asks for its own hosts whatever its flags; only names a page could have meant count.
      if (!BROWSERS_OWN.test(name)) keep('dns', name);
      response.writeHead(200, { 'content-type': 'application/dns-message' });
      response.end(answer);
    });
  });
  await new Promise<void>((resolve) => dns.listen(0, '127.0.0.1', resolve));
  return {
    port,
    dnsUrl: `https://127.0.0.1:${(dns.address() as AddressInfo).port}/dns-query`,
    packets,
    received: () =>
      Buffer.concat(packets.flatMap(({ name, chunks }) => [Buffer.from(`${name}\n`), ...chunks])),
    async stop() {
      udp.close();
      dns.close();
      await new Promise((resolve) => tcp.close(resolve));
    },
  };
}

/** Hosts that Chromium itself calls: updates, accounts, its connection check. */
export const BROWSERS_OWN: RegExp = /(?:^|\.)(?:google|googleapis|gstatic|gvt1|doubleclick)\.com$/;

type Udp = ReturnType<typeof createSocket>;

/** The same number for TCP and UDP, so that one URL reaches either. */
async function listenOnBoth(
  onSocket: (socket: Socket) => void,
  onMessage: (message: Buffer) => void,
): Promise<{ readonly tcp: Server; readonly udp: Udp; readonly port: number }> {
  for (let tries = 0; ; tries += 1) {
    const tcp = createServer(onSocket);
    await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
    const { port } = tcp.address() as AddressInfo;
    const udp = createSocket('udp4', onMessage);
    const bound = await new Promise<boolean>((resolve) => {
      udp.once('error', () => resolve(false));
      udp.bind(port, '127.0.0.1', () => resolve(true));
    });
    if (bound) return { tcp, udp, port };
    tcp.close();
    if (tries > 20) throw new Error('Found no port free for both TCP and UDP.');
  }
}

const TLS_HANDSHAKE = 0x16;

function take(socket: Socket, packet: Packet, certificate: SelfSigned): void {
  socket.on('error', () => {}); // a browser that hangs up is no news
  socket.setTimeout(5000, () => socket.destroy());
  socket.once('data', (first: Buffer) => {
    packet.chunks.push(first);
    if (first[0] !== TLS_HANDSHAKE) return serve(socket, packet);
    socket.pause();
    socket.unshift(first);
    const secure = new TLSSocket(socket, { isServer: true, ...certificate });
    secure.on('error', () => {});
    secure.once('data', (clear: Buffer) => {
      packet.chunks.push(clear);
      serve(secure, packet);
    });
    socket.resume();
  });
}

function serve(socket: Socket, packet: Packet): void {
  socket.on('data', (more: Buffer) => packet.chunks.push(more));
  // A moment for a body that comes in a second piece.
  setTimeout(() => socket.end(ANSWER), 20);
}

async function readAll(request: Http2ServerRequest): Promise<Buffer> {
  if (request.method === 'GET') {
    const dns = new URL(request.url, 'https://dns.test').searchParams.get('dns');
    return Buffer.from(dns ?? '', 'base64url');
  }
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const TYPE_A = 1;

/** Every A question is answered with 127.0.0.1, every other with nothing. Source: RFC 1035, section 4. */
export function answerDns(query: Buffer): { readonly name: string; readonly answer: Buffer } {
  const labels: string[] = [];
  let at = 12;
  for (let size = query[at] ?? 0; size > 0; size = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + size));
    at += 1 + size;
  }
  const isAddress = query.length >= at + 5 && query.readUInt16BE(at + 1) === TYPE_A;
  const head = Buffer.from(query.subarray(0, at + 5));
  head.writeUInt16BE(0x8180, 2);
  head.writeUInt16BE(isAddress ? 1 : 0, 6);
  head.writeUInt32BE(0, 8);
  const record = Buffer.from([0xc0, 12, 0, TYPE_A, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
  return { name: labels.join('.'), answer: isAddress ? Buffer.concat([head, record]) : head };
}
