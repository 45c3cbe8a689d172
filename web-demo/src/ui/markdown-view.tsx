// Owns Markdown on the page: every string becomes a text node, so nothing a model writes is ever parsed
// as HTML or fetched.
import type { JSX } from 'preact';
import { type Block, type Inline, parseMarkdown } from './markdown.ts';

export function Markdown({ source }: { readonly source: string }): JSX.Element {
  return <div class="markdown">{parseMarkdown(source).map(renderBlock)}</div>;
}

function renderBlock(block: Block): JSX.Element {
  switch (block.type) {
    case 'code':
      return (
        <pre>
          <code>{block.text}</code>
        </pre>
      );
    case 'heading':
      // Always below the page's own headings, whatever level the model chose.
      return block.level <= 2 ? (
        <h4>{renderInline(block.children)}</h4>
      ) : (
        <h5>{renderInline(block.children)}</h5>
      );
    case 'quote':
      return <blockquote>{renderInline(block.children)}</blockquote>;
    case 'list': {
      const items = block.items.map((item) => <li>{renderInline(item)}</li>);
      return block.ordered ? <ol>{items}</ol> : <ul>{items}</ul>;
    }
    case 'paragraph':
      return <p>{renderInline(block.children)}</p>;
  }
}

function renderInline(parts: readonly Inline[]): readonly (JSX.Element | string)[] {
  return parts.map((part) => {
    if (part.type === 'text') return part.text;
    if (part.type === 'code') return <code>{part.text}</code>;
    if (part.type === 'strong') return <strong>{renderInline(part.children)}</strong>;
    return <em>{renderInline(part.children)}</em>;
  });
}
