"""Measures of painted pictures, and grids to look at them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from skimage.metrics import structural_similarity

from strokenet_gym.exports.pictures import encode
from strokenet_gym.files import replace_file

__all__ = ["picture_grid", "psnr", "ssim"]


def psnr(l2: np.ndarray) -> float:
    """Mean peak signal-to-noise ratio in dB, of images in [0, 1]; each at most 100 dB."""
    return float(np.mean(-10 * np.log10(np.maximum(l2, 1e-10))))


def ssim(canvas: np.ndarray, target: np.ndarray) -> float:
    """Mean structural similarity."""
    pairs = zip(canvas, target, strict=True)
    return float(np.mean([structural_similarity(a, b, channel_axis=0) for a, b in pairs]))


def picture_grid(rows: Sequence[Sequence[np.ndarray]], path: Path, columns: int = 8) -> None:
    """Write a PNG of groups (target | neural | real, …), ``columns`` groups a line.

    Args:
        rows: for each kind of picture, uint8 ``[C, H, W]`` of each item.
        path: the file to write.
        columns: groups in a line.
    """
    groups = []
    for group in zip(*rows, strict=True):
        tall = np.concatenate(
            [np.pad(p, ((0, 0), (2, 2), (2, 2)), constant_values=90) for p in group], 1
        )
        groups.append(np.broadcast_to(tall, (3, *tall.shape[1:])))
    groups += [np.zeros_like(groups[0])] * (-len(groups) % columns)
    lines = [np.concatenate(groups[i : i + columns], 2) for i in range(0, len(groups), columns)]
    image = np.concatenate(lines, 1).transpose(1, 2, 0)
    with replace_file(path) as new:
        new.write_bytes(encode(image))
