"""Forced decoding by the fp32 model, for `npm run eval -- gen`: each token's likelihood, and the likeliest instead."""

from __future__ import annotations

import argparse
import json
import os
import random
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from data import rows
from decoder_artefact import torch_model
from smollm2_source import fetch, read

TEXT_TOKENS = 256
LEAST_TOKENS = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="texts, JSONL or JSONL.gz with `text`")
    parser.add_argument("--tokens", type=int, required=True)
    parser.add_argument("--source", type=Path, required=True, help="folder that keeps the published file")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    source = read(fetch(options.source))
    model = torch_model(source.config, source.tensors)
    texts = [row["text"] for row in rows(options.data) if row.get("kind", "passage") == "passage"]
    random.Random(5).shuffle(texts)

    found, total = [], 0
    for text in texts:
        ids = source.tokenizer.encode(text).ids[:TEXT_TOKENS]
        if len(ids) < LEAST_TOKENS:
            continue
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0, :-1].float()
        losses = torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:]), reduction="none")
        top, best = logits.topk(2, dim=-1)
        found.append(
            {
                "ids": ids,
                "top": best[:, 0].tolist(),
                "margin": [round(value, 4) for value in (top[:, 0] - top[:, 1]).tolist()],
                "loss": [round(value, 6) for value in losses.tolist()],
            }
        )
        total += len(ids) - 1
        if total >= options.tokens:
            break
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"reference": source.sha256, "texts": found}), "utf-8")
    print(f"Wrote {options.out}: {len(found)} texts, {total} tokens")


if __name__ == "__main__":
    main()
