import { describe, expect, it } from 'vitest';
import { linesToText, type PdfLine } from './pdf-lines.ts';

const line = (text: string, y: number, height = 10): PdfLine => ({ text, endsLine: true, height, y });

describe('lines of a PDF', () => {
  it('joins runs of a line, words cut at its end, and lines of a paragraph', () => {
    const runs = [
      { ...line('The depo', 700), endsLine: false },
      line('sit is two', 700),
      line('months of the agree-', 688),
      line('ment.', 676),
    ];
    expect(linesToText(runs)).toBe('The deposit is two\nmonths of the agreement.');
  });

  it('begins a paragraph at a gap and at another size of letters', () => {
    const runs = [line('Heading', 700, 16), line('Body.', 680), line('Next.', 650)];
    expect(linesToText(runs)).toBe('Heading\n\nBody.\n\nNext.');
  });

  it('leaves a real hyphen before a capital alone', () => {
    expect(linesToText([line('North-', 700), line('South line.', 688)])).toBe('North-\nSouth line.');
  });
});
