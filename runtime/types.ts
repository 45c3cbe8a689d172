// Owns the contracts between the parts. Types only; imports nothing but errors.ts. Wire names
// (snake_case) are OpenAI's where a field is OpenAI's; Nearfield's own fields are camelCase.
import type { NearfieldError } from './errors.ts';

/** Where an answer may come from, near to far. */
export type TierKind = 'device' | 'edge' | 'cloud';

/** How a request may use the cache. `refresh` skips the lookup but writes; `bypass` does neither. */
export type CacheMode = 'use' | 'refresh' | 'bypass';

export type CacheStatus = 'hit' | 'stale' | 'miss' | 'bypass';

// ---------------------------------------------------------------- requests

export interface TextPart {
  readonly type: 'text';
  readonly text: string;
}

export interface ToolCall {
  readonly id: string;
  readonly type: 'function';
  readonly function: { readonly name: string; readonly arguments: string };
}

/** One chat message in OpenAI's shape. */
export interface ChatMessage {
  readonly role: 'system' | 'developer' | 'user' | 'assistant' | 'tool';
  readonly content: string | readonly TextPart[] | null;
  readonly name?: string | undefined;
  readonly tool_call_id?: string | undefined;
  readonly tool_calls?: readonly ToolCall[] | undefined;
}

export interface ToolDefinition {
  readonly type: 'function';
  readonly function: {
    readonly name: string;
    readonly description?: string | undefined;
    readonly parameters?: Readonly<Record<string, unknown>> | undefined;
    readonly strict?: boolean | undefined;
  };
}

export type ToolChoice =
  | 'none'
  | 'auto'
  | 'required'
  | { readonly type: 'function'; readonly function: { readonly name: string } };

export type ResponseFormat =
  | { readonly type: 'text' }
  | { readonly type: 'json_object' }
  | {
      readonly type: 'json_schema';
      readonly json_schema: {
        readonly name: string;
        readonly description?: string | undefined;
        readonly schema?: Readonly<Record<string, unknown>> | undefined;
        readonly strict?: boolean | null | undefined;
      };
    };

/** A document the caller hands in; `answer` looks for sentences in it. Never leaves the device tier
 * unless policy lets the whole request leave. */
export interface SourceDocument {
  readonly id: string;
  readonly title?: string | undefined;
  readonly text: string;
}

/** OpenAI's chat completion body, plus `privacy`, `scope`, `cache` and `documents`. */
export interface ChatRequest {
  readonly model?: string | undefined;
  readonly messages: readonly ChatMessage[];
  readonly max_completion_tokens?: number | undefined;
  readonly temperature?: number | undefined;
  readonly top_p?: number | undefined;
  readonly frequency_penalty?: number | undefined;
  readonly presence_penalty?: number | undefined;
  /** Keep the k likeliest tokens; 0 keeps all. Local models only, as are the next two. */
  readonly top_k?: number | undefined;
  /** Keep tokens at least this likely relative to the likeliest, 0…1. */
  readonly min_p?: number | undefined;
  /** Divides the logits of tokens already seen; 1 changes nothing. */
  readonly repetition_penalty?: number | undefined;
  /** Added to a token's logit, -100…100, by token id. */
  readonly logit_bias?: Readonly<Record<string, number>> | undefined;
  readonly logprobs?: boolean | undefined;
  /** Alternatives told with each token, 0…20; needs `logprobs`. */
  readonly top_logprobs?: number | undefined;
  readonly seed?: number | undefined;
  readonly stop?: readonly string[] | undefined;
  readonly tools?: readonly ToolDefinition[] | undefined;
  readonly tool_choice?: ToolChoice | undefined;
  /** Whether one answer may hold several calls. Default true; a function that is named is called once. */
  readonly parallel_tool_calls?: boolean | undefined;
  readonly response_format?: ResponseFormat | undefined;
  readonly user?: string | undefined;
  /** Farthest tier allowed. Default: what the policy says. Policy may narrow it, never widen it. */
  readonly privacy?: TierKind | undefined;
  /** Tenant or user. Nothing is ever found in the cache across scopes. Default: `user`, else `'default'`. */
  readonly scope?: string | undefined;
  readonly cache?: CacheMode | undefined;
  /** How old or stale a kept answer may be, as `Cache-Control` says it. */
  readonly cacheControl?: CacheControl | undefined;
  readonly documents?: readonly SourceDocument[] | undefined;
  /** Whether a person waits. Background answers yield to others on a shared device. Default `'interactive'`. */
  readonly priority?: 'interactive' | 'background' | undefined;
  /** Let a local model put what was found in the documents into its own words, passages cited. Default false. */
  readonly phrase?: boolean | undefined;
}

/** A request's say over kept answers. Source: RFC 9111, 5.2.1. Absent fields ask for nothing. */
export interface CacheControl {
  /** No older than this; nor stale, unless `maxStaleMs` allows it. */
  readonly maxAgeMs?: number | undefined;
  /** Stale for at most this long. */
  readonly maxStaleMs?: number | undefined;
  /** Fresh for at least this much longer. */
  readonly minFreshMs?: number | undefined;
  /** A kept answer or none: nothing is asked of any tier. */
  readonly onlyIfCached?: boolean | undefined;
}

/** OpenAI's embeddings body. Embeddings are content and are made on this host, so it names no tier. */
export interface EmbedRequest {
  readonly model?: string | undefined;
  readonly input: readonly string[];
  readonly dimensions?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface EmbedResult {
  /** L2-normalised, one Float32Array[dims] a text. */
  readonly embeddings: readonly Float32Array[];
  readonly model: string;
  readonly backend: string;
  readonly tokens: number;
}

// ---------------------------------------------------------------- answers

export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'content_filter';

export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/** A sentence found in a document. Offsets are UTF-16 code units into the document's text, end exclusive. */
export interface Passage {
  readonly documentId: string;
  readonly title?: string | undefined;
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** Cosine, -1…1. */
  readonly similarity: number;
}

/**
 * How likely the model itself held a token of the answer. Natural logarithms, over its whole vocabulary, before
 * temperature, bias and penalties.
 */
export interface TokenLogprob {
  readonly token: string;
  readonly logprob: number;
  /** UTF-8 of the token; a token may be a part of a character. */
  readonly bytes: readonly number[] | null;
  readonly top: readonly Omit<TokenLogprob, 'top'>[];
}

/** What a tier yields. The first part is the first good frame: no fallback after it. */
export type TierPart =
  | {
      readonly type: 'text-delta';
      readonly text: string;
      /** Of the tokens that begin in this text; only where the request asked. */
      readonly logprobs?: readonly TokenLogprob[] | undefined;
    }
  | {
      readonly type: 'tool-call-delta';
      readonly index: number;
      readonly id?: string | undefined;
      readonly name?: string | undefined;
      readonly argumentsText: string;
    }
  | { readonly type: 'sources'; readonly passages: readonly Passage[] }
  | {
      readonly type: 'finish';
      readonly finishReason: FinishReason;
      readonly usage?: Usage | undefined;
      readonly model?: string | undefined;
    };

/** What `runtime.generate` yields: exactly one start, any number of deltas, exactly one end. */
export type StreamPart =
  | {
      readonly type: 'response-start';
      readonly id: string;
      readonly model: string;
      readonly tier: TierRef;
      readonly cache: CacheStatus;
      /** What `cache` stands for, where there is more to say. */
      readonly cacheReport?: CacheReport | undefined;
      /** Unix epoch, milliseconds. */
      readonly createdMs: number;
    }
  | Exclude<TierPart, { type: 'finish' }>
  | ResponseEnd;

export interface ResponseEnd {
  readonly type: 'response-end';
  readonly id: string;
  readonly model: string;
  readonly finishReason: FinishReason;
  readonly usage: Usage;
  readonly tier: TierRef;
  readonly cache: CacheReport;
  readonly timings: Timings;
  readonly receipt: Receipt;
}

export interface TierRef {
  readonly id: string;
  readonly kind: TierKind;
}

export interface CacheReport {
  readonly status: CacheStatus;
  /** Why, in one of the cache's closed set of reasons. */
  readonly reason: string;
  /** Entry that answered, for feedback. */
  readonly entryId?: string | undefined;
  /** Cosine of the match, when one was looked for. */
  readonly similarity?: number | undefined;
  /** Milliseconds since the kept answer was made. */
  readonly ageMs?: number | undefined;
  /** Milliseconds it stays fresh; below 0 when stale. */
  readonly ttlMs?: number | undefined;
  /** The answer is one that another request in flight was already waiting for. */
  readonly collapsed?: boolean | undefined;
}

/** Milliseconds since the request began; absent where the step did not run. */
export interface Timings {
  readonly totalMs: number;
  /** Time to first token: the first text or tool part handed to the caller. */
  readonly ttftMs?: number | undefined;
  readonly steps: readonly TraceStep[];
}

/** Steps inside the device tier: what answering from documents and generating consist of. */
export type DeviceStep = 'embed' | 'rank' | 'queue' | 'prefill' | 'decode';

export interface TraceStep {
  readonly name: 'policy' | 'cache' | 'route' | 'tier' | 'stream' | 'cache-write' | DeviceStep;
  readonly startMs: number;
  readonly durationMs: number;
  /** Enumerated facts only, never text of the request. */
  readonly facts?: Readonly<Record<string, string | number | boolean>> | undefined;
}

// ---------------------------------------------------------------- tiers

/** The platform's fetch behind the egress guard; denies with `egress-denied`, counts the bytes out. */
export type GuardedFetch = (input: Request | URL | string, init?: RequestInit) => Promise<Response>;

export interface TierContext {
  readonly signal: AbortSignal;
  readonly fetch: GuardedFetch;
  /** Tells the trace of a step inside the tier that has just ended. */
  readonly step?: ((name: DeviceStep, durationMs: number, facts?: TraceStep['facts']) => void) | undefined;
}

export interface Tier {
  readonly id: string;
  readonly kind: TierKind;
  /** Host that would receive the request; absent on the device. Shown in the receipt. */
  readonly host?: string | undefined;
  /** Could this tier answer this request at all? Cheap; no network. */
  can(request: ChatRequest): boolean | Promise<boolean>;
  /** Yields parts, ends after one `finish`. Throws NearfieldError; AbortError when the signal fires. */
  stream(request: ChatRequest, context: TierContext): AsyncIterable<TierPart>;
  /** Drops what is remembered here of a scope between requests. */
  forget?(scope: string): void | Promise<void>;
  dispose?(): Promise<void>;
}

// ---------------------------------------------------------------- policy

export type SpanType =
  | 'person'
  | 'address'
  | 'location'
  | 'organization'
  | 'date'
  | 'email'
  | 'phone'
  | 'url'
  | 'ip'
  | 'card'
  | 'iban'
  | 'account'
  | 'national-id' // SSN, CPF, DNI/NIE, NIF, CNPJ
  | 'medical-id'
  | 'document-id'
  | 'username'
  | 'secret' // keys, tokens, passwords
  | 'other';

/** A stretch of personal or secret text. Offsets are UTF-16 code units, end exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly type: SpanType;
  /** 0…1; 1 for a match whose checksum holds. */
  readonly score: number;
  /** Which detector found it, e.g. `pattern:iban` or `model:nearfield-pii`. */
  readonly source: string;
}

export type Sensitivity = 'none' | 'personal' | 'sensitive' | 'secret';

export interface PolicyDecision {
  /** Farthest tier this request may reach. */
  readonly farthest: TierKind;
  readonly sensitivity: Sensitivity;
  /** Ids of the rules that decided, in order of effect. */
  readonly rules: readonly string[];
  /** One sentence for people; never text of the request. */
  readonly explanation: string;
  /** Redact found spans before the edge or the cloud. */
  readonly redact: { readonly edge: boolean; readonly cloud: boolean };
  readonly cacheable: boolean;
  /** Spans found, counted by type. */
  readonly spanCounts: Readonly<Partial<Record<SpanType, number>>>;
  /** Hosts (`host` or `host:port`) the policy leaves open. Absent: it does not narrow the egress's own list. */
  readonly hosts?: readonly string[] | undefined;
}

/** Proof of what one request sent. Chained: `previous` is the hash of the receipt before it. */
export interface Receipt {
  /** Whose chain it is in, where a host keeps one a tenant; absent where there is one. */
  readonly chain?: string | undefined;
  /** Counts its chain's receipts, from 1. */
  readonly sequence: number;
  readonly requestId: string;
  /** Unix epoch, milliseconds. */
  readonly atMs: number;
  readonly tier: TierRef;
  readonly rules: readonly string[];
  readonly redactedByType: Readonly<Partial<Record<SpanType, number>>>;
  /** Body, URL and header bytes handed to the platform's network for this request. */
  readonly bytesOut: number;
  readonly hosts: readonly string[];
  /** Hex SHA-256 of the previous receipt; 64 zeros for the first. */
  readonly previous: string;
  /** Hex SHA-256 over the canonical JSON of all fields above. */
  readonly hash: string;
}

// ---------------------------------------------------------------- policy, as the runtime sees it

/** Facts about a request that its text does not hold. */
export interface PolicyInput {
  /** The person's consent to leave the device, asked by the app. Absent means none was given. */
  readonly consent?: TierKind | undefined;
  readonly task: 'generate' | 'answer' | 'embed';
  readonly signal?: AbortSignal | undefined;
}

export interface Policy {
  /** Never throws but AbortError: a failing, slow or uncertain detector ends as a device-only review. */
  review(request: ChatRequest, input: PolicyInput): Promise<PolicyReview>;
  /** Drops what is remembered for a scope between requests: which placeholder stands for which value. */
  forget?(scope: string): void;
}

export interface PolicyReview {
  readonly decision: PolicyDecision;
  /** The request as it may leave for this kind of tier. @throws redaction-failed, egress-denied */
  redactFor(kind: 'edge' | 'cloud'): RedactedRequest;
}

export interface RedactedRequest {
  readonly request: ChatRequest;
  readonly redactedByType: Readonly<Partial<Record<SpanType, number>>>;
  /** Puts the originals back into the answer's parts, one stream, in order; placeholders may straddle parts. */
  restore(parts: AsyncIterable<TierPart>): AsyncIterable<TierPart>;
}

/** The one door to the network. */
export interface Egress {
  /** A fetch that may reach `host` only, under this decision, counting what goes out. */
  open(permit: {
    readonly decision: PolicyDecision;
    readonly tier: TierRef;
    readonly host: string | undefined;
  }): EgressPermit;
}

export interface EgressPermit {
  readonly fetch: GuardedFetch;
  /** URL, header and body bytes handed to the platform so far. */
  bytesOut(): number;
  hosts(): readonly string[];
}

export interface ReceiptBook {
  /** Numbers, chains and hashes; calls are serialised a chain. */
  issue(draft: Omit<Receipt, 'sequence' | 'previous' | 'hash'>): Promise<Receipt>;
  all(): Promise<readonly Receipt[]>;
}

// ---------------------------------------------------------------- engine

export type BackendId = 'ort-webgpu' | 'kernel-threads' | 'kernel' | 'ort-wasm';

/** Token ids of several texts, packed without padding. */
export interface EncoderInput {
  /** All rows' ids one after another. Length: sum of rowTokens. */
  readonly inputIds: Int32Array;
  /** A type a token, for models with a table of types. Length: as inputIds. */
  readonly typeIds?: Int32Array | undefined;
  /** Tokens a row, each 1…maxTokens. Length: rows. */
  readonly rowTokens: Int32Array;
}

/** A loaded encoder on one backend. */
export interface EncoderSession {
  readonly backend: BackendId;
  /** Pooled, L2-normalised: Float32Array[rows * dims]; `tokens`: Float32Array[sum(rowTokens) * dims]. */
  run(input: EncoderInput, output: 'pooled' | 'tokens'): Promise<Float32Array>;
  dispose(): Promise<void>;
}

/** Texts in, unit vectors out; what the cache, the answer task and the demo are handed. */
export interface Embedder {
  /** Manifest id. */
  readonly model: string;
  /** Hex SHA-256 of the weights; part of every cache key. */
  readonly weightsHash: string;
  readonly dims: number;
  readonly maxTokens: number;
  /** Backend in use; known after the first call. */
  backend(): string;
  embed(
    texts: readonly string[],
    options?: { readonly signal?: AbortSignal | undefined; readonly scope?: string | undefined },
  ): Promise<{ readonly embeddings: readonly Float32Array[]; readonly tokens: number }>;
  dispose(): Promise<void>;
}

/** A model that gives each token a row of scores; what a tagger is handed. */
export interface TokenEncoder {
  /** Manifest id. */
  readonly model: string;
  /** Hex SHA-256 of the weights. */
  readonly weightsHash: string;
  /** Scores a token. */
  readonly dims: number;
  readonly maxTokens: number;
  /** Backend in use; known after the first call. */
  backend(): string;
  /** Bytes of the model's file of that role. @throws model-not-found */
  file(role: 'labels' | 'tokenizer'): Uint8Array;
  /** Float32Array[sum(rowTokens) * dims]. */
  run(input: EncoderInput, options?: { readonly signal?: AbortSignal | undefined }): Promise<Float32Array>;
  dispose(): Promise<void>;
}

/** Finds names, places, dates and numbers in text people really write. */
export interface Tagger {
  /** Manifest id. */
  readonly model: string;
  /** Spans in order, none overlapping another; their source is `model:<id>`. */
  tag(text: string, options?: { readonly signal?: AbortSignal | undefined }): Promise<readonly Span[]>;
  dispose(): Promise<void>;
}

// ---------------------------------------------------------------- cache

/** What identifies a request to the cache. `context` is everything but the last user text. */
export interface CacheQuery {
  readonly scope: string;
  /** Canonical string of system prompt, earlier turns, model, weights hash, sampling, documents, tier. */
  readonly context: string;
  /** The last user text. */
  readonly text: string;
  /** When it was asked, Unix epoch, milliseconds: an answer asked for before its scope was erased is not kept. */
  readonly askedMs?: number | undefined;
}

/** A whole answer as kept: parts in order, so a replay is byte-faithful. */
export interface CachedAnswer {
  readonly parts: readonly Exclude<TierPart, { type: 'finish' }>[];
  readonly finishReason: 'stop' | 'tool_calls';
  readonly usage: Usage;
  readonly model: string;
  readonly tier: TierRef;
  /** What the answer took to make, milliseconds. Drives eviction. */
  readonly costMs: number;
}

export interface CacheLookup extends CacheReport {
  readonly answer?: CachedAnswer | undefined;
}

/** The cache as the runtime sees it. Its failures are recorded, never thrown into a request. */
export interface SemanticCache {
  lookup(query: CacheQuery, options?: LookupOptions): Promise<CacheLookup>;
  /**
   * Shares one answer among requests for the same thing in flight. The first asker makes it; the others read along.
   * `make` is told who asks now (the first reader left), and stopped when no reader is left.
   */
  share?<Part, Asker>(
    query: CacheQuery,
    asker: Asker,
    make: MakeShared<Part, Asker>,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<SharedAnswer<Part>>;
  /** Returns the id of the entry written, or undefined when it was not kept. */
  write(query: CacheQuery, answer: CachedAnswer): Promise<string | undefined>;
  feedback(entryId: string, verdict: 'right' | 'wrong'): Promise<void>;
  /** Erase everything kept for a scope. Returns entries removed. */
  erase(scope: string): Promise<number>;
  stats(): Promise<CacheStats>;
  close(): Promise<void>;
}

export interface LookupOptions extends CacheControl {
  readonly signal?: AbortSignal | undefined;
}

export type MakeShared<Part, Asker> = (
  asker: () => Asker,
  signal: AbortSignal,
) => AsyncGenerator<Part, void, void>;

export interface SharedAnswer<Part> {
  /** This request makes the answer; else it reads another's. */
  readonly leads: boolean;
  /** Present where it follows. */
  readonly report?: CacheReport | undefined;
  /** From the first part on. Throws TimeoutError where the first one followed keeps a follower waiting too long. */
  readonly parts: AsyncIterableIterator<Part, void, void>;
}

export interface CacheStats {
  readonly entries: number;
  readonly bytes: number;
  readonly hits: number;
  readonly stale: number;
  readonly misses: number;
  /** Sum of costMs of the answers that were replayed. */
  readonly savedMs: number;
  readonly store: string;
}

// ---------------------------------------------------------------- seams

/** Time, handed in so tests can hold it still. */
export interface Clock {
  /** Unix epoch, milliseconds. */
  now(): number;
  /** Monotonic milliseconds. */
  monotonic(): number;
}

/** A closed trace. Stays on the device. */
export interface Trace {
  readonly id: string;
  readonly startedAtMs: number;
  readonly outcome: 'ok' | 'error' | 'aborted';
  readonly errorCode?: NearfieldError['code'] | undefined;
  readonly tier?: TierRef | undefined;
  readonly cache: CacheReport;
  readonly timings: Timings;
  readonly usage?: Usage | undefined;
  readonly receipt: Receipt;
  readonly decision: PolicyDecision;
  /** Tiers tried before the one that answered, and why each was left. */
  readonly attempts: readonly { readonly tier: TierRef; readonly code: string }[];
}

/** Where traces' shadows go: closed-schema counters, only after opt-in. Never throws. */
export interface TelemetryRecorder {
  record(trace: Trace): void;
}
