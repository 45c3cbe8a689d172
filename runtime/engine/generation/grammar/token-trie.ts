// Owns a vocabulary's tokens as a tree of bytes, laid out in the order of a walk, so that all tokens a state
// allows are found in one pass that never looks at a byte twice.
import type { Vocabulary } from '../vocabulary.ts';

export interface TokenTrie {
  /** Nodes in walking order: their byte, their depth (from 1), where the walk goes on without their children. */
  readonly bytes: Uint8Array;
  readonly depths: Uint16Array;
  readonly skips: Int32Array;
  /** Tokens that end at node n: ids[starts[n]] … ids[starts[n + 1] - 1]. */
  readonly starts: Int32Array;
  readonly ids: Int32Array;
  /** Bytes of the longest token. */
  readonly longest: number;
}

/** Tokens without bytes, control tokens among them, are not in it. */
export function createTokenTrie(vocabulary: Vocabulary): TokenTrie {
  const tokens: { id: number; bytes: Uint8Array }[] = [];
  for (let id = 0; id < vocabulary.size; id += 1) {
    const bytes = vocabulary.bytesOf(id);
    if (bytes !== undefined && bytes.length > 0) tokens.push({ id, bytes });
  }
  tokens.sort((a, b) => compare(a.bytes, b.bytes) || a.id - b.id);

  const bytes: number[] = [];
  const depths: number[] = [];
  const skips: number[] = [];
  const starts: number[] = [];
  const ids: number[] = [];
  /** Nodes on the way to the last token, by depth. */
  const path: number[] = [];
  let before = new Uint8Array(0);
  for (const token of tokens) {
    const common = commonLength(before, token.bytes);
    for (const node of path.splice(common)) skips[node] = bytes.length;
    for (let depth = common; depth < token.bytes.length; depth += 1) {
      path.push(bytes.length);
      bytes.push(token.bytes[depth]!);
      depths.push(depth + 1);
      starts.push(ids.length);
    }
    ids.push(token.id);
    before = Uint8Array.from(token.bytes);
  }
  for (const node of path) skips[node] = bytes.length;
  starts.push(ids.length);
  return {
    bytes: Uint8Array.from(bytes),
    depths: Uint16Array.from(depths),
    skips: Int32Array.from(skips),
    starts: Int32Array.from(starts),
    ids: Int32Array.from(ids),
    longest: depths.reduce((most, depth) => Math.max(most, depth), 0),
  };
}

function compare(a: Uint8Array, b: Uint8Array): number {
  const common = commonLength(a, b);
  return (a[common] ?? -1) - (b[common] ?? -1);
}

function commonLength(a: Uint8Array, b: Uint8Array): number {
  const most = Math.min(a.length, b.length);
  let length = 0;
  while (length < most && a[length] === b[length]) length += 1;
  return length;
}
