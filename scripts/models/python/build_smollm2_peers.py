"""`npm run models -- build smollm2-135m-instruct-peers`: the same weights as others run them, to compare with.

`<out>/smollm2-135m-instruct-onnx`: what transformers.js loads (fp32, its q8 and q4), with ONNX Runtime's fused operators for
grouped queries, rotary positions and norms, as its converter's newest exports have them. `<out>/smollm2-135m-instruct-gguf`:
Q8_0, for llama.cpp in WASM.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import gguf
import numpy as np
import onnx
from build_smollm2 import write_tokenizer
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from smollm2_source import Source, fetch, read

ID = "smollm2-135m-instruct"
# Positions the exported rotary tables hold; the bench needs fewer.
POSITIONS = 2048


class Graph:
    """Nodes and initialisers as they come; each node's first output is returned."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, name: str, value: np.ndarray) -> str:
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, kind: str, inputs: list[str], outputs: int | list[str] = 1, domain: str = "", **attributes) -> str:
        name = f"{kind}_{len(self.nodes)}"
        names = outputs if isinstance(outputs, list) else [f"{name}.{at}" for at in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, name, domain=domain, **attributes))
        return names[0]


def export(source: Source) -> onnx.ModelProto:
    config, tensors = source.config, source.tensors
    heads, kv_heads, width = (config[key] for key in ("num_attention_heads", "num_key_value_heads", "head_dim"))
    eps, ms = config["rms_norm_eps"], "com.microsoft"
    graph = Graph()
    mask = graph.node("ReduceSum", ["attention_mask", graph.weight("axis", np.array([1], np.int64))], keepdims=0)
    last = graph.node("Cast", [graph.node("Sub", [mask, graph.weight("one", np.array(1, np.int64))])], to=TensorProto.INT32)
    shape = graph.node("Shape", ["attention_mask"])
    total = graph.node("Gather", [shape, graph.weight("second", np.array(1, np.int64))], axis=0)
    total = graph.node("Cast", [total], to=TensorProto.INT32)
    angles = np.outer(np.arange(POSITIONS), config["rope_theta"] ** (-np.arange(0, width, 2) / width))
    cos = graph.weight("cos_cache", np.cos(angles).astype(np.float32))
    sin = graph.weight("sin_cache", np.sin(angles).astype(np.float32))

    def matmul(x: str, name: str) -> str:
        return graph.node("MatMul", [x, graph.weight(name, tensors[name].T)])

    def norm(x: str, skip: str | None, name: str) -> tuple[str, str]:
        weight = graph.weight(name, tensors[name])
        if skip is None:
            return graph.node("SimplifiedLayerNormalization", [x, weight], axis=-1, epsilon=eps, stash_type=1), x
        out, total_ = f"{name}.out", f"{name}.sum"
        graph.node("SkipSimplifiedLayerNormalization", [x, skip, weight], [out, "", "", total_], domain=ms, epsilon=eps)
        return out, total_

    stream = graph.node("Gather", [graph.weight("embed", tensors["model.embed_tokens.weight"]), "input_ids"])
    added = None
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}"
        x, stream = norm(stream, added, f"{at}.input_layernorm.weight")
        q, k, v = (matmul(x, f"{at}.self_attn.{part}_proj.weight") for part in "qkv")
        past = [f"past_key_values.{layer}.{part}" for part in ("key", "value")]
        present = [f"present.{layer}.{part}" for part in ("key", "value")]
        mixed = graph.node(
            "GroupQueryAttention",
            [q, k, v, *past, last, total, cos, sin],
            [f"{at}.mixed", *present],
            domain=ms,
            num_heads=heads,
            kv_num_heads=kv_heads,
            do_rotary=1,
            rotary_interleaved=0,
            scale=float(width**-0.5),
        )
        added = matmul(mixed, f"{at}.self_attn.o_proj.weight")
        x, stream = norm(stream, added, f"{at}.post_attention_layernorm.weight")
        gate, up = (matmul(x, f"{at}.mlp.{part}_proj.weight") for part in ("gate", "up"))
        silu = graph.node("Mul", [gate, graph.node("Sigmoid", [gate])])
        added = matmul(graph.node("Mul", [silu, up]), f"{at}.mlp.down_proj.weight")
    x, _ = norm(stream, added, "model.norm.weight")
    # A prompt's last row is all that sampling needs.
    ends = [graph.weight(name, np.array([value], np.int64)) for name, value in (("from", -1), ("to", 2**31), ("rows", 1))]
    x = graph.node("Slice", [x, *ends])
    head = graph.weight("lm_head.weight", tensors["model.embed_tokens.weight"].T)
    graph.node("MatMul", [x, head], ["logits"])

    def io(name: str, kind: int, dims: list[object]) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, kind, dims)

    layers = range(config["num_hidden_layers"])
    cache = [(layer, part) for layer in layers for part in ("key", "value")]
    size = lambda length: ["batch_size", kv_heads, length, width]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "decoder",
            [
                io("input_ids", TensorProto.INT64, ["batch_size", "tokens"]),
                io("attention_mask", TensorProto.INT64, ["batch_size", "total"]),
                *(io(f"past_key_values.{at}.{part}", TensorProto.FLOAT, size("past")) for at, part in cache),
            ],
            [
                io("logits", TensorProto.FLOAT, ["batch_size", 1, config["vocab_size"]]),
                *(io(f"present.{at}.{part}", TensorProto.FLOAT, size("total")) for at, part in cache),
            ],
            graph.weights,
        ),
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(ms, 1)],
    )
    model.ir_version = 9
    return model


def write_onnx(folder: Path, source: Source) -> None:
    target = folder / "onnx"
    target.mkdir(parents=True, exist_ok=True)
    write_tokenizer(folder, source)
    onnx.save(export(source), target / "model.onnx")
    print("Wrote fp32", flush=True)
    quantize_dynamic(
        target / "model.onnx",
        target / "model_quantized.onnx",
        op_types_to_quantize=["MatMul", "Gather"],
        weight_type=QuantType.QInt8,
        per_channel=True,
        extra_options={"DefaultTensorType": TensorProto.FLOAT},
    )
    print("Wrote q8", flush=True)
    onnx.save(four_bits(onnx.load(target / "model.onnx")), target / "model_q4.onnx")
    print("Wrote q4", flush=True)


def four_bits(model: onnx.ModelProto) -> onnx.ModelProto:
    """Every product as MatMulNBits: symmetric, blocks of 32; level 4 lets ONNX Runtime use int8 activations."""
    weights = {weight.name: weight for weight in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type != "MatMul":
            continue
        name = node.input[1]
        dense = numpy_helper.to_array(weights[name]).T
        n, k = dense.shape
        blocks = dense.reshape(n, k // 32, 32)
        at = np.abs(blocks).argmax(axis=2, keepdims=True)
        scales = np.take_along_axis(blocks, at, axis=2) / -8
        safe = np.where(scales == 0, 1, scales)
        codes = np.clip(np.rint(blocks / safe) + 8, 0, 15).astype(np.uint8)
        packed = codes[:, :, 0::2] | codes[:, :, 1::2] << 4
        weights[name].CopyFrom(numpy_helper.from_array(packed, name))
        model.graph.initializer.append(numpy_helper.from_array(scales.reshape(-1).astype(np.float32), f"{name}.scales"))
        node.CopyFrom(
            helper.make_node(
                "MatMulNBits",
                [node.input[0], name, f"{name}.scales"],
                list(node.output),
                node.name,
                domain="com.microsoft",
                K=k,
                N=n,
                bits=4,
                block_size=32,
                accuracy_level=4,
            )
        )
    return model


def write_gguf(path: Path, source: Path) -> None:
    """The published file with every four-bit tensor as Q8_0; fields and order as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(path, "llama")
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        kind, *rest = field.types
        value = 7 if name == "general.file_type" else field.contents()
        writer.add_key_value(name, value, kind, sub_type=rest[-1] if rest else None)
    for tensor in reader.tensors:
        if tensor.tensor_type.name == "Q4_1":
            dense = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
            data = gguf.quants.quantize(dense, gguf.GGMLQuantizationType.Q8_0)
            writer.add_tensor(tensor.name, data, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
        else:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print("Wrote Q8_0", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="not used")
    options = parser.parse_args()
    path = fetch(options.out.parent / "source")
    write_gguf(options.out / f"{ID}-gguf" / "model-q8_0.gguf", path)
    write_onnx(options.out / f"{ID}-onnx", read(path))


if __name__ == "__main__":
    main()
