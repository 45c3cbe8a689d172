"""Hashed features of a text, the same as runtime/tasks/intent-features.ts computes; a test there holds them together.

Words: unigrams, bigrams and five-letter beginnings, and whether signs such as `?` or `{` occur. Letters: runs of one to four
within words, for the language. A feature is either there or not; a text's vector has length 1.
"""

from __future__ import annotations

import re

BUCKETS = 4096
MOST_CHARACTERS = 2000
HEAD_WORDS, TAIL_WORDS = 40, 20
"""An instruction stands before or after the text it is about."""
LANGUAGE_CHARACTERS = 300
SIGNS = "?¿!¡{}()[]<>=;:\"'`/_#@$%€+*|\\"
WORD = re.compile(r"\w+")
DIGITS = re.compile(r"[0-9]+")


def hash_bucket(feature: str) -> int:
    """FNV-1a over UTF-16 code units, folded to a bucket."""
    value = 0x811C9DC5
    data = feature.encode("utf-16-le")
    for at in range(0, len(data), 2):
        value = ((value ^ (data[at] | data[at + 1] << 8)) * 0x01000193) & 0xFFFFFFFF
    return (value ^ value >> 16) % BUCKETS


def words_of(text: str) -> list[str]:
    return [DIGITS.sub("0", word) for word in WORD.findall(text[:MOST_CHARACTERS].lower())]


def word_features(text: str) -> list[int]:
    words = words_of(text)
    if len(words) > HEAD_WORDS + TAIL_WORDS:
        words = [*words[:HEAD_WORDS], *words[-TAIL_WORDS:]]
    found = {f"s:{sign}" for sign in SIGNS if sign in text[:MOST_CHARACTERS]}
    before = "^"
    for word in words:
        found |= {f"w:{word}", f"b:{before} {word}", f"p:{word[:5]}"}
        before = word
    found.add(f"b:{before} $")
    return sorted({hash_bucket(feature) for feature in found})


def letter_features(text: str) -> list[int]:
    found: set[str] = set()
    for word in WORD.findall(text[:LANGUAGE_CHARACTERS].lower()):
        if DIGITS.fullmatch(word):
            continue
        padded = f" {word} "
        for size in range(1, 5):
            found |= {padded[at : at + size] for at in range(len(padded) - size + 1)}
        found.add(f"={word}")
        if any(ord(letter) > 0x24F for letter in word):
            found.add("script")
    return sorted({hash_bucket(feature) for feature in found})
