// Owns knowing, character by character of a streamed answer, whether the next text stands in prose, in a
// URL or in code. When in doubt it says URL or code: a placeholder left standing costs a glance, one
// restored into a URL can leave the device when the page renders it.

export type Region = 'prose' | 'url' | 'code';

/** Longer unbroken runs than this count as URLs. */
const MAX_RUN = 4096;
/** What in an unbroken run of text makes the rest of the run part of a URL, for some renderer. */
const URL_START =
  /[a-z][a-z0-9+.-]{0,30}:\/\/|^[("'<[]{0,3}\/\/|www\.|(?:mailto|tel|sms|data|javascript|blob|file):|\]\(|(?:href|src|srcset|url|action|poster|background|cite|ping)\s?[=(]|[\p{L}\p{N}-]\.\p{L}{2,24}[/?#:]/iu;

/** What a quotation begins with that is one URL to its end, blanks and all: browsers take them for part of it. */
const QUOTED_URL = /^(?:[a-z][a-z0-9+.-]{0,30}:)?\/\//i;
const HEAD_LENGTH = 40;

export interface RegionTracker {
  /** Advances over text of the answer. */
  observe(text: string): void;
  /** Where text that came now would stand. */
  region(): Region;
}

export function createRegionTracker(): RegionTracker {
  let run = '';
  let fence: { readonly mark: string; readonly length: number } | undefined;
  let ticks = 0;
  let inlineTicks = 0;
  let tickMark = '';
  let ticksAtLineStart = false;
  let lineStart = true;
  let blankLine = false;
  let destination = false;
  let tag = false;
  let quote = '';
  let quotation = '';
  let head = '';
  let quotedUrl = false;

  const endTicks = () => {
    if (ticks === 0) return;
    if (fence) {
      if (ticksAtLineStart && tickMark === fence.mark && ticks >= fence.length) fence = undefined;
    } else if (ticksAtLineStart && ticks >= 3) {
      fence = { mark: tickMark, length: ticks };
    } else if (tickMark === '`') {
      if (inlineTicks === 0) inlineTicks = ticks;
      else if (inlineTicks === ticks) inlineTicks = 0;
    }
    ticks = 0;
  };

  const endParagraph = () => {
    inlineTicks = 0;
    destination = false;
    if (quote === '') tag = false;
  };

  /** Outside tags: a stylesheet's `url("…")`, TeX's `\includegraphics{…}`, an attribute whose tag a blank line hid. */
  const quotations = (c: string, before: string) => {
    if (quotedUrl) {
      if (c === quotation) quotedUrl = false;
    } else if (c === '{' || ((c === '"' || c === "'") && !/[\p{L}\p{N}]/u.test(before))) {
      quotation = c === '{' ? '}' : c;
      head = '';
    } else if (quotation !== '' && head.length < HEAD_LENGTH && (head !== '' || c.trim() !== '')) {
      head += c;
      quotedUrl = QUOTED_URL.test(head);
    }
  };

  const markup = (c: string, before: string) => {
    if (!tag) quotations(c, before);
    if (tag) {
      if (quote !== '') quote = c === quote ? '' : quote;
      else if ((c === '"' || c === "'") && before === '=') quote = c;
      else if (c === '>') tag = false;
    } else if (before === '<' && /[a-z!/]/i.test(c)) tag = true;
    if (c === '(' && before === ']') destination = true;
    else if (c === ')') destination = false;
  };

  const step = (c: string, before: string) => {
    if ((c === '`' || c === '~') && (ticks === 0 || c === tickMark)) {
      if (ticks === 0) ticksAtLineStart = lineStart;
      tickMark = c;
      ticks += 1;
    } else endTicks();
    if (!fence && inlineTicks === 0) markup(c, before);
    if (c === '\n') {
      if (blankLine) endParagraph();
      blankLine = true;
      lineStart = true;
    } else if (c !== ' ' && c !== '\t' && c !== '\r') {
      blankLine = false;
      // A quote or list marker may stand before a fence.
      if (c !== '>' && c !== '`' && c !== '~') lineStart = false;
    }
    run = c === ' ' || c === '\n' || c === '\t' || c === '\r' ? '' : run.length < MAX_RUN ? run + c : run;
  };

  let before = '';
  return {
    observe(text) {
      for (let at = 0; at < text.length; at += 1) {
        const c = text.charAt(at);
        step(c, before);
        // HTML allows blanks of any kind between an attribute's sign and its quote.
        if (before !== '=' || !/\s/.test(c)) before = c;
      }
    },
    region() {
      endTicks();
      if (fence || inlineTicks > 0) return 'code';
      if (tag || destination || quotedUrl || run.length >= MAX_RUN || URL_START.test(run)) return 'url';
      return 'prose';
    },
  };
}
