// Owns the check that a near neighbour asks the same question. Refuses on any difference that changes
// an answer; silence means "no difference found", never "the same".
import type { Refusal } from './reasons.ts';

const NUMBER = /\d+(?:[.,]\d+)*/g;
const NEGATION =
  /(?<![\p{L}])(?:not|no|never|without|none|nor|cannot|isnt|dont|doesnt|cant|wont|nunca|sin|ningun|ninguna|jamas|nao|sem|nenhum|nenhuma|jamais)(?![\p{L}])/gu;

/** The first difference that changes the answer, or undefined. */
export function verify(asked: string, kept: string): Refusal | undefined {
  if (asked === kept) return undefined;
  const [a, b] = [plain(asked), plain(kept)];
  if (bag(a, NUMBER) !== bag(b, NUMBER)) return 'number';
  if ((a.match(NEGATION)?.length ?? 0) % 2 !== (b.match(NEGATION)?.length ?? 0) % 2) return 'negation';
  return undefined;
}

function plain(text: string): string {
  return text
    .normalize('NFKD')
    .replaceAll(/[\p{M}'’]/gu, '')
    .toLowerCase();
}

function bag(text: string, pattern: RegExp): string {
  return (text.match(pattern) ?? []).sort().join(' ');
}
