// Owns sending what waits in the telemetry outbox: to the edge worker alone, through the egress guard, and
// only while telemetry is on.
import type { Egress, PolicyDecision } from 'nearfield';
import type { Telemetry } from 'nearfield/telemetry';

const EVERY_MS = 30 * 60_000;

// Telemetry's own permission: it holds no text, so there is nothing to find in it or to redact.
const DECISION: PolicyDecision = {
  farthest: 'edge',
  sensitivity: 'none',
  rules: ['telemetry-consent'],
  explanation: 'You turned telemetry on.',
  redact: { edge: false, cloud: false },
  cacheable: false,
  spanCounts: {},
};

/** Looks now and every half hour; a report that does not go stays, byte for byte. */
export function startReporting(telemetry: Telemetry, egress: Egress, edgeUrl: URL): void {
  const send = async (): Promise<void> => {
    const { consent, outbox } = await telemetry.status();
    if (consent !== 'granted' || outbox.length === 0) return;
    const permit = egress.open({
      decision: DECISION,
      tier: { id: 'edge', kind: 'edge' },
      host: edgeUrl.host,
    });
    await telemetry.flush((body, { signal }) =>
      permit.fetch(new URL('v1/telemetry', edgeUrl), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
        signal,
      }),
    );
  };
  const tick = (): void => void send().catch(() => {}); // the outbox on the page says what still waits
  tick();
  setInterval(tick, EVERY_MS);
}
