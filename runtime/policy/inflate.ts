// Owns opening compressed bytes, bounded in size: a small text that opens into a huge one is not read.
import { UnreadableText } from './detector.ts';

const MAX_BYTES = 262_144;

/** Undefined where the bytes are not what their first ones promise. @throws UnreadableText when too large. */
export async function inflate(
  bytes: Uint8Array<ArrayBuffer>,
  format: 'gzip' | 'deflate',
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (typeof DecompressionStream === 'undefined') return undefined;
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream(format)).getReader();
  const whole = new Uint8Array(MAX_BYTES);
  let length = 0;
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      if (length + next.value.byteLength > MAX_BYTES) throw new UnreadableText();
      whole.set(next.value, length);
      length += next.value.byteLength;
    }
    return whole.slice(0, length);
  } catch (error) {
    // A cut stream still gives what came before the cut.
    if (error instanceof UnreadableText) throw error;
    return length > 0 ? whole.slice(0, length) : undefined;
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
