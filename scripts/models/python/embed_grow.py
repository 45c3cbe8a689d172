"""Grows a trained student by a layer: its feed-forward halves are cut to pay for one more layer below them.

The new layer starts as nearly nothing: its two branches add zero, its norms give back what came in. So the grown
student begins where the trained one stood, less what the cut units knew, and learns to use its depth from there.

Source: Gong et al. 2019, Efficient Training of BERT by Progressively Stacking (growing by depth); He et al. 2017,
Channel Pruning for Accelerating Very Deep Neural Networks, arXiv 1707.06168 (refitting what follows a cut by least squares).
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from encoder import Encoder, EncoderSpec, Layer
from measure import padded
from tokenizers import Tokenizer

RIDGE = 1e-3
"""Share of the mean square of a unit's activation that is added to every unit's."""


@torch.no_grad()
def layer_inputs(student: Encoder, tokenizer: Tokenizer, texts: list[str]) -> tuple[list[Tensor], list[Tensor]]:
    """For each layer: (states that enter it, states that enter its feed-forward half), [tokens, width] of real tokens."""
    before: list[list[Tensor]] = [[] for _ in student.layer]
    middle: list[list[Tensor]] = [[] for _ in student.layer]
    rows = sorted((encoding.ids for encoding in tokenizer.encode_batch(texts)), key=len)
    for start in range(0, len(rows), 64):
        ids, mask = (torch.from_numpy(array) for array in padded(rows[start : start + 64]))
        real = mask.bool()
        hooks = [
            layer.ffn["up"].register_forward_pre_hook(lambda _, args, at=at: middle[at].append(args[0][real]))
            for at, layer in enumerate(student.layer)
        ]
        hooks += [
            layer.register_forward_pre_hook(lambda _, args, at=at: before[at].append(args[0][real]))
            for at, layer in enumerate(student.layer)
        ]
        student(ids, mask)
        for hook in hooks:
            hook.remove()
    return [torch.cat(parts) for parts in before], [torch.cat(parts) for parts in middle]


@torch.no_grad()
def thinner(layer: Layer, spec: EncoderSpec, states: Tensor) -> Layer:
    """The layer with `spec.intermediate` units; the way out is refitted to give what all units gave on `states`."""
    up, down = layer.ffn["up"], layer.ffn["down"]
    active = F.gelu(up(states))
    whole = active @ down.weight.T
    kept = (active.square().mean(0).sqrt() * down.weight.norm(dim=0)).topk(spec.intermediate).indices.sort().values
    part = torch.cat([active[:, kept], torch.ones(len(active), 1)], 1)
    gram = part.T @ part
    gram.diagonal().add_(RIDGE * gram.diagonal().mean())
    # Towards the weights that were there, not towards zero.
    old = torch.cat([down.weight[:, kept].T, torch.zeros(1, spec.hidden)])
    change = torch.linalg.solve(gram.double(), (part.T @ (whole - part @ old)).double()).float()
    fitted = old + change
    out = Layer(spec)
    state = {name: tensor for name, tensor in layer.state_dict().items() if not name.startswith(("ffn.up", "ffn.down"))}
    state |= {
        "ffn.up.weight": up.weight[kept],
        "ffn.up.bias": up.bias[kept],
        "ffn.down.weight": fitted[:-1].T.contiguous(),
        "ffn.down.bias": down.bias + fitted[-1],
    }
    out.load_state_dict(state)
    return out


@torch.no_grad()
def idle(like: Layer, spec: EncoderSpec, states: Tensor) -> Layer:
    """A layer that gives back `states`, with `like`'s queries, keys, values and strongest units waiting behind zeros."""
    out = Layer(spec)
    units = like.ffn["up"].weight.norm(dim=1).topk(spec.intermediate).indices.sort().values
    out.attention["qkv"].load_state_dict(like.attention["qkv"].state_dict())
    out.ffn["up"].weight.copy_(like.ffn["up"].weight[units])
    out.ffn["up"].bias.copy_(like.ffn["up"].bias[units])
    for silent in (out.attention["output"], out.ffn["down"]):
        silent.weight.zero_()
        silent.bias.zero_()
    x = states
    for norm in (out.attention["norm"], out.ffn["norm"]):
        standard = F.layer_norm(x, (spec.hidden,), eps=spec.eps)
        # By dimension: the line from the standardised state to the state that is to come out.
        mean, wanted = standard.mean(0), states.mean(0)
        slope = ((standard - mean) * (states - wanted)).mean(0) / (standard - mean).square().mean(0)
        norm.weight.copy_(slope)
        norm.bias.copy_(wanted - slope * mean)
        x = norm(x)
    return out


def grown(student: Encoder, like: Layer, units: int, tokenizer: Tokenizer, texts: list[str]) -> Encoder:
    """A student of one layer more and `units` feed-forward units a layer. `like`: a layer of the teacher, for the new one."""
    spec = replace(student.spec, layers=student.spec.layers + 1, intermediate=units)
    before, middle = layer_inputs(student, tokenizer, texts)
    out = Encoder(spec)
    out.embeddings.load_state_dict(student.embeddings.state_dict())
    layers = [idle(like, spec, before[0])]
    layers += [thinner(layer, spec, states) for layer, states in zip(student.layer, middle, strict=True)]
    for layer, made in zip(out.layer, layers, strict=True):
        layer.load_state_dict(made.state_dict())
    return out
