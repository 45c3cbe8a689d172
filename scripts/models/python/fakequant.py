"""Fake quantisation for the last stretch of training: the integer arithmetic of the kernels, with gradients.

Weights: symmetric, one scale a row, -127…127; a word table may have INT4 blocks (both as quantize.py). Activations into a product: one range a token,
`bits` wide, as an integer kernel quantises them on the fly. Gradients pass straight through.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quantize import nibble_codes

LEVELS = 127


def straight_through(value: Tensor, rounded: Tensor) -> Tensor:
    return value + (rounded - value).detach()


def fake_weight(weight: Tensor) -> Tensor:
    scale = weight.detach().abs().amax(dim=1, keepdim=True).clamp(min=1e-8) / LEVELS
    return straight_through(weight, (weight / scale).round() * scale)


def fake_activation(x: Tensor, bits: int) -> Tensor:
    with torch.no_grad():
        low, high = x.amin(dim=-1, keepdim=True), x.amax(dim=-1, keepdim=True)
        step = (high - low).clamp(min=1e-8) / (2**bits - 1)
        rounded = ((x - low) / step).round() * step + low
    return straight_through(x, rounded)


class FakeQuantLinear(nn.Linear):
    bits: int = 7

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(fake_activation(input, self.bits), fake_weight(self.weight), self.bias)


def fake_nibbles(rows: Tensor) -> Tensor:
    with torch.no_grad():
        codes, scale = nibble_codes(rows)
        rounded = (codes * scale[:, :, None]).view_as(rows)
    return straight_through(rows, rounded)


class FakeQuantEmbedding(nn.Embedding):
    def forward(self, input: Tensor) -> Tensor:
        return fake_weight(F.embedding(input, self.weight).flatten(0, -2)).view(*input.shape, -1)


class FakeNibbleEmbedding(nn.Embedding):
    def forward(self, input: Tensor) -> Tensor:
        return fake_nibbles(F.embedding(input, self.weight).flatten(0, -2)).view(*input.shape, -1)


def fake_quantize(model: nn.Module, bits: int = 7, word_bits: int = 8) -> None:
    """Switches every product and the word table to fake quantisation, in place; parameters stay the same."""
    for module in model.modules():
        if type(module) is nn.Linear:
            module.__class__ = FakeQuantLinear
            module.bits = bits
    word = model.embeddings["word"]
    word.__class__ = FakeNibbleEmbedding if word_bits == 4 else FakeQuantEmbedding
