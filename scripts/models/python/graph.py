"""Writes an encoder as one ONNX file: INT8 weights, readable names, ops that WASM and WebGPU both run.

models/README.md documents every initialiser; change it with this file.
"""

from __future__ import annotations

import math

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from encoder import EncoderSpec
from quantize import NIBBLE_BLOCK, ZERO_POINT, quantize, quantize_nibbles

BLOCK = 128
CONTRIB = "com.microsoft"
NEVER = -10000.0
"""Added to the score of a padded token; exp() of it is exactly 0 in float32, and it fits float16."""


class GraphWriter:
    """Collects nodes and initialisers. Each method returns the name of the value it makes."""

    def __init__(self, arrays: dict[str, NDArray], clip: str, block: int = BLOCK) -> None:
        self.arrays, self.clip, self.block = arrays, clip, block
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, array: NDArray) -> str:
        array = np.ascontiguousarray(array)
        dtype = helper.np_dtype_to_tensor_dtype(array.dtype)
        self.initializers[name] = helper.make_tensor(name, dtype, array.shape, array.tobytes(), raw=True)
        return name

    def parameter(self, name: str) -> str:
        return self.constant(name, self.arrays[name].astype("<f4"))

    def add(self, op: str, inputs: list[str], output: str, domain: str = "", **attributes: object) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, domain=domain, **attributes))
        return output

    def scales(self, name: str, scale: NDArray, blocks: int) -> str:
        return self.constant(f"{name}.scale", np.repeat(scale[:, None], blocks, axis=1).astype("<f4"))

    def lookup(self, name: str, ids: str, output: str, bits: int = 8) -> str:
        """Rows of an INT8 or INT4 table, as float32."""
        if bits == 4:
            return self.lookup_nibbles(name, ids, output)
        stored, scale = quantize(self.arrays[f"{name}.weight"], self.clip)
        if stored.shape[1] % self.block:
            raise ValueError(f"{name}: width {stored.shape[1]} is no multiple of the block {self.block}.")
        data = self.constant(f"{name}.q8", stored)
        scales = self.scales(name, scale, stored.shape[1] // self.block)
        return self.add(
            "GatherBlockQuantized", [data, ids, scales], output, CONTRIB,
            bits=8, block_size=self.block, gather_axis=0, quantize_axis=1,
        )  # fmt: skip

    def lookup_nibbles(self, name: str, ids: str, output: str) -> str:
        stored, scales = quantize_nibbles(self.arrays[f"{name}.weight"])
        data, scales = self.constant(f"{name}.q4", stored), self.constant(f"{name}.scale", scales.astype("<f4"))
        return self.add(
            "GatherBlockQuantized", [data, ids, scales], output, CONTRIB,
            bits=4, block_size=NIBBLE_BLOCK, gather_axis=0, quantize_axis=1,
        )  # fmt: skip

    def product(self, x: str, name: str, bias: bool = True) -> str:
        """x @ weight.T (+ bias), weights INT8 with one scale a row, repeated for each block; the last block is filled up with zeros."""
        stored, scale = quantize(self.arrays[f"{name}.weight"], self.clip)
        rows, columns = stored.shape
        blocks = math.ceil(columns / self.block)
        whole = np.full((rows, blocks * self.block), ZERO_POINT, stored.dtype)
        whole[:, :columns] = stored
        data = self.constant(f"{name}.q8", whole.reshape(rows, blocks, self.block))
        scales = self.scales(name, scale, blocks)
        out = self.add(
            "MatMulNBits", [x, data, scales], f"{name}.product", CONTRIB,
            bits=8, block_size=self.block, K=columns, N=rows,
        )  # fmt: skip
        return self.add("Add", [out, self.parameter(f"{name}.bias")], f"{name}.sum") if bias else out

    def skip_norm(self, x: str, skip: str, norm: str, bias: str | None, eps: float, output: str) -> str:
        inputs = [x, skip, self.parameter(f"{norm}.weight"), self.parameter(f"{norm}.bias")]
        if bias is not None:
            inputs.append(self.parameter(bias))
        return self.add("SkipLayerNormalization", inputs, output, CONTRIB, epsilon=eps)


def attention_bias(writer: GraphWriter) -> tuple[str, str]:
    """Returns (mask as float [rows, tokens], bias [rows, 1, tokens, tokens])."""
    # A lookup, since WebGPU casts no int64.
    writer.add("Gather", [writer.constant("mask.values", np.array([0, 1], "<f4")), "attention_mask"], "mask")
    axes = writer.constant("shape.keys", np.array([0, 1, 1, -1], "<i8"))
    keys = writer.add("Reshape", ["mask", axes], "mask.keys")
    hidden = writer.add("Sub", [keys, writer.constant("one", np.array(1, "<f4"))], "mask.hidden")
    bias = writer.add("Mul", [hidden, writer.constant("never", np.array(-NEVER, "<f4"))], "mask.bias")
    # Broadcast over queries without Shape or Expand, which WebGPU leaves to the CPU.
    queries = writer.add(
        "Reshape", ["mask", writer.constant("shape.queries", np.array([0, 1, -1, 1], "<i8"))], "mask.queries"
    )
    zeros = writer.add("Mul", [queries, writer.constant("zero", np.array(0, "<f4"))], "mask.zeros")
    return "mask", writer.add("Add", [bias, zeros], "attention_bias")


def positions(writer: GraphWriter) -> str:
    """Position of each token: tokens before it that are not padding."""
    counted = writer.add("CumSum", ["mask", writer.constant("axis.tokens", np.array(1, "<i4"))], "count")
    shifted = writer.add("Sub", [counted, "one"], "count.before")
    # A row of padding alone would count to -1.
    floor = writer.add("Relu", [shifted], "count.floor")
    ids = writer.add("Cast", [floor], "position_ids", to=TensorProto.INT32)
    table = writer.constant("embeddings.position", writer.arrays["embeddings.position.weight"].astype("<f4"))
    return writer.add("Gather", [table, ids], "embeddings.position.rows", axis=0)


def embeddings(writer: GraphWriter, spec: EncoderSpec) -> str:
    words = writer.lookup("embeddings.word", "input_ids", "embeddings.word.rows", spec.word_bits)
    bias = None
    if spec.embedding is not None:
        words = writer.product(words, "embeddings.projection", bias=False)
        bias = "embeddings.projection.bias"
    places = positions(writer)
    if "embeddings.type" in writer.arrays:
        table = writer.constant("embeddings.type", writer.arrays["embeddings.type"].astype("<f4"))
        kinds = writer.add("Gather", [table, "token_type_ids"], "embeddings.type.rows", axis=0)
        places = writer.add("Add", [places, kinds], "embeddings.places")
    return writer.skip_norm(words, places, "embeddings.norm", bias, spec.eps, "embeddings.output")


def layer(writer: GraphWriter, spec: EncoderSpec, at: int, x: str, bias: str) -> str:
    name = f"layer.{at}"
    qkv = writer.product(x, f"{name}.attention.qkv")
    parts = [f"{name}.attention.{part}" for part in ("query", "key", "value")]
    writer.nodes.append(
        helper.make_node("Split", [qkv], parts, name=f"{name}.attention.split", axis=2, num_outputs=3)
    )
    mixed = writer.add(
        "MultiHeadAttention", [*parts, "", "", bias], f"{name}.attention.mixed", CONTRIB, num_heads=spec.heads
    )
    out = writer.product(mixed, f"{name}.attention.output", bias=False)
    x = writer.skip_norm(
        out, x, f"{name}.attention.norm", f"{name}.attention.output.bias", spec.eps, f"{name}.attention.normed"
    )
    up = writer.add("Gelu", [writer.product(x, f"{name}.ffn.up")], f"{name}.ffn.active", CONTRIB)
    down = writer.product(up, f"{name}.ffn.down", bias=False)
    return writer.skip_norm(
        down, x, f"{name}.ffn.norm", f"{name}.ffn.down.bias", spec.eps, f"{name}.output"
    )


def pooled(writer: GraphWriter, states: str) -> str:
    """Masked sum, then unit length: the mean's division by the count would cancel."""
    row = writer.add(
        "Reshape", ["mask", writer.constant("shape.row", np.array([0, 1, -1], "<i8"))], "mask.row"
    )
    total = writer.add("MatMul", [row, states], "pooled.sum")
    flat = writer.add(
        "Reshape", [total, writer.constant("shape.flat", np.array([0, -1], "<i8"))], "pooled.flat"
    )
    square = writer.add("Mul", [flat, flat], "pooled.square")
    sums = writer.add(
        "ReduceSum", [square, writer.constant("axis.dims", np.array([1], "<i8"))], "pooled.square.sum", keepdims=1
    )
    norm = writer.add("Sqrt", [sums], "pooled.norm")
    return writer.add("Div", [flat, norm], "sentence_embedding")


def encoder_model(
    spec: EncoderSpec, arrays: dict[str, NDArray], clip: str = "absmax", block: int = BLOCK
) -> onnx.ModelProto:
    """`arrays` may hold `embeddings.type`, a second table of embeddings: the graph then asks for token_type_ids."""
    writer = GraphWriter(arrays, clip, block)
    inputs = ["input_ids", "attention_mask", *(["token_type_ids"] if "embeddings.type" in arrays else [])]
    _, bias = attention_bias(writer)
    x = embeddings(writer, spec)
    for at in range(spec.layers):
        x = layer(writer, spec, at, x, bias)
    if spec.dims != spec.hidden:
        x = writer.product(x, "head")
    writer.nodes[-1].output[0] = writer.nodes[-1].name = states = "last_hidden_state"
    pooled(writer, states)
    tokens = ["batch", "tokens"]
    graph = helper.make_graph(
        writer.nodes,
        "encoder",
        [helper.make_tensor_value_info(n, TensorProto.INT64, tokens) for n in inputs],
        [
            helper.make_tensor_value_info(states, TensorProto.FLOAT, [*tokens, spec.dims]),
            helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, ["batch", spec.dims]),
        ],
        list(writer.initializers.values()),
    )
    return helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid(CONTRIB, 1)],
        ir_version=10,
        producer_name="nearfield",
    )
