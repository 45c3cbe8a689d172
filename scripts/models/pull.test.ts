import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { tinyChatModel } from '../../runtime/engine/generation/fixtures/tiny-chat-model.ts';
import { createNodeGenerator } from '../../runtime/engine/generation/node.ts';
import { pull } from './pull.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const hash = (kind: string, ...parts: (string | Uint8Array)[]) =>
  parts.reduce((sum, part) => sum.update(part), createHash(kind)).digest('hex');

async function hubOf(files: Record<string, Uint8Array>) {
  const commit = hash('sha1', ...Object.keys(files));
  const server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? '').split('?')[0]!);
    if (path === '/api/models/someone/Tiny-Llama/revision/main') {
      const siblings = Object.entries(files).map(([rfilename, bytes]) =>
        rfilename.endsWith('.safetensors')
          ? { rfilename, lfs: { sha256: hash('sha256', bytes), size: bytes.byteLength } }
          : { rfilename, size: bytes.byteLength, blobId: hash('sha1', `blob ${bytes.byteLength}\0`, bytes) },
      );
      return void response.end(JSON.stringify({ sha: commit, siblings }));
    }
    const bytes = files[path.replace(`/someone/Tiny-Llama/resolve/${commit}/`, '')];
    if (bytes === undefined) response.writeHead(404).end();
    else response.end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const out = await mkdtemp(join(tmpdir(), 'nearfield-pull-'));
  closers.push(
    () => server.close(),
    () => rm(out, { recursive: true, force: true }),
  );
  return { host: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, commit, out };
}

describe('pull', () => {
  it('brings a model made for this runtime, which then answers', async () => {
    const files = { ...(await tinyChatModel()), 'picture.png': new Uint8Array(9) };
    const { host, commit, out } = await hubOf(files);
    const lines: string[] = [];
    const pulled = await pull({ id: 'someone/Tiny-Llama', host, out, onLine: (line) => lines.push(line) });
    expect(pulled).toMatchObject({ commit, kind: 'ready', folder: join(out, 'tiny-llama') });
    expect(await readdir(pulled.folder)).not.toContain('picture.png');
    expect(lines[0]).toContain(commit);
    const lock = JSON.parse(await readFile(join(pulled.folder, 'pulled.json'), 'utf8')) as typeof pulled;
    expect(lock.files).toEqual(pulled.files);
    const generator = await createNodeGenerator({ model: pulled.folder, threads: 1 });
    const parts = generator.stream(
      { messages: [{ role: 'user', content: 'Hi' }], max_completion_tokens: 3 },
      { signal: new AbortController().signal },
    );
    const kinds: string[] = [];
    for await (const part of parts) kinds.push(part.type);
    expect(kinds.at(-1)).toBe('finish');
    await generator.dispose();
  });

  it('tells a checkpoint to quantise from one to leave as it is', async () => {
    const config = (type: string) => new TextEncoder().encode(JSON.stringify({ model_type: type }));
    const weights = { 'model.safetensors': new Uint8Array(20) };
    for (const [type, kind] of [
      ['qwen2', 'llama'],
      ['gpt2', 'other'],
    ] as const) {
      const { host, out } = await hubOf({ ...weights, 'config.json': config(type) });
      expect(await pull({ id: 'someone/Tiny-Llama', host, out })).toMatchObject({ kind });
    }
  });

  it('leaves no folder of parts as a model when aborted', async () => {
    const { host, out } = await hubOf({ 'config.json': new Uint8Array(3) });
    const signal = AbortSignal.abort();
    await expect(pull({ id: 'someone/Tiny-Llama', host, out, signal })).rejects.toMatchObject({
      name: 'AbortError',
    });
    expect(await readdir(out)).toEqual([]);
  });
});
