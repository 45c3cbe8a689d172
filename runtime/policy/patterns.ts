// Owns the pattern detector: the text as it stands, then every readable form of it, each searched by the
// same patterns, every find told in the original's offsets.
import type { Span } from '../types.ts';
import type { Detector } from './detector.ts';
import type { Find } from './find.ts';
import { fold } from './fold.ts';
import { findNumbers } from './numbers.ts';
import { findSecrets } from './secrets.ts';
import { locate, originalView, type View } from './view.ts';
import { findEmails, findIbans, findLetteredIds, findNetworkAddresses } from './words.ts';

export function createPatternDetector(): Detector {
  return {
    id: 'pattern',
    detect(text) {
      const view = fold(originalView(text));
      return toSpans(view, findAll(view.text));
    },
  };
}

function findAll(text: string): Find[] {
  return [
    ...findEmails(text),
    ...findIbans(text),
    ...findLetteredIds(text),
    ...findNumbers(text),
    ...findNetworkAddresses(text),
    ...findSecrets(text),
  ];
}

function toSpans(view: View, finds: readonly Find[]): Span[] {
  return finds.map((find) => ({
    ...locate(view, find.start, find.end),
    type: find.type,
    score: find.score,
    source: `pattern:${find.pattern}`,
  }));
}
