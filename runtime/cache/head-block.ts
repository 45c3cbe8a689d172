// Owns how many heads are one run of bytes: columns of numbers, the texts as one string, the vectors one after another,
// and a checksum. Made to be read fast; a torn or foreign run is told, not believed. Little-endian, as all platforms are.
import type { EntryHead } from './store.ts';

/** Heads in the order of the table, and where in it each lies. */
export interface HeadBlock {
  readonly places: readonly number[];
  readonly heads: readonly EntryHead[];
}

/** "NFB1"; another layout has another. */
const MAGIC = 0x3142_464e;
/** Unsigned 32-bit numbers: magic, checksum, rows, then the bytes of each section. */
const HEADER_WORDS = 8;
const FLOATS = 8;
const COUNTS = 6;
const NO_VECTOR = 0xffff_ffff;
const NO_TAGS: readonly string[] = Object.freeze([]);

/** Undefined where a text is no well-formed Unicode, which UTF-8 could not give back. */
export function encodeBlock({ places, heads }: HeadBlock): Uint8Array<ArrayBuffer> | undefined {
  const rows = heads.length;
  const hashes = [...new Set(heads.flatMap(({ scopeHash, contextHash }) => [scopeHash, contextHash]))];
  const hashAt = new Map(hashes.map((hash, at) => [hash, at]));
  const tags = heads.map((head) => (head.tags.length === 0 ? '' : JSON.stringify(head.tags)));
  const texts = [
    JSON.stringify(hashes),
    heads.map(({ id }) => id).join(''),
    heads.map(({ text }) => text).join(''),
    tags.join(''),
  ];
  if (texts.some((text) => !text.isWellFormed())) return undefined;
  const sections = texts.map((text) => new TextEncoder().encode(text));
  const vectorBytes = heads.reduce((sum, { vector }) => sum + (vector?.values.length ?? 0), 0);
  const layout = layoutOf(rows, [...sections.map(({ length }) => length), vectorBytes]);
  const block = new Uint8Array(layout.end);
  const words = new Uint32Array(block.buffer);
  const floats = new Float64Array(block.buffer, layout.floats, FLOATS * rows);
  const counts = new Uint32Array(block.buffer, layout.counts, COUNTS * rows);
  let vectorAt = layout.sections[4]!;
  heads.forEach((head, at) => {
    const { vector } = head;
    const numbers = [
      places[at]!,
      head.createdAtMs,
      head.expiresAtMs,
      head.usedAtMs,
      head.hits,
      head.costMs,
      head.bytes,
      vector?.scale ?? 0,
    ];
    numbers.forEach((number, column) => {
      floats[column * rows + at] = number;
    });
    const lengths = [
      head.id.length,
      head.text.length,
      tags[at]!.length,
      hashAt.get(head.scopeHash)!,
      hashAt.get(head.contextHash)!,
      vector?.values.length ?? NO_VECTOR,
    ];
    lengths.forEach((length, column) => {
      counts[column * rows + at] = length;
    });
    if (vector !== undefined) block.set(new Uint8Array(vector.values), vectorAt);
    vectorAt += vector?.values.length ?? 0;
  });
  for (const [at, section] of sections.entries()) block.set(section, layout.sections[at]!);
  words.set([MAGIC, 0, rows, ...sections.map(({ length }) => length), vectorBytes]);
  words[1] = checksum(words);
  return block;
}

/** Undefined for what {@link encodeBlock} did not make, or no longer whole. Vectors are views of the bytes. */
export function decodeBlock(stored: Uint8Array): HeadBlock | undefined {
  if (stored.length < HEADER_WORDS * 4 || stored.length % 8 !== 0) return undefined;
  const bytes = stored.byteOffset % 8 === 0 ? stored : stored.slice();
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const [magic, sum, rows = 0, ...sizes] = words.subarray(0, HEADER_WORDS);
  if (magic !== MAGIC || rows > bytes.length) return undefined;
  const layout = layoutOf(rows, sizes);
  if (layout.end !== bytes.length || sum !== checksum(words)) return undefined;
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const text = (section: number): string => {
    const from = layout.sections[section]!;
    return decoder.decode(bytes.subarray(from, from + sizes[section]!));
  };
  const hashes = JSON.parse(text(0)) as readonly string[];
  const [ids, texts, tags] = [text(1), text(2), text(3)];
  const floats = new Float64Array(bytes.buffer, bytes.byteOffset + layout.floats, FLOATS * rows);
  const counts = new Uint32Array(bytes.buffer, bytes.byteOffset + layout.counts, COUNTS * rows);
  const places: number[] = [];
  const heads: EntryHead[] = [];
  let [idAt, textAt, tagsAt, vectorAt] = [0, 0, 0, bytes.byteOffset + layout.sections[4]!];
  for (let at = 0; at < rows; at += 1) {
    const [idEnd, textEnd] = [idAt + counts[at]!, textAt + counts[rows + at]!];
    const [tagsLength, vectorLength] = [counts[2 * rows + at]!, counts[5 * rows + at]!];
    const hasVector = vectorLength !== NO_VECTOR;
    places.push(floats[at]!);
    // One shape for all, so that reading many is fast.
    heads.push({
      id: ids.slice(idAt, idEnd),
      scopeHash: hashes[counts[3 * rows + at]!]!,
      contextHash: hashes[counts[4 * rows + at]!]!,
      text: texts.slice(textAt, textEnd),
      vector: hasVector
        ? { values: new Int8Array(bytes.buffer, vectorAt, vectorLength), scale: floats[7 * rows + at]! }
        : undefined,
      tags: tagsLength === 0 ? NO_TAGS : (JSON.parse(tags.slice(tagsAt, tagsAt + tagsLength)) as string[]),
      createdAtMs: floats[rows + at]!,
      expiresAtMs: floats[2 * rows + at]!,
      usedAtMs: floats[3 * rows + at]!,
      hits: floats[4 * rows + at]!,
      costMs: floats[5 * rows + at]!,
      bytes: floats[6 * rows + at]!,
    });
    [idAt, textAt, tagsAt] = [idEnd, textEnd, tagsAt + tagsLength];
    if (hasVector) vectorAt += vectorLength;
  }
  return { places, heads };
}

interface Layout {
  readonly floats: number;
  readonly counts: number;
  readonly sections: readonly number[];
  readonly end: number;
}

function layoutOf(rows: number, sizes: readonly number[]): Layout {
  let end = HEADER_WORDS * 4;
  const place = (size: number): number => {
    const at = end;
    end = Math.ceil((end + size) / 8) * 8;
    return at;
  };
  return {
    floats: place(FLOATS * 8 * rows),
    counts: place(COUNTS * 4 * rows),
    sections: sizes.map(place),
    get end() {
      return end;
    },
  };
}

/** Of all words but its own. Tells what was torn or flipped, not what was forged. Source: FNV-1a, a word at a time. */
function checksum(words: Uint32Array): number {
  let hash = 0x811c_9dc5;
  for (let at = 2; at < words.length; at += 1) hash = Math.imul(hash ^ words[at]!, 0x0100_0193);
  return (hash ^ words[0]!) >>> 0;
}
