"""The tagger's training examples as token arrays, in shards that are made once and kept.

Each shard is generated sentences, forms and lists, real labelled sentences with generated names, and unlabelled
sentences read with word lists; often several in one window, as people write.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pii_generate import UNSURE, Segment, one, pick_lang, untidy
from pii_real import LENER, MEDDOCAN, labelled, peopled, pseudonyms, unlabelled
from pii_slots import LABELS
from pii_tokens import PIECE, PiiTokenizer

WINDOW = 96
"""Tokens a window at most."""
OUT = 0
IGNORED = -100
SHARD = 20_000
UNLABELLED = {"en": 70_000, "es": 28_000, "pt": 28_000}


def begin(label: str) -> int:
    return 1 + 2 * LABELS.index(label)


@dataclass
class Examples:
    ids: NDArray[np.uint16]
    types: NDArray[np.uint8]
    labels: NDArray[np.int8]
    lengths: NDArray[np.int32]

    @property
    def starts(self) -> NDArray[np.int64]:
        return np.cumsum(self.lengths) - self.lengths


def encode(tokenizer: PiiTokenizer, segments: list[Segment]) -> tuple[list[int], list[int], list[int]]:
    text = "".join(part for part, _ in segments)
    ends: list[int] = []
    at = 0
    for part, _ in segments:
        at += len(part)
        ends.append(at)
    ids, types, labels = [], [], []
    index, entered = 0, -1
    for token in tokenizer.tokens(text):
        while ends[index] <= token.start:
            index += 1
        label = segments[index][1]
        ids.append(token.id)
        types.append(token.type)
        if label is None:
            labels.append(OUT)
        elif label == UNSURE:
            labels.append(IGNORED)
        else:
            labels.append(begin(label) + (1 if entered == index else 0))
            entered = index
    return ids, types, labels


def windows(encoded: tuple[list[int], list[int], list[int]], first: int) -> list[tuple[list[int], list[int], list[int]]]:
    """Cuts a text at word borders outside entities; the first window holds `first` tokens at most."""
    ids, types, labels = encoded
    found = []
    start, most = 0, first
    while start < len(ids):
        stop = min(len(ids), start + most)
        if stop < len(ids):
            cut = stop
            while cut > start + 1 and (types[cut] % 4 == PIECE or (labels[cut] > 0 and labels[cut] % 2 == 0)):
                cut -= 1
            stop = cut if cut > start + 1 else stop
        found.append((ids[start:stop], types[start:stop], labels[start:stop]))
        start, most = stop, WINDOW
    return found


def tidy(text: str) -> str:
    """Undoes the single spaces between all tokens."""
    text = re.sub(r" ([,.;:)!?%])", r"\1", text)
    return re.sub(r"([(]) ", r"\1", text)


class Sources:
    def __init__(self, data: Path, seed: int) -> None:
        self.plain: dict[str, list[list[Segment]]] = {
            lang: [segments for _, segments in unlabelled(data, lang, most, seed)] for lang, most in UNLABELLED.items()
        }
        self.notes = [segments for _, segments in labelled(data / "privacy" / "meddocan_train.es.jsonl.gz", MEDDOCAN)]
        self.court = [segments for _, segments in labelled(data / "privacy" / "lener_br_train.pt.jsonl.gz", LENER)]

    def note(self, rng: random.Random) -> list[Segment]:
        return pseudonyms(rng, "es", rng.choice(self.notes), 0.6)

    def ruling(self, rng: random.Random) -> list[Segment]:
        segments = pseudonyms(rng, "pt", rng.choice(self.court), 0.85)
        return [(tidy(text), label) for text, label in segments] if rng.random() < 0.6 else segments

    def sentence(self, rng: random.Random, lang: str) -> list[Segment]:
        segments = pseudonyms(rng, lang, rng.choice(self.plain[lang]), 0.7)
        return peopled(rng, lang, segments) if rng.random() < 0.6 else segments

    def mixed(self, rng: random.Random) -> list[Segment]:
        lang = pick_lang(rng)
        parts = [one(rng, lang) if rng.random() < 0.6 else self.sentence(rng, lang)]
        while rng.random() < 0.42 and len(parts) < 4:
            other = lang if rng.random() < 0.96 else pick_lang(rng)
            parts.append(one(rng, other) if rng.random() < 0.6 else self.sentence(rng, other))
        rng.shuffle(parts)
        joint = rng.choice((" ", " ", "\n", "\n\n", ". ", " - "))
        joined: list[Segment] = []
        for part in parts:
            joined += [*part, (joint, None)]
        return untidy(rng, joined[:-1])


def make_shard(sources: Sources, tokenizer: PiiTokenizer, seed: int) -> Examples:
    rng = random.Random(seed)
    cut: list[tuple[list[int], list[int], list[int]]] = []
    while len(cut) < SHARD:
        roll = rng.random()
        if roll < 0.035:
            encoded = encode(tokenizer, sources.note(rng))
        elif roll < 0.11:
            encoded = encode(tokenizer, untidy(rng, sources.ruling(rng)) if rng.random() < 0.3 else sources.ruling(rng))
        else:
            encoded = encode(tokenizer, sources.mixed(rng))
        pieces = windows(encoded, rng.randint(24, WINDOW) if len(encoded[0]) > WINDOW else WINDOW)
        # A form of many fields makes many windows; a few of them will do.
        cut += pieces if len(pieces) <= 3 else [pieces[0], *rng.sample(pieces[1:], 2)]
    return Examples(
        np.concatenate([np.array(ids, np.uint16) for ids, _, _ in cut]),
        np.concatenate([np.array(types, np.uint8) for _, types, _ in cut]),
        np.concatenate([np.array(labels, np.int8) for _, _, labels in cut]),
        np.array([len(ids) for ids, _, _ in cut], np.int32),
    )


def shard_path(work: Path, at: int) -> Path:
    return work / "shards" / f"{at:04d}.npz"


def make_shards(data: Path, work: Path, tokenizer: PiiTokenizer, count: int, seed: int) -> list[Path]:
    """Makes the shards that are missing. Shard 0 is kept out of training, for watching."""
    paths = [shard_path(work, at) for at in range(count)]
    missing = [at for at, path in enumerate(paths) if not path.exists()]
    if missing:
        (work / "shards").mkdir(parents=True, exist_ok=True)
        sources = Sources(data, seed)
        for at in missing:
            shard = make_shard(sources, tokenizer, seed * 1000 + at)
            draft = paths[at].with_suffix(".part.npz")
            np.savez(draft, ids=shard.ids, types=shard.types, labels=shard.labels, lengths=shard.lengths)
            draft.rename(paths[at])
            print(f"shard {at + 1}/{count}: {len(shard.lengths)} windows, {len(shard.ids)} tokens", flush=True)
    return paths


def load_shard(path: Path) -> Examples:
    arrays = np.load(path)
    return Examples(arrays["ids"], arrays["types"], arrays["labels"], arrays["lengths"])
