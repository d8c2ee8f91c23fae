"""Measures of painted pictures, and grids and figures to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from skimage.metrics import structural_similarity

from strokenet_gym.exports.pictures import encode
from strokenet_gym.files import replace_file

__all__ = ["picture_grid", "psnr", "ssim", "write_figure"]


def psnr(l2: np.ndarray | float) -> float:
    """Mean peak signal-to-noise ratio in dB, of images in [0, 1]; each at most 100 dB."""
    return float(np.mean(-10 * np.log10(np.maximum(l2, 1e-10))))


def ssim(canvas: np.ndarray, target: np.ndarray) -> float:
    """Mean structural similarity."""
    pairs = zip(canvas, target, strict=True)
    return float(np.mean([structural_similarity(a, b, channel_axis=0) for a, b in pairs]))


def picture_grid(
    rows: Sequence[Sequence[np.ndarray] | np.ndarray], path: Path, columns: int = 8
) -> None:
    """Write a PNG of groups (target | neural | real, …), ``columns`` groups a line.

    Args:
        rows: for each kind of picture, uint8 ``[C, H, W]`` of each item.
        path: the file to write.
        columns: groups in a line.
    """
    kinds = [np.stack([np.broadcast_to(p, (3, *p.shape[1:])) for p in row]) for row in rows]
    images = np.stack(kinds)
    images = np.pad(images, ((0, 0), (0, 0), (0, 0), (2, 2), (2, 2)), constant_values=90)
    images = np.pad(images, ((0, 0), (0, -images.shape[1] % columns), *[(0, 0)] * 3))
    count, _, height, width = images.shape[1:]
    lines = images.reshape(len(rows), -1, columns, 3, height, width).transpose(1, 0, 4, 2, 5, 3)
    with replace_file(path) as new:
        new.write_bytes(encode(lines.reshape(count // columns * len(rows) * height, -1, 3)))


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure of matplotlib's as a picture."""
    with replace_file(path) as new:
        figure.savefig(new, dpi=100)
