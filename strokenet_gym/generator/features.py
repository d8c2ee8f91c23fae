"""From anchors to points along the spline, in torch: what the compact generator sees of a stroke.

The original network sees 16 dots, which say nothing of the curve between far-apart anchors. Here
the curve itself is resampled, as densely as the pen is thin, with gradients to every anchor.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from strokenet_gym.stroke import NUM_ANCHORS

__all__ = ["Path", "points_needed", "resample", "survey"]

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
    """Hermite tangents of the centripetal Catmull-Rom spline, both ``[B, 15, 2]``.

    The formula is in renderer/path.py.
    """
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
    p = (
        pressure[:, :-1].gather(1, segment) * s[..., 0]
        + pressure[:, 1:].gather(1, segment) * t[..., 0]
    )
    return position, velocity, p


@torch.no_grad()
def survey(points: Tensor, pressure: Tensor, radius: Tensor) -> tuple[Tensor, Tensor]:
    """Walk along the strokes and note how much there is to draw, and where.

    Args:
        points: anchors ``[B, 16, 2]``, pixels.
        pressure: ``[B, 16]``.
        radius: ``[B]``, pixels.

    Returns:
        Cumulative length in units of the local radius, ``[B, 15 * 16 + 1]``, and the bounding box
        of the path ``[B, 4]``: x0, y0, x1, y1.
    """
    count = (NUM_ANCHORS - 1) * _SURVEY_STEPS
    u = (torch.arange(count, device=points.device) + 0.5) / _SURVEY_STEPS
    position, velocity, p = _evaluate(points, pressure, u.expand(len(points), count))
    speed = velocity.norm(dim=-1) / _SURVEY_STEPS
    # Where the pen is lifted there is nothing to draw; the small constant keeps the inverse sane.
    density = speed / (radius[:, None] * p).clamp(min=1) * (p > 0.03) + 1e-4
    cumulative = torch.nn.functional.pad(density.cumsum(1), (1, 0))
    everything = torch.cat([points, position], 1)
    return cumulative, torch.cat([everything.amin(1), everything.amax(1)], -1)


def points_needed(cumulative: Tensor, spacing: float) -> Tensor:
    """How many points each stroke needs at that spacing (in radii), ``[B]``."""
    return (cumulative[:, -1] / spacing).ceil()


def resample(
    points: Tensor, pressure: Tensor, radius: Tensor, cumulative: Tensor, count: int
) -> Path:
    """Place points along each stroke, evenly in units of the local radius, and one at each end.

    Where they go is not differentiated, what they are is: position, pressure and length of path
    depend on the anchors through the spline.

    Args:
        points: anchors ``[B, 16, 2]``, pixels.
        pressure: ``[B, 16]``.
        radius: ``[B]``, pixels.
        cumulative: from :func:`survey`.
        count: points along each stroke.

    Returns:
        Path: ``count + 2`` points; those at the ends stand for one stamp each.
    """
    with torch.no_grad():
        wanted = torch.arange(count + 1, device=points.device) / count * cumulative[:, -1:]
        right = torch.searchsorted(cumulative, wanted).clamp(1, cumulative.shape[1] - 1)
        low, high = cumulative.gather(1, right - 1), cumulative.gather(1, right)
        u = (right - 1 + ((wanted - low) / (high - low)).clamp(0, 1)) / _SURVEY_STEPS
        step = u[:, 1:] - u[:, :-1]
    position, velocity, p = _evaluate(points, pressure, u[:, :-1] + step / 2)
    length = (velocity.square().sum(-1) + 1e-12).sqrt() * step
    cap = radius[:, None] * pressure / 8  # the spacing of whole stamps
    return Path(
        torch.cat([points[:, :1], position, points[:, -1:]], 1),
        torch.cat([pressure[:, :1], p, pressure[:, -1:]], 1),
        torch.cat([cap[:, :1], length, cap[:, -1:]], 1),
    )
