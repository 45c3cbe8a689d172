"""Runs the teacher once over the English corpus and keeps what the student must reproduce.

A shard holds, for SHARD texts in corpus order: `sentence` [n, 384], `words` [sum of counts, 384] (mean of each
word's token states; the first is [CLS], the last [SEP]) and `counts` [n], all float16 but the counts.
Shards are written whole or not at all, so an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Encoding
from torch import Tensor

from embed_corpus import Text
from measure import padded
from teacher import load_teacher, make_tokenizer, teacher_tokenizer

SHARD = 2048
TEACHER_TOKENS = 256


def word_slots(encoding: Encoding) -> NDArray[np.int64]:
    """For each token its slot: 0 for [CLS], 1… for the words, last for [SEP]."""
    inner = [at for at in encoding.word_ids if at is not None]
    words = inner[-1] + 1 if inner else 0
    slots = [0 if at is None else at + 1 for at in encoding.word_ids]
    slots[-1] = words + 1
    return np.array(slots, np.int64)


def word_means(states: Tensor, slots: list[NDArray[np.int64]]) -> tuple[Tensor, NDArray[np.int64]]:
    """Token states [rows, tokens, dims] to (means [sum of words, dims], words a row)."""
    counts = np.array([slot[-1] + 1 for slot in slots])
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    index = torch.from_numpy(np.concatenate([slot + start for slot, start in zip(slots, starts, strict=True)]))
    index = index.to(states.device)
    flat = torch.cat([states[row, : len(slot)] for row, slot in enumerate(slots)])
    total = int(counts.sum())
    sums = flat.new_zeros(total, flat.shape[1]).index_add_(0, index, flat)
    pieces = flat.new_zeros(total).index_add_(0, index, flat.new_ones(len(index)))
    return sums / pieces.clamp(min=1)[:, None], counts


def run_shard(teacher: torch.nn.Module, encodings: list[Encoding], device: str) -> dict[str, NDArray]:
    order = sorted(range(len(encodings)), key=lambda at: len(encodings[at].ids))
    sentence = np.zeros((len(encodings), 384), np.float16)
    words: list[NDArray] = [np.zeros(0)] * len(encodings)
    for start in range(0, len(order), 64):
        part = order[start : start + 64]
        ids, mask = padded([encodings[at].ids for at in part])
        with torch.inference_mode():
            states, vectors = teacher(torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device))
            means, counts = word_means(states, [word_slots(encodings[at]) for at in part])
        split = np.split(means.half().cpu().numpy(), np.cumsum(counts)[:-1])
        for at, vector, own in zip(part, vectors.half().cpu().numpy(), split, strict=True):
            sentence[at], words[at] = vector, own
    return {"sentence": sentence, "words": np.concatenate(words), "counts": np.array([len(w) for w in words])}


def make_targets(corpus: list[Text], work: Path, most_shards: int | None = None) -> list[Path]:
    """Returns the shards' paths, computing those that are missing."""
    texts = [text.text for text in corpus if text.lang == "en"]
    starts = list(range(0, len(texts), SHARD))[:most_shards]
    folder = work / "targets"
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{at:05d}.npz" for at in range(len(starts))]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    teacher, tokenizer = load_teacher().to(device), make_tokenizer(teacher_tokenizer(), TEACHER_TOKENS)
    began = time.monotonic()
    for start, path in zip(starts, paths, strict=True):
        if path.exists():
            continue
        arrays = run_shard(teacher, tokenizer.encode_batch(texts[start : start + SHARD]), device)
        draft = path.with_suffix(".part.npz")
        np.savez(draft, **arrays)
        draft.rename(path)
        print(f"targets {path.name} of {len(paths)}  {time.monotonic() - began:.0f} s", flush=True)
    return paths
