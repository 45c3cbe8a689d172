"""`npm run models -- build nearfield-intent`: linear heads over the encoder's sentence vector and hashed words.

Volatility and task read the vector of all-MiniLM-L6-v2 (or of nearfield-embed, which lives in the same space) and the
words; language reads letters alone. Weights are INT8, one scale a class and part.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from artefact import write_json
from data import rows
from embed_neighbours import embed_shards
from intent_data import HELD_OUT, LANGUAGES, TASKS, VOLATILITIES, Row, build_rows
from intent_features import BUCKETS, letter_features, word_features
from measure import torch_embedder
from quantize import LEVELS
from teacher import load_teacher, make_tokenizer, teacher_hash, teacher_tokenizer

ID = "nearfield-intent"
DIMS = 384
HASHED_GAIN = 4.0
"""Times a text's hashed features, whose vector has length 1: lets small weights say as much as the encoder's."""
VECTOR_NOISE = 0.02
"""Added to each number of a vector while training: the student's vectors differ from the teacher's."""
WORDS_HIDDEN = 0.25
"""Share of training texts whose words are hidden, so that the vector learns to decide alone."""
EMBEDDED_ROWS = 10_000
"""Rows whose vector is computed; the others teach the words alone."""


@dataclass(frozen=True)
class Head:
    name: str
    classes: tuple[str, ...]
    features: str
    vector: bool


HEADS = (
    Head("volatility", VOLATILITIES, "words", True),
    Head("task", TASKS, "words", True),
    Head("lang", LANGUAGES, "letters", False),
)


class Linear(nn.Module):
    """Logits [rows, classes] from vectors [rows, 384] and sets of buckets."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        classes = len(head.classes)
        self.hashed = nn.EmbeddingBag(BUCKETS, classes, mode="sum")
        nn.init.zeros_(self.hashed.weight)
        self.vector = nn.Linear(DIMS, classes)
        nn.init.zeros_(self.vector.weight)
        nn.init.zeros_(self.vector.bias)

    def forward(self, vectors: Tensor, sets: list[list[int]], shown: Tensor) -> Tensor:
        counts = torch.tensor([len(buckets) for buckets in sets])
        offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)[:-1]])
        flat = torch.tensor([bucket for buckets in sets for bucket in buckets])
        hashed = self.hashed(flat, offsets) * (HASHED_GAIN / counts.clamp(min=1).sqrt())[:, None]
        return hashed * shown[:, None] + self.vector(vectors)


def label_of(row: Row, head: Head) -> str | None:
    return getattr(row, head.name)


def fit(head: Head, texts: list[Row], vectors: NDArray[np.float32], seed: int = 3) -> Linear:
    """`vectors` has a row a text; zeros where none was computed."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    known = [at for at, row in enumerate(texts) if label_of(row, head) is not None]
    read = letter_features if head.features == "letters" else word_features
    sets = {at: read(texts[at].text) for at in known}
    names = [label_of(row, head) for row in texts]
    labels = torch.tensor([-1 if name is None else head.classes.index(name) for name in names])
    counts = torch.bincount(labels[known], minlength=len(head.classes)).float()
    weight = (counts.sum() / counts / len(head.classes)).sqrt()
    model = Linear(head)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    epochs = 8
    steps = epochs * (len(known) // 256)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.02, total_steps=steps + epochs + 1)
    for _ in range(epochs):
        rng.shuffle(known)
        for start in range(0, len(known), 256):
            part = known[start : start + 256]
            batch = torch.from_numpy(vectors[part]) if head.vector else torch.zeros(len(part), DIMS)
            embedded = batch.abs().sum(dim=1) > 0
            batch = batch + VECTOR_NOISE * torch.randn_like(batch) * embedded[:, None]
            shown = (~embedded | (torch.rand(len(part)) >= WORDS_HIDDEN)).float()
            logits = model(batch, [sets[at] for at in part], shown)
            loss = F.cross_entropy(logits, labels[part], weight=weight, label_smoothing=0.05)
            loss = loss + 1e-4 * model.hashed.weight.square().sum() + 1e-4 * model.vector.weight.square().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model


def packed(weights: NDArray[np.float32]) -> dict[str, object]:
    """[classes, inputs] as INT8, one scale a class, little rows one after another in base64."""
    scale = np.maximum(np.abs(weights).max(axis=1), 1e-8) / LEVELS
    values = np.clip(np.rint(weights / scale[:, None]), -LEVELS, LEVELS).astype(np.int8)
    return {"scale": [float(f"{value:.6g}") for value in scale], "q8": base64.b64encode(values.tobytes()).decode()}


def unpacked(part: dict[str, object], classes: int) -> NDArray[np.float32]:
    values = np.frombuffer(base64.b64decode(part["q8"]), np.int8).reshape(classes, -1)
    return values * np.array(part["scale"], np.float32)[:, None]


def to_json(head: Head, model: Linear) -> dict[str, object]:
    # The gain goes into the weights: the reader only divides by the root of the count.
    hashed = model.hashed.weight.detach().numpy().T * HASHED_GAIN
    return {
        "name": head.name,
        "classes": list(head.classes),
        "features": head.features,
        "bias": [float(f"{value:.6g}") for value in model.vector.bias.tolist()],
        "hashed": packed(hashed),
        **({"vector": packed(model.vector.weight.detach().numpy())} if head.vector else {}),
    }


def predict(head: dict[str, object], text: str, vector: NDArray[np.float32]) -> str:
    """What runtime/tasks/intent.ts computes, for the metrics in the manifest."""
    classes = head["classes"]
    buckets = (letter_features if head["features"] == "letters" else word_features)(text)
    logits = np.array(head["bias"]) + unpacked(head["hashed"], len(classes))[:, buckets].sum(axis=1) / np.sqrt(max(1, len(buckets)))
    if "vector" in head:
        logits = logits + unpacked(head["vector"], len(classes)) @ vector
    return classes[int(logits.argmax())]


def measure(heads: list[dict[str, object]], embed: object) -> dict[str, dict[str, float]]:
    held = list(rows(HELD_OUT))
    vectors = embed([row["text"] for row in held])
    out: dict[str, dict[str, float]] = {}
    for head in heads:
        pairs = []
        for row, vector in zip(held, vectors, strict=True):
            truth = row.get(head["name"])
            if head["name"] == "lang" and truth not in head["classes"]:
                truth = "other"
            if truth is not None:
                pairs.append((truth, predict(head, row["text"], vector)))
        right = sum(truth == guess for truth, guess in pairs)
        scores = []
        for name in head["classes"]:
            hits = sum(truth == guess == name for truth, guess in pairs)
            scores.append(2 * hits / max(1, sum((truth == name) + (guess == name) for truth, guess in pairs)))
        out[head["name"]] = {"n": len(pairs), "accuracy": round(right / len(pairs), 4), "macroF1": round(float(np.mean(scores)), 4)}
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="folder with the training data (needed)")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    if options.data is None:
        parser.error("--data FOLDER is needed: the open files that intent_data.py reads.")
    torch.set_num_threads(options.threads)
    work = options.out.parent.parent / ".nearfield" / "intent"
    texts = build_rows(options.data)
    taught = [at for at, row in enumerate(texts) if row.volatility is not None or row.task is not None][:EMBEDDED_ROWS]
    said = [texts[at].text for at in taught]
    digest = hashlib.sha256("\n".join(said).encode()).hexdigest()[:12]
    vectors = np.zeros((len(texts), DIMS), np.float32)
    vectors[taught] = embed_shards(said, work / digest)
    heads = [to_json(head, fit(head, texts, vectors)) for head in HEADS]
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "heads.json"
    path.write_text(json.dumps({"schema": 1, "dims": DIMS, "buckets": BUCKETS, "heads": heads}, separators=(",", ":")) + "\n", "utf-8")
    metrics = measure(heads, torch_embedder(load_teacher(), make_tokenizer(teacher_tokenizer(), 256)))
    for name, value in metrics.items():
        print(f"  {name}: {value}", flush=True)
    write_manifest(options.out, path, metrics)
    print(f"Wrote {path} ({path.stat().st_size:,} bytes)")


def write_manifest(folder: Path, path: Path, metrics: dict[str, object]) -> None:
    content = path.read_bytes()
    write_json(
        folder / "manifest.json",
        {
            "schema": 1,
            "id": ID,
            "task": "intent",
            "architecture": "linear-heads",
            "dims": DIMS,
            "hidden": DIMS,
            "layers": 1,
            "heads": len(HEADS),
            "intermediate": BUCKETS,
            "vocab": BUCKETS,
            "maxTokens": 256,
            "layerNormEps": 1e-12,
            "pooling": "none",
            "quantization": {"scheme": "int8-symmetric-per-class", "bits": 8},
            "files": [{"path": path.name, "role": "weights", "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}],
            "languages": ["en", "es", "pt"],
            "source": {"encoder": "all-minilm-l6-v2", "revision": f"sha256:{teacher_hash()}"},
            "license": "Apache-2.0",
            "metrics": {"how": "scripts/eval/samples/intent-heads.jsonl, written by hand, not trained on; fp32 encoder", **metrics},
            "data": [
                "sentences written in scripts/models/python/intent_templates.py, filled at random",
                "clinc150 (CC BY 3.0), hwu64 and banking77 (CC BY 4.0): intents mapped to our labels in intent_data.py",
                "boolq (CC BY-SA 3.0), arc (CC BY-SA 4.0), openbookqa (Apache-2.0), gsm8k (MIT): labelled by a rule",
                "Common Voice (CC0 1.0), MASC, wiki-split (CC BY-SA 4.0), lener-br (MIT), python-docs translations: language only",
                "faker word lists (MIT): other languages",
            ],
        },
    )


if __name__ == "__main__":
    main()
