// Owns /v1/embeddings: texts in, float or base64 vectors out, shortened on request.
import { z } from 'zod';
import { NearfieldError } from '../errors.ts';
import type { EmbedRequest, EmbedResult } from '../types.ts';
import { parse, readJson } from './body.ts';

// OpenAI's own limit on inputs a request.
const MAX_INPUTS = 2048;

const text = z.string('expected text; token arrays are not accepted, so send the text itself').min(1);
const embedBody = z.object({
  model: z.string().max(256).nullish(),
  input: z.preprocess(
    (value) => (Array.isArray(value) ? value : [value]),
    z.array(text).min(1).max(MAX_INPUTS),
  ),
  encoding_format: z.enum(['float', 'base64']).nullish(),
  dimensions: z.int().positive().nullish(),
});

export type Embed = (request: EmbedRequest, call: { signal: AbortSignal }) => Promise<EmbedResult>;

export async function embeddingsResponse(
  embed: Embed,
  http: Request,
  maxBodyBytes: number,
): Promise<Response> {
  const body = parse(embedBody, await readJson(http, maxBodyBytes));
  const model = body.model ?? undefined;
  const result = await embed({ input: body.input, model, signal: http.signal }, { signal: http.signal });
  const encode = body.encoding_format === 'base64' ? toBase64 : (vector: Float32Array) => [...vector];
  const data = result.embeddings.map((vector, index) => ({
    object: 'embedding',
    index,
    embedding: encode(shorten(vector, body.dimensions ?? vector.length)),
  }));
  const usage = { prompt_tokens: result.tokens, total_tokens: result.tokens };
  return Response.json(
    { object: 'list', data, model: result.model, usage, nearfield: { backend: result.backend } },
    { headers: { 'cache-control': 'no-store' } },
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
