"""Cuts students out of the teacher: which layers stay, which feed-forward units, which words."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from embed_prefix import load_means, prefix_table
from embed_vocabulary import word_table
from encoder import Encoder, EncoderSpec, Layer
from measure import padded
from teacher import load_teacher, make_tokenizer, teacher_tokenizer

DEPTHS = (4, 5, 6)
"""Prefixes whose means are collected in one pass, for students of two, one and no layers."""


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


@torch.no_grad()
def make_student(
    spec: EncoderSpec, depth: int, definition: dict[str, object], data: Path, work: Path, texts: list[str]
) -> Encoder:
    """A student whose word table stands for the teacher's first `depth` layers and whose layers are the rest.

    `texts` are English: the first 256 say which feed-forward units matter, all go into the table's means.
    """
    teacher = load_teacher()
    tokenizer = make_tokenizer(definition, 256)
    importance = unit_importance(teacher, texts[:256])
    words = word_table(teacher.embeddings["word"].weight.detach().numpy(), definition, data, work)
    means, alone = load_means(teacher, DEPTHS, tokenizer, texts, work)
    student = Encoder(spec)
    table = prefix_table(teacher, depth, means[depth], alone[depth], tokenizer, words)
    # What all words share goes to the places, so that it costs the table's few levels nothing. The average place
    # is in the means already.
    shared = table.mean(0)
    student.embeddings["word"].weight.copy_(table - shared)
    student.embeddings["position"].weight.copy_(shared.expand(spec.max_tokens, -1))
    student.embeddings["norm"].load_state_dict(teacher.layer[depth - 1].ffn["norm"].state_dict())
    for at, layer in enumerate(student.layer):
        layer.load_state_dict(pruned(teacher.layer[depth + at], spec, importance[depth + at]).state_dict())
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
