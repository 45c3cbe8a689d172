import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type TinyModel, tinyGolden, tinyModel } from '../../scripts/testing/tiny-model.ts';
import { NearfieldError } from '../errors.ts';
import { sha256Hex } from '../hash.ts';
import type { BackendFactory } from './backend.ts';
import { parseGolden } from './golden.ts';
import { createNodeEmbedder, nodeBackends } from './node.ts';
import { groupByLength } from './ort.ts';
import { cosine } from './pooling.ts';

const root = await mkdtemp(join(tmpdir(), 'nearfield-node-'));
afterAll(() => rm(root, { recursive: true }));

async function place(model: TinyModel, name = model.manifest.id): Promise<string> {
  const folder = join(root, name);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'manifest.json'), JSON.stringify(model.manifest));
  for (const [path, bytes] of model.files) await writeFile(join(folder, path), bytes);
  return folder;
}

/** The model with one file changed and its digest put right, as a publisher's mistake would be. */
async function withFile(model: TinyModel, path: string, bytes: Uint8Array<ArrayBuffer>): Promise<TinyModel> {
  const sha256 = await sha256Hex(bytes);
  const files = model.manifest.files.map((file) =>
    file.path === path ? { ...file, bytes: bytes.byteLength, sha256 } : file,
  );
  return { manifest: { ...model.manifest, files }, files: new Map(model.files).set(path, bytes) };
}

const ortWasm = nodeBackends.filter((entry) => entry.id === 'ort-wasm');

const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

describe('an embedder in Node', () => {
  test('gives the golden vectors, by id and by folder', async () => {
    const folder = await place(tinyModel());
    for (const options of [{ model: 'tiny', modelsFolder: root }, { model: folder }]) {
      const embedder = await createNodeEmbedder(options);
      const { embeddings, tokens } = await embedder.embed(tinyGolden.texts);
      tinyGolden.embeddings.forEach((expected, at) => {
        expect(cosine(Float32Array.from(expected), embeddings[at]!)).toBeGreaterThan(0.99999);
      });
      expect(tokens).toBe(tinyGolden.inputIds.flat().length);
      expect(embedder.backend()).toBe('ort-wasm');
      await embedder.dispose();
    }
  });

  test('pools by itself where the graph does not, to the same vectors', async () => {
    const model = await withFile(
      tinyModel({ pooled: false, id: 'unpooled' }),
      'golden.json',
      json(tinyGolden),
    );
    const embedder = await createNodeEmbedder({ model: await place(model) });
    const { embeddings } = await embedder.embed(tinyGolden.texts);
    expect(cosine(Float32Array.from(tinyGolden.embeddings[1]!), embeddings[1]!)).toBeGreaterThan(0.99999);
    await embedder.dispose();
  });

  test('a text longer than the model is cut and still ends with the closing token', async () => {
    const embedder = await createNodeEmbedder({ model: await place(tinyModel()) });
    const long = await embedder.embed(['question '.repeat(50), '']);
    expect(long.tokens).toBe(16 + 2);
    expect(long.embeddings.every((row) => Math.abs(cosine(row, row) - 1) < 1e-6)).toBe(true);
    await embedder.dispose();
  });

  test('rows of unlike lengths in one batch get the vectors they get alone', async () => {
    const embedder = await createNodeEmbedder({ model: await place(tinyModel()) });
    const texts = ['a', 'the question stays on the device', 'b c d e f g h i j k', 'edge', 'near field a'];
    const together = await embedder.embed(texts);
    for (const [at, text] of texts.entries()) {
      const alone = await embedder.embed([text]);
      expect(cosine(alone.embeddings[0]!, together.embeddings[at]!)).toBeGreaterThan(0.99999);
    }
    await embedder.dispose();
  });

  test('an aborted call rejects and the next is answered', async () => {
    const embedder = await createNodeEmbedder({ model: await place(tinyModel()) });
    await expect(embedder.embed(['a'], { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
    expect((await embedder.embed(['a'])).embeddings).toHaveLength(1);
    await embedder.dispose();
  });
});

describe('the model that comes with the package', () => {
  test('gives the same vectors on each backend, and nearly those of the fp32 reference', async () => {
    const folder = new URL('../../models/all-minilm-l6-v2/', import.meta.url);
    const golden = parseGolden(await readFile(new URL('golden.json', folder)));
    const runs = new Map<string, readonly Float32Array[]>();
    for (const row of nodeBackends) {
      const embedder = await createNodeEmbedder({ backends: [row], contenders: 1 });
      runs.set(row.id, (await embedder.embed(golden.texts)).embeddings);
      await embedder.dispose();
    }
    const reference = runs.get('ort-wasm')!;
    for (const [backend, embeddings] of runs) {
      embeddings.forEach((row, at) => {
        // A lone word has no neighbours to average 7-bit activations over: 0.995 there on the kernel.
        const sentence = golden.inputIds[at]!.length > 3;
        const toReference = cosine(reference[at]!, row);
        expect(toReference, `${backend}, text ${at}`).toBeGreaterThanOrEqual(sentence ? 0.999 : 0.99);
        const toGolden = cosine(Float32Array.from(golden.embeddings[at]!), row);
        expect(toGolden, `${backend}, text ${at}`).toBeGreaterThanOrEqual(sentence ? 0.998 : 0.99);
      });
    }
  });
});

describe('what is refused', () => {
  test('weights that do not match their digest', async () => {
    const model = tinyModel({ id: 'tampered' });
    const folder = await place(model);
    const weights = model.files.get('model.onnx')!.slice();
    weights[1000]! ^= 1;
    await writeFile(join(folder, 'model.onnx'), weights);
    await expect(createNodeEmbedder({ model: folder })).rejects.toMatchObject({ code: 'integrity-mismatch' });
  });

  test('an unknown id', async () => {
    await expect(createNodeEmbedder({ model: 'nothing', modelsFolder: root })).rejects.toMatchObject({
      code: 'model-not-found',
    });
  });

  test('a tokenizer that gives other ids than the reference', async () => {
    const inputIds = tinyGolden.inputIds.map((ids) => [...ids].reverse());
    const model = await withFile(tinyModel({ id: 'ids' }), 'golden.json', json({ ...tinyGolden, inputIds }));
    await expect(createNodeEmbedder({ model: await place(model) })).rejects.toMatchObject({
      code: 'golden-mismatch',
    });
  });

  test('a backend whose vectors are wrong, at the first use', async () => {
    const embeddings = tinyGolden.embeddings.map((row) => row.map((value) => -value));
    const model = await withFile(
      tinyModel({ id: 'wrong' }),
      'golden.json',
      json({ ...tinyGolden, embeddings }),
    );
    const embedder = await createNodeEmbedder({ model: await place(model), backends: ortWasm });
    await expect(embedder.embed(['a'])).rejects.toMatchObject({ code: 'golden-mismatch' });
    await embedder.dispose();
  });
});

describe('one failure never breaks the next', () => {
  test('a corrupted graph fails to load, and a good one loads after it in the same process', async () => {
    const broken = await withFile(tinyModel({ id: 'broken' }), 'model.onnx', new Uint8Array(1870).fill(7));
    const embedder = await createNodeEmbedder({ model: await place(broken), backends: ortWasm });
    await expect(embedder.embed(['a'])).rejects.toMatchObject({ code: 'model-load-failed' });
    const good = await createNodeEmbedder({ model: await place(tinyModel()) });
    expect((await good.embed(['a'])).embeddings).toHaveLength(1);
    await Promise.all([embedder.dispose(), good.dispose()]);
  });

  test('a rung that dies at work hands its request to the next, unchanged', async () => {
    const dying: BackendFactory = {
      id: 'kernel',
      batchTokens: 64,
      available: () => true,
      create: async (model, options) => {
        const inner = await ortWasm[0]!.create(model, options);
        let runs = 0;
        return {
          backend: 'kernel',
          dispose: () => inner.dispose(),
          run: (input, output) => {
            runs += 1;
            // The golden check passes; the first real request meets the failure.
            if (runs > 1) return Promise.reject(new NearfieldError('device-lost', 'gone'));
            return inner.run(input, output);
          },
        };
      },
    };
    const falls: string[] = [];
    const embedder = await createNodeEmbedder({
      model: await place(tinyModel()),
      backends: [...ortWasm, dying],
      contenders: 1,
      onFall: (from) => falls.push(from),
    });
    const answers = await Promise.all(tinyGolden.texts.map((text) => embedder.embed([text])));
    answers.forEach(({ embeddings }, at) => {
      expect(cosine(Float32Array.from(tinyGolden.embeddings[at]!), embeddings[0]!)).toBeGreaterThan(0.99999);
    });
    expect(falls).toEqual(['kernel']);
    expect(embedder.backend()).toBe('ort-wasm');
    await embedder.dispose();
  });
});

describe('groups of similar length', () => {
  test('every row is in one group and no group pads more than a fifth', () => {
    const rowTokens = Int32Array.of(10, 128, 9, 100, 8, 120, 2);
    const groups = groupByLength(rowTokens);
    expect(groups.flat().sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    for (const group of groups) {
      const lengths = group.map((row) => rowTokens[row]!);
      expect(Math.min(...lengths)).toBeGreaterThanOrEqual(Math.max(...lengths) * 0.8);
    }
  });
});
