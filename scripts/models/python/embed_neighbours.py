"""Which texts share a batch: neighbourhoods found among the corpus, and those written (embed_variants.py, embed_glosses.py).

The teacher embeds the written texts and every whole word of the vocabulary here; sentence vectors alone, kept in
shards as the corpus's are.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from embed_glosses import load_glosses
from embed_variants import GROUP, load_variants
from measure import torch_embedder
from teacher import load_teacher, make_tokenizer, teacher_tokenizer

SHARD = 4096


def whole_words(tokenizer: Tokenizer) -> list[str]:
    """Pieces that are English words of their own; the teacher knows no others well."""
    english = teacher_tokenizer()["model"]["vocab"]
    return [piece for piece in tokenizer.get_vocab() if piece in english and len(piece) > 1 and piece.isalpha()]


def embed_shards(texts: list[str], folder: Path, existing: bool = False) -> NDArray[np.float16]:
    """The teacher's sentence vectors [n, 384]; computed a shard at a time and kept. `existing` stops at the first missing."""
    folder.mkdir(parents=True, exist_ok=True)
    embed = None
    began = time.monotonic()
    out: list[NDArray[np.float16]] = []
    for at in range(0, len(texts), SHARD):
        path = folder / f"{at // SHARD:05d}.npy"
        if not path.exists() and existing:
            break
        if not path.exists():
            embed = embed or torch_embedder(load_teacher(), make_tokenizer(teacher_tokenizer(), 256))
            draft = path.with_suffix(".part.npy")
            np.save(draft, embed(texts[at : at + SHARD]).astype(np.float16))
            draft.rename(path)
            print(f"teacher, {folder.name} {path.name}  {time.monotonic() - began:.0f} s", flush=True)
        out.append(np.load(path))
    return np.concatenate(out) if out else np.zeros((0, 384), np.float16)


@dataclass(frozen=True)
class Written:
    """Texts that stand in no corpus, with the teacher's vectors."""

    texts: list[str]
    groups: list[list[int]]
    """Neighbourhoods, as rows of `texts`."""
    vectors: NDArray[np.float16]


def embed_written(groups: list[list[str]], alone: list[str], folder: Path, existing: bool = False) -> Written:
    """`alone`: texts of no neighbourhood. `existing` leaves out what the shards at hand do not hold."""
    at: dict[str, int] = {}
    rows = [[at.setdefault(text, len(at)) for text in group] for group in groups]
    for text in alone:
        at.setdefault(text, len(at))
    vectors = embed_shards(list(at), folder, existing)
    known = len(vectors)
    return Written(list(at)[:known], [row for row in rows if max(row) < known], vectors)


def written(data: Path, work: Path, existing: bool = False, with_glosses: bool = False) -> list[Written]:
    """Questions for the order among near ones, then, if wanted, what WordNet says of things."""
    books = [embed_written(load_variants(data, work), [], work / "variants", existing)]
    if with_glosses:
        books.append(embed_written(*load_glosses(work), work / "glosses", existing))
    return books


@torch.no_grad()
def nearest_groups(vectors: NDArray, seeds: NDArray[np.int64], size: int = GROUP, block: int = 1024) -> list[list[int]]:
    """For each seed row, itself and its nearest rows; every other one, so that groups reach further out."""
    table = torch.nn.functional.normalize(torch.from_numpy(vectors.astype(np.float32)), dim=-1)
    out: list[list[int]] = []
    for start in range(0, len(seeds), block):
        part = torch.from_numpy(seeds[start : start + block])
        near = (table[part] @ table.T).topk(2 * size).indices.tolist()
        out += [[row[0], *row[1:4], *row[4::2]][:size] for row in near]
    return out
