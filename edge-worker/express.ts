// Owns standing in an Express app, or any of Connect's kind: their request as a fetch Request, the Response as theirs.
// What a parser before it has read is taken as it was read. Who may call is for the app, or for the edge it serves.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { errorResponse, NearfieldError } from 'nearfield';
import { refuse } from './api-error.ts';

/** A runtime, an edge from `createApp`, or anything else that answers a Request. */
export interface Served {
  fetch(request: Request, bindings?: object): Response | Promise<Response>;
}

/** `app.use(handler)` in Express 4 and 5; `http.createServer((req, res) => handler(req, res, next))` without. */
export type ExpressHandler = (
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  next: (error?: unknown) => void,
) => void;

/** What Express and body parsers add. */
interface ExpressRequest extends IncomingMessage {
  readonly baseUrl?: unknown;
  readonly body?: unknown;
  /** By a parser's `verify` hook: the bytes as they came. */
  readonly rawBody?: unknown;
}

/**
 * Serves what lies under `/v1/` of where it is mounted (at `/v1` itself too), and an edge's `/healthz` where that is not
 * the root; the rest goes to `next`. A slow reader slows the answer, and one who leaves ends it. What middleware has
 * set or taken away in `req.headers` and `req.body` is what counts.
 */
export function expressHandler(served: Served): ExpressHandler {
  const listener = getRequestListener(
    async (request, bindings) => {
      try {
        const asked = requestOf(request, bindings.incoming as ExpressRequest);
        return asked instanceof Response ? asked : quietly(await served.fetch(asked, bindings), asked.signal);
      } catch (error) {
        return errorResponse(error);
      }
    },
    // The process is the app's; its Request and Response stay what they are.
    { overrideGlobalObjects: false },
  );
  return (incoming, outgoing, next) => {
    const path = ownPath(incoming);
    if (path === undefined) return next();
    incoming.url = path;
    void listener(incoming, outgoing);
  };
}

function ownPath({ url = '', baseUrl }: ExpressRequest): string | undefined {
  const mount = typeof baseUrl === 'string' ? baseUrl : '';
  if (url.startsWith('/v1/')) return url;
  if (mount.endsWith('/v1')) return `/v1${url}`;
  return mount !== '' && /^\/healthz(\?|$)/.test(url) ? url : undefined;
}

/** A Request of the platform's own, since the server's is one in looks alone; or the refusal of it. */
function requestOf(request: Request, incoming: ExpressRequest): Request | Response {
  const headers = headersOf(incoming);
  const { url, method, signal } = request;
  if (method === 'TRACE') return refuse('wrong-method');
  if (method !== 'POST') return new Request(url, { method, headers, signal });
  // A page of another origin can send anything else unasked, with the app's cookies.
  if (!/^application\/json\s*(;|$)/i.test(headers.get('content-type') ?? '')) return refuse('not-json');
  if (!incoming.readableDidRead) {
    return new Request(url, { method, headers, signal, body: request.body, ...STREAMED });
  }
  const body = bytesRead(incoming);
  headers.delete('content-encoding');
  headers.delete('transfer-encoding');
  headers.set('content-length', String(body.byteLength));
  return new Request(url, { method, headers, signal, body });
}

/** Asked for with a streamed body, and missing from TypeScript's own RequestInit. */
const STREAMED = { duplex: 'half' };

function headersOf({ headers }: IncomingMessage): Headers {
  const all = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    if (name === 'nearfield-scope' && (value === undefined || value === null)) throw nobodysScope();
    // HTTP/2 has its method and path among them.
    if (value !== undefined && !name.startsWith(':')) all.set(name, String(value));
  }
  return all;
}

/** Left out, the client's own word would decide whose kept answers it reads. */
function nobodysScope(): NearfieldError {
  return new NearfieldError(
    'internal',
    "Expected the app to set the header nearfield-scope to a person's id, got nothing. Refuse who is not signed in, or give visitors an id.",
  );
}

/**
 * What a parser has read: its bytes, its text, or its value written anew. The bytes as they came only where nothing else
 * is left: an app that has taken a field out of the body must not find it asked for all the same.
 */
function bytesRead({ rawBody, body }: ExpressRequest): Uint8Array<ArrayBuffer> {
  if (body instanceof Uint8Array) return new Uint8Array(body);
  if (typeof body === 'string') return new TextEncoder().encode(body);
  const raw = rawBody instanceof Uint8Array ? new Uint8Array(rawBody) : undefined;
  // Express 4 sets an empty object before anything is read.
  const isEmpty = typeof body !== 'object' || body === null || Object.keys(body).length === 0;
  if (raw !== undefined && isEmpty) return raw;
  if (typeof body === 'object' && body !== null) return new TextEncoder().encode(JSON.stringify(body));
  throw new NearfieldError(
    'internal',
    'Something in this app has read the body and left nothing in req.body. Mount Nearfield before it.',
  );
}

/** The response, whose body ends when its reader has left: the server prints a body that fails. */
function quietly(response: Response, signal: AbortSignal): Response {
  if (response.body === null) return response;
  const reader = response.body.getReader();
  const source: UnderlyingDefaultSource<Uint8Array> = {
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        if (signal.aborted) controller.close();
        else controller.error(error);
      }
    },
    cancel: (reason) => reader.cancel(reason),
  };
  // No reading ahead: a slow reader slows the model.
  return new Response(new ReadableStream(source, { highWaterMark: 0 }), response);
}
