"""The guard in PyTorch: two questions as rows of word vectors, aligned with one another, to one logit "asks the same".

A word table that stays as it is (pieces in the teacher's space, fewer dimensions), one convolution that reads each word
with its neighbours, soft alignment both ways (Parikh et al. 2016, arXiv 1606.01933), and a comparison of each word with
what it was aligned to. What matters most is the word that is matched worst, so maxima are pooled beside means.
Symmetric: swapping the two questions changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NEVER = -1e4


@dataclass(frozen=True)
class GuardSpec:
    vocab: int
    table: int = 128
    """Width of the word table."""
    width: int = 64
    compared: int = 48
    last: int = 48
    max_tokens: int = 40


class Guard(nn.Module):
    def __init__(self, spec: GuardSpec, table: Tensor) -> None:
        super().__init__()
        self.spec = spec
        width = spec.width
        self.word = nn.Embedding.from_pretrained(table, freeze=True)
        self.enter = nn.Linear(spec.table, width)
        self.context = nn.Linear(3 * width, width)
        self.norm = nn.LayerNorm(width)
        self.align = nn.Linear(width, width, bias=False)
        self.sharpness = nn.Parameter(torch.tensor([4.0, 2.0]))
        """Of the words' cosine, and of being the same piece."""
        self.compare = nn.Linear(4 * width + 3, spec.compared)
        self.compare_again = nn.Linear(spec.compared, spec.compared)
        self.decide = nn.Linear(4 * spec.compared, spec.last)
        self.logit = nn.Linear(spec.last, 1)

    def read(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(unit word vectors, words in context), both zero on padding."""
        word = self.word(ids)
        x = self.enter(word)
        x = x * mask[..., None]
        beside = torch.cat([F.pad(x, (0, 0, 1, 0))[:, :-1], x, F.pad(x, (0, 0, 0, 1))[:, 1:]], dim=-1)
        x = self.norm(x + F.relu(self.context(beside))) * mask[..., None]
        return F.normalize(word, dim=-1), x

    def compared(self, own: tuple[Tensor, ...], other: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """(mean, maximum) over the words of one side of how each compares with what it is aligned to."""
        ids, mask, unit, x = own
        other_ids, other_mask, other_unit, y = other
        cosine = unit @ other_unit.transpose(1, 2)
        equal = (ids[:, :, None] == other_ids[:, None, :]).to(x.dtype)
        score = self.align(x) @ self.align(y).transpose(1, 2) / self.spec.width**0.5
        score = score + self.sharpness[0] * cosine + self.sharpness[1] * equal
        score = score.masked_fill(~other_mask[:, None, :].bool(), NEVER)
        weight = torch.softmax(score, dim=-1)
        aligned = weight @ y
        hidden = ~other_mask[:, None, :].bool()
        best = cosine.masked_fill(hidden, -1).amax(-1, keepdim=True)
        met = equal.masked_fill(hidden, 0).amax(-1, keepdim=True)
        sure = weight.amax(-1, keepdim=True)
        features = torch.cat([x, aligned, (x - aligned).abs(), x * aligned, best, met, sure], dim=-1)
        c = F.relu(self.compare_again(F.relu(self.compare(features)))) * mask[..., None]
        return c.sum(1) / mask.sum(1, keepdim=True), c.amax(1)

    def forward(self, a: Tensor, a_mask: Tensor, b: Tensor, b_mask: Tensor) -> Tensor:
        left, right = (a, a_mask, *self.read(a, a_mask)), (b, b_mask, *self.read(b, b_mask))
        (mean_a, max_a), (mean_b, max_b) = self.compared(left, right), self.compared(right, left)
        pooled = torch.cat(
            [mean_a + mean_b, (mean_a - mean_b).abs(), torch.maximum(max_a, max_b), torch.minimum(max_a, max_b)], dim=-1
        )
        return self.logit(F.relu(self.decide(pooled)))[:, 0]
