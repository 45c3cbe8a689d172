// Owns OpenAI's HTTP surface over a runtime: a Request in, a Response out, wherever it is mounted (a page's
// own fetch, a worker, Hono). Authentication, limits and CORS belong to whoever mounts it.
import { isAbortError, NearfieldError } from './errors.ts';
import { type ChatOptions, chatResponse, type Generate } from './openai/chat.ts';
import { nearer } from './openai/chat-request.ts';
import { type Embed, embeddingsResponse } from './openai/embeddings.ts';
import { errorResponse } from './openai/errors.ts';
import type { ChatRequest, TierKind } from './types.ts';

export { errorResponse } from './openai/errors.ts';

/** What the handler needs of a runtime; `createRuntime` gives it. */
export interface OpenAiRuntime {
  readonly generate: Generate;
  readonly embed: Embed;
  models(): readonly ServedModel[];
}

export interface ServedModel {
  readonly id: string;
  readonly task: string;
  /** Where a tier is what goes by this id. */
  readonly kind?: TierKind | undefined;
}

export interface OpenAiHandlerOptions {
  /** Default `/v1`. */
  readonly basePath?: string;
  /** Default 4 MiB. */
  readonly maxBodyBytes?: number;
  /** Milliseconds of silence in a stream before a comment is sent; 0 for never. Default 15 000. */
  readonly heartbeatMs?: number;
  /**
   * Pads each delta of a stream to one of few sizes, so that whoever counts encrypted bytes on the way learns little of
   * the words; `stream_options.include_obfuscation` overrides it. Default false: a page's own fetch crosses no network.
   */
  readonly obfuscate?: boolean;
  /** Last word on a chat request before it runs: bind the scope to the caller, narrow the privacy. */
  readonly prepare?: ChatOptions['prepare'];
  /** Told of every failure but aborts, for the host's log. */
  readonly onError?: (error: unknown) => void;
}

export type OpenAiHandler = (request: Request) => Promise<Response>;

/** Clients that speak OpenAI's newer API by default have a setting for this one. */
const NO_ENDPOINT =
  'No such endpoint. Served are POST chat/completions, POST embeddings and GET models; there is no Responses API.';

/** Serves chat completions, embeddings and models under `basePath`. Never rejects. */
export function createOpenAiHandler(
  runtime: OpenAiRuntime,
  options: OpenAiHandlerOptions = {},
): OpenAiHandler {
  const basePath = options.basePath ?? '/v1';
  const onError = options.onError ?? (() => {});
  const chatOptions: ChatOptions = {
    maxBodyBytes: options.maxBodyBytes ?? 4 * 1024 * 1024,
    heartbeatMs: options.heartbeatMs ?? 15_000,
    obfuscate: options.obfuscate ?? false,
    prepare: options.prepare ?? ((request) => request),
    onError,
  };

  const routes: Readonly<Record<string, { method: string; serve: (http: Request) => Promise<Response> }>> = {
    '/chat/completions': {
      method: 'POST',
      serve: (http) =>
        chatResponse((request, call) => runtime.generate(within(request), call), http, chatOptions),
    },
    '/embeddings': {
      method: 'POST',
      serve: (http) =>
        embeddingsResponse((request, call) => runtime.embed(request, call), http, chatOptions.maxBodyBytes),
    },
    '/models': {
      method: 'GET',
      serve: async () => Response.json({ object: 'list', data: runtime.models().map(modelOf) }),
    },
  };

  /** Whoever picks `device` from the list of models means it: a tier's id for a model goes no farther than the tier. */
  function within(request: ChatRequest): ChatRequest {
    const kind = runtime.models().find(({ id }) => id === request.model)?.kind;
    return kind === undefined ? request : { ...request, privacy: nearer(request.privacy, kind) };
  }

  async function serve(http: Request): Promise<Response> {
    const { pathname } = new URL(http.url);
    const path = pathname.startsWith(`${basePath}/`) ? pathname.slice(basePath.length) : '';
    const route = routes[path];
    const method = http.method === 'HEAD' ? 'GET' : http.method;
    if (route !== undefined) {
      return method === route.method ? await route.serve(http) : notAllowed(route.method);
    }
    if (path.startsWith('/models/')) {
      if (method !== 'GET') return notAllowed('GET');
      return Response.json(findModel(runtime, path.slice('/models/'.length)));
    }
    return withStatus(404, new NearfieldError('invalid-request', NO_ENDPOINT));
  }

  async function answer(http: Request): Promise<Response> {
    try {
      return await serve(http);
    } catch (error) {
      if (http.signal.aborted || isAbortError(error))
        return errorResponse(new DOMException('', 'AbortError'));
      onError(error);
      return errorResponse(error);
    }
  }

  return async (http) => {
    const response = await answer(http);
    // Source: RFC 9110, 9.3.2.
    return http.method === 'HEAD' ? new Response(null, response) : response;
  };
}

/** A handler in fetch's clothes, for `new OpenAI({ fetch })` in the same page: like fetch, an abort rejects. */
export function asFetch(
  handler: OpenAiHandler,
): (input: Request | URL | string, init?: RequestInit) => Promise<Response> {
  return async (input, init) => {
    const request = new Request(input, init);
    const response = await handler(request);
    if (!request.signal.aborted) return response;
    await response.body?.cancel();
    throw request.signal.reason;
  };
}

function modelOf({ id, task, kind }: ServedModel): object {
  return { id, object: 'model', created: 0, owned_by: 'nearfield', task, tier: kind };
}

function findModel(runtime: OpenAiRuntime, encodedId: string): object {
  const wanted = decoded(encodedId);
  const found = runtime.models().find(({ id }) => id === wanted);
  if (found !== undefined) return modelOf(found);
  throw new NearfieldError('model-not-found', 'No such model here. GET /v1/models lists them.');
}

/** Clients differ in which characters of an id they encode. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function notAllowed(method: string): Response {
  const error = new NearfieldError('invalid-request', `Expected ${method}.`);
  return withStatus(405, error, { allow: method === 'GET' ? 'GET, HEAD' : method });
}

function withStatus(status: number, error: NearfieldError, headers: Record<string, string> = {}): Response {
  const response = errorResponse(error, headers);
  return new Response(response.body, { status, headers: response.headers });
}
