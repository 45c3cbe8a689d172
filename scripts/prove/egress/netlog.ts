// Owns reading the browser's own network log: every URL it asked for, every name it looked up and every byte
// it handed to a socket, whoever in it did so. A line at a time: the log holds all that was received as well.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

export interface NetLog {
  readonly events: number;
  /** Asked for, or only connected to ahead of time. */
  readonly urls: readonly string[];
  /** `host:port` or `scheme://host:port`, as the resolver was asked. */
  readonly lookups: readonly string[];
  /** Bytes written to TCP and UDP sockets; of TLS, what was inside as well. */
  readonly sent: Buffer;
}

/** Events whose bytes are what leaves. */
const SENT = ['SOCKET_BYTES_SENT', 'SSL_SOCKET_BYTES_SENT', 'UDP_BYTES_SENT', 'HTTP2_SESSION_SEND_HEADERS'];
const URLS = ['URL_REQUEST_START_JOB', 'HTTP_STREAM_JOB_CONTROLLER', 'WEBSOCKET_UPGRADE'];
const LOOKUPS = ['HOST_RESOLVER_MANAGER_REQUEST', 'HOST_RESOLVER_DNS_TASK', 'HOST_RESOLVER_MANAGER_JOB'];

const WANTED: ReadonlySet<string> = new Set([...SENT, ...URLS, ...LOOKUPS]);

interface NetEvent {
  readonly type: number;
  readonly params?: Readonly<Record<string, unknown>>;
}

/** @throws Error when the file is no net log with bytes in it */
export async function readNetLog(file: string): Promise<NetLog> {
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY });
  const urls = new Set<string>();
  const lookups = new Set<string>();
  const sent: Buffer[] = [];
  let names: ReadonlyMap<number, string> | undefined;
  let wanted: ReadonlySet<number> = new Set();
  let events = 0;
  for await (const line of lines) {
    if (names === undefined) {
      names = namesOf(line);
      wanted = new Set([...(names ?? [])].filter(([, name]) => WANTED.has(name)).map(([type]) => type));
      continue;
    }
    events += 1;
    const event = eventOf(line, wanted);
    if (event === undefined) continue;
    const name = names.get(event.type) ?? '';
    const { params = {} } = event;
    if (SENT.includes(name)) sent.push(bytesOf(params));
    if (URLS.includes(name) && typeof params.url === 'string') urls.add(params.url);
    if (LOOKUPS.includes(name) && typeof params.host === 'string') lookups.add(params.host);
  }
  if (names === undefined) throw new Error(`${file}: expected a Chromium net log.`);
  return { events, urls: [...urls], lookups: [...lookups], sent: Buffer.concat(sent) };
}

/** The first line holds what the numbers mean. */
function namesOf(line: string): ReadonlyMap<number, string> | undefined {
  const start = line.indexOf('{"constants":');
  if (start < 0) return undefined;
  const { constants } = JSON.parse(`${line.replace(/,\s*$/, '')}}`) as {
    constants: { logEventTypes: Readonly<Record<string, number>> };
  };
  return new Map(Object.entries(constants.logEventTypes).map(([name, type]) => [type, name]));
}

const TYPE = /"type":(\d+)\}(?:,|\],?)?\s*$/;

/** Most of the log is what was received; a line of no wanted type is not even parsed. */
function eventOf(line: string, wanted: ReadonlySet<number>): NetEvent | undefined {
  const type = TYPE.exec(line)?.[1];
  if (type === undefined || !wanted.has(Number(type))) return undefined;
  return JSON.parse(line.slice(0, line.lastIndexOf('}') + 1)) as NetEvent;
}

/** A header event has no bytes of its own; its headers are what was packed. */
function bytesOf(params: Readonly<Record<string, unknown>>): Buffer {
  if (typeof params.bytes === 'string') return Buffer.from(params.bytes, 'base64');
  return Buffer.from(JSON.stringify(params.headers ?? ''));
}
