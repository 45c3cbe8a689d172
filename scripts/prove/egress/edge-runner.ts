// Owns one attempt against an edge worker: send it, see what its cloud received and what came back, tell what
// stopped it. At the end, one pass over all that the cloud, the databases and the logs hold.
import type { RecordedRequest } from '../../emulators/bedrock.ts';
import type { Canary } from './canaries.ts';
import type { Layer, Ledger } from './report.ts';
import { canBeRead, createScanner, type Scanner } from './scan.ts';
import type { ProvenEdge } from './world.ts';

export interface Worn {
  readonly canary: Canary;
  /** As it stands in the request, where that is not its value. */
  readonly worn: string;
}

export interface EdgeAttempt {
  readonly attack: string;
  readonly name: string;
  readonly canaries: readonly Worn[];
  send(edge: ProvenEdge): Promise<Response>;
  /** More to check in what came back; says what is wrong with it. */
  judge?(reply: string, received: readonly RecordedRequest[]): string | undefined;
}

export interface EdgeRunner {
  run(
    attempt: EdgeAttempt,
  ): Promise<{ readonly reply: string; readonly received: readonly RecordedRequest[] }>;
  /** Looks through everything kept so far. `cacheOf`: which values the cache must not hold either. */
  sweep(logs: Buffer, cacheOf: (canary: Canary) => boolean): Promise<void>;
}

export function createEdgeRunner(edge: ProvenEdge, ledger: Ledger, label: string): EdgeRunner {
  const everywhere = createScanner();
  const attackOf = new Map<string, { attack: string; name: string; canary: Canary }>();

  return {
    async run(attempt) {
      const from = edge.cloud.requests.length;
      for (const { canary, worn } of attempt.canaries) {
        attackOf.set(canary.value, { attack: attempt.attack, name: attempt.name, canary });
        everywhere.add(canary.value, worn === canary.value ? [] : [worn]);
      }
      const response = await attempt.send(edge);
      const reply = await response.text().catch(() => '');
      const received = edge.cloud.requests.slice(from);
      const bytes = Buffer.from(received.map(textOfRequest).join('\n'));
      const name = `${attempt.name} (${label})`;
      const leak = (where: string): void => ledger.leak({ attack: attempt.attack, attempt: name, where });
      let leaked = false;
      for (const { canary, worn } of attempt.canaries) {
        const seen = canBeRead(bytes, canary.value, worn === canary.value ? [] : [worn]);
        if (seen !== undefined) leak(`the cloud's request (${canary.kind}, ${seen})`);
        const quoted = response.ok ? undefined : canBeRead(Buffer.from(reply), canary.value);
        if (quoted !== undefined) leak(`an error's text (${canary.kind}, ${quoted})`);
        leaked ||= seen !== undefined || quoted !== undefined;
      }
      const wrong = attempt.judge?.(reply, received);
      if (wrong !== undefined) leak(wrong);
      const stopped = leaked || wrong !== undefined ? undefined : layerOf(response, reply, received.length);
      ledger.attempt(attempt.attack, stopped, bytes.length + Buffer.byteLength(reply));
      return { reply, received };
    },
    async sweep(logs, cacheOf) {
      const cache = createScanner();
      for (const { canary } of attackOf.values()) if (cacheOf(canary)) cache.add(canary.value);
      const places: readonly (readonly [string, Buffer, Scanner])[] = [
        ["the cloud's socket", edge.cloud.received(), everywhere],
        ["the edge's database", await edge.stored('edge'), everywhere],
        ["the edge's cache", await edge.stored('cache'), cache],
        ['the log', logs, everywhere],
      ];
      for (const [where, bytes, scanner] of places) {
        ledger.looked(`everything kept (${label})`, bytes.length);
        for (const hit of scanner.scan(bytes)) {
          const from = attackOf.get(hit.value)!;
          ledger.leak({
            attack: from.attack,
            attempt: `${from.name} (${label})`,
            where: `${where} (${hit.form})`,
          });
        }
      }
    },
  };
}

function textOfRequest({ path, headers, body }: RecordedRequest): string {
  const { authorization: _signature, 'x-amz-content-sha256': _hash, 'x-amz-date': _date, ...rest } = headers;
  return `${path}\n${JSON.stringify(rest)}\n${body}`;
}

function layerOf(response: Response, reply: string, reached: number): Layer {
  if (reached > 0) return 'redaction';
  const code = /"code":"([a-z-]+)"/.exec(reply)?.[1];
  if (response.ok || code === 'no-tier' || code === 'policy-failed') return 'policy';
  return code === 'egress-denied' ? 'egress' : 'validation';
}

/** A POST of a chat request as any OpenAI client makes it. */
export async function postChat(
  edge: ProvenEdge,
  body: object | string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return await fetch(`${edge.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

export function said(content: string, more: object = {}): object {
  return { model: 'any', messages: [{ role: 'user', content }], ...more };
}
