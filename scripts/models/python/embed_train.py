"""Distils a student: the teacher's sentence vectors, its word states and the similarities among texts.

A step sees texts drawn at random and whole neighbourhoods: far texts teach the map, near ones the order on it.
Translations get the teacher's vector of their English text, so that languages meet in one space. Runs for a
number of steps or minutes, whichever ends first; resumes from its last checkpoint. What comes out is the running
average of the weights.
"""

from __future__ import annotations

import copy
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
    steps: int = 12_000
    minutes: float = 600
    batch: int = 48
    """Texts drawn at random a step."""
    groups: int = 8
    """Neighbourhoods a step."""
    rate: float = 2e-4
    table_rate: float = 1e-3
    """Rows of the word table are 25 times the size of a product's weights, and Adam's steps are not."""
    warmup: float = 0.03
    quantize_from: float = 0.75
    """Fraction of the run after which weights and activations are fake-quantised."""
    average: float = 0.99
    seed: int = 11
    checkpoint_seconds: float = 120
    word_weight: float = 2.0
    sentence_weight: float = 6.0
    relation_weight: float = 300.0
    near_weight: float = 100.0
    order_weight: float = 2.0
    long_every: int = 12
    """Steps from one of long texts alone to the next; 0 for none."""
    word_bits: int = 8


class Targets:
    """The teacher's vectors: the corpus's shards with word states, then rows of vectors alone."""

    def __init__(self, paths: list[Path], more: list[NDArray[np.float16]]) -> None:
        shards = [np.load(path) for path in paths]
        corpus = np.concatenate([shard["sentence"] for shard in shards])
        self.known = len(corpus)
        """Rows of the corpus; those after it have no word states."""
        rows = np.concatenate([corpus, *more]).astype(np.float32)
        self.sentence = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        self.words = np.concatenate([shard["words"] for shard in shards])
        counts = np.concatenate([shard["counts"] for shard in shards])
        self.ends = np.cumsum(counts)
        self.starts = self.ends - counts
        # Variance over a sample: the word loss is relative to it, so 1 means "no better than the mean".
        self.variance = float(self.words[:: max(1, len(self.words) // 20000)].astype(np.float32).var(axis=0).sum())

    def word_states(self, row: int) -> NDArray[np.float16]:
        if row >= self.known:
            return self.words[:0]
        return self.words[self.starts[row] : self.ends[row]]


@dataclass(frozen=True)
class Example:
    ids: list[int]
    slots: NDArray[np.int64]
    target: int
    english: bool


def make_examples(texts: list[Text], tokenizer: Tokenizer) -> list[Example]:
    encodings: list[Encoding] = tokenizer.encode_batch([text.text for text in texts])
    return [
        Example(encoding.ids, word_slots(encoding), text.target, text.lang == "en")
        for encoding, text in zip(encodings, texts, strict=True)
    ]


Group = list[Example]


def random_batches(examples: list[Example], size: int, seed: int) -> Iterator[list[Example]]:
    """For ever: shuffled, then cut into batches of like length, long batches of fewer rows."""
    rng = random.Random(seed)
    while examples:
        order = list(range(len(examples)))
        rng.shuffle(order)
        pool = size * 50
        for start in range(0, len(order), pool):
            part = sorted(order[start : start + pool], key=lambda at: len(examples[at].ids))
            cut = [part[at : at + size] for at in range(0, len(part), size)]
            rng.shuffle(cut)
            for rows in cut:
                parts = 1 + len(examples[rows[-1]].ids) // 48
                each = math.ceil(len(rows) / parts)
                for at in range(0, len(rows), each):
                    yield [examples[row] for row in rows[at : at + each]]


def group_batches(groups: list[Group], size: int, seed: int) -> Iterator[list[Group]]:
    """For ever: neighbourhoods of like length together."""
    rng = random.Random(seed)
    longest = [max(len(example.ids) for example in group) for group in groups]
    while True:
        order = list(range(len(groups)))
        rng.shuffle(order)
        for start in range(0, len(order), size * 40):
            part = sorted(order[start : start + size * 40], key=lambda at: longest[at])
            cut = [part[at : at + size] for at in range(0, len(part), size)]
            rng.shuffle(cut)
            for rows in cut:
                yield [groups[row] for row in rows]


def forward(model: Encoder, batch: list[Example]) -> tuple[Tensor, Tensor]:
    device = next(model.parameters()).device
    ids, mask = padded([example.ids for example in batch])
    return model(torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device))


def losses(
    model: Encoder, batch: list[Example], groups: list[Group], targets: Targets
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Returns (1 - cosine, squared error of similarities: all, near; relative error of word states; order)."""
    states, vectors = forward(model, batch)
    members = [example for group in groups for example in group]
    if members:
        vectors = torch.cat([vectors, forward(model, members)[1]])
    device = vectors.device
    rows = [example.target for example in (*batch, *members)]
    wanted = torch.from_numpy(targets.sentence[rows]).to(device)
    sentence = 1 - (vectors * wanted).sum(-1).mean()
    truth = wanted @ wanted.T
    similarity = vectors @ vectors.T
    error = (similarity - truth).square()
    # Near: kin by the teacher's own word, wherever in the batch; itself and its translation are not.
    near = (truth > 0.4) & (truth < 0.999)
    close = (error * near).sum() / near.sum().clamp(min=1)
    return sentence, error.mean(), close, word_loss(states, batch, targets), order_loss(similarity, truth)


SHARPNESS = 20.0


def order_loss(similarity: Tensor, truth: Tensor) -> Tensor:
    """Divergence between whom each text is near to by the teacher and by the student, itself and its like left out."""
    same = truth > 0.999
    wanted = F.log_softmax((SHARPNESS * truth).masked_fill(same, -1e4), dim=-1)
    ours = F.log_softmax((SHARPNESS * similarity).masked_fill(same, -1e4), dim=-1)
    return F.kl_div(ours, wanted, log_target=True, reduction="batchmean")


def word_loss(states: Tensor, batch: list[Example], targets: Targets) -> Tensor:
    rows = [
        row
        for row, example in enumerate(batch)
        if example.english and len(targets.word_states(example.target)) == example.slots[-1] + 1
    ]
    if not rows:
        return states.new_zeros(())
    means, _ = word_means(states[rows], [batch[row].slots for row in rows])
    truth = np.concatenate([targets.word_states(batch[row].target) for row in rows]).astype(np.float32)
    return (means - torch.from_numpy(truth).to(states.device)).square().sum(-1).mean() / targets.variance


def rate_at(progress: float, warmup: float) -> float:
    """Share of the full rate: linear warm-up, then cosine to a fiftieth."""
    if progress < warmup:
        return (progress + 1e-3) / warmup
    turn = (progress - warmup) / (1 - warmup)
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1, turn)))


def make_optimizer(model: Encoder, plan: Plan) -> torch.optim.Optimizer:
    tables = [model.embeddings["word"].weight, model.embeddings["position"].weight]
    others = [p for p in model.parameters() if all(p is not table for table in tables)]
    groups = [
        {"params": tables, "lr": plan.table_rate, "full": plan.table_rate, "weight_decay": 0.0},
        {"params": [p for p in others if p.ndim > 1], "lr": plan.rate, "full": plan.rate, "weight_decay": 0.01},
        {"params": [p for p in others if p.ndim == 1], "lr": plan.rate, "full": plan.rate, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=True)


class Average:
    """Exponential running average of a model's weights; young averages forget faster."""

    def __init__(self, model: Encoder, decay: float) -> None:
        self.model, self.decay = copy.deepcopy(model), decay

    @torch.no_grad()
    def add(self, model: Encoder, step: int) -> None:
        keep = min(self.decay, (1 + step) / (20 + step))
        torch._foreach_lerp_(list(self.model.parameters()), list(model.parameters()), 1 - keep)


def train(
    model: Encoder,
    examples: list[Example],
    long: list[Example],
    groups: list[Group],
    targets: Targets,
    plan: Plan,
    work: Path,
) -> Encoder:
    """Returns the averaged weights."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(plan.seed)
    model.to(device).train()
    optimizer, average = make_optimizer(model, plan), Average(model, plan.average)
    path = work / CHECKPOINT
    step, spent, seen, quantized = 0, 0.0, 0, False
    work.mkdir(parents=True, exist_ok=True)
    if path.exists():
        saved = torch.load(path, map_location=device)
        model.load_state_dict(saved["model"])
        average.model.load_state_dict(saved["average"])
        optimizer.load_state_dict(saved["optimizer"])
        step, spent, seen = saved["step"], saved["spent"], saved["seen"]
        print(f"resuming at step {step}", flush=True)
    log = open(work / "train.log", "a", encoding="utf-8")
    # Another seed at each resume: the data goes on in another order instead of being replayed.
    texts = random_batches(examples, plan.batch, plan.seed + step)
    passages = random_batches(long, plan.batch, plan.seed + step)
    near = group_batches(groups, plan.groups, plan.seed + step)
    since = saved_at = time.monotonic()
    sums = np.zeros(6)

    def save() -> None:
        state = {
            "model": model.state_dict(), "average": average.model.state_dict(), "optimizer": optimizer.state_dict(),
            "step": step, "seen": seen, "spent": spent + time.monotonic() - since,
        }  # fmt: skip
        draft = path.with_suffix(".part")
        torch.save(state, draft)
        draft.rename(path)

    while (progress := max(step / plan.steps, (spent + time.monotonic() - since) / 60 / plan.minutes)) < 1:
        if progress >= plan.quantize_from and not quantized:
            fake_quantize(model, word_bits=plan.word_bits)
            quantized = True
        lengthy = bool(long) and plan.long_every > 0 and step % plan.long_every == 0
        batch, kin = (next(passages), []) if lengthy else (next(texts), next(near))
        for group in optimizer.param_groups:
            group["lr"] = group["full"] * rate_at(progress, plan.warmup)
        sentence, relation, close, word, order = losses(model, batch, kin, targets)
        loss = (
            plan.sentence_weight * sentence
            + plan.relation_weight * relation
            + plan.near_weight * close
            + plan.word_weight * word
            + plan.order_weight * order
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        average.add(model, step)
        count = len(batch) + sum(map(len, kin))
        seen += count
        sums += [sentence.item(), relation.item(), close.item(), word.item(), order.item(), count]
        now = time.monotonic()
        if step % 50 == 0:
            mean = sums / 50
            line = f"step {step}  {progress:.1%}  1-cos {mean[0]:.4f}  relation {mean[1]:.5f}  near {mean[2]:.5f}"
            line += f"  word {mean[3]:.3f}  order {mean[4]:.4f}  {sums[5]:.0f} texts  {spent + now - since:.0f} s"
            print(line, flush=True)
            print(line, file=log, flush=True)
            sums[:] = 0
        if now - saved_at > plan.checkpoint_seconds:
            saved_at = now
            save()
    save()
    log.close()
    return average.model.eval()
