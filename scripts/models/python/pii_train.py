"""Trains the tagger on shards of windows, for a number of steps or minutes, whichever ends first; resumes."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from fakequant import fake_quantize
from pii_corpus import IGNORED, Examples, load_shard
from pii_model import Tagger

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Plan:
    steps: int = 8_000
    minutes: float = 600
    batch_tokens: int = 2048
    rate: float = 1.0e-3
    warmup: float = 0.03
    quantize_from: float = 0.8
    """Fraction of the run after which weights and activations are fake-quantised."""
    unknown: float = 0.04
    """Share of pieces hidden behind [UNK], so that context and case must do."""
    seed: int = 5
    checkpoint_seconds: float = 120


@dataclass(frozen=True)
class Batch:
    ids: torch.Tensor
    types: torch.Tensor
    labels: torch.Tensor
    mask: torch.Tensor


def gather(shard: Examples, rows: NDArray[np.int64]) -> Batch:
    width = int(shard.lengths[rows].max())
    ids, types = np.zeros((len(rows), width), np.int64), np.zeros((len(rows), width), np.int64)
    labels, mask = np.full((len(rows), width), IGNORED, np.int64), np.zeros((len(rows), width), np.int64)
    starts = shard.starts
    for at, row in enumerate(rows):
        length, start = shard.lengths[row], starts[row]
        ids[at, :length] = shard.ids[start : start + length]
        types[at, :length] = shard.types[start : start + length]
        labels[at, :length] = shard.labels[start : start + length]
        mask[at, :length] = 1
    return Batch(*(torch.from_numpy(table) for table in (ids, types, labels, mask)))


def batches(paths: list[Path], plan: Plan) -> Iterator[Batch]:
    """For ever: a shard at a time, cut into batches of like length and about as many tokens."""
    rng = random.Random(plan.seed)
    while True:
        for path in rng.sample(paths, len(paths)):
            shard = load_shard(path)
            order = np.array(sorted(range(len(shard.lengths)), key=lambda at: (shard.lengths[at] // 4, rng.random())))
            cuts, start, longest = [], 0, 0
            for at, row in enumerate(order):
                longest = max(longest, int(shard.lengths[row]))
                if longest * (at + 1 - start) > plan.batch_tokens and at > start:
                    cuts.append(order[start:at])
                    start, longest = at, int(shard.lengths[row])
            cuts.append(order[start:])
            rng.shuffle(cuts)
            for rows in cuts:
                yield gather(shard, rows)


def rate_at(progress: float, plan: Plan) -> float:
    """Linear warm-up, then cosine to a fiftieth."""
    if progress < plan.warmup:
        return plan.rate * (progress + 1e-3) / plan.warmup
    turn = (progress - plan.warmup) / (1 - plan.warmup)
    return plan.rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1, turn))))


def loss_of(model: Tagger, batch: Batch, unknown: float) -> torch.Tensor:
    ids = torch.where(torch.rand(batch.ids.shape) < unknown, 1, batch.ids) if unknown > 0 else batch.ids
    scores = model(ids, batch.types, batch.mask)
    return F.cross_entropy(scores.flatten(0, 1), batch.labels.flatten(), ignore_index=IGNORED)


def character_recall(model: Tagger, shard: Examples, rows: int = 1500) -> tuple[float, float]:
    """Recall and precision of "personal or not" over tokens of a shard kept apart."""
    model.eval()
    hit = found = wanted = 0
    with torch.no_grad():
        for start in range(0, rows, 100):
            batch = gather(shard, np.arange(start, start + 100))
            told = model(batch.ids, batch.types, batch.mask).argmax(-1) > 0
            known = batch.labels != IGNORED
            truth = batch.labels > 0
            hit += int((told & truth & known).sum())
            found += int((told & known).sum())
            wanted += int(truth.sum())
    model.train()
    return hit / max(1, wanted), hit / max(1, found)


def train(model: Tagger, paths: list[Path], plan: Plan, work: Path) -> Tagger:
    torch.manual_seed(plan.seed)
    model.train()
    decay = [p for name, p in model.named_parameters() if p.ndim > 1 and "embeddings" not in name]
    rest = [p for name, p in model.named_parameters() if p.ndim == 1 or "embeddings" in name]
    groups = [{"params": decay, "weight_decay": 0.02}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=plan.rate, betas=(0.9, 0.98), fused=True)
    path = work / CHECKPOINT
    step, spent, quantized = 0, 0.0, False
    work.mkdir(parents=True, exist_ok=True)
    if path.exists():
        saved = torch.load(path)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        step, spent = saved["step"], saved["spent"]
        print(f"resuming at step {step}", flush=True)
    watched = load_shard(paths[0])
    stream = batches(paths[1:], Plan(**{**plan.__dict__, "seed": plan.seed + step}))
    since = saved_at = time.monotonic()
    total, tokens = 0.0, 0
    while (progress := max(step / plan.steps, (spent + time.monotonic() - since) / 60 / plan.minutes)) < 1:
        if progress >= plan.quantize_from and not quantized:
            fake_quantize(model)
            quantized = True
            print(f"step {step}: weights and activations in eight and seven bits from here", flush=True)
        batch = next(stream)
        for group in optimizer.param_groups:
            group["lr"] = rate_at(progress, plan)
        loss = loss_of(model, batch, plan.unknown)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        total += loss.item()
        tokens += int(batch.mask.sum())
        now = time.monotonic()
        if step % 50 == 0:
            print(f"step {step}  {progress:.1%}  loss {total / 50:.4f}  {tokens / (now - since):.0f} tokens/s  {spent + now - since:.0f} s", flush=True)
            total = 0.0
        if step % 1000 == 0:
            recall, precision = character_recall(model, watched)
            print(f"step {step}  kept-apart shard: recall {recall:.4f} precision {precision:.4f}", flush=True)
        if now - saved_at > plan.checkpoint_seconds:
            saved_at = now
            save(path, model, optimizer, step, spent + now - since)
    save(path, model, optimizer, step, spent + time.monotonic() - since)
    return model.eval()


def save(path: Path, model: Tagger, optimizer: torch.optim.Optimizer, step: int, spent: float) -> None:
    draft = path.with_suffix(".part")
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "spent": spent}, draft)
    draft.rename(path)
