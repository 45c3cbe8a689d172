import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDetectors, createPolicy } from '../policy/index.ts';
import { createNodeTagger, findNodeTagger } from './tagger-node.ts';

const MODEL = fileURLToPath(new URL('../../models/nearfield-pii', import.meta.url));
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nearfield-pii-'));
  await cp(MODEL, join(folder, 'broken'), { recursive: true });
  const weights = join(folder, 'broken', 'onnx', 'model.onnx');
  const bytes = await readFile(weights);
  bytes[bytes.length >> 1]! ^= 1;
  await writeFile(weights, bytes);
});
afterAll(() => rm(folder, { recursive: true }));

it('opens the shipped model, checked against its golden scores, and tags three languages', async () => {
  const tagger = await createNodeTagger();
  const told = async (text: string) =>
    (await tagger.tag(text)).map(({ start, end, type }) => `${type} ${text.slice(start, end)}`);
  expect(await told('My name is Marta Lindgren and I live in Dublin.')).toEqual([
    'person Marta Lindgren',
    'location Dublin',
  ]);
  expect(await told('Paciente: Rosario Quintana, ingresada el 14/03/2023.')).toEqual([
    'person Rosario Quintana',
    'date 14/03/2023',
  ]);
  expect(await told('meu nome é Beatriz Nogueira')).toEqual(['person Beatriz Nogueira']);
  expect(await told('The Gleason score was 7; metformin 500 mg twice a day.')).toEqual([]);
  expect(await tagger.tag('')).toEqual([]);
  await tagger.dispose();
});

it('is off where its model is not', async () => {
  expect(await findNodeTagger({ model: 'no-such-model' })).toBeUndefined();
});

it('keeps requests on the device where its model is there and damaged', async () => {
  const tagger = await findNodeTagger({ model: join(folder, 'broken') });
  expect(tagger).toBeDefined();
  await expect(tagger!.tag('hello')).rejects.toMatchObject({ code: 'integrity-mismatch' });
  const policy = createPolicy('open', { detectors: createDetectors(tagger) });
  const review = await policy.review(
    { messages: [{ role: 'user', content: 'hello' }] },
    { task: 'generate', consent: 'cloud' },
  );
  expect(review.decision).toMatchObject({ farthest: 'device', cacheable: false });
  expect(review.decision.rules).toContain('builtin:detector-failed');
});
