"""`npm run models -- build all-minilm-l6-v2-peers`: the same encoder as others ship it, to compare with.

Two folders that transformers.js loads by path: `<id>-fp32` (onnx/model.onnx) and `<id>-q8`
(onnx/model_quantized.onnx, ONNX Runtime's dynamic INT8 with the settings of transformers.js's converter).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn

from artefact import write_hub_files
from encoder import Encoder
from teacher import SPEC, load_teacher, teacher_tokenizer

ID = "all-minilm-l6-v2"


class TokenStates(nn.Module):
    """The usual export: ids and mask to token states; pooling is the caller's."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        x = self.encoder.embed_tokens(input_ids)
        hidden = (1.0 - attention_mask[:, None, None, :].to(x.dtype)) * -10000.0
        for layer in self.encoder.layer:
            x = layer(x, hidden)
        return x


def export_fp32(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    ids = torch.tensor([[101, 7592, 2088, 102]])
    axes = {0: "batch", 1: "tokens"}
    torch.onnx.export(
        TokenStates(load_teacher()),
        (ids, torch.ones_like(ids)),
        str(path),
        dynamo=False,
        opset_version=17,
        input_names=["input_ids", "attention_mask"],
        output_names=["last_hidden_state"],
        dynamic_axes=dict.fromkeys(("input_ids", "attention_mask", "last_hidden_state"), axes),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="not used")
    options = parser.parse_args()
    fp32, q8 = (options.out / f"{ID}-{kind}" for kind in ("fp32", "q8"))
    weights = fp32 / "onnx" / "model.onnx"
    export_fp32(weights)
    target = q8 / "onnx" / "model_quantized.onnx"
    target.parent.mkdir(parents=True, exist_ok=True)
    quantize_dynamic(weights, target, per_channel=True, reduce_range=True, weight_type=QuantType.QInt8)
    for folder in (fp32, q8):
        write_hub_files(folder, SPEC, teacher_tokenizer())
        for file in sorted(folder.glob("onnx/*.onnx")):
            print(f"Wrote {file} ({file.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main()
