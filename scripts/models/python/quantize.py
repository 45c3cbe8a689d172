"""Symmetric INT8, one scale a row. Rows are output channels of a product, or words of a table."""

from __future__ import annotations

import numpy as np
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
