// Owns the small Markdown a model may write, as plain data. Refuses everything that could load or lead
// anywhere: HTML stays text, images and links keep their words and lose their address.

export type Inline =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'code'; readonly text: string }
  | { readonly type: 'strong' | 'emphasis'; readonly children: readonly Inline[] };

export type Block =
  | { readonly type: 'paragraph'; readonly children: readonly Inline[] }
  | { readonly type: 'heading'; readonly level: number; readonly children: readonly Inline[] }
  | { readonly type: 'quote'; readonly children: readonly Inline[] }
  | { readonly type: 'list'; readonly ordered: boolean; readonly items: readonly (readonly Inline[])[] }
  | { readonly type: 'code'; readonly text: string };

const FENCE = /^\s*(```|~~~)/;
const HEADING = /^(#{1,6})\s+(.*)$/;
const QUOTE = /^\s*>\s?(.*)$/;
const BULLET = /^\s*[-*+]\s+(.*)$/;
const NUMBER = /^\s*\d{1,9}[.)]\s+(.*)$/;

/** Blocks in order. Never throws; what it does not know stays a paragraph. */
export function parseMarkdown(source: string): readonly Block[] {
  const lines = source.replace(/\r\n?/g, '\n').split('\n');
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length; ) {
    const { block, next } = readBlock(lines, at);
    if (block !== undefined) blocks.push(block);
    at = next;
  }
  return blocks;
}

interface Read {
  readonly block?: Block;
  readonly next: number;
}

function readBlock(lines: readonly string[], at: number): Read {
  const line = lines[at]!;
  if (line.trim() === '') return { next: at + 1 };
  const fence = FENCE.exec(line)?.[1];
  if (fence !== undefined) return readFence(lines, at, fence);
  const heading = HEADING.exec(line);
  if (heading !== null) {
    return {
      block: { type: 'heading', level: heading[1]!.length, children: parseInline(heading[2]!) },
      next: at + 1,
    };
  }
  for (const [pattern, ordered] of [
    [BULLET, false],
    [NUMBER, true],
  ] as const) {
    if (!pattern.test(line)) continue;
    const { taken, next } = takeWhile(lines, at, pattern);
    return { block: { type: 'list', ordered, items: taken.map(parseInline) }, next };
  }
  if (QUOTE.test(line)) {
    const { taken, next } = takeWhile(lines, at, QUOTE);
    return { block: { type: 'quote', children: parseInline(taken.join('\n')) }, next };
  }
  return readParagraph(lines, at);
}

function readFence(lines: readonly string[], at: number, fence: string): Read {
  const body: string[] = [];
  let next = at + 1;
  while (next < lines.length && !lines[next]!.trimStart().startsWith(fence)) body.push(lines[next++]!);
  return { block: { type: 'code', text: body.join('\n') }, next: next + 1 };
}

function takeWhile(lines: readonly string[], at: number, pattern: RegExp): { taken: string[]; next: number } {
  const taken: string[] = [];
  let next = at;
  for (let match = pattern.exec(lines[next]!); match !== null; match = pattern.exec(lines[next] ?? '')) {
    taken.push(match[1]!);
    next += 1;
  }
  return { taken, next };
}

function readParagraph(lines: readonly string[], at: number): Read {
  const taken = [lines[at]!];
  let next = at + 1;
  const starts = [FENCE, HEADING, QUOTE, BULLET, NUMBER];
  while (
    next < lines.length &&
    lines[next]!.trim() !== '' &&
    !starts.some((start) => start.test(lines[next]!))
  ) {
    taken.push(lines[next++]!);
  }
  return { block: { type: 'paragraph', children: parseInline(taken.join('\n')) }, next };
}

// One pass; the first alternative that matches wins. Each is linear: no nested quantifiers.
const TOKEN =
  /`([^`]+)`|!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])|\*\*([^*]+)\*\*|__([^_]+)__|\*([^*\s][^*]*)\*|(?<!\w)_([^_\s][^_]*)_(?!\w)/g;

/** Emphasis, code and the words of links. */
export function parseInline(source: string): readonly Inline[] {
  const parts: Inline[] = [];
  let from = 0;
  const pushText = (text: string): void => {
    if (text !== '') parts.push({ type: 'text', text });
  };
  for (const match of source.matchAll(TOKEN)) {
    pushText(source.slice(from, match.index));
    const [whole, code, label, strong1, strong2, emphasis1, emphasis2] = match;
    const strong = strong1 ?? strong2;
    const emphasis = emphasis1 ?? emphasis2;
    if (code !== undefined) parts.push({ type: 'code', text: code });
    else if (label !== undefined) pushText(label);
    else if (strong !== undefined) parts.push({ type: 'strong', children: parseInline(strong) });
    else if (emphasis !== undefined) parts.push({ type: 'emphasis', children: parseInline(emphasis) });
    from = match.index + whole.length;
  }
  pushText(source.slice(from));
  return parts;
}
