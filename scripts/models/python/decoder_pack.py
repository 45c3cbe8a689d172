"""Lays a Llama-shaped model out as the kernel streams it: docs/decoder.md describes the file."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

BLOCK = 32
COLUMNS = 8


@dataclass(frozen=True)
class Eight:
    """int8 codes [n, k] and a float scale for each block of 32 k: symmetric."""

    codes: np.ndarray
    scales: np.ndarray

    def dense(self) -> np.ndarray:
        n, k = self.codes.shape
        return (self.codes.reshape(n, -1, BLOCK) * self.scales[:, :, None]).reshape(n, k).astype(np.float32)


@dataclass(frozen=True)
class Four:
    """Codes 0…15 [n, k], a float scale and a float minimum for each block of 32 k."""

    codes: np.ndarray
    scales: np.ndarray
    mins: np.ndarray

    def dense(self) -> np.ndarray:
        n, k = self.codes.shape
        blocks = self.codes.reshape(n, -1, BLOCK) * self.scales[:, :, None] + self.mins[:, :, None]
        return blocks.reshape(n, k).astype(np.float32)


Matrix = Eight | Four


def eight_bits(weights: np.ndarray) -> Eight:
    n, k = weights.shape
    blocks = weights.reshape(n, k // BLOCK, BLOCK)
    scales = np.abs(blocks).max(axis=2) / 127
    safe = np.where(scales == 0, 1, scales)
    codes = np.clip(np.rint(blocks / safe[:, :, None]), -127, 127).astype(np.int8)
    return Eight(codes.reshape(n, k), scales.astype(np.float32))


def four_bits(weights: np.ndarray) -> Four:
    """Nearest of 16 levels between a block's least and largest."""
    n, k = weights.shape
    blocks = weights.reshape(n, k // BLOCK, BLOCK)
    low, high = blocks.min(axis=2), blocks.max(axis=2)
    scales = (high - low) / 15
    safe = np.where(scales == 0, 1, scales)
    codes = np.clip(np.rint((blocks - low[:, :, None]) / safe[:, :, None]), 0, 15).astype(np.uint8)
    return Four(codes.reshape(n, k), scales.astype(np.float32), low.astype(np.float32))


def stack(parts: list[Matrix]) -> Matrix:
    """Rows of several matrices one after another; all of one kind, else all int8."""
    if not all(isinstance(part, Four) for part in parts):
        parts = [part if isinstance(part, Eight) else eight_bits(part.dense()) for part in parts]
    return parts[0].__class__(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in parts[0].__dataclass_fields__)
    )


def take(matrix: Matrix, order: np.ndarray) -> Matrix:
    return matrix.__class__(*(getattr(matrix, name)[order] for name in matrix.__dataclass_fields__))


def in_turns(intermediate: int) -> np.ndarray:
    """Rows of gate and up, eight of each in turns, so that a gate and its value come from neighbouring panels."""
    gate = np.arange(intermediate).reshape(-1, 1, COLUMNS)
    return np.concatenate([gate, gate + intermediate], axis=1).reshape(-1)


def pack(name: str, matrix: Matrix) -> Iterable[tuple[str, str, np.ndarray]]:
    """Panels of 8 rows of the matrix; a block of 32 k lies together with its scales."""
    n, k = matrix.codes.shape
    panels, blocks = n // COLUMNS, k // BLOCK

    def by_block(values: np.ndarray) -> np.ndarray:
        return values.reshape(panels, COLUMNS, blocks).transpose(0, 2, 1)

    top = matrix.scales.max(axis=1, keepdims=True)
    safe = np.where(top == 0, 1, top)
    scales = by_block(np.rint(matrix.scales / safe * 65535).astype("<u2"))
    parts = [np.ascontiguousarray(scales).view(np.uint8)]
    if isinstance(matrix, Four):
        codes = matrix.codes.reshape(panels, 2, 4, blocks, 4, 2, 4).transpose(0, 3, 4, 1, 2, 6, 5)
        codes = (codes[..., 0] | codes[..., 1] << 4).astype(np.uint8)
        reach = np.abs(matrix.mins).max(axis=1, keepdims=True)
        reach_safe = np.where(reach == 0, 1, reach)
        mins = by_block(np.rint(matrix.mins / reach_safe * 32767).astype("<i2"))
        parts.append(np.ascontiguousarray(mins).view(np.uint8))
        yield f"{name}.min", "F32", (reach[:, 0] / 32767).astype("<f4")
    else:
        codes = matrix.codes.reshape(panels, COLUMNS, blocks, BLOCK // 2, 2).transpose(0, 2, 3, 1, 4)
        codes = np.ascontiguousarray(codes).view(np.uint8)
    body = np.concatenate([codes.reshape(panels, blocks, -1), *parts], axis=2)
    yield f"{name}.scale", "F32", (top[:, 0] / 65535).astype("<f4")
    yield name, "U8" if isinstance(matrix, Four) else "I8", body.reshape(-1)


def tensors_of(
    config: Mapping[str, object],
    matrix: "callable[[str], Matrix]",
    floats: Mapping[str, np.ndarray],
) -> Iterable[tuple[str, str, np.ndarray]]:
    """Every tensor of the file, in the order the kernel uses them. `matrix` by Hugging Face's name."""

    def vector(name: str, source: str) -> Iterable[tuple[str, str, np.ndarray]]:
        if source in floats:
            yield name, "F32", floats[source].astype("<f4")

    for layer in range(config["num_hidden_layers"]):
        ours, theirs = f"layers.{layer}", f"model.layers.{layer}"
        yield from vector(f"{ours}.attention_norm", f"{theirs}.input_layernorm.weight")
        qkv = [f"{theirs}.self_attn.{part}_proj" for part in "qkv"]
        if f"{qkv[0]}.bias" in floats:
            bias = np.concatenate([floats[f"{part}.bias"] for part in qkv])
            yield f"{ours}.qkv.bias", "F32", bias.astype("<f4")
        yield from pack(f"{ours}.qkv", stack([matrix(f"{part}.weight") for part in qkv]))
        yield from vector(f"{ours}.query_norm", f"{theirs}.self_attn.q_norm.weight")
        yield from vector(f"{ours}.key_norm", f"{theirs}.self_attn.k_norm.weight")
        yield from pack(f"{ours}.output", matrix(f"{theirs}.self_attn.o_proj.weight"))
        yield from vector(f"{ours}.mlp_norm", f"{theirs}.post_attention_layernorm.weight")
        both = stack([matrix(f"{theirs}.mlp.gate_proj.weight"), matrix(f"{theirs}.mlp.up_proj.weight")])
        yield from pack(f"{ours}.gate_up", take(both, in_turns(config["intermediate_size"])))
        yield from pack(f"{ours}.down", matrix(f"{theirs}.mlp.down_proj.weight"))
    yield from vector("norm", "model.norm.weight")
    embedding = matrix("model.embed_tokens.weight")
    yield from pack("embedding", embedding if isinstance(embedding, Eight) else eight_bits(embedding.dense()))
    if not config["tie_word_embeddings"]:
        yield from pack("head", matrix("lm_head.weight"))


def write_file(path: Path, tensors: Iterable[tuple[str, str, np.ndarray]]) -> None:
    """A safetensors file without holes; every tensor is a multiple of 16 bytes long, so all begin on one."""
    header: dict[str, object] = {"__metadata__": {"format": "nearfield-decoder-1"}}
    bodies: list[bytes] = []
    at = 0
    for name, dtype, values in tensors:
        body = np.ascontiguousarray(values).tobytes()
        if len(body) % 16 != 0:
            raise SystemExit(f"{name} has {len(body)} bytes; widths must be multiples of 8.")
        header[name] = {"dtype": dtype, "shape": [values.size], "data_offsets": [at, at + len(body)]}
        bodies.append(body)
        at += len(body)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % 64)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        for body in bodies:
            file.write(body)
