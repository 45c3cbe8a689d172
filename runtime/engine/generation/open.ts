// Owns putting a model's text files and its decoder together into a generator, the tokenizer checked against the
// golden file before the decoder is opened. Opens no file and no network.
import * as z from 'zod/mini';
import { NearfieldError } from '../../errors.ts';
import type { DecoderShape, Manifest } from '../../models.ts';
import { type DecoderGolden, parseDecoderGolden } from './decoder-golden.ts';
import { createGenerator, type Generator, type GeneratorOptions } from './generator.ts';
import { createChatTemplate } from './template.ts';
import type { Decoder } from './types.ts';
import { createVocabulary, type Vocabulary } from './vocabulary.ts';

/** The part of a manifest used here. */
export interface ModelName extends Pick<Manifest, 'id' | 'sampling'> {
  readonly decoder?: Pick<DecoderShape, 'stopTokens'> | undefined;
}

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

/**
 * Reads tokenizer, template and golden file, then opens the decoder, and is ready to answer. In this order, because what
 * reading a vocabulary leaves behind is gone before the weights come. The decoder checks itself.
 * @throws model-unsupported, golden-mismatch; whatever opening the decoder throws
 */
export async function openGenerator(
  openDecoder: () => Promise<Decoder>,
  manifest: ModelName,
  texts: ModelTexts,
  options: ModelGeneratorOptions = {},
): Promise<Generator> {
  const vocabulary = createVocabulary(texts.tokenizer);
  const config = configOf(texts.config);
  if (texts.golden !== undefined) checkTokenizer(parseDecoderGolden(texts.golden), vocabulary);
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
  const decoder = await openDecoder();
  return createGenerator({
    ...options,
    defaults,
    decoder,
    vocabulary,
    template,
    model: manifest.id,
    endIds,
  });
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

/** Another tokenizer gives other ids, and fluent nonsense. */
function checkTokenizer(golden: DecoderGolden, vocabulary: Vocabulary): void {
  for (const [at, text] of golden.texts.entries()) {
    if (vocabulary.encodeTemplate(text).join() === golden.inputIds[at]?.join()) continue;
    throw new NearfieldError('golden-mismatch', `Golden text ${at}: the tokenizer gave other ids.`);
  }
}
