// Owns /v1/embeddings: texts in, float or base64 vectors out, shortened on request.
import * as z from 'zod/mini';
import { NearfieldError } from '../errors.ts';
import type { EmbedRequest, EmbedResult } from '../types.ts';
import { ignoredHeader, parse, readJson } from './body.ts';

// OpenAI's own limit on inputs a request.
const MAX_INPUTS = 2048;

const texts = z.pipe(
  z.transform((value: unknown, context) => {
    const all = Array.isArray(value) ? value : [value];
    const bad = all.findIndex((one) => typeof one !== 'string' || one === '');
    const message = 'expected text that is not empty; token arrays are not accepted, so send the text itself';
    if (bad >= 0) context.issues.push({ code: 'custom', path: [bad], message, input: undefined });
    return all as string[];
  }),
  z.array(z.string()).check(z.minLength(1), z.maxLength(MAX_INPUTS)),
);
const embedBody = z.object({
  model: z.nullish(z.string().check(z.maxLength(256))),
  input: texts,
  encoding_format: z.nullish(z.enum(['float', 'base64'])),
  dimensions: z.nullish(z.int().check(z.positive())),
});

export type Embed = (request: EmbedRequest, call: { signal: AbortSignal }) => Promise<EmbedResult>;

export async function embeddingsResponse(
  embed: Embed,
  http: Request,
  maxBodyBytes: number,
): Promise<Response> {
  const raw = await readJson(http, maxBodyBytes);
  const body = parse(embedBody, raw);
  const model = body.model ?? undefined;
  const result = await embed({ input: body.input, model, signal: http.signal }, { signal: http.signal });
  const encode = body.encoding_format === 'base64' ? toBase64 : (vector: Float32Array) => [...vector];
  const data = result.embeddings.map((vector, index) => ({
    object: 'embedding',
    index,
    embedding: encode(shorten(vector, body.dimensions ?? vector.length)),
  }));
  const ignored = Object.keys(raw).filter((name) => !(name in embedBody.shape));
  const usage = { prompt_tokens: result.tokens, total_tokens: result.tokens };
  return Response.json(
    { object: 'list', data, model: result.model, usage, nearfield: { backend: result.backend } },
    { headers: { 'cache-control': 'no-store', ...ignoredHeader(ignored) } },
  );
}

/** The first `dims` values, made unit length again. */
function shorten(vector: Float32Array, dims: number): Float32Array {
  if (dims === vector.length) return vector;
  if (dims > vector.length) {
    const message = `dimensions: expected at most ${vector.length}, what the model gives.`;
    throw new NearfieldError('invalid-request', message, { param: 'dimensions' });
  }
  const head = vector.slice(0, dims);
  const norm = Math.hypot(...head);
  return norm === 0 ? head : head.map((value) => value / norm);
}

/** Little-endian float32, as every platform that runs this keeps them. */
function toBase64(vector: Float32Array): string {
  const bytes = new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
  let binary = '';
  for (let at = 0; at < bytes.length; at += 8192)
    binary += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(binary);
}
