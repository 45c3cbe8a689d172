// Owns a byte grammar as the decode loop wants it: over tokens. Masks are made by one walk of the vocabulary
// and kept; fixed texts and ways to an end are told as tokens.
import type { TokenGrammar } from '../token-grammar.ts';
import type { Vocabulary } from '../vocabulary.ts';
import type { Machine } from './machine.ts';
import type { TokenTrie } from './token-trie.ts';

export interface TokenMasksOptions {
  readonly machine: Machine;
  readonly trie: TokenTrie;
  readonly vocabulary: Vocabulary;
  readonly endIds: ReadonlySet<number>;
  /** Entries of a row of logits. */
  readonly vocab: number;
}

/** Masks kept; one is vocab / 8 bytes, so 6 KiB for 49,152 tokens. */
const MAX_MASKS = 2000;
/** Bytes of fixed text worked out at once. */
const MAX_FORCED = 512;

export function createTokenMasks(options: TokenMasksOptions): TokenGrammar {
  const { machine, trie, vocabulary, endIds, vocab } = options;
  const masks = new Map<number, Uint32Array>();
  const forcedOf = new Map<number, readonly number[]>();
  const closingOf = new Map<number, readonly number[]>();
  const path = new Int32Array(trie.longest + 1);

  function walk(state: number): Uint32Array {
    const mask = new Uint32Array(Math.ceil(vocab / 32));
    const { bytes, depths, skips, starts, ids } = trie;
    path[0] = state;
    for (let node = 0; node < bytes.length; ) {
      const depth = depths[node]!;
      const next = machine.step(path[depth - 1]!, bytes[node]!);
      if (next < 0) {
        node = skips[node]!;
        continue;
      }
      path[depth] = next;
      for (let at = starts[node]!; at < starts[node + 1]!; at += 1) {
        const id = ids[at]!;
        if (id < vocab) mask[id >>> 5]! |= 1 << (id & 31);
      }
      node += 1;
    }
    if (machine.accepts(state)) for (const id of endIds) mask[id >>> 5]! |= 1 << (id & 31);
    return mask;
  }

  function nextBytes(state: number, bytes: Iterable<number>): number | undefined {
    let at = state;
    for (const byte of bytes) {
      at = machine.step(at, byte);
      if (at < 0) return undefined;
    }
    return at;
  }

  function forced(state: number): readonly number[] {
    const bytes: number[] = [];
    let at = state;
    for (let byte = machine.only(at); byte >= 0 && bytes.length < MAX_FORCED; byte = machine.only(at)) {
      bytes.push(byte);
      at = machine.step(at, byte);
    }
    if (bytes.length === 0) return [];
    const ids = tokensOf(Uint8Array.from(bytes), vocabulary);
    if (ids === undefined) return [];
    // The last token might have become a longer one together with what follows; the model says that.
    return machine.mustEnd(at) ? ids : ids.slice(0, -1);
  }

  return {
    start: machine.start,
    mask(state) {
      const like = machine.alike(state, trie.longest);
      const known = masks.get(like);
      if (known !== undefined) return known;
      const mask = walk(like);
      if (masks.size >= MAX_MASKS) masks.delete(masks.keys().next().value!);
      masks.set(like, mask);
      return mask;
    },
    next(state, id) {
      const bytes = vocabulary.bytesOf(id);
      return bytes === undefined || bytes.length === 0 ? undefined : nextBytes(state, bytes);
    },
    nextText: (state, text) => nextBytes(state, new TextEncoder().encode(text)),
    mustEnd: (state) => machine.mustEnd(state),
    forced: (state) => remember(forcedOf, state, () => forced(state)),
    closing: (state) =>
      remember(closingOf, state, () => longestTokens(machine.closing(state) ?? new Uint8Array(0), trie)),
  };
}

/** The model's own way to write the text; undefined where its tokens are not exactly these bytes. */
function tokensOf(bytes: Uint8Array, vocabulary: Vocabulary): readonly number[] | undefined {
  const exact = (ids: readonly number[]): boolean => {
    const said = ids.flatMap((id) => [...(vocabulary.bytesOf(id) ?? [-1])]);
    return said.length === bytes.length && said.every((byte, at) => byte === bytes[at]);
  };
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    // Some models have a token for `<tool_call>`, and have read it as that. Control tokens have no bytes here.
    const named = vocabulary.added.some(({ special, content }) => !special && text.includes(content));
    const own = named ? vocabulary.encodeTemplate(text) : [];
    const ids = named && exact(own) ? own : vocabulary.encodePlain(text);
    return exact(ids) ? ids : undefined;
  } catch {
    return undefined;
  }
}

/** Longest token first: not the model's way, but it may begin inside a character. */
function longestTokens(bytes: Uint8Array, trie: TokenTrie): readonly number[] {
  const said: number[] = [];
  for (let from = 0; from < bytes.length; ) {
    let length = 0;
    let id = -1;
    for (let node = 0, matched = 0; node < trie.bytes.length; ) {
      const depth = trie.depths[node]!;
      // Out of the children of what matched: no token is longer.
      if (depth <= matched) break;
      if (trie.bytes[node] !== bytes[from + depth - 1]) {
        node = trie.skips[node]!;
        continue;
      }
      matched = depth;
      if (trie.starts[node + 1]! > trie.starts[node]!) {
        length = depth;
        id = trie.ids[trie.starts[node]!]!;
      }
      node += 1;
    }
    if (id < 0) return said;
    said.push(id);
    from += length;
  }
  return said;
}

function remember(
  known: Map<number, readonly number[]>,
  state: number,
  make: () => readonly number[],
): readonly number[] {
  const found = known.get(state);
  if (found !== undefined) return found;
  const made = make();
  known.set(state, made);
  return made;
}
