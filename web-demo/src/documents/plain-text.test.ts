import { describe, expect, it } from 'vitest';
import { kindOf, titleOf } from './file-kind.ts';
import { csvToText, markdownToText, parseCsv, tidyText } from './plain-text.ts';

describe('plain text', () => {
  it('makes line endings one and keeps paragraphs apart', () => {
    expect(tidyText('\uFEFFone\r\ntwo  \r\r\r\rthree\f four\u0000')).toBe('one\ntwo\n\nthree\n\n four');
  });

  it('takes the marks out of Markdown and leaves the words', () => {
    const text = markdownToText(
      '---\ntitle: x\n---\n# Leave ##\nTake **ten** `days`, see [here](https://x.test).\n\n---\n- one',
    );
    expect(text).toBe('Leave\n\nTake ten days, see here.\n\n- one');
  });

  it('leaves underscores inside words and stars of arithmetic alone', () => {
    expect(markdownToText('snake_case_name and 2 * 3 * 4')).toBe('snake_case_name and 2 * 3 * 4');
  });

  it('reads quoted CSV with commas, quotes and new lines in cells', () => {
    expect(parseCsv('a,b\n"x, ""y""\nz",2\n\n')).toEqual([
      ['a', 'b'],
      ['x, "y"\nz', '2'],
    ]);
  });

  it('guesses the separator and names each value by its column', () => {
    expect(csvToText('name;days\nAna;25\nRui;\n')).toBe('name: Ana; days: 25.\n\nname: Rui.');
  });
});

describe('file kinds', () => {
  it('goes by the name, then by the type', () => {
    expect(kindOf('Lease.PDF')).toBe('pdf');
    expect(kindOf('notes', 'text/plain; charset=utf-8')).toBe('text');
    expect(kindOf('photo.png', 'image/png')).toBeUndefined();
  });

  it('titles a file by its name', () => {
    expect(titleOf('Lease 2026.final.pdf')).toBe('Lease 2026.final');
    expect(titleOf('.env')).toBe('.env');
  });
});
