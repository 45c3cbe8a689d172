// Owns how much of a document is shown around a sentence. Pure; cuts at words, never inside one.

export interface Context {
  readonly before: string;
  readonly match: string;
  readonly after: string;
}

/** The sentence with about `reach` characters on each side, within its paragraph. */
export function contextOf(text: string, start: number, end: number, reach = 140): Context {
  return {
    before: cutBefore(text.slice(0, start), reach),
    match: text.slice(start, end),
    after: cutAfter(text.slice(end), reach),
  };
}

function cutBefore(text: string, reach: number): string {
  const paragraph = text.slice(text.lastIndexOf('\n\n') + 1).trimStart();
  if (paragraph.length <= reach) return paragraph;
  const tail = paragraph.slice(-reach);
  return `… ${tail.slice(tail.search(/\s/) + 1)}`;
}

function cutAfter(text: string, reach: number): string {
  const stop = text.indexOf('\n\n');
  const paragraph = (stop < 0 ? text : text.slice(0, stop)).trimEnd();
  if (paragraph.length <= reach) return paragraph;
  const head = paragraph.slice(0, reach);
  const space = head.lastIndexOf(' ');
  return `${space > 0 ? head.slice(0, space) : head} …`;
}
