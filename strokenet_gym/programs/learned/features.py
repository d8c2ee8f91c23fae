"""From anchors to points along the spline, in torch: what the compact generator sees of a stroke.

The original network sees 16 dots, which say nothing of the curve between far-apart anchors. Here
the curve itself is resampled, as densely as the pen is thin, with gradients to every anchor.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from strokenet_gym.stroke import NUM_ANCHORS

__all__ = ["Path", "resample", "survey"]

_SURVEY_STEPS = 16  # points per segment of the survey that decides where to sample
_KNOT_EPSILON = 1e-12


class Path(NamedTuple):
    """Points along a batch of strokes, in pixels.

    Attributes:
        position: ``[B, K, 2]``, x to the right and y down.
        pressure: ``[B, K]``.
        length: ``[B, K]``, the length of path that each point stands for.
    """

    position: Tensor
    pressure: Tensor
    length: Tensor


def _tangents(points: Tensor) -> tuple[Tensor, Tensor]:
    """Hermite tangents ``[B, 15, 2]`` of the spline; the formula is in stamped/spline.py."""
    chord = points[:, 1:] - points[:, :-1]
    knot = (chord.square().sum(-1, keepdim=True) + _KNOT_EPSILON) ** 0.25
    # Reflection at the ends: the neighbours' chord and knot distance are the segment's own.
    chords = torch.cat([chord[:, :1], chord, chord[:, -1:]], 1)
    knots = torch.cat([knot[:, :1], knot, knot[:, -1:]], 1)
    before, after = chords[:, :-2], chords[:, 2:]
    d0, d1, d2 = knots[:, :-2], knots[:, 1:-1], knots[:, 2:]
    start = chord + d1 * (before / d0 - (before + chord) / (d0 + d1))
    end = chord + d1 * (after / d2 - (chord + after) / (d1 + d2))
    return start, end


def _evaluate(points: Tensor, pressure: Tensor, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Position, velocity and pressure at parameters u in [0, 15], ``[B, K]``."""
    segment = u.long().clamp(0, NUM_ANCHORS - 2)
    t = (u - segment)[..., None]
    s = 1 - t
    start, end = _tangents(points)
    # One gather for all six numbers of a segment that are needed at each point.
    table = torch.cat([points[:, :-1], points[:, 1:], start, end], -1)
    a, b, m, n = table.gather(1, segment[..., None].expand(-1, -1, 8)).split(2, -1)
    position = s * s * (1 + 2 * t) * a + t * t * (3 - 2 * t) * b + s * t * (s * m - t * n)
    velocity = 6 * t * s * (b - a) + s * (1 - 3 * t) * m + t * (3 * t - 2) * n
    before, after = (p.gather(1, segment) for p in (pressure[:, :-1], pressure[:, 1:]))
    return position, velocity, before * s[..., 0] + after * t[..., 0]


@torch.no_grad()
def survey(
    points: Tensor, pressure: Tensor, radius: Tensor, spacing: float, most: int
) -> tuple[Tensor, Tensor]:
    """Decide how many points each segment of a stroke needs.

    Args:
        points: anchors ``[B, 16, 2]``, pixels.
        pressure: ``[B, 16]``.
        radius: ``[B]``, pixels.
        spacing: distance of two points, in local radii (of at least a pixel).
        most: a segment's largest number of points.

    Returns:
        Points for each segment, int64 ``[B, 15]`` (0 where the pen is lifted), and the bounding
        box of the path ``[B, 4]``: x0, y0, x1, y1.
    """
    segments = NUM_ANCHORS - 1
    u = torch.arange(segments * _SURVEY_STEPS, dtype=points.dtype, device=points.device)
    u = (u + 0.5) / _SURVEY_STEPS
    position, velocity, p = _evaluate(points, pressure, u.expand(len(points), -1))
    local = (radius[:, None] * p).clamp(min=1)
    steps = velocity.norm(dim=-1) / (_SURVEY_STEPS * spacing * local)
    counts = steps.unflatten(1, (segments, _SURVEY_STEPS)).sum(-1).ceil().clamp(1, most)
    inked = (pressure[:, 1:] > 0) | (pressure[:, :-1] > 0)
    everything = torch.cat([points, position], 1)
    return (counts * inked).long(), torch.cat([everything.amin(1), everything.amax(1)], -1)


def resample(points: Tensor, pressure: Tensor, radius: Tensor, counts: Tensor) -> Path:
    """Place the points that :func:`survey` counts along each stroke, and one at each end.

    A segment's points are the midpoints of equal steps of the spline's parameter, so that they
    depend on the anchors smoothly. All strokes get as many as the longest: those beyond the end of
    a shorter one have length 0. The points at the ends stand for one stamp each.
    """
    ends = counts.cumsum(1)
    most = int(ends[:, -1].max())
    index = torch.arange(most, device=points.device).expand(len(points), most).contiguous()
    segment = torch.searchsorted(ends, index, right=True).clamp(max=NUM_ANCHORS - 2)
    count = counts.gather(1, segment).clamp(min=1).to(points.dtype)
    start = ends.gather(1, segment) - counts.gather(1, segment)
    u = segment + (((index - start).to(points.dtype) + 0.5) / count).clamp(max=1)
    step = (index < ends[:, -1:]) / count
    position, velocity, p = _evaluate(points, pressure, u)
    length = (velocity.square().sum(-1) + 1e-12).sqrt() * step
    cap = radius[:, None] * pressure / 8  # the spacing of whole stamps
    return Path(
        torch.cat([points[:, :1], position, points[:, -1:]], 1),
        torch.cat([pressure[:, :1], p, pressure[:, -1:]], 1),
        torch.cat([cap[:, :1], length, cap[:, -1:]], 1),
    )
