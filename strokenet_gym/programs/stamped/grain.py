"""Rough paper: a texture that belongs to the canvas, the same picture at every size."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from strokenet_gym.interrupts import shielded

with shielded():
    import cv2

__all__ = ["paper"]

_SIZE = 1024  # pixels of the original
_FINE, _COARSE = 4.0, 12.0  # pixels of it: bumps and the unevenness that is taken away


_SMOOTH = np.empty((0, 0), np.float32)
_SMOOTH.flags.writeable = False  # as the others, so that numba compiles one kernel for all


@lru_cache(maxsize=8)
@np.errstate(under="ignore")
def paper(shape: tuple[int, ...], grain: float) -> np.ndarray:
    """How much of a stroke's opacity each pixel takes up, read-only.

    Noise of one fixed seed, smoothed to bumps of about a hundredth of the canvas' shorter side,
    with all heights equally frequent; along the longer side it goes on.

    Args:
        shape: height and width of the canvas in pixels.
        grain: :attr:`Brush.grain`, 0 … 1.

    Returns:
        float32 ``[height, width]`` from ``1 - grain`` to 1; empty if the grain is 0.
    """
    if grain == 0:
        return _SMOOTH
    side = min(shape)
    way = cv2.INTER_AREA if side < _SIZE else cv2.INTER_CUBIC
    heights = cv2.resize(_heights(), (side, side), interpolation=way).clip(0, 1)
    times = -(-shape[0] // side), -(-shape[1] // side)
    heights = np.tile(heights, times)[: shape[0], : shape[1]]
    result = np.ascontiguousarray(1 - grain * heights, np.float32)
    result.flags.writeable = False
    return result


@lru_cache(maxsize=1)
def _heights() -> np.ndarray:
    with shielded():
        from scipy.ndimage import gaussian_filter  # slow to import, and few need it

    noise = np.random.default_rng(0).random((_SIZE, _SIZE))
    bumps = gaussian_filter(noise, _FINE, mode="wrap") - gaussian_filter(
        noise, _COARSE, mode="wrap"
    )
    rank = np.empty(noise.size)
    rank[np.argsort(bumps, axis=None)] = np.linspace(0, 1, noise.size)
    return rank.reshape(noise.shape)
