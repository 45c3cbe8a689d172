// Owns views: a readable form of a text, with the way back to the original's offsets for every character.
// Patterns look at views only; what they find is always told in the original's offsets.

/** `starts[i]`…`ends[i]` is the stretch of the original that character i of `text` stands for. */
export interface View {
  readonly text: string;
  /** Undefined where the view is the original itself. */
  readonly starts: Uint32Array | undefined;
  readonly ends: Uint32Array | undefined;
}

export function originalView(text: string): View {
  return { text, starts: undefined, ends: undefined };
}

/** The original's stretch behind characters `start`…`end` of the view (end exclusive, not empty). */
export function locate(view: View, start: number, end: number): { start: number; end: number } {
  if (!view.starts || !view.ends) return { start, end };
  const a = view.starts[start] as number;
  const b = view.ends[end - 1] as number;
  // A reversed view runs backwards.
  const first = Math.min(a, view.starts[end - 1] as number);
  return { start: first, end: Math.max(b, view.ends[start] as number) };
}

/** A view where every character stands for the same stretch: what was decoded from one token. */
export function tokenView(text: string, parent: View, start: number, end: number): View {
  const range = locate(parent, start, end);
  return {
    text,
    starts: new Uint32Array(text.length).fill(range.start),
    ends: new Uint32Array(text.length).fill(range.end),
  };
}

export interface ViewBuilder {
  /** Keeps characters `start`…`end` of the parent as they are. */
  keep(start: number, end: number): void;
  /** Puts `text` where characters `start`…`end` of the parent stood. */
  put(text: string, start: number, end: number): void;
  build(): View;
}

/** Builds a view from pieces of another, in order. `capacity` is the longest it can become. */
export function createViewBuilder(parent: View, capacity: number): ViewBuilder {
  const starts = new Uint32Array(capacity);
  const ends = new Uint32Array(capacity);
  let length = 0;
  let text = '';
  return {
    keep(start, end) {
      text += parent.text.slice(start, end);
      for (let at = start; at < end; at += 1) {
        starts[length] = parent.starts ? (parent.starts[at] as number) : at;
        ends[length] = parent.ends ? (parent.ends[at] as number) : at + 1;
        length += 1;
      }
    },
    put(piece, start, end) {
      if (piece === '') return;
      const range = locate(parent, start, end);
      text += piece;
      starts.fill(range.start, length, length + piece.length);
      ends.fill(range.end, length, length + piece.length);
      length += piece.length;
    },
    build: () => ({ text, starts: starts.subarray(0, length), ends: ends.subarray(0, length) }),
  };
}

interface Piece {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Unchanged text kept on each side of a change; the rest was read as it stood. */
const MARGIN = 128;
/** Parts what was not adjacent: no pattern reaches over it. */
const PARTED = '\n\u0000\n';

/**
 * Every match of `pattern` (global) replaced by what `decode` gives, with its surroundings; undefined leaves
 * a match as it is, and a view where nothing changed is undefined.
 */
export function replaceView(
  parent: View,
  pattern: RegExp,
  decode: (match: RegExpExecArray) => string | undefined,
): View | undefined {
  const pieces: Piece[] = [];
  let grown = parent.text.length;
  pattern.lastIndex = 0;
  for (let match = pattern.exec(parent.text); match; match = pattern.exec(parent.text)) {
    const text = decode(match);
    if (text === undefined) continue;
    pieces.push({ start: match.index, end: match.index + match[0].length, text });
    grown += text.length + PARTED.length;
  }
  return pieces.length === 0 ? undefined : assemble(parent, pieces, grown);
}

function assemble(parent: View, pieces: readonly Piece[], capacity: number): View {
  const builder = createViewBuilder(parent, capacity);
  let from = Math.max(0, pieces[0]!.start - MARGIN);
  for (const piece of pieces) {
    if (piece.start - from > 2 * MARGIN) {
      builder.keep(from, from + MARGIN);
      builder.put(PARTED, from + MARGIN, from + MARGIN + 1);
      from = piece.start - MARGIN;
    }
    builder.keep(from, piece.start);
    builder.put(piece.text, piece.start, piece.end);
    from = piece.end;
  }
  builder.keep(from, Math.min(parent.text.length, from + MARGIN));
  return builder.build();
}

export function reversedView(parent: View): View {
  const { length } = parent.text;
  const starts = new Uint32Array(length);
  const ends = new Uint32Array(length);
  for (let at = 0; at < length; at += 1) {
    const from = length - 1 - at;
    starts[at] = parent.starts ? (parent.starts[from] as number) : from;
    ends[at] = parent.ends ? (parent.ends[from] as number) : from + 1;
  }
  const codes = new Uint16Array(length);
  for (let at = 0; at < length; at += 1) codes[at] = parent.text.charCodeAt(length - 1 - at);
  return { text: textOf(codes), starts, ends };
}

/** Arguments of one call; more of them overflow the stack. */
const MOST_CODES = 8192;

/** The text of these code units. */
export function textOf(codes: Uint16Array): string {
  let text = '';
  for (let at = 0; at < codes.length; at += MOST_CODES) {
    text += String.fromCharCode.apply(null, codes.subarray(at, at + MOST_CODES) as unknown as number[]);
  }
  return text;
}
