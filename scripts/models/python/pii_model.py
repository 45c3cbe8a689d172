"""The tagger in PyTorch: the encoder with a second table for a token's type and a row of label scores a token."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from encoder import Encoder, EncoderSpec


@dataclass(frozen=True)
class TaggerSpec(EncoderSpec):
    types: int = 32
    """Rows of the type table, added to words and positions."""


class Tagger(Encoder):
    """Token ids and types [rows, tokens] and mask to label scores [rows, tokens, dims]."""

    def __init__(self, spec: TaggerSpec, dropout: float = 0.1) -> None:
        super().__init__(spec)
        self.embeddings["shape"] = nn.Embedding(spec.types, spec.hidden)
        self.dropout = dropout

    def start_from(self, words: NDArray[np.float32]) -> None:
        with torch.no_grad():
            self.embeddings["word"].weight.copy_(torch.from_numpy(words))
            self.embeddings["position"].weight.copy_(0.03 * sinusoids(*self.embeddings["position"].weight.shape))
            nn.init.normal_(self.embeddings["shape"].weight, std=0.05)

    def forward(self, ids: Tensor, types: Tensor, mask: Tensor) -> Tensor:
        words = self.embeddings["word"](ids)
        if "projection" in self.embeddings:
            words = self.embeddings["projection"](words)
        summed = words + self.embeddings["position"].weight[: ids.shape[1]] + self.embeddings["shape"](types)
        x = F.dropout(self.embeddings["norm"](summed), self.dropout, self.training)
        attend = None if bool(mask.all()) else mask.bool()[:, None, None, :]
        for layer in self.layer:
            x = layer(x, attend)
        return self.head(F.dropout(x, self.dropout, self.training))


def sinusoids(positions: int, width: int) -> Tensor:
    """Source: Vaswani et al. 2017, section 3.5. Nearness is easy to attend to from the first step."""
    at = torch.arange(positions)[:, None]
    angle = at * torch.exp(torch.arange(0, width, 2) * (-math.log(1000.0) / width))
    table = torch.empty(positions, width)
    table[:, 0::2], table[:, 1::2] = angle.sin(), angle.cos()
    return table
