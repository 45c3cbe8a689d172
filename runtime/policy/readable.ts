// Owns the readable forms of a text for detectors that understand language: folded, unescaped, decoded,
// decompressed. Refuses forms that only a pattern can be sure of (reversed, rot13, joined lines).
import { bytesToText, decodeTokens, quotedPrintableView, unescapeView } from './decode.ts';
import { UnreadableText } from './detector.ts';
import { fold } from './fold.ts';
import { inflate } from './inflate.ts';
import { surveyOf } from './survey.ts';
import { originalView, tokenView, type View } from './view.ts';

/** Encodings inside encodings are followed this deep. */
const MAX_DEPTH = 2;
/** All forms together may be this many times as long as the text, and a little more. */
const MAX_GROWTH = 8;

/** The folded text first, then what its encodings hold. @throws UnreadableText when that is too much */
export async function readableViews(text: string): Promise<readonly View[]> {
  const views: View[] = [];
  await read(originalView(text), MAX_DEPTH, { views, budget: text.length * MAX_GROWTH + 4096 });
  return views;
}

interface Reading {
  readonly views: View[];
  budget: number;
}

async function read(view: View, depth: number, reading: Reading): Promise<void> {
  reading.budget -= view.text.length;
  if (reading.budget < 0) throw new UnreadableText();
  const plain = fold(view);
  reading.views.push(plain);
  if (depth === 0) return;
  for (const reader of [unescapeView, quotedPrintableView]) {
    const unescaped = reader(plain);
    if (unescaped) await read(unescaped, depth - 1, reading);
  }
  for (const decoded of decodeTokens(plain, surveyOf(plain.text))) {
    if (decoded.kind === 'text') {
      await read(decoded.view, depth - 1, reading);
      continue;
    }
    const inside = await inflate(decoded.bytes, decoded.format);
    const opened = inside && bytesToText(inside, false);
    if (opened !== undefined)
      await read(tokenView(opened, plain, decoded.start, decoded.end), depth - 1, reading);
  }
}
