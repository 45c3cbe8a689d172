// Owns putting a loaded decoder and a model's text files together into a generator, and checking both against
// the model's golden file before anybody is answered. Opens no file and no network.
import * as z from 'zod/mini';
import { NearfieldError } from '../../errors.ts';
import type { Manifest } from '../../models.ts';
import { createGenerator, type Generator, type GeneratorOptions } from './generator.ts';
import { createChatTemplate } from './template.ts';
import type { Decoder } from './types.ts';
import { createVocabulary, type Vocabulary } from './vocabulary.ts';

/** What a model says beside its weights, verified. */
export interface ModelTexts {
  /** tokenizer.json. */
  readonly tokenizer: Uint8Array;
  /** tokenizer_config.json: the chat template and the names of control tokens. */
  readonly config?: Uint8Array | undefined;
  readonly golden?: Uint8Array | undefined;
}

/** How a generator runs; everything has a default. */
export interface ModelGeneratorOptions
  extends Partial<Omit<GeneratorOptions, 'decoder' | 'vocabulary' | 'template' | 'model' | 'endIds'>> {
  /** Jinja source, in place of the model's own. */
  readonly chatTemplate?: string | undefined;
  /** Variables its template asks for, e.g. `{ enable_thinking: false }`. */
  readonly templateVariables?: Readonly<Record<string, unknown>> | undefined;
}

const name = z.nullish(z.union([z.string(), z.looseObject({ content: z.string() })]));
const configSchema = z.looseObject({
  chat_template: z.nullish(
    z.union([z.string(), z.array(z.looseObject({ name: z.string(), template: z.string() }))]),
  ),
  bos_token: name,
  eos_token: name,
});
const goldenSchema = z.looseObject({
  texts: z.array(z.string()),
  inputIds: z.array(z.array(z.int())),
  /** A text, a position: the reference's likeliest tokens. */
  top: z.array(z.array(z.looseObject({ ids: z.array(z.int()) }))),
});

/**
 * Reads tokenizer, template and golden file, checks the decoder, and is ready to answer.
 * @throws model-unsupported, golden-mismatch; the decoder is disposed then
 */
export async function openGenerator(
  decoder: Decoder,
  manifest: Manifest,
  texts: ModelTexts,
  options: ModelGeneratorOptions = {},
): Promise<Generator> {
  try {
    const vocabulary = createVocabulary(texts.tokenizer);
    const config = configOf(texts.config);
    if (texts.golden !== undefined) await checkGolden(texts.golden, vocabulary, decoder);
    const template = createChatTemplate({
      source: options.chatTemplate ?? templateOf(config),
      vocabulary,
      bosToken: nameOf(config.bos_token),
      eosToken: nameOf(config.eos_token),
      variables: options.templateVariables,
    });
    const endIds = new Set(manifest.decoder?.stopTokens ?? []);
    const eos = vocabulary.idOf(nameOf(config.eos_token) ?? '');
    if (eos !== undefined) endIds.add(eos);
    const defaults = { ...manifest.sampling, ...options.defaults };
    return createGenerator({
      ...options,
      defaults,
      decoder,
      vocabulary,
      template,
      model: manifest.id,
      endIds,
    });
  } catch (error) {
    await decoder.dispose();
    throw error;
  }
}

type Config = z.infer<typeof configSchema>;

function configOf(bytes: Uint8Array | undefined): Config {
  if (bytes === undefined) return {};
  try {
    return configSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (cause) {
    throw new NearfieldError('model-unsupported', 'The config file is not a tokenizer_config.json.', {
      cause,
    });
  }
}

function templateOf({ chat_template: template }: Config): string {
  const source =
    typeof template === 'string' ? template : template?.find((entry) => entry.name === 'default')?.template;
  if (source !== undefined) return source;
  throw new NearfieldError(
    'model-unsupported',
    'Expected a chat template in the model’s tokenizer_config.json, got none. Hand one in as chatTemplate.',
  );
}

function nameOf(token: Config['bos_token']): string | undefined {
  return typeof token === 'string' ? token : (token?.content ?? undefined);
}

/** How far the reference's favourite may have fallen, and at how many of the places it must not fall further. */
const RANKS = 3;
const LEAST_FOUND = 0.8;

async function checkGolden(bytes: Uint8Array, vocabulary: Vocabulary, decoder: Decoder): Promise<void> {
  let golden: z.infer<typeof goldenSchema>;
  try {
    golden = goldenSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (cause) {
    throw new NearfieldError('model-unsupported', 'The golden file needs texts, inputIds and top.', {
      cause,
    });
  }
  for (const [at, text] of golden.texts.entries()) {
    if (vocabulary.encodeTemplate(text).join() === golden.inputIds[at]?.join()) continue;
    throw new NearfieldError('golden-mismatch', `Golden text ${at}: the tokenizer gave other ids.`);
  }
  // The shortest is enough to see a wrong decoder, and is not felt at the start.
  const [shortest] = [...golden.inputIds.keys()].sort(
    (a, b) => golden.inputIds[a]!.length - golden.inputIds[b]!.length,
  );
  if (shortest === undefined) return;
  const sequence = decoder.open();
  try {
    const work = { sequence, tokens: golden.inputIds[shortest]!, logits: 'all' as const };
    const [rows] = await decoder.forward([work]);
    checkRows(rows!, decoder.vocab, golden.top[shortest] ?? []);
  } finally {
    sequence.close();
  }
}

/** Quantised, a model may swap near equals; a wrong decoder finds none of the reference's favourites. */
function checkRows(
  rows: Float32Array,
  vocab: number,
  expected: readonly { readonly ids: readonly number[] }[],
): void {
  const found = expected.filter(({ ids: [best] }, at) => {
    const row = rows.subarray(at * vocab, (at + 1) * vocab);
    const logit = row[best ?? 0]!;
    return row.reduce((count, other) => count + (other > logit ? 1 : 0), 0) < RANKS && Number.isFinite(logit);
  });
  if (found.length >= expected.length * LEAST_FOUND) return;
  throw new NearfieldError(
    'golden-mismatch',
    `The decoder ranks the reference’s likeliest token among its first ${RANKS} at ${found.length} of ${expected.length} places; expected at least ${LEAST_FOUND * 100} %.`,
  );
}
