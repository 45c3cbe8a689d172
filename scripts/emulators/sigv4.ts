// Owns checking an AWS Signature Version 4, computed afresh from the bytes received, so that a client which
// signs wrongly fails here as it would at AWS. Shares no code with any client.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface SignedRequest {
  readonly method: string;
  /** Path and query as they came on the request line. */
  readonly target: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
}

/** `valid`, or the name of the error AWS would answer with. */
export type SignatureVerdict =
  | 'valid'
  | 'MissingAuthenticationTokenException'
  | 'IncompleteSignatureException'
  | 'UnrecognizedClientException'
  | 'ExpiredTokenException'
  | 'InvalidSignatureException';

const MAX_SKEW_MS = 5 * 60_000;
const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/;

export function verifySignature(
  request: SignedRequest,
  credentials: AwsCredentials,
  expected: { readonly region: string; readonly service: string; readonly nowMs: number },
): SignatureVerdict {
  const authorization = request.headers.authorization;
  if (authorization === undefined) return 'MissingAuthenticationTokenException';
  const match = AUTHORIZATION.exec(authorization);
  const dateTime = request.headers['x-amz-date'];
  if (match === null || dateTime === undefined) return 'IncompleteSignatureException';
  const [, keyId, day, region, service, signedHeaders, signature] = match as unknown as string[];
  if (keyId !== credentials.accessKeyId) return 'UnrecognizedClientException';
  if (request.headers['x-amz-security-token'] !== credentials.sessionToken)
    return 'UnrecognizedClientException';
  if (!dateTime.startsWith(day!) || Math.abs(parseTime(dateTime) - expected.nowMs) > MAX_SKEW_MS) {
    return 'ExpiredTokenException';
  }
  if (region !== expected.region || service !== expected.service) return 'InvalidSignatureException';
  const bodyHash = sha256(request.body);
  if ((request.headers['x-amz-content-sha256'] ?? bodyHash) !== bodyHash) return 'InvalidSignatureException';
  const names = signedHeaders!.split(';');
  if (!names.includes('host')) return 'InvalidSignatureException';
  const stringToSign = [
    'AWS4-HMAC-SHA256',
    dateTime,
    `${day}/${region}/${service}/aws4_request`,
    sha256(canonicalRequest(request, names, bodyHash)),
  ].join('\n');
  const key = [day!, region, service, 'aws4_request'].reduce<string | Buffer>(
    (secret, part) => createHmac('sha256', secret).update(part).digest(),
    `AWS4${credentials.secretAccessKey}`,
  );
  const right = createHmac('sha256', key).update(stringToSign).digest();
  return timingSafeEqual(right, Buffer.from(signature!, 'hex')) ? 'valid' : 'InvalidSignatureException';
}

function canonicalRequest(request: SignedRequest, names: readonly string[], bodyHash: string): string {
  const [path = '/', query = ''] = request.target.split('?', 2);
  const headers = names.map(
    (name) => `${name}:${(request.headers[name] ?? '').trim().replace(/\s+/g, ' ')}\n`,
  );
  return [
    request.method,
    // Every service but S3 encodes the path once more than the request line does.
    path.split('/').map(encode).join('/'),
    canonicalQuery(query),
    headers.join(''),
    names.join(';'),
    bodyHash,
  ].join('\n');
}

function canonicalQuery(query: string): string {
  const pairs = [...new URLSearchParams(query)].map(([name, value]) => `${encode(name)}=${encode(value)}`);
  return pairs.sort().join('&');
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function parseTime(dateTime: string): number {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(dateTime);
  if (parts === null) return Number.NaN;
  const [, year, month, day, hour, minute, second] = parts.map(Number) as number[];
  return Date.UTC(year!, month! - 1, day, hour, minute, second);
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
