// Owns the seam between the page and the runtime: what the page asks for, in the runtime's own types.
// Types only, so components and their tests never load an engine.
import type { ReadonlySignal } from '@preact/signals';
import type {
  CacheStats,
  PolicyDecision,
  Receipt,
  SourceDocument,
  Span,
  StreamPart,
  TierKind,
  Trace,
} from 'nearfield';
import type { ExportedEntry, Invalidation, Selection } from 'nearfield/cache';
import type { TelemetryNotice, TelemetryStatus } from 'nearfield/telemetry';

export type ModelPhase = 'idle' | 'loading' | 'ready' | 'failed';

/** The embedding model on this device, as the Models page and the status pill show it. */
export interface ModelState {
  readonly phase: ModelPhase;
  readonly id: string;
  /** Bytes of weights received or read from the browser's own store. */
  readonly loadedBytes: number;
  readonly totalBytes: number;
  /** Hex SHA-256 the weights were checked against; empty until they were. */
  readonly weightsHash: string;
  /** Empty until the first embedding. */
  readonly backend: string;
  readonly dims: number;
  readonly licence: string;
  readonly loadMs?: number | undefined;
  readonly error?: string | undefined;
}

/** The language model that answers without documents, brought when the person says so. */
export interface LanguageModelState {
  /** `absent`: this site serves none. */
  readonly phase: ModelPhase | 'absent';
  /** It was here before, so this browser has its files unless it threw them away. */
  readonly kept: boolean;
  readonly id: string;
  readonly licence: string;
  readonly loadedBytes: number;
  readonly totalBytes: number;
  /** Empty until it is loaded. */
  readonly backend: string;
  readonly loadMs?: number | undefined;
  readonly error?: string | undefined;
}

export interface LanguageModelControl {
  readonly state: ReadonlySignal<LanguageModelState>;
  /** Never throws; the state says how it went. */
  load(): Promise<void>;
  cancel(): void;
  unload(): Promise<void>;
}

export interface Question {
  readonly text: string;
  readonly documents: readonly SourceDocument[];
  /** Farthest tier the person allows; also their consent to go that far. */
  readonly privacy: TierKind;
  readonly history: readonly { readonly question: string; readonly answer: string }[];
  readonly cache?: 'use' | 'refresh' | 'bypass' | undefined;
}

/** What policy thinks of a text before it is sent anywhere. */
export interface Preview {
  readonly spans: readonly Span[];
  readonly decision: PolicyDecision;
  /** The text as it would leave; absent when it may not leave. */
  readonly outgoing?: string | undefined;
}

export interface IndexCounts {
  readonly sentences: number;
  readonly chunks: number;
}

export interface ChainCheck {
  readonly ok: boolean;
  readonly checked: number;
  /** Sequence number of the first receipt that does not fit the chain. */
  readonly brokenAt?: number | undefined;
}

export interface AppRuntime {
  readonly model: ReadonlySignal<ModelState>;
  /** Tries again after a failed load. Never throws; the state says how it went. */
  loadModel(): Promise<void>;
  readonly languageModel: LanguageModelControl;
  /** Host of the edge worker; empty when this page has none. */
  readonly edgeHost: string;
  ask(question: Question, options: { readonly signal: AbortSignal }): AsyncIterable<StreamPart>;
  /** Looks at a question as policy would; sends nothing. */
  preview(question: Question): Promise<Preview>;
  /** Cuts and embeds what is not indexed yet; counts in the order given. */
  index(
    documents: readonly SourceDocument[],
    options: {
      readonly signal?: AbortSignal | undefined;
      readonly onProgress?:
        | ((progress: { readonly done: number; readonly total: number }) => void)
        | undefined;
    },
  ): Promise<readonly IndexCounts[]>;
  feedback(entryId: string, verdict: 'right' | 'wrong'): Promise<void>;
  traces(): readonly Trace[];
  receipts(): Promise<readonly Receipt[]>;
  verifyReceipts(): Promise<ChainCheck>;
  /** JSON Lines, as `nearfield receipts verify` reads them. */
  exportReceipts(): Promise<string>;
  cacheStats(): Promise<CacheStats>;
  cacheEntries(): Promise<readonly ExportedEntry[]>;
  /** A part of this page's scope; with `dryRun` only told. */
  removeFromCache(part: Omit<Selection, 'scope'>): Promise<Invalidation>;
  /** Entries erased. */
  eraseCache(): Promise<number>;
  readonly telemetryNotice: TelemetryNotice;
  telemetry(): Promise<TelemetryStatus>;
  setTelemetry(on: boolean): Promise<void>;
}
