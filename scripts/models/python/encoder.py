"""The sentence encoder in PyTorch: a BERT of any depth and width, teacher and student alike.

Parameter names are the ones models/README.md documents, so a state dict is the artefact's table of
contents. Token types do not exist here: their one used row is folded into the positions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class EncoderSpec:
    vocab: int
    hidden: int
    layers: int
    heads: int
    intermediate: int
    dims: int = 384
    """Width of the sentence vector."""
    embedding: int | None = None
    """Width of the word table when it is factorised; None when words are `hidden` wide."""
    word_bits: int = 8
    """Bits a number of the stored word table has: 8, or 4 in blocks."""
    max_tokens: int = 256
    eps: float = 1e-12


class Layer(nn.Module):
    """Post-norm transformer layer with one fused query-key-value product."""

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__()
        self.heads = spec.heads
        width = spec.hidden
        self.attention = nn.ModuleDict(
            {
                "qkv": nn.Linear(width, 3 * width),
                "output": nn.Linear(width, width),
                "norm": nn.LayerNorm(width, spec.eps),
            }
        )
        self.ffn = nn.ModuleDict(
            {
                "up": nn.Linear(width, spec.intermediate),
                "down": nn.Linear(spec.intermediate, width),
                "norm": nn.LayerNorm(width, spec.eps),
            }
        )

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        rows, tokens, width = x.shape
        qkv = self.attention["qkv"](x).view(rows, tokens, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        mixed = mixed.transpose(1, 2).reshape(rows, tokens, width)
        x = self.attention["norm"](x + self.attention["output"](mixed))
        return self.ffn["norm"](x + self.ffn["down"](F.gelu(self.ffn["up"](x))))


class Encoder(nn.Module):
    """Token ids [rows, tokens] and mask to token states and unit sentence vectors."""

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__()
        self.spec = spec
        width = spec.embedding or spec.hidden
        self.embeddings = nn.ModuleDict(
            {
                "word": nn.Embedding(spec.vocab, width),
                "position": nn.Embedding(spec.max_tokens, spec.hidden),
                "norm": nn.LayerNorm(spec.hidden, spec.eps),
            }
        )
        if spec.embedding is not None:
            self.embeddings["projection"] = nn.Linear(width, spec.hidden)
        self.layer = nn.ModuleList(Layer(spec) for _ in range(spec.layers))
        if spec.dims != spec.hidden:
            self.head = nn.Linear(spec.hidden, spec.dims)

    def embed_tokens(self, ids: Tensor) -> Tensor:
        words = self.embeddings["word"](ids)
        if "projection" in self.embeddings:
            words = self.embeddings["projection"](words)
        return self.embeddings["norm"](words + self.embeddings["position"].weight[: ids.shape[1]])

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Returns (token states [rows, tokens, dims], unit sentence vectors [rows, dims])."""
        x = self.embed_tokens(ids)
        ragged = not bool(mask.all())
        attend = mask.bool()[:, None, None, :] if ragged else None
        for layer in self.layer:
            x = layer(x, attend)
        if hasattr(self, "head"):
            x = self.head(x)
        # Normalising makes the mean's division by the count redundant.
        pooled = (x * mask[:, :, None].to(x.dtype)).sum(1)
        return x, F.normalize(pooled, dim=-1)


def state_arrays(model: Encoder) -> dict[str, "object"]:
    """The model's parameters as float32 NumPy arrays, by artefact name."""
    return {name: tensor.detach().float().cpu().numpy() for name, tensor in model.state_dict().items()}
