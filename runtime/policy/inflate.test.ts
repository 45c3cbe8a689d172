// Compressed bytes: opened when they are small, refused when they unfold, never believed when they are cut.
import { deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { createPatternDetector, createPolicy } from './index.ts';
import { inflate } from './inflate.ts';

const bytes = (buffer: Buffer) => new Uint8Array(buffer);
const decode = (found: Uint8Array | undefined) => new TextDecoder().decode(found);
const ask = (content: string) => ({ messages: [{ role: 'user' as const, content }] });

describe('inflate', () => {
  it('opens gzip and deflate', async () => {
    expect(decode(await inflate(bytes(gzipSync('ana@example.com')), 'gzip'))).toBe('ana@example.com');
    expect(decode(await inflate(bytes(deflateSync('ana@example.com')), 'deflate'))).toBe('ana@example.com');
  });

  it('refuses a small text that unfolds into a huge one', async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    expect(bomb.length).toBeLessThan(60_000);
    await expect(inflate(bytes(bomb), 'gzip')).rejects.toThrow();
    const review = await createPolicy('open').review(ask(bomb.toString('base64')), { task: 'generate' });
    expect(review.decision.farthest).toBe('device');
    expect(review.decision.rules).toContain('builtin:unreadable-content');
  });

  it('keeps a gzip stream that cannot be opened on the device', async () => {
    const broken = gzipSync('ana@example.com').fill(0xff, 10);
    const review = await createPolicy('open').review(ask(broken.toString('base64')), { task: 'generate' });
    expect(review.decision.rules).toContain('builtin:unreadable-content');
  });

  it('follows gzip inside gzip', async () => {
    const inner = gzipSync('ana@example.com').toString('base64');
    const outer = gzipSync(`see ${inner}`).toString('base64');
    const spans = await createPatternDetector().detect(outer, { signal: new AbortController().signal });
    expect(spans).toContainEqual(expect.objectContaining({ start: 0, end: outer.length, type: 'email' }));
  });
});
