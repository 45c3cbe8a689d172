// Owns putting a PDF's runs of text back into paragraphs: a PDF knows where words stand, not where a
// paragraph ends. Pure.
import { tidyText } from './plain-text.ts';

/** One run as the reader gives it. `y` grows upwards, in points. */
export interface PdfLine {
  readonly text: string;
  readonly endsLine: boolean;
  readonly height: number;
  readonly y: number;
}

const PARAGRAPH_GAP = 1.65; // of the line's height; single and one-and-a-half spacing stay one paragraph
const HEADING_RATIO = 1.15;

export function linesToText(runs: readonly PdfLine[]): string {
  const lines = joinRuns(runs).filter(({ text }) => text.trim() !== '');
  let text = '';
  for (const [at, line] of lines.entries()) {
    const before = lines[at - 1];
    if (before === undefined) text = line.text.trim();
    else if (startsParagraph(before, line)) text += `\n\n${line.text.trim()}`;
    else if (/\p{L}-$/u.test(text) && /^\p{Ll}/u.test(line.text.trim()))
      text = text.slice(0, -1) + line.text.trim();
    else text += `\n${line.text.trim()}`;
  }
  return tidyText(text);
}

function joinRuns(runs: readonly PdfLine[]): readonly PdfLine[] {
  const lines: PdfLine[] = [];
  let open: PdfLine | undefined;
  for (const run of runs) {
    open =
      open === undefined
        ? run
        : { ...open, text: open.text + run.text, height: Math.max(open.height, run.height) };
    if (!run.endsLine) continue;
    lines.push(open);
    open = undefined;
  }
  return open === undefined ? lines : [...lines, open];
}

function startsParagraph(before: PdfLine, line: PdfLine): boolean {
  const height = Math.max(before.height, line.height, 1);
  const isOtherSize =
    Math.max(before.height, line.height) / Math.max(1, Math.min(before.height, line.height)) > HEADING_RATIO;
  return Math.abs(before.y - line.y) > height * PARAGRAPH_GAP || isOtherSize;
}
