import { expect, it } from 'vitest';
import { traceOf } from './trace.fixture.ts';
import { recordToAll, toOtlp } from './trace.ts';

it('exports a trace as OTLP spans under the GenAI names, the same each time', async () => {
  const exported = await toOtlp([traceOf({ errorCode: undefined })]);
  expect(await toOtlp([traceOf({})])).toEqual(exported);
  const spans = exported.resourceSpans[0].scopeSpans[0].spans;
  const [root, step] = spans;
  expect(root).toMatchObject({
    traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
    spanId: expect.stringMatching(/^[0-9a-f]{16}$/),
    name: 'chat',
    kind: 1,
    startTimeUnixNano: '1700000000000000000',
    endTimeUnixNano: '1700000000120000000',
    status: { code: 0 },
  });
  expect(root?.attributes).toContainEqual({ key: 'gen_ai.usage.input_tokens', value: { intValue: '12' } });
  expect(root?.attributes).toContainEqual({ key: 'nearfield.tier', value: { stringValue: 'device' } });
  expect(root?.attributes.some(({ key }) => key === 'error.type')).toBe(false);
  expect(step).toMatchObject({ traceId: root?.traceId, parentSpanId: root?.spanId, name: 'nearfield.tier' });
  expect(step?.spanId).not.toBe(root?.spanId);
});

it('marks failures by their code, and keeps fractions of milliseconds', async () => {
  const trace = traceOf({
    outcome: 'error',
    errorCode: 'upstream-timeout',
    tier: { id: 'bedrock', kind: 'cloud' },
    timings: { totalMs: 0.25, steps: [] },
  });
  const [root] = (await toOtlp([trace])).resourceSpans[0].scopeSpans[0].spans;
  expect(root).toMatchObject({ kind: 3, status: { code: 2 }, endTimeUnixNano: '1700000000000250000' });
  expect(root?.attributes).toContainEqual({ key: 'error.type', value: { stringValue: 'upstream-timeout' } });
});

it('tells every recorder, past one that throws', () => {
  const seen: string[] = [];
  const failing = {
    record() {
      throw new Error('broken');
    },
  };
  recordToAll(failing, { record: (trace) => seen.push(trace.id) }).record(traceOf({}));
  expect(seen).toEqual(['chatcmpl-1']);
});
