"""Text to the tagger's tokens: runtime/tasks/tag-tokens.ts in Python, kept the same by golden.json.

A word is a run of letters, a run of digits, or one other character. Letters are lower-cased, stripped of accents
and cut into WordPiece pieces; a run of digits is one token, by its length unless it is short or a year. What that
loses (case, what stood before) comes back as the token's type, a second id.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

WORD = re.compile(r"[^\W\d_]+|\d+|[^\s\ufeff]")
"""Letters, digits or one other character; \\w holds letters, digits and underscore in every script."""
LONGEST_WORD = 40
"""Letters; a longer run is no word of a language and becomes [UNK]."""
MOST_DIGITS = 12

LOWER, TITLE, UPPER, INITIAL, MIXED, DIGITS, OTHER, CASELESS = range(8)
SPACED, GLUED, LINE, PIECE = range(4)
TYPES = 32
"""case * 4 + place."""


@dataclass(frozen=True)
class Token:
    id: int
    type: int
    start: int
    end: int


def fold(word: str) -> str:
    decomposed = unicodedata.normalize("NFD", word.lower())
    return "".join(c for c in decomposed if unicodedata.category(c) != "Mn")


def case_of(word: str) -> int:
    if word[0].isdigit():
        return DIGITS
    if not word[0].isalpha():
        return OTHER
    if word.upper() == word.lower():
        return CASELESS
    if word == word.lower():
        return LOWER
    if word == word.upper():
        return INITIAL if len(word) == 1 else UPPER
    return TITLE if word[1:] == word[1:].lower() else MIXED


def digit_name(run: str) -> str:
    if len(run) <= 2 or (len(run) == 4 and run[:2] in ("19", "20")):
        return run
    return f"[D{min(len(run), MOST_DIGITS)}]"


class PiiTokenizer:
    def __init__(self, pieces: list[str]) -> None:
        self.vocab = {piece: at for at, piece in enumerate(pieces)}
        self.unknown = self.vocab["[UNK]"]
        self.pieces_of = lru_cache(maxsize=500_000)(self._pieces)

    def _pieces(self, word: str) -> tuple[tuple[int, int], ...]:
        """(id, letters of the folded word it stands for), greedy longest match first."""
        if word.isdigit():
            return ((self.vocab.get(digit_name(word), self.unknown), len(word)),)
        folded = fold(word)
        if len(folded) > LONGEST_WORD or not folded:
            return ((self.unknown, len(folded)),)
        found: list[tuple[int, int]] = []
        start = 0
        while start < len(folded):
            end = len(folded)
            while end > start:
                piece = folded[start:end] if start == 0 else f"##{folded[start:end]}"
                if (at := self.vocab.get(piece)) is not None:
                    found.append((at, end - start))
                    break
                end -= 1
            if end == start:
                return ((self.unknown, len(folded)),)
            start = end
        return tuple(found)

    def tokens(self, text: str) -> Iterator[Token]:
        last = 0
        for match in WORD.finditer(text):
            word, start, end = match.group(), match.start(), match.end()
            gap = text[last:start]
            place = LINE if start == 0 or "\n" in gap else SPACED if gap else GLUED
            last = end
            case = case_of(word)
            pieces = self.pieces_of(word)
            at = start
            for index, (piece, length) in enumerate(pieces):
                # Folding may change a word's length; offsets only matter at its ends.
                stop = end if index == len(pieces) - 1 else min(end, at + length)
                yield Token(piece, case * 4 + (place if index == 0 else PIECE), at, stop)
                at = stop
