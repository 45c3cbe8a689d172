"""`npm run models -- build nearfield-pii`: a tagger of names, places, dates and numbers that are somebody's."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from fakequant import fake_quantize
from pii_corpus import load_shard, make_shards
from pii_export import ID, export
from pii_model import Tagger, TaggerSpec
from pii_slots import LABELS
from pii_tokens import TYPES, PiiTokenizer
from pii_train import CHECKPOINT, Plan, train
from pii_vocabulary import first_rows, pii_pieces

DIMS = 32
"""Scores a token: one for nobody's, two a label, and what makes it a multiple of eight."""
MAX_TOKENS = 128
SHAPES: dict[str, tuple[int, int, int, int]] = {
    "small": (128, 2, 4, 384),
    "two-layers": (192, 2, 6, 512),
    "three-layers": (192, 3, 6, 256),
}
"""Width, layers, heads, feed-forward units."""


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="folder with the training data (needed)")
    parser.add_argument("--shape", choices=SHAPES, default="two-layers")
    parser.add_argument("--shards", type=int, default=22, help="of 20,000 windows; the first is kept apart")
    parser.add_argument("--steps", type=int, default=8_000)
    parser.add_argument("--minutes", type=float, default=600, help="stop training after this long")
    parser.add_argument("--bias", type=float, default=1.0, help="taken from the score of nobody's when tagging")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--export-only", action="store_true", help="the last checkpoint as it is")
    options = parser.parse_args()
    if options.data is None:
        parser.error("--data FOLDER is needed: text_*.jsonl.gz, parallel.jsonl.gz, intent.jsonl.gz and privacy/.")
    assert 1 + 2 * len(LABELS) <= DIMS
    return options


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    root = options.out.parent.parent / ".nearfield"
    work, embed_work = root / "pii", root / "embed"
    pieces = pii_pieces(options.data, embed_work, work)
    tokenizer = PiiTokenizer(pieces)
    hidden, layers, heads, units = SHAPES[options.shape]
    spec = TaggerSpec(
        vocab=len(pieces), hidden=hidden, layers=layers, heads=heads, intermediate=units, dims=DIMS,
        max_tokens=MAX_TOKENS, types=TYPES,
    )  # fmt: skip
    model = Tagger(spec)
    paths = make_shards(options.data, work, tokenizer, options.shards, seed=7)
    checkpoint = work / options.shape / CHECKPOINT
    if options.export_only:
        model.load_state_dict(torch.load(checkpoint)["model"])
        fake_quantize(model)
    else:
        if not checkpoint.exists():
            model.start_from(first_rows(pieces, hidden, options.data, embed_work))
        train(model, paths, Plan(steps=options.steps, minutes=options.minutes), work / options.shape)
    notes = {"steps": int(torch.load(checkpoint)["step"]), "shape": options.shape, "id": ID}
    export(options.out, model.eval(), tokenizer, pieces, options.bias, load_shard(paths[0]), notes)


if __name__ == "__main__":
    main()
