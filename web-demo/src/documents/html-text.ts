// Owns HTML to text. The parsed document is inert: no script runs, no image or style is fetched.
import { tidyText } from './plain-text.ts';

const DROPPED = 'script,style,noscript,template,svg,head,nav,iframe,object,select,button';
const BLOCKS =
  /^(address|article|aside|blockquote|br|dd|div|dl|dt|figcaption|figure|footer|form|h[1-6]|header|hr|li|main|ol|p|pre|section|table|tbody|tfoot|thead|tr|ul)$/;
const PARAGRAPHS = /^(blockquote|h[1-6]|li|p|pre|table|tr|dd|dt)$/;

export function htmlToText(source: string): string {
  const parsed = new DOMParser().parseFromString(source, 'text/html');
  for (const element of parsed.querySelectorAll(DROPPED)) element.remove();
  return tidyText(textOf(parsed.body));
}

function textOf(node: Node): string {
  if (node.nodeType === Node.TEXT_NODE) return (node.textContent ?? '').replace(/\s+/g, ' ');
  const name = node.nodeName.toLowerCase();
  const inner = [...node.childNodes].map(textOf).join('');
  if (name === 'td' || name === 'th') return `${inner.trim()}; `;
  if (PARAGRAPHS.test(name)) return `\n\n${inner.trim()}\n\n`;
  return BLOCKS.test(name) ? `\n${inner}\n` : inner;
}
