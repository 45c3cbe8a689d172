// Owns cutting a document's text at its passages, for marking. Pure; the pieces joined are the text.
import type { Passage } from 'nearfield';

export interface Piece {
  readonly text: string;
  readonly passage?: Passage | undefined;
}

/** In order of the text. A passage that overlaps an earlier one or lies outside is not marked. */
export function piecesOf(text: string, passages: readonly Passage[]): readonly Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  for (const passage of [...passages].sort((a, b) => a.start - b.start)) {
    if (passage.start < from || passage.end > text.length || passage.end <= passage.start) continue;
    if (passage.start > from) pieces.push({ text: text.slice(from, passage.start) });
    pieces.push({ text: text.slice(passage.start, passage.end), passage });
    from = passage.end;
  }
  if (from < text.length) pieces.push({ text: text.slice(from) });
  return pieces;
}
