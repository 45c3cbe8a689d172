"""Quantises a pulled checkpoint of the Llama family in place: packed weights, golden logits, manifest."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from decoder_artefact import GOLDEN_TEXTS, as_list, torch_model, write_golden, write_manifest
from decoder_pack import eight_bits, tensors_of, write_file
from tokenizers import Tokenizer

PACKED = "nearfield.safetensors"


def checkpoint(folder: Path) -> dict[str, np.ndarray]:
    """Every tensor in fp32, of one file or of many."""
    import torch
    from safetensors.torch import load_file

    tensors: dict[str, np.ndarray] = {}
    for path in sorted(folder.glob("*.safetensors")):
        if path.name != PACKED:
            tensors |= {name: value.to(torch.float32).numpy() for name, value in load_file(path).items()}
    return {name: value for name, value in tensors.items() if not name.endswith("rotary_emb.inv_freq")}


def complete(config: dict[str, object], tensors: dict[str, np.ndarray]) -> dict[str, object]:
    """Fields that a config may leave to its class's defaults."""
    heads = config["num_attention_heads"]
    tied = config.get("tie_word_embeddings", "lm_head.weight" not in tensors)
    return {"num_key_value_heads": heads, **config, "tie_word_embeddings": tied}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    folder: Path = parser.parse_args().folder
    tensors = checkpoint(folder)
    config = complete(json.loads((folder / "config.json").read_text("utf-8")), tensors)
    write_file(folder / PACKED, tensors_of(config, lambda name: eight_bits(tensors[name]), tensors))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    texts = [text for text in GOLDEN_TEXTS if "<|im_start|>" not in text]
    inputs = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    write_golden(folder, torch_model(config, tensors), inputs, texts)
    chat = folder / "generation_config.json"
    generation = json.loads(chat.read_text("utf-8")) if chat.exists() else {}
    stops = as_list(generation.get("eos_token_id", config.get("eos_token_id")))
    names = {"temperature": "temperature", "top_p": "topP", "top_k": "topK", "repetition_penalty": "repetitionPenalty"}
    sampling = {ours: generation[theirs] for theirs, ours in names.items() if generation.get(theirs) is not None}
    source = json.loads((folder / "pulled.json").read_text("utf-8"))["source"]
    roles = {PACKED: "weights", "tokenizer.json": "tokenizer", "tokenizer_config.json": "config", "golden.json": "golden"}
    card = {
        "id": folder.name,
        "quantization": {"scheme": "int8-symmetric-block-32", "block": 32},
        "sampling": sampling,
        "source": {"model": source["id"], "revision": source["commit"]},
    }
    write_manifest(folder, config, tensors, stops, roles, card)
    print(f"Wrote {folder / 'manifest.json'}")


if __name__ == "__main__":
    main()
