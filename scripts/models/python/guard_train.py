"""Trains the guard on pairs. Resumes from its last checkpoint; the last stretch runs on weights rounded to INT8."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

from fakequant import FakeQuantLinear, fake_weight
from guard_model import Guard
from guard_pairs import Pair

CHECKPOINT = "checkpoint.pt"


class RoundedLinear(FakeQuantLinear):
    """INT8 weights, float32 activations: the guard's products are too small to gain from integer ones."""

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, fake_weight(self.weight), self.bias)


@dataclass(frozen=True)
class Plan:
    steps: int = 2000
    batch: int = 256
    rate: float = 3e-3
    quantize_from: float = 0.85
    most_of_family: int = 25_000
    """Families with more pairs are drawn from less often, by the 0.6th power of the excess."""
    seed: int = 1
    checkpoint_seconds: float = 60


@dataclass(frozen=True)
class Rows:
    ids: NDArray[np.int32]
    lengths: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, at: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        lengths = self.lengths[at]
        width = int(lengths.max())
        mask = (np.arange(width)[None] < lengths[:, None]).astype(np.float32)
        return torch.from_numpy(self.ids[at, :width].astype(np.int64)), torch.from_numpy(mask)


def encode(tokenizer: Tokenizer, texts: Sequence[str], most: int) -> Rows:
    """Ids without the special tokens at both ends. A text without words reads as one unknown word."""
    ids = np.zeros((len(texts), most), np.int32)
    lengths = np.zeros(len(texts), np.int32)
    for start in range(0, len(texts), 20_000):
        for at, encoding in enumerate(tokenizer.encode_batch(list(texts[start : start + 20_000])), start):
            kept = encoding.ids[1:-1][:most] or [1]
            ids[at, : len(kept)] = kept
            lengths[at] = len(kept)
    return Rows(ids, lengths)


def scores(model: Guard, a: Rows, b: Rows) -> NDArray[np.float32]:
    parts = []
    with torch.inference_mode():
        for start in range(0, len(a), 512):
            at = np.arange(start, min(start + 512, len(a)))
            parts.append(model(*a.batch(at), *b.batch(at)).numpy())
    return np.concatenate(parts)


def round_weights(model: Guard) -> None:
    for module in model.modules():
        if type(module) is torch.nn.Linear:
            module.__class__ = RoundedLinear


def train(model: Guard, pairs: list[Pair], a: Rows, b: Rows, plan: Plan, work: Path) -> Guard:
    torch.manual_seed(plan.seed)
    rng = np.random.default_rng(plan.seed)
    same = np.array([pair.same for pair in pairs], np.float32)
    count = Counter(pair.family for pair in pairs)
    share = np.array([min(1.0, plan.most_of_family / count[pair.family]) ** 0.6 for pair in pairs])
    share /= share.sum()
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=plan.rate, weight_decay=0.01)
    path = work / CHECKPOINT
    step, spent, rounded = 0, 0.0, False
    if path.exists():
        saved = torch.load(path)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        step, spent = saved["step"], saved["spent"]
        print(f"resuming at step {step}", flush=True)
    since = saved_at = time.monotonic()
    losses: list[float] = []
    while (progress := step / plan.steps) < 1:
        if progress >= plan.quantize_from and not rounded:
            round_weights(model)
            rounded = True
        pool = rng.choice(len(pairs), 16 * plan.batch, p=share)
        # Texts of like length together: padding is work for nothing.
        pool = pool[np.argsort(a.lengths[pool] + b.lengths[pool], kind="stable")]
        for part in rng.permutation(16):
            at = pool[part * plan.batch : (part + 1) * plan.batch]
            rate = plan.rate * min(1, (step + 1) / 200) * (0.02 + 0.49 * (1 + math.cos(math.pi * min(1, progress))))
            for group in optimizer.param_groups:
                group["lr"] = rate
            loss = F.binary_cross_entropy_with_logits(model(*a.batch(at), *b.batch(at)), torch.from_numpy(same[at]))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            step += 1
            losses.append(loss.item())
        now = time.monotonic()
        if step % 400 == 0:
            print(f"step {step}  {progress:.1%}  loss {np.mean(losses[-400:]):.4f}  {spent + now - since:.0f} s", flush=True)
        if now - saved_at > plan.checkpoint_seconds:
            saved_at = now
            save(path, model, optimizer, step, spent + now - since)
    if not rounded:
        round_weights(model)
    save(path, model, optimizer, step, spent + time.monotonic() - since)
    return model.eval()


def save(path: Path, model: Guard, optimizer: torch.optim.Optimizer, step: int, spent: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "spent": spent}, draft)
    draft.rename(path)
