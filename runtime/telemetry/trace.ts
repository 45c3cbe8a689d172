// Owns the shape of traces for OpenTelemetry, for when a person exports their own (`runtime.traces()`), and
// the fan-out to several recorders. Nothing here sends anything.
import { sha256Hex } from '../hash.ts';
import type { TelemetryRecorder, Trace, TraceStep } from '../types.ts';

/** Hands each trace to every recorder; one that fails keeps none of the others from it. */
export function recordToAll(...recorders: readonly TelemetryRecorder[]): TelemetryRecorder {
  return {
    record(trace) {
      for (const recorder of recorders) {
        try {
          recorder.record(trace);
        } catch {
          // Telemetry never fails a request; a recorder that breaks its promise not to throw is passed over.
        }
      }
    },
  };
}

type OtlpValue =
  | { stringValue: string }
  | { intValue: string }
  | { doubleValue: number }
  | { boolValue: boolean };
interface OtlpAttribute {
  readonly key: string;
  readonly value: OtlpValue;
}

export interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  /** 1 internal, 3 client. */
  readonly kind: 1 | 3;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly OtlpAttribute[];
  readonly status: { readonly code: 0 | 2 };
}

/** An OTLP/JSON `ExportTraceServiceRequest`, for a file or a collector of the person's own. */
export interface OtlpExport {
  readonly resourceSpans: readonly [
    {
      readonly resource: { readonly attributes: readonly OtlpAttribute[] };
      readonly scopeSpans: readonly [
        { readonly scope: { readonly name: string }; readonly spans: readonly OtlpSpan[] },
      ];
    },
  ];
}

/**
 * Traces as OTLP/JSON spans named by the GenAI conventions: one span a request, one child a step.
 * Holds facts and durations only, as traces do.
 * Source: OpenTelemetry semantic conventions, "GenAI spans"; OTLP 1.x JSON encoding (hex ids, decimal nanoseconds).
 */
export async function toOtlp(traces: readonly Trace[]): Promise<OtlpExport> {
  const spans = (await Promise.all(traces.map(spansOf))).flat();
  return {
    resourceSpans: [
      {
        resource: { attributes: [attribute('service.name', 'nearfield')] },
        scopeSpans: [{ scope: { name: 'nearfield' }, spans }],
      },
    ],
  };
}

async function spansOf(trace: Trace): Promise<OtlpSpan[]> {
  // Ids come from the trace's own random id by hash, so exporting twice gives the same spans.
  const ids = await sha256Hex(trace.id);
  const traceId = ids.slice(0, 32);
  const parentSpanId = ids.slice(32, 48);
  const root: OtlpSpan = {
    traceId,
    spanId: parentSpanId,
    name: 'chat',
    kind: trace.tier === undefined || trace.tier.kind === 'device' ? 1 : 3,
    startTimeUnixNano: nanoseconds(trace.startedAtMs),
    endTimeUnixNano: nanoseconds(trace.startedAtMs + trace.timings.totalMs),
    attributes: rootAttributes(trace),
    status: { code: trace.outcome === 'error' ? 2 : 0 },
  };
  const steps = trace.timings.steps.map(async (step, at) =>
    stepSpan(trace, step, root, await sha256Hex(`${trace.id}/${at}`)),
  );
  return [root, ...(await Promise.all(steps))];
}

function stepSpan(trace: Trace, step: TraceStep, root: OtlpSpan, id: string): OtlpSpan {
  const start = trace.startedAtMs + step.startMs;
  return {
    traceId: root.traceId,
    spanId: id.slice(0, 16),
    parentSpanId: root.spanId,
    name: `nearfield.${step.name}`,
    kind: 1,
    startTimeUnixNano: nanoseconds(start),
    endTimeUnixNano: nanoseconds(start + step.durationMs),
    attributes: Object.entries(step.facts ?? {}).map(([key, value]) => attribute(`nearfield.${key}`, value)),
    status: { code: 0 },
  };
}

function rootAttributes(trace: Trace): OtlpAttribute[] {
  return [
    attribute('gen_ai.operation.name', 'chat'),
    attribute('gen_ai.provider.name', trace.tier?.id ?? 'none'),
    attribute('gen_ai.usage.input_tokens', trace.usage?.promptTokens),
    attribute('gen_ai.usage.output_tokens', trace.usage?.completionTokens),
    attribute('error.type', trace.errorCode),
    attribute('nearfield.tier', trace.tier?.kind),
    attribute('nearfield.cache', trace.cache.status),
    attribute('nearfield.ttft_ms', trace.timings.ttftMs),
    attribute('nearfield.egress_bytes', trace.receipt.bytesOut),
    attribute('nearfield.receipt', trace.receipt.hash),
  ].filter((entry) => entry !== undefined);
}

function attribute(key: string, value: string | number | boolean): OtlpAttribute;
function attribute(key: string, value: string | number | boolean | undefined): OtlpAttribute | undefined;
function attribute(key: string, value: string | number | boolean | undefined): OtlpAttribute | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string') return { key, value: { stringValue: value } };
  if (typeof value === 'boolean') return { key, value: { boolValue: value } };
  return { key, value: Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value } };
}

/** Milliseconds, maybe fractional, to decimal nanoseconds without losing whole ones to rounding. */
function nanoseconds(ms: number): string {
  const whole = Math.floor(ms);
  return String(BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1e6)));
}
