// Owns attacks 11 and 12 at the edge: vectors are as good as the text they were made from, so none may leave;
// and what one tenant asked must not show to another, neither by a hit nor by a shared wait.
import type { BedrockEmulator } from '../../emulators/bedrock.ts';
import type { Canary, CanarySource } from './canaries.ts';
import { type EdgeRunner, postChat, said } from './edge-runner.ts';
import type { ProvenEdge } from './world.ts';

const EMBEDDINGS = '11 embeddings';
const SIDE_CHANNELS = '12 side channels';
const FLOATS_SEARCHED = 8;

/** Each canary is embedded, then asked about; no stretch of its vector may be in what the cloud received. */
export async function embeddingAttempts(
  runner: EdgeRunner,
  edge: ProvenEdge,
  take: CanarySource['take'],
): Promise<void> {
  for (const canary of take(1)) {
    const input = sentence(canary);
    const vectors: Float32Array[] = [];
    const vectorLeft = (): string | undefined =>
      vectors.some((vector) => holdsVector(edge.cloud.received(), vector))
        ? "the cloud's socket (a vector)"
        : undefined;
    await runner.run({
      attack: EMBEDDINGS,
      name: `${canary.kind}, embedded`,
      canaries: [{ canary, worn: canary.value }],
      send: async () => await postEmbeddings(edge, input),
      judge: (reply, received) => {
        vectors.push(...vectorsOf(reply));
        if (vectors.length === 0) return 'no vector at all: nothing was proven';
        return received.length > 0 ? 'a request to the cloud for an embedding' : vectorLeft();
      },
    });
    await runner.run({
      attack: EMBEDDINGS,
      name: `${canary.kind}, asked about after`,
      canaries: [{ canary, worn: canary.value }],
      send: async () => await postChat(edge, said(input)),
      judge: vectorLeft,
    });
  }
}

async function postEmbeddings(edge: ProvenEdge, input: string): Promise<Response> {
  return await fetch(`${edge.url}/v1/embeddings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'any', input }),
  });
}

function vectorsOf(reply: string): Float32Array[] {
  const { data = [] } = JSON.parse(reply) as { data?: { embedding: number[] }[] };
  return data.map(({ embedding }) => Float32Array.from(embedding));
}

/** Raw, base64 at its three alignments, INT8 codes, or numbers to four digits: any run of eight. */
export function holdsVector(bytes: Buffer, vector: Float32Array): boolean {
  const largest = vector.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const codes = Buffer.from(Int8Array.from(vector, (value) => Math.round((value / largest) * 127)).buffer);
  const raw = Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength);
  const size = FLOATS_SEARCHED * 4;
  for (let at = 0; at + size <= raw.length; at += size) {
    const part = raw.subarray(at, at + size);
    if (bytes.includes(part) || base64Cores(part).some((core) => bytes.includes(core))) return true;
  }
  for (let at = 0; at + 24 <= codes.length; at += 24)
    if (bytes.includes(codes.subarray(at, at + 24))) return true;
  const first = vector[0]!.toFixed(6).slice(0, -2);
  return bytes.includes(first) && bytes.includes(vector[1]!.toFixed(6).slice(0, -2));
}

/** What base64 makes of these bytes wherever they stand in a longer text, less the digits shared with neighbours. */
function base64Cores(part: Buffer): readonly string[] {
  return [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift), part])
      .toString('base64')
      .replace(/=+$/, '')
      .slice(shift === 0 ? 0 : 4, -4),
  );
}

/** One scope asks until the cache answers; another asks the same, later and at the same time. */
export async function crossScopeAttempts(runner: EdgeRunner, edge: ProvenEdge, count: number): Promise<void> {
  for (let at = 0; at < count; at += 1) {
    const question = `How many days does parcel service number ${at + 3} take to the coast?`;
    const ask = async (scope: string) => await postChat(edge, said(question, { scope }));
    const attempt = (name: string, send: () => Promise<Response>, wanted: number) =>
      runner.run({
        attack: SIDE_CHANNELS,
        name: `question ${at}, ${name}`,
        canaries: [],
        send,
        judge: (_, received) =>
          received.length === wanted
            ? undefined
            : `${received.length} requests reached the cloud, not ${wanted}`,
      });
    await attempt('first', () => ask(`a${at}`), 1);
    await attempt('again in its scope: the cache does answer', () => ask(`a${at}`), 0);
    await attempt('from another scope', () => ask(`b${at}`), 1);
    await attempt(
      'from two new scopes at once',
      () => together(edge.cloud, 2, [() => ask(`c${at}`), () => ask(`d${at}`)]),
      2,
    );
    await attempt(
      'twice at once in one scope: the wait is shared',
      () => together(edge.cloud, 1, [() => ask(`e${at}`), () => ask(`e${at}`)]),
      1,
    );
  }
}

/** The last of the answers, all of them read. The cloud takes its time, so that the requests do meet. */
async function together(
  cloud: BedrockEmulator,
  reaching: number,
  asks: readonly (() => Promise<Response>)[],
): Promise<Response> {
  for (let at = 0; at < reaching; at += 1)
    cloud.script({ kind: 'text', deltas: ['Three', ' days.'], delayMs: 150 });
  const replies = await Promise.all(asks.map(async (ask) => await (await ask()).text()));
  return new Response(replies.at(-1));
}

function sentence({ kind, value }: Canary): string {
  return kind === 'name' ? `My name is ${value}.` : `Please note ${value} in the file.`;
}
