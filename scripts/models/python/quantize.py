"""Symmetric codes: INT8 with one scale a row (output channels of a product, words), INT4 in blocks (words)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

LEVELS = 127
ZERO_POINT = 128
"""Stored bytes are value + 128, ONNX Runtime's default zero point for 8-bit blocks."""

Floats = NDArray[np.float32]


def absmax_scale(weights: Floats) -> Floats:
    """[rows, columns] to [rows]: the largest weight maps to 127. A row of zeros gets scale 1."""
    scale = np.abs(weights).max(axis=1) / LEVELS
    return np.where(scale > 0, scale, 1).astype(np.float32)


def mse_scale(weights: Floats, steps: int = 60, lowest: float = 0.4) -> Floats:
    """As absmax_scale, but each row's clip is the one of `steps` candidates with the least squared error."""
    full = absmax_scale(weights)
    best, best_error = full, np.full(len(weights), np.inf)
    for fraction in np.linspace(lowest, 1, steps):
        scale = (full * fraction).astype(np.float32)
        error = np.square(integers(weights, scale) * scale[:, None] - weights).sum(axis=1)
        better = error < best_error
        best = np.where(better, scale, best)
        best_error = np.where(better, error, best_error)
    return best.astype(np.float32)


def integers(weights: Floats, scale: Floats) -> NDArray[np.int32]:
    return np.clip(np.rint(weights / scale[:, None]), -LEVELS, LEVELS).astype(np.int32)


def quantize(weights: Floats, clip: str = "absmax") -> tuple[NDArray[np.uint8], Floats]:
    """Returns (bytes [rows, columns], zero at 128; scale [rows])."""
    weights = weights.astype(np.float32)
    scale = {"absmax": absmax_scale, "mse": mse_scale}[clip](weights)
    return (integers(weights, scale) + ZERO_POINT).astype(np.uint8), scale


def dequantize(stored: NDArray[np.uint8], scale: Floats) -> Floats:
    return (stored.astype(np.float32) - ZERO_POINT) * scale[:, None]


NIBBLE_BLOCK = 128
NIBBLE_STEPS = 15
"""A block's scale is its row's largest times 1/15…15/15, so that code times share fits a signed byte: an engine that
holds INT8 rows reproduces an INT4 table exactly."""
NIBBLE_CLIPS = (1.0, 0.92, 0.84, 0.76, 0.68)


def nibble_codes(weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """[rows, columns] to (codes -8…7 [rows, blocks, 128], scales [rows, blocks]), each block clipped where the error is least."""
    blocks = weights.view(len(weights), -1, NIBBLE_BLOCK)
    full = blocks.abs().amax(2).clamp(min=1e-8) / 7
    best, least = full, torch.full_like(full, torch.inf)
    for clip in NIBBLE_CLIPS:
        scale = full * clip
        error = (rounded(blocks, scale) * scale[:, :, None] - blocks).square().sum(2)
        best = torch.where(error < least, scale, best)
        least = torch.minimum(error, least)
    step = best.amax(1, keepdim=True) / NIBBLE_STEPS
    scale = (best / step).round().clamp(1, NIBBLE_STEPS) * step
    return rounded(blocks, scale), scale


def rounded(blocks: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    return (blocks / scale[:, :, None]).round().clamp(-8, 7)


def quantize_nibbles(weights: Floats) -> tuple[NDArray[np.uint8], Floats]:
    """Returns (bytes [rows, columns / 2], the earlier column in the low half, zero at 8; scales [rows, blocks])."""
    codes, scale = nibble_codes(torch.from_numpy(np.ascontiguousarray(weights, np.float32)))
    flat = (codes.reshape(len(weights), -1) + 8).to(torch.uint8).numpy()
    return flat[:, 0::2] | flat[:, 1::2] << 4, scale.numpy()
