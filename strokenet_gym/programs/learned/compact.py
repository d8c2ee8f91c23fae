"""The compact generator: a small network that imitates a brush, sharply and at any canvas size.

1. The spline through the anchors is resampled (features.py).
2. A *brush network* looks at each point (pressure, radius) and decides how wide and how heavy a
   blob it leaves, in a few channels. A blob is a Gaussian, so that a whole stroke is one matrix
   product per channel: columns times rows.
3. A *pixel network* looks at the logarithms of the summed blobs in each pixel and decides how
   opaque the pixel is. For Gaussians they are quadratic in the distance from the path, so that
   even the hard rim of a brush is an easy function of them.

Both networks learn from pictures alone; of the brush they only assume that a stamp's size follows
radius times pressure. All lengths are in pixels, so one set of weights serves every canvas size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from strokenet_gym.kernels.canvas import Size, sides
from strokenet_gym.programs.learned.base import LearnedGenerator
from strokenet_gym.programs.learned.features import Path, resample, survey
from strokenet_gym.stroke import Stroke

__all__ = ["CompactGenerator"]

_SPACING = 0.7  # distance of two points along the path, in radii
_MAX_POINTS = 256  # in a segment
_MIN_SIGMA = 0.4  # pixels
_EPSILON = 1e-4  # coverage that counts as none
# Strokes are drawn in groups of similar extent, so that a group's pictures fit in the cache.
_GROUP_PIXELS = {"cpu": 2**16, "cuda": 2**24}


class CompactGenerator(LearnedGenerator):
    """Opacity maps of strokes, differentiable in position, pressure and radius.

    Args:
        blobs: Gaussians per point.
        width: hidden channels of the pixel network.
    """

    architecture = "compact"

    def __init__(self, blobs: int = 4, width: int = 8) -> None:
        super().__init__()
        self.sizes = {"blobs": blobs, "width": width}
        last = nn.Linear(32, 2 * blobs)
        with torch.no_grad():  # start with blobs from narrow to wide, all of the same weight
            last.weight.mul_(0.3)
            last.bias.copy_(torch.cat([torch.linspace(-1.2, 0.2, blobs), torch.zeros(blobs)]))
        self.brush = nn.Sequential(nn.Linear(3, 32), nn.SiLU(), nn.Linear(32, 32), nn.SiLU(), last)
        self.pixel = nn.Sequential(
            nn.Conv2d(blobs, width, 3, padding=1, padding_mode="replicate"), nn.SiLU(),
            nn.Conv2d(width, width, 1), nn.SiLU(), nn.Conv2d(width, 1, 1),
        )  # fmt: skip
        # Much the fastest layout for so few channels.
        self.pixel = self.pixel.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, stroke: Stroke, size: Size) -> Tensor:
        """Draw strokes, see :class:`LearnedGenerator`."""
        x, y = stroke.position.unbind(-1)
        height, width = sides(size)
        points = torch.stack([(1 + x) * (width / 2), (1 - y) * (height / 2)], -1)
        radius = stroke.radius * (min(height, width) / 2)
        size = max(height, width)  # of a square canvas that has all of it
        counts, box = survey(points, stroke.pressure, radius, _SPACING, _MAX_POINTS)
        margin = radius.detach()[:, None] * 1.1 + 3
        low = (box[:, :2] - margin).floor().clamp(0, size - 1)
        high = (box[:, 2:] + margin).ceil().clamp(1, size)
        extent = (high - low).amax(1)
        order = torch.argsort(extent)
        parts = []
        for group, side in _groups(extent[order].tolist(), points.device.type):
            chosen = order[group]
            # Rounded up, so that memory is reused from group to group.
            side = min(size, math.ceil(side / 16) * 16)
            corner = low[chosen].clamp(max=size - side)
            path = resample(points[chosen], stroke.pressure[chosen], radius[chosen], counts[chosen])
            parts.append(_place(self._draw(path, radius[chosen], corner, side), corner, size))
        return torch.cat(parts)[torch.argsort(order)][:, :height, :width]

    def _draw(self, path: Path, radius: Tensor, corner: Tensor, side: int) -> Tensor:
        """Opacity in a window of ``side`` pixels at ``corner``, ``[B, side, side]``."""
        position, pressure, length = path
        wide = radius[:, None] * pressure
        look = [2 * pressure - 1, radius.log()[:, None].expand_as(wide) / 2, (wide + 0.1).log() / 2]
        sigma, weight = self.brush(torch.stack(look, -1)).movedim(-1, 1).chunk(2, 1)  # [B, J, K]
        sigma = wide[:, None] * sigma.exp() + _MIN_SIGMA
        weight = (length * pressure.square())[:, None] / sigma * (3 * weight).exp()
        grid = torch.arange(side, dtype=radius.dtype, device=radius.device) + 0.5
        scale = sigma * math.sqrt(2)
        local = (position - corner[:, None])[:, None]  # [B, 1, K, 2]
        columns = _gauss(grid, local[..., 0], scale) * weight[..., None]
        rows = _gauss(grid, local[..., 1], scale)
        coverage = rows.transpose(-1, -2) @ columns  # [B, J, side, side]
        features = ((coverage + _EPSILON).log() / 3).contiguous(memory_format=torch.channels_last)
        opacity = torch.sigmoid(self.pixel(features)[:, 0])
        some = coverage[:, -1]
        return opacity * (some / (some + 0.01))


def _groups(extents: list[float], device: str) -> Iterator[tuple[slice, float]]:
    """Cut a sorted list into groups, each with its largest extent as the side of its windows."""
    budget = _GROUP_PIXELS.get(device, _GROUP_PIXELS["cuda"])
    start = 0
    while start < len(extents):
        stop = start + 1
        while stop < len(extents) and extents[stop] ** 2 * (stop + 1 - start) <= budget:
            stop += 1
        yield slice(start, stop), extents[stop - 1]
        start = stop


def _gauss(grid: Tensor, centre: Tensor, scale: Tensor) -> Tensor:
    """exp(-((grid - centre) / scale)²), ``[..., K, side]``."""
    return ((grid - centre[..., None]) / scale[..., None]).square().neg().exp()


def _place(window: Tensor, corner: Tensor, size: int) -> Tensor:
    """Put windows ``[B, side, side]`` on empty canvases ``[B, size, size]``."""
    side = window.shape[-1]
    if side == size:
        return window
    step = torch.arange(side, device=window.device)
    x, y = corner[:, :1].long() + step, corner[:, 1:].long() + step
    index = (y[:, :, None] * size + x[:, None, :]).flatten(1)
    canvas = window.new_zeros(len(window), size * size)
    return canvas.scatter(1, index, window.flatten(1)).unflatten(1, (size, size))
