"""Distils a student: the teacher's sentence vectors, its word states and the similarities within a batch.

Translations get the teacher's vector of their English text, so that languages meet in one space. Runs for a
number of steps or minutes, whichever ends first; resumes from its last checkpoint.
"""

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
from tokenizers import Encoding, Tokenizer
from torch import Tensor
from torch.nn import functional as F

from embed_corpus import Text
from embed_targets import word_means, word_slots
from encoder import Encoder
from fakequant import fake_quantize
from measure import padded


CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Plan:
    steps: int = 4000
    minutes: float = 600
    batch: int = 64
    rate: float = 2e-4
    warmup: float = 0.04
    quantize_from: float = 0.85
    """Fraction of the run after which weights and activations are fake-quantised."""
    seed: int = 11
    checkpoint_seconds: float = 180
    word_weight: float = 1.0
    sentence_weight: float = 10.0
    relation_weight: float = 300.0


class Targets:
    """The teacher's shards, read from disk; only rows that exist are trained on."""

    def __init__(self, paths: list[Path]) -> None:
        shards = [np.load(path) for path in paths]
        self.sentence = np.concatenate([shard["sentence"] for shard in shards])
        self.words = np.concatenate([shard["words"] for shard in shards])
        counts = np.concatenate([shard["counts"] for shard in shards])
        self.ends = np.cumsum(counts)
        self.starts = self.ends - counts
        # Variance over a sample: the word loss is relative to it, so 1 means "no better than the mean".
        self.variance = float(self.words[:: max(1, len(self.words) // 20000)].astype(np.float32).var(axis=0).sum())

    def word_states(self, row: int) -> NDArray[np.float16]:
        return self.words[self.starts[row] : self.ends[row]]


@dataclass(frozen=True)
class Example:
    ids: list[int]
    slots: NDArray[np.int64]
    target: int
    english: bool


def make_examples(corpus: list[Text], tokenizer: Tokenizer, known: int, longest: int) -> list[Example]:
    texts = [text for text in corpus if text.target < known]
    encodings: list[Encoding] = tokenizer.encode_batch([text.text for text in texts])
    return [
        Example(encoding.ids, word_slots(encoding), text.target, text.lang == "en")
        for encoding, text in zip(encodings, texts, strict=True)
        if len(encoding.ids) < longest
    ]


def batches(examples: list[Example], plan: Plan) -> Iterator[list[Example]]:
    """For ever: shuffled, then cut into batches of like length, long batches of fewer rows."""
    rng = random.Random(plan.seed)
    while True:
        order = list(range(len(examples)))
        rng.shuffle(order)
        pool = plan.batch * 50
        for start in range(0, len(order), pool):
            part = sorted(order[start : start + pool], key=lambda at: len(examples[at].ids))
            cut = [part[at : at + plan.batch] for at in range(0, len(part), plan.batch)]
            rng.shuffle(cut)
            for rows in cut:
                halves = 1 + len(examples[rows[-1]].ids) // 48
                size = math.ceil(len(rows) / halves)
                for at in range(0, len(rows), size):
                    yield [examples[row] for row in rows[at : at + size]]


def losses(model: Encoder, batch: list[Example], targets: Targets, device: str) -> tuple[Tensor, Tensor, Tensor]:
    """Returns (1 - cosine, squared error of similarities, relative error of word states)."""
    ids, mask = padded([example.ids for example in batch])
    states, vectors = model(torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device))
    wanted = torch.from_numpy(targets.sentence[[e.target for e in batch]].astype(np.float32)).to(device)
    wanted = F.normalize(wanted, dim=-1)
    sentence = 1 - (vectors * wanted).sum(-1).mean()
    relation = (vectors @ vectors.T - wanted @ wanted.T).square().mean()
    rows = [
        row
        for row, example in enumerate(batch)
        if example.english and len(targets.word_states(example.target)) == example.slots[-1] + 1
    ]
    if not rows:
        return sentence, relation, sentence.new_zeros(())
    means, _ = word_means(states[rows], [batch[row].slots for row in rows])
    truth = np.concatenate([targets.word_states(batch[row].target) for row in rows]).astype(np.float32)
    word = (means - torch.from_numpy(truth).to(device)).square().sum(-1).mean() / targets.variance
    return sentence, relation, word


def rate_at(progress: float, plan: Plan) -> float:
    """Linear warm-up, then cosine to a twentieth."""
    if progress < plan.warmup:
        return plan.rate * (progress + 1e-3) / plan.warmup
    turn = (progress - plan.warmup) / (1 - plan.warmup)
    return plan.rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1, turn))))


def train(model: Encoder, examples: list[Example], targets: Targets, plan: Plan, work: Path) -> Encoder:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(plan.seed)
    model.to(device).train()
    decay = [p for name, p in model.named_parameters() if p.ndim > 1 and "embeddings" not in name]
    rest = [p for name, p in model.named_parameters() if p.ndim == 1 or "embeddings" in name]
    groups = [{"params": decay, "weight_decay": 0.01}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=plan.rate, betas=(0.9, 0.98), fused=True)
    path = work / CHECKPOINT
    step, spent, quantized = 0, 0.0, False
    work.mkdir(parents=True, exist_ok=True)
    if path.exists():
        saved = torch.load(path, map_location=device)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        step, spent = saved["step"], saved["spent"]
        print(f"resuming at step {step}", flush=True)
    log = open(work / "train.log", "a", encoding="utf-8")
    stream = batches(examples, plan)
    for _ in range(step):
        next(stream)
    since = saved_at = time.monotonic()
    sums = np.zeros(4)
    while (progress := max(step / plan.steps, (spent + time.monotonic() - since) / 60 / plan.minutes)) < 1:
        if progress >= plan.quantize_from and not quantized:
            fake_quantize(model)
            quantized = True
        batch = next(stream)
        for group in optimizer.param_groups:
            group["lr"] = rate_at(progress, plan)
        sentence, relation, word = losses(model, batch, targets, device)
        loss = plan.sentence_weight * sentence + plan.relation_weight * relation + plan.word_weight * word
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        sums += [sentence.item(), relation.item(), word.item(), len(batch)]
        now = time.monotonic()
        if step % 25 == 0:
            mean = sums / 25
            line = f"step {step}  {progress:.1%}  1-cos {mean[0]:.4f}  relation {mean[1]:.5f}  word {mean[2]:.3f}"
            line += f"  {sums[3]:.0f} texts  {spent + now - since:.0f} s"
            print(line, flush=True)
            print(line, file=log, flush=True)
            sums[:] = 0
        if now - saved_at > plan.checkpoint_seconds:
            saved_at = now
            save(path, model, optimizer, step, spent + now - since)
    save(path, model, optimizer, step, spent + time.monotonic() - since)
    log.close()
    return model.eval()


def save(path: Path, model: Encoder, optimizer: torch.optim.Optimizer, step: int, spent: float) -> None:
    draft = path.with_suffix(".part")
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "spent": spent}
    torch.save(state, draft)
    draft.rename(path)

