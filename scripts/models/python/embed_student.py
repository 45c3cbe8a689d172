"""Cuts students out of the teacher: which layers stay, which feed-forward units, which words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from embed_fit import fit_layers
from embed_vocabulary import word_table
from encoder import Encoder, EncoderSpec, Layer
from measure import padded
from teacher import load_teacher, make_tokenizer, teacher_tokenizer


def unit_importance(teacher: Encoder, texts: list[str]) -> list[Tensor]:
    """For each layer, how much every feed-forward unit adds: mean |activation| times its outgoing norm."""
    tokenizer = make_tokenizer(teacher_tokenizer(), 128)
    ids, mask = (torch.from_numpy(array) for array in padded([e.ids for e in tokenizer.encode_batch(texts)]))
    real = mask.bool()
    scores: list[Tensor] = []

    def keep(module: torch.nn.Module, _: object, output: Tensor) -> None:
        scores.append(F.gelu(output)[real].abs().mean(0))

    hooks = [layer.ffn["up"].register_forward_hook(keep) for layer in teacher.layer]
    with torch.no_grad():
        teacher(ids, mask)
    for hook in hooks:
        hook.remove()
    return [
        score * layer.ffn["down"].weight.detach().norm(dim=0)
        for score, layer in zip(scores, teacher.layer, strict=True)
    ]


def make_student(
    spec: EncoderSpec, layers: Sequence[int], definition: dict[str, object], data: Path, work: Path, texts: list[str]
) -> Encoder:
    """A student with the teacher's width; `layers` names the teacher's layer that each of its layers starts as.

    `texts` are English: the first 256 say which feed-forward units matter, all are what the layers are solved on.
    """
    teacher = load_teacher()
    student = Encoder(spec)
    importance = unit_importance(teacher, texts[:256])
    state = student.state_dict()
    for name, tensor in teacher.state_dict().items():
        if name.startswith("embeddings.") and name != "embeddings.word.weight":
            state[name] = tensor[: spec.max_tokens] if name == "embeddings.position.weight" else tensor
    words = teacher.embeddings["word"].weight.detach().numpy()
    state["embeddings.word.weight"] = torch.from_numpy(word_table(np.asarray(words), definition, data, work))
    cut = [pruned(teacher.layer[source], spec, importance[source]) for source in layers]
    for at, layer in enumerate(fit_layers(teacher, cut, layers, texts)):
        for name, tensor in layer.state_dict().items():
            state[f"layer.{at}.{name}"] = tensor
    student.load_state_dict(state)
    return student


def pruned(layer: Layer, spec: EncoderSpec, importance: Tensor) -> Layer:
    """A copy that keeps the `spec.intermediate` feed-forward units of most weight."""
    units = importance.topk(spec.intermediate).indices.sort().values
    out = Layer(spec)
    cuts = {"ffn.up.weight": 0, "ffn.up.bias": 0, "ffn.down.weight": 1}
    out.load_state_dict(
        {
            name: tensor.index_select(cuts[name], units) if name in cuts else tensor
            for name, tensor in layer.state_dict().items()
        }
    )
    return out
