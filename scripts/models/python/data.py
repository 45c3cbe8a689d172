"""Reads JSON Lines, gzipped or plain, from the data folder named by --data."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path


def rows(path: Path) -> Iterator[dict]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


def sample_sentences(folder: Path, count: int, seed: int = 1) -> list[str]:
    """`count` texts, half English, a quarter Spanish, a quarter Portuguese."""
    picked: list[str] = []
    for lang, share in (("en", 2), ("es", 4), ("pt", 4)):
        texts = [row["text"] for row in rows(folder / f"text_{lang}.jsonl.gz")]
        picked += random.Random(seed).sample(texts, count // share)
    return picked
