"""What a language model's folder holds beside its weights: manifest, golden logits, tokenizer, chat template."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

PIECE_BYTES = 4 * 2**20
"""The manifest has a hash for each: a page checks them as they come, by the platform's own SHA-256."""

GOLDEN_TEXTS = [
    "The capital of France is",
    "<|im_start|>user\nName three colours of the rainbow.<|im_end|>\n<|im_start|>assistant\n",
    "def fibonacci(n):\n    if n < 2:\n        return n\n    return",
    "La reunión del próximo miércoles se aplazó; avísale a Núñez antes de las 9:30 ☔️🙂",
]
GOLDEN_TOP = 5


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", "utf-8")


def torch_model(config: Mapping[str, object], tensors: Mapping[str, np.ndarray]):
    """The fp32 reference, by Hugging Face transformers."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    kind = config["model_type"]
    parsed = AutoConfig.for_model(kind, **{k: v for k, v in config.items() if k != "model_type"})
    model = AutoModelForCausalLM.from_config(parsed, dtype=torch.float32).eval()
    state = {name: torch.from_numpy(np.array(value, dtype=np.float32)) for name, value in tensors.items()}
    if config["tie_word_embeddings"]:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    missing, unexpected = model.load_state_dict(state, strict=False)
    if missing or unexpected:
        raise SystemExit(f"The checkpoint does not fit {kind}: missing {missing}, unexpected {unexpected}.")
    return model


def write_golden(folder: Path, model, inputs: list[list[int]], texts: list[str]) -> None:
    """Forced decoding: for each position the highest logits of the fp32 model."""
    import torch

    top = []
    for ids in inputs:
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0]
        values, indices = logits.topk(GOLDEN_TOP, dim=-1)
        top.append(
            [
                {"ids": row.tolist(), "logits": [round(float(value), 4) for value in best]}
                for row, best in zip(indices, values)
            ]
        )
    body = {"texts": texts, "inputIds": inputs, "top": top}
    (folder / "golden.json").write_text(json.dumps(body, ensure_ascii=False) + "\n", "utf-8")


def rope_of(config: Mapping[str, object]) -> dict[str, object]:
    # transformers 5 writes one field for what was two.
    both = config.get("rope_parameters") or {}
    scaling = config.get("rope_scaling") or both
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    rope: dict[str, object] = {"theta": float(config.get("rope_theta", both.get("rope_theta", 10000.0)))}
    if kind == "linear":
        rope["scaling"] = {"type": "linear", "factor": scaling["factor"]}
    elif kind == "llama3":
        rope["scaling"] = {
            "type": "llama3",
            "factor": scaling["factor"],
            "lowFrequencyFactor": scaling["low_freq_factor"],
            "highFrequencyFactor": scaling["high_freq_factor"],
            "originalContext": scaling["original_max_position_embeddings"],
        }
    elif kind != "default":
        raise SystemExit(f"Rotary scaling '{kind}' is not supported; linear and llama3 are.")
    return rope


def as_list(value: object) -> list[int]:
    return [] if value is None else value if isinstance(value, list) else [value]


def hashes(path: Path) -> dict[str, object]:
    """Size and SHA-256 of a file; of its pieces too where it has several."""
    whole, pieces, size = hashlib.sha256(), [], path.stat().st_size
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            whole.update(piece)
            pieces.append(hashlib.sha256(piece).hexdigest())
    out: dict[str, object] = {"bytes": size, "sha256": whole.hexdigest()}
    return {**out, "pieces": {"bytes": PIECE_BYTES, "sha256": pieces}} if len(pieces) > 1 else out


def write_manifest(
    folder: Path,
    config: Mapping[str, object],
    floats: Mapping[str, np.ndarray],
    stop_tokens: list[int],
    roles: Mapping[str, str],
    card: Mapping[str, object],
) -> None:
    files = [{"path": path, "role": role, **hashes(folder / path)} for path, role in roles.items()]
    heads = config["num_attention_heads"]
    first = "model.layers.0.self_attn"
    manifest = {
        "schema": 1,
        "id": card["id"],
        "task": "generate",
        "architecture": "llama",
        "dims": config["hidden_size"],
        "hidden": config["hidden_size"],
        "layers": config["num_hidden_layers"],
        "heads": heads,
        "intermediate": config["intermediate_size"],
        "vocab": config["vocab_size"],
        "maxTokens": config["max_position_embeddings"],
        "layerNormEps": config["rms_norm_eps"],
        "pooling": "none",
        "decoder": {
            "kvHeads": config["num_key_value_heads"],
            "headDims": config.get("head_dim") or config["hidden_size"] // heads,
            "rope": rope_of(config),
            "qkvBias": f"{first}.q_proj.bias" in floats,
            "qkNorm": f"{first}.q_norm.weight" in floats,
            "tiedEmbeddings": config["tie_word_embeddings"],
            "stopTokens": stop_tokens,
            **({"bosToken": config["bos_token_id"]} if isinstance(config.get("bos_token_id"), int) else {}),
        },
        "quantization": card["quantization"],
        "files": files,
        **{key: value for key, value in card.items() if key not in ("id", "quantization")},
    }
    write_json(folder / "manifest.json", manifest)
