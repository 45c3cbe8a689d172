// A few of each attack of `npm run prove -- egress`, in a real browser and against the edge: the promise itself,
// and that the battery would have seen it broken.
import { expect, it } from 'vitest';
import { proveEgress } from './egress/battery.ts';
import { createCanarySource } from './egress/canaries.ts';
import { createEdgeRunner, postChat, said } from './egress/edge-runner.ts';
import { holdsVector } from './egress/edge-side-channels.ts';
import { createLedger } from './egress/report.ts';
import { REDACTION_ALONE, startProvenEdge } from './egress/world.ts';

it('lets no canary leave, be kept or be logged', async () => {
  const ledger = await proveEgress({ fast: true });
  expect(ledger.leaks).toEqual([]);
  const attacks = ledger.rows.map(({ attack }) => Number.parseInt(attack, 10)).filter((number) => number > 0);
  expect([...new Set(attacks)].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
  expect(ledger.rows.reduce((sum, { attempts }) => sum + attempts, 0)).toBeGreaterThan(300);
  // Redaction was really what stopped some: the cloud was reached.
  expect(ledger.rows.reduce((sum, { stopped }) => sum + (stopped.redaction ?? 0), 0)).toBeGreaterThan(50);
  // The same doors do open on a page without the policy, and the sink sees it.
  const opened = Number(/doors: (\d+) of/.exec(ledger.notes.join('\n'))?.[1]);
  expect(opened).toBeGreaterThan(35);
}, 900_000);

it('sees a leak where a policy redacts nothing: in the request, and on the socket afterwards', async () => {
  const edge = await startProvenEdge({
    policy: { ...REDACTION_ALONE, base: { farthest: 'cloud', redact: [], cacheable: true } },
  });
  const ledger = createLedger();
  const runner = createEdgeRunner(edge, ledger, 'no redaction');
  const canary = createCanarySource().one('email');
  await runner.run({
    attack: 'control',
    name: 'email',
    canaries: [{ canary, worn: canary.value }],
    send: async () => await postChat(edge, said(`Write to ${canary.value}.`)),
  });
  await runner.sweep(Buffer.from(`log ${Buffer.from(canary.value).toString('hex')}`), () => true);
  await edge.stop();
  const places = ledger.leaks.map(({ where }) => where.replace(/ \(.*/, ''));
  expect(places).toEqual(["the cloud's request", "the cloud's socket", "the edge's cache", 'the log']);
}, 120_000);

it('knows a vector in each form it could travel in, and no other vector', () => {
  const vector = Float32Array.from({ length: 384 }, (_, at) => Math.sin(at * at + 1) / 20);
  const other = Float32Array.from({ length: 384 }, (_, at) => Math.cos(at * at + 1) / 20);
  const raw = Buffer.from(vector.buffer);
  const codes = Buffer.from(Int8Array.from(vector, (value) => Math.round((value / 0.05) * 127)).buffer);
  const forms = [
    raw,
    Buffer.from(`{"v":"${raw.toString('base64')}"}`),
    Buffer.from(`"${Buffer.concat([Buffer.from('x'), raw]).toString('base64')}"`),
    Buffer.from(JSON.stringify([...vector])),
    Buffer.concat([Buffer.from('codes '), codes]),
  ];
  expect(forms.map((form) => holdsVector(form, vector))).toEqual([true, true, true, true, true]);
  expect(forms.map((form) => holdsVector(form, other))).toEqual([false, false, false, false, false]);
});
