"""Checks an artefact against its fp32 reference with ONNX Runtime: cosine, and STS where data is at hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from tokenizers import Tokenizer

from data import rows
from encoder import Encoder

Embed = Callable[[list[str]], NDArray[np.float32]]


def padded(ids: list[list[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of ids to (ids, mask), both [rows, longest]."""
    width = max(map(len, ids))
    table = np.zeros((len(ids), width), np.int64)
    mask = np.zeros_like(table)
    for at, row in enumerate(ids):
        table[at, : len(row)] = row
        mask[at, : len(row)] = 1
    return table, mask


def batched(run: Callable[[NDArray, NDArray], NDArray], tokenizer: Tokenizer, size: int = 32) -> Embed:
    def embed(texts: list[str]) -> NDArray[np.float32]:
        ids = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
        order = sorted(range(len(ids)), key=lambda at: len(ids[at]))
        out: dict[int, NDArray] = {}
        for start in range(0, len(order), size):
            part = order[start : start + size]
            for at, vector in zip(part, run(*padded([ids[at] for at in part])), strict=True):
                out[at] = vector
        return np.stack([out[at] for at in range(len(ids))])

    return embed


def torch_embedder(model: Encoder, tokenizer: Tokenizer) -> Embed:
    def run(ids: NDArray, mask: NDArray) -> NDArray:
        with torch.inference_mode():
            return model(torch.from_numpy(ids), torch.from_numpy(mask))[1].float().numpy()

    return batched(run, tokenizer)


def onnx_embedder(path: Path, tokenizer: Tokenizer) -> Embed:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(ids: NDArray, mask: NDArray) -> NDArray:
        return session.run(["sentence_embedding"], {"input_ids": ids, "attention_mask": mask})[0]

    return batched(run, tokenizer)


def cosine(ours: NDArray, reference: NDArray) -> dict[str, float]:
    each = (ours * reference).sum(axis=1)
    return {"mean": round(float(each.mean()), 6), "min": round(float(each.min()), 6)}


def sts_spearman(embed: Embed, file: Path, split: str = "dev") -> dict[str, float]:
    """Spearman of cosine against gold, a language."""
    by_lang: dict[str, list[dict]] = {}
    for row in rows(file):
        if row["split"] == split:
            by_lang.setdefault(row["lang"], []).append(row)
    scores: dict[str, float] = {}
    for lang, pairs in sorted(by_lang.items()):
        similarity = (embed([p["a"] for p in pairs]) * embed([p["b"] for p in pairs])).sum(axis=1)
        scores[lang] = round(float(spearmanr(similarity, [p["score"] for p in pairs]).statistic), 4)
    return scores
