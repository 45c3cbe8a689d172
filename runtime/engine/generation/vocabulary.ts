// Owns what a generating model's token ids stand for: text to ids, an id to its bytes. Refuses to let plain
// text become a control token; only a chat template's own text may.
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import * as z from 'zod/mini';
import { NearfieldError } from '../../errors.ts';

export interface Vocabulary {
  /** Ids are 0…size-1; a decoder's row of logits may be longer. */
  readonly size: number;
  /** Tokens beside the learned ones: control tokens, and others the text may name. */
  readonly added: readonly AddedToken[];
  /** Ids of text in which control tokens' names mean those tokens. For template text alone. */
  encodeTemplate(text: string): readonly number[];
  /** Ids of text in which nothing names a control token. */
  encodePlain(text: string): readonly number[];
  /** What the id stands for in UTF-8, possibly a part of a character; undefined for control tokens. */
  bytesOf(id: number): Uint8Array | undefined;
  /** Id of a token by its name, e.g. `<|im_end|>`. */
  idOf(name: string): number | undefined;
  /** A control token's name. */
  nameOf(id: number): string | undefined;
  /** The first word of an answer begins with a space that is not part of it. */
  readonly dropsFirstSpace: boolean;
}

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Never part of an answer's text. */
  readonly special: boolean;
  /** White space on that side belongs to the token. */
  readonly lstrip: boolean;
  readonly rstrip: boolean;
}

const fileSchema = z.looseObject({
  added_tokens: z._default(
    z.array(
      z.looseObject({
        id: z.int(),
        content: z.string(),
        special: z._default(z.boolean(), false),
        lstrip: z._default(z.boolean(), false),
        rstrip: z._default(z.boolean(), false),
      }),
    ),
    [],
  ),
  decoder: z.nullish(z.looseObject({ type: z.string() })),
  model: z.looseObject({ type: z.optional(z.string()) }),
});

/** How a learned token's name spells its bytes. */
type Spelling = 'byte-level' | 'sentencepiece';

/**
 * Reads a tokenizer.json of a byte-level BPE or a SentencePiece model.
 * @throws model-unsupported when it is neither
 */
export function createVocabulary(json: Uint8Array | string | object): Vocabulary {
  const file = parse(json);
  const withControl = build(file);
  const withoutNames = withoutControl(file, withControl);
  const added = file.added_tokens.filter(({ content }) => content !== '');
  const spelling = spellingOf(file);
  const dropsFirstSpace = spelling === 'sentencepiece' && JSON.stringify(file.decoder).includes('"Strip"');
  letGo(file, withControl);
  const { size, bytesOf } = bytesTable(withControl, added, spelling);
  const controls = new Set(added.map(({ id }) => id));
  const ids = (tokenizer: HuggingFaceTokenizer, text: string): number[] =>
    text === '' ? [] : tokenizer.encode(text, { add_special_tokens: false }).ids;
  return {
    size,
    added,
    encodeTemplate: (text) => ids(withControl, text),
    encodePlain(text) {
      const found = ids(withoutNames, text);
      // A vocabulary may list a control token's name among its learned words; then letter by letter.
      if (!found.some((id) => controls.has(id))) return found;
      return [...text].flatMap((letter) => ids(withoutNames, letter));
    },
    bytesOf,
    idOf: (name) => withControl.token_to_id(name),
    nameOf: (id) => added.find((token) => token.id === id)?.content,
    dropsFirstSpace,
  };
}

type TokenizerFile = z.infer<typeof fileSchema>;

function parse(json: Uint8Array | string | object): TokenizerFile {
  try {
    const text = json instanceof Uint8Array ? new TextDecoder().decode(json) : json;
    return fileSchema.parse(typeof text === 'string' ? JSON.parse(text) : text);
  } catch (cause) {
    throw new NearfieldError('model-unsupported', 'The tokenizer file is not a tokenizer.json.', { cause });
  }
}

function build(file: TokenizerFile): HuggingFaceTokenizer {
  try {
    return new HuggingFaceTokenizer(file, {});
  } catch (cause) {
    throw new NearfieldError('model-unsupported', 'The tokenizer.json names parts this runtime lacks.', {
      cause,
    });
  }
}

/** The same model and the same steps, and no names of control tokens to look for. */
function withoutControl(file: TokenizerFile, whole: HuggingFaceTokenizer): HuggingFaceTokenizer {
  const empty = { ...file.model, vocab: Array.isArray(file.model.vocab) ? [] : {}, merges: [] };
  try {
    const plain = new HuggingFaceTokenizer({ ...file, added_tokens: [], model: empty }, {});
    // A vocabulary of 49,152 takes a second to build; it is shared instead.
    plain.model = whole.model;
    return plain;
  } catch {
    return build({ ...file, added_tokens: [] });
  }
}

/**
 * The library keeps what it was built of, ten megabytes for a vocabulary of 49,152, and reads none of it again: a BPE
 * model's merges are in its ranks, its words in its tables.
 */
function letGo(file: TokenizerFile, { model }: HuggingFaceTokenizer): void {
  if (file.model.type !== 'BPE') return;
  Object.assign(file.model, { vocab: {}, merges: [] });
  if (model !== null && 'merges' in model) Object.assign(model, { merges: [] });
}

function spellingOf(file: TokenizerFile): Spelling {
  const decoder = JSON.stringify(file.decoder ?? null);
  if (decoder.includes('"ByteLevel"')) return 'byte-level';
  if (/"ByteFallback"|"Metaspace"|"Replace"/.test(decoder)) return 'sentencepiece';
  throw new NearfieldError(
    'model-unsupported',
    `Expected a byte-level or SentencePiece tokenizer, got decoder ${file.decoder?.type ?? 'none'}.`,
  );
}

/** All tokens' bytes one after another: an array a token would take ten times as much. */
function bytesTable(
  tokenizer: HuggingFaceTokenizer,
  added: readonly AddedToken[],
  spelling: Spelling,
): Pick<Vocabulary, 'size' | 'bytesOf'> {
  const encoder = new TextEncoder();
  const room = new Uint8Array(256);
  const extra = new Map(added.map((token) => [token.id, token]));
  const size = Math.max(tokenizer.model?.vocab.length ?? 0, ...added.map(({ id }) => id + 1));
  const starts = new Int32Array(size).fill(-1);
  const ends = new Int32Array(size);
  let all = new Uint8Array(size * 8);
  let used = 0;
  const bytesFor = (id: number): Uint8Array | undefined => {
    const token = extra.get(id);
    if (token !== undefined) return token.special ? undefined : encoder.encode(token.content);
    const name = tokenizer.id_to_token(id);
    if (name === undefined) return undefined;
    return spelling === 'byte-level' ? byteLevelBytes(name, room) : sentencePieceBytes(name, encoder);
  };
  for (let id = 0; id < size; id += 1) {
    const bytes = bytesFor(id);
    if (bytes === undefined) continue;
    if (used + bytes.length > all.length) all = enlarged(all, used + bytes.length);
    all.set(bytes, used);
    starts[id] = used;
    used += bytes.length;
    ends[id] = used;
  }
  const kept = all.slice(0, used);
  return {
    size,
    bytesOf: (id) => ((starts[id] ?? -1) < 0 ? undefined : kept.subarray(starts[id], ends[id])),
  };
}

function enlarged(bytes: Uint8Array, least: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.max(least, bytes.length * 2));
  larger.set(bytes);
  return larger;
}

function sentencePieceBytes(name: string, encoder: TextEncoder): Uint8Array {
  const byte = /^<0x([0-9A-F]{2})>$/.exec(name)?.[1];
  if (byte !== undefined) return Uint8Array.of(Number.parseInt(byte, 16));
  return encoder.encode(name.replaceAll('\u2581', ' '));
}

/** Source: GPT-2's bytes_to_unicode; printable bytes stand for themselves, the rest begin at U+0100. */
const BYTE_OF_LETTER: ReadonlyMap<string, number> = new Map(
  (() => {
    const printable = (byte: number) =>
      (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
    let next = 256;
    return Array.from({ length: 256 }, (_, byte): [string, number] => [
      String.fromCharCode(printable(byte) ? byte : next++),
      byte,
    ]);
  })(),
);

/** Undefined where the name is no byte-level spelling, which makes it a token nobody can mean. Written over `room`. */
function byteLevelBytes(name: string, room: Uint8Array): Uint8Array | undefined {
  const bytes = name.length <= room.length ? room.subarray(0, name.length) : new Uint8Array(name.length);
  for (let at = 0; at < name.length; at += 1) {
    const byte = BYTE_OF_LETTER.get(name[at]!);
    if (byte === undefined) return undefined;
    bytes[at] = byte;
  }
  return bytes;
}
