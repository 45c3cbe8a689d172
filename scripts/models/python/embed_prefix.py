"""Folds the teacher's lower layers into a word table: each piece's row is its mean state after layer `depth`.

A word's state after a few layers is mostly the word itself; the mean over the contexts of a corpus keeps that
part at no cost in compute. The student's layers then start as the teacher's upper ones and find on their input
nearly what they were trained on.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from embed_targets import word_slots, word_means
from encoder import Encoder
from measure import padded
from teacher import make_tokenizer, teacher_tokenizer

MOST_TOKENS = 64
PRIOR = 2.0
"""A piece's context-free state counts as this many occurrences."""
NEIGHBOURS = 4


class Means:
    """Running sums of states by student piece, and of what is left by position."""

    def __init__(self, vocab: int, positions: int, width: int = 384) -> None:
        self.sums, self.counts = torch.zeros(vocab, width), torch.zeros(vocab)
        self.place_sums, self.place_counts = torch.zeros(positions, width), torch.zeros(positions)

    def add(self, ids: torch.Tensor, states: torch.Tensor) -> None:
        self.sums.index_add_(0, ids, states)
        self.counts.index_add_(0, ids, torch.ones(len(ids)))

    def rows(self) -> torch.Tensor:
        return self.sums / self.counts.clamp(min=1)[:, None]


def normed_state(teacher: Encoder, depth: int, states: torch.Tensor) -> torch.Tensor:
    """States after layer `depth` before that layer's norm gave them weight and bias: mean 0, variance 1."""
    norm = teacher.layer[depth - 1].ffn["norm"]
    return (states - norm.bias) / norm.weight


@torch.no_grad()
def collect(teacher: Encoder, depths: tuple[int, ...], tokenizer: Tokenizer, texts: list[str]) -> dict[int, Means]:
    """Runs the teacher over `texts` and sums its states by student piece, for several depths at once."""
    base = make_tokenizer(teacher_tokenizer(), 256)
    vocab = tokenizer.get_vocab_size()
    out = {depth: Means(vocab, MOST_TOKENS) for depth in depths}
    both = zip(base.encode_batch(texts), tokenizer.encode_batch(texts), strict=True)
    pairs = sorted((p for p in both if len(p[0].ids) <= MOST_TOKENS), key=lambda p: len(p[0].ids))
    began = time.monotonic()
    for start in range(0, len(pairs), 64):
        part = pairs[start : start + 64]
        table, mask = map(torch.from_numpy, padded([a.ids for a, _ in part]))
        slots = [word_slots(a) for a, _ in part]
        x, attend = teacher.embed_tokens(table), mask.bool()[:, None, None, :]
        for depth, layer in enumerate(teacher.layer[: max(depths)], 1):
            x = layer(x, attend)
            if depth not in out:
                continue
            words, counts = word_means(normed_state(teacher, depth, x), slots)
            ends = np.cumsum(counts)
            for (_, ours), end, count in zip(part, ends, counts, strict=True):
                own = word_slots(ours)
                if own[-1] + 1 == count:
                    out[depth].add(torch.tensor(ours.ids), words[torch.from_numpy(own + end - count)])
        if start % 6400 == 0:
            print(f"prefix states {start} of {len(pairs)}  {time.monotonic() - began:.0f} s", flush=True)
    return out


@torch.no_grad()
def prefix_table(
    teacher: Encoder, depth: int, means: Means, alone: Means, tokenizer: Tokenizer, words: NDArray[np.float32]
) -> torch.Tensor:
    """Rows [vocab, 384]: mean states, backed by each piece alone; unseen pieces from their nearest words."""
    sums = means.sums + PRIOR * alone.rows() * (alone.counts > 0)[:, None]
    counts = means.counts + PRIOR * (alone.counts > 0)
    known = counts > 0
    rows = sums / counts.clamp(min=1)[:, None]
    # `words` already holds, for pieces the teacher lacks, the mean of their translations.
    theirs = set(teacher_tokenizer()["model"]["vocab"])
    foreign = torch.tensor(
        [at for piece, at in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1]) if piece not in theirs]
    )
    space = torch.nn.functional.normalize(torch.from_numpy(words) - torch.from_numpy(words).mean(0), dim=-1)
    familiar = known.clone()
    familiar[foreign] = False
    home = familiar.nonzero()[:, 0]
    todo = torch.cat([foreign, (~known & ~torch.zeros_like(known).index_fill_(0, foreign, True)).nonzero()[:, 0]])
    similarity, nearest = (space[todo] @ space[home].T).topk(NEIGHBOURS)
    weight = torch.softmax(similarity / 0.05, dim=-1)
    rows[todo] = (weight[:, :, None] * rows[home[nearest]]).sum(1)
    return rows


def texts_of_pieces(tokenizer: Tokenizer) -> list[str]:
    """Every whole-word piece as a text of its own."""
    return [piece for piece in tokenizer.get_vocab() if not piece.startswith(("##", "["))]


def load_means(
    teacher: Encoder, depths: tuple[int, ...], tokenizer: Tokenizer, texts: list[str], work: Path
) -> tuple[dict[int, Means], dict[int, Means]]:
    """(in context, alone), computed once and kept in `work`."""
    path = work / f"prefix-{'-'.join(map(str, depths))}.pt"
    if not path.exists():
        found = (collect(teacher, depths, tokenizer, texts), collect(teacher, depths, tokenizer, texts_of_pieces(tokenizer)))
        torch.save(found, path)
    return torch.load(path, weights_only=False)
