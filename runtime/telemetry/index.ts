// `nearfield/telemetry`: traces that stay, reports that may leave, and the collector that takes them.
export {
  type Cell,
  type Collector,
  type CollectorOptions,
  type CollectorStore,
  createCollector,
  createMemoryCollectorStore,
  type PublishedCell,
  type PublishedMetric,
  type PublishedReport,
  type Verdict,
} from './collector.ts';
export { estimateShares, type ShareEstimate } from './estimate.ts';
export {
  chainedOdds,
  cryptoRandom,
  type RandomBytes,
  type ResponseOdds,
  randomize,
  responseOdds,
} from './randomize.ts';
export {
  decodeReport,
  EPSILON,
  encodeReport,
  METRIC_IDS,
  METRICS,
  type MetricId,
  REPORT_BYTES,
  type Report,
  SCHEMA_VERSION,
} from './schema.ts';
export {
  type Consent,
  createMemoryTelemetryStore,
  createWebTelemetryStore,
  type OutboxEntry,
  type Period,
  type TelemetryStore,
  type WebTelemetryStoreOptions,
} from './state.ts';
export {
  createTelemetry,
  type SendReport,
  type Telemetry,
  type TelemetryNotice,
  type TelemetryOptions,
  type TelemetryStatus,
} from './telemetry.ts';
export {
  type OtlpExport,
  type OtlpSpan,
  recordToAll,
  toOtlp,
} from './trace.ts';
