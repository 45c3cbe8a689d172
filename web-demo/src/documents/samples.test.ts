// Every question a first visitor is offered must be answered, by the real model, with a whole sentence.
import { createNodeEmbedder } from 'nearfield/engine/node';
import { type Answerer, createAnswerer } from 'nearfield/tasks';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { markdownToText } from './plain-text.ts';
import { SAMPLES } from './samples.ts';

let embedder: Awaited<ReturnType<typeof createNodeEmbedder>>;
let answerer: Answerer;
beforeAll(async () => {
  embedder = await createNodeEmbedder({ contenders: 1 });
  answerer = createAnswerer({ embedder });
});
afterAll(() => embedder?.dispose());

it.each(SAMPLES)('$title answers what it suggests', async ({ id, title, questions, load }) => {
  const document = { id, title, text: markdownToText(await load()) };
  for (const question of questions) {
    const { passages } = await answerer.find(question, [document]);
    expect(passages[0]?.text, question).toMatch(/^\p{Lu}.{20,}[.]$/su);
  }
});
