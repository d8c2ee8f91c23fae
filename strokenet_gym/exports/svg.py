"""SVG of a stroke log: each stroke a group of outlines, which lie on each other as contours do."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from strokenet_gym.checks import flag, real_number
from strokenet_gym.exports.lines import css, write_lines
from strokenet_gym.interrupts import shielded
from strokenet_gym.programs.stamped import BLENDS, Brush, pen_path
from strokenet_gym.stroke import Stroke
from strokenet_gym.stroke_log import StrokeLog

with shielded():
    import contourpy
    import cv2

__all__ = ["write_svg"]

_GRID = 1024  # pixels of the longer side of the picture that outlines are taken from
_UNITS = 5  # of a coordinate in a pixel of that
_OFF = 0.25  # tolerance of simplified outlines, in these pixels
_OFF_NARROW, _BLUR = 0.6, 0.5  # of narrow strokes, whose outlines have the pixels' steps
_STEP, _LEAST = 5.0, 2.0  # levels of 255 that an outline adds to the opacity: about, and at least
_BAND = 1.25  # pixels of the grid between two outlines, at least
_OUTLINES = 5000  # of a picture: where strokes are many, each has fewer
_FEWEST = 2  # outlines of a soft stroke
_BROAD = 20  # pixels of the grid: where a radius has more, every second one is enough
_ROUGH = 4  # and every fourth to see how soft a stroke is


def write_svg(
    log: StrokeLog,
    path: Path,
    size: tuple[int, int],
    detail: float = 1.0,
    lines: bool = False,
    pen_mm: float | None = None,
    paper_mm: tuple[float, float] = (210.0, 297.0),
) -> None:
    """Write the picture, or with ``lines`` the pen's paths.

    An opaque stroke with a hard edge is one path. A soft one has a path for each step of its
    opacity: about one for 5 levels of 255, but none closer than can be seen, and fewer where all
    strokes would have more than 5,000. ``detail`` divides the one and multiplies the other. The
    grain of rough paper is left out.
    """
    if flag(lines, "lines"):
        write_lines(log, path, pen_mm, paper_mm)
        return
    if pen_mm is not None:
        raise ValueError(f"pen_mm is the width of lines: give lines=True too, got {pen_mm}")
    if not isinstance(log.brush, Brush):
        raise ValueError(
            f"SVG needs the shapes of strokes, which the program {log.brush.name!r} does not tell: "
            "export to .png, .gif, .mp4 or .csv, or export its lines"
        )
    detail = real_number(detail, "detail", 0.01, 100)
    rows, columns = grid = log.sides(_GRID)
    brush = dataclasses.replace(log.brush, grain=0.0)
    wanted = [_steps(stroke, brush, grid, detail) for stroke in log.strokes]
    share = min(1.0, _OUTLINES * detail / max(1.0, sum(wanted)))
    text = [
        f'<svg xmlns="http://www.w3.org/2000/svg" '
        f'xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape" '
        f'width="{size[1]}" height="{size[0]}" viewBox="0 0 {columns * _UNITS} {rows * _UNITS}">',
        f'<rect id="background" width="{columns * _UNITS}" height="{rows * _UNITS}" '
        f'fill="{css(np.asarray(log.background))}"/>',
    ]
    blend = BLENDS[log.brush.blend].css
    blending = "" if blend == "normal" else f' style="mix-blend-mode:{blend}"'
    for number, (stroke, steps) in enumerate(zip(log.strokes, wanted, strict=True), 1):
        name = f"stroke-{number:03}"
        colour = css(log.brush.deposits(stroke, np.asarray(log.background)).colour)
        text.append(f'<g id="{name}" inkscape:label="{name}" fill="{colour}"{blending}>')
        levels = 1 if steps <= 1 else max(_FEWEST, round(steps * share))
        contours = _contours(stroke, brush, grid, levels, log.brush.grain, detail)
        text += [
            f'<path fill-rule="evenodd" {paint} d="{outline}"/>'
            for paint, outline in _layers(contours, colour)
        ]
        text.append("</g>")
    path.write_text("\n".join([*text, "</svg>"]) + "\n")


def _opacity(
    stroke: Stroke, brush: Brush, grid: tuple[int, int], pixel: int
) -> tuple[np.ndarray, np.ndarray]:
    """A stroke's opacity ``[H, W]``, on a canvas as large as it needs, and its place x, y.

    ``pixel`` is the side of the pixels that are drawn, and that the place is in, in the grid's.
    """
    shape = np.array(grid[::-1]) / pixel  # x, y
    half = min(shape) / 2
    path = pen_path(stroke.position, stroke.pressure)[:, :2]
    places = (path * [1, -1] + 1) / 2 * shape
    reach = max(float(stroke.radius) * half, 1.0) + 2
    low = np.floor(places.min(0) - reach).clip(0, np.ceil(shape)).astype(int)
    high = np.ceil(places.max(0) + reach).clip(0, np.ceil(shape)).astype(int)
    extent = high - low
    if (extent < 1).any():
        return np.zeros((0, 0)), low
    pixels = (np.asarray(stroke.position) * [1, -1] + 1) / 2 * shape - low
    moved = Stroke(
        np.asarray(stroke.colour)[None],
        np.asarray(stroke.radius)[None] * (half / (extent.min() / 2)),
        ((2 * pixels / extent - 1) * [1, -1])[None],
        np.asarray(stroke.pressure)[None],
    )
    return brush.draw(moved, (int(extent[1]), int(extent[0])))[0], low


def _steps(stroke: Stroke, brush: Brush, grid: tuple[int, int], detail: float) -> float:
    """How many outlines the eye needs of a stroke: 1 of one with a hard edge, 0 of none."""
    pixel = _ROUGH
    alpha, _ = _opacity(stroke, brush, grid, pixel)
    highest = float(alpha.max(initial=0.0))
    if highest < 0.5 / 255:
        return 0.0
    covered, full = (np.count_nonzero(alpha > share * highest) for share in (0.05, 0.95))
    # Where opacity changes most it takes that many pixels from nothing to the highest.
    slope = np.hypot(*np.gradient(np.pad(alpha, 1)))
    band = highest / float(np.median(slope[slope > highest / 100])) * pixel
    if full >= 0.8 * covered or band < 2 * pixel:
        return 1.0
    band = min(band, max(1.0, float(stroke.radius) * min(grid) / 2))  # lines are no broader
    most = highest * 255 / max(_STEP / detail, _LEAST)
    return max(_FEWEST, min(most, band / _BAND * detail))


def _layers(contours: Iterable[tuple[float, str]], colour: str) -> Iterator[tuple[str, str]]:
    """Attributes of paths that lie on each other, and their path data.

    Viewers keep 8 bits of each layer's opacity, and of colour times opacity, and some cut off the
    rest. So a layer has whole values of these, and the next one corrects its error.

    Args:
        contours: the opacity that is reached within each, and its path data.
        colour: of the stroke, ``#rrggbb``.
    """
    aim = np.array(list(bytes.fromhex(colour[1:]))) / 255
    opacity, tinted = 0, np.zeros(3)  # so far, and colour times it; of 255
    for reached, outline in contours:
        alpha = round((255 * reached - opacity) / (1 - opacity / 255)) if opacity < 255 else 0
        if alpha < 1:
            continue
        through = 1 - alpha / 255
        opacity, tinted = alpha + round(opacity * through), np.rint(tinted * through)
        layer = np.rint(aim * opacity - tinted).clip(0, alpha)
        tinted += layer
        fill = css(np.ceil(255 * layer / alpha) / 255)
        shown = "" if alpha == 255 else f' fill-opacity="{(alpha + 0.02) / 255:.5f}"'
        yield f'fill="{fill}"{shown}', outline


def _contours(
    stroke: Stroke, brush: Brush, grid: tuple[int, int], levels: int, grain: float, detail: float
) -> Iterator[tuple[float, str]]:
    """The opacity that is reached in each outline, from the outermost one, and its path data."""
    broad = float(stroke.radius) * min(grid) / 2 > _BROAD
    pixel, off = (2, _OFF) if broad else (1, _OFF_NARROW)
    alpha, low = _opacity(stroke, brush, grid, pixel)
    if not broad and alpha.size:
        alpha = cv2.GaussianBlur(alpha, (0, 0), _BLUR, borderType=cv2.BORDER_REPLICATE)
    highest = float(alpha.max(initial=0.0))
    if highest < 0.5 / 255:
        return
    used = [np.flatnonzero((alpha > 0).any(axis)) for axis in (0, 1)]  # columns, rows
    (left, right), (top, bottom) = ((found[0], found[-1] + 1) for found in used)
    alpha, low = alpha[top:bottom, left:right], low + np.array([left, top])
    # A frame of copies of the rim, so that an outline reaches the canvas' border and beyond.
    alpha = np.pad(alpha, 1, mode="edge")
    generator = contourpy.contour_generator(z=alpha, fill_type="OuterOffset")
    for level in range(1, levels + 1):
        reached = highest * (1 - grain / 2) * level / levels
        filled: Any = generator.filled(highest * (level - 0.5) / levels, np.inf)
        rings = [
            (points[start:stop] + low - 0.5) * pixel
            for points, starts in zip(*filled, strict=True)
            for start, stop in itertools.pairwise(starts)
        ]
        outline = "".join(_ring(ring, off / detail) for ring in rings)
        if outline:
            yield reached, outline


def _ring(points: np.ndarray, off: float) -> str:
    """A closed path through points of the grid, in steps from one to the next, simplified."""
    simple = cv2.approxPolyDP(points.astype(np.float32), off, True)[:, 0]
    corners = np.rint(simple * _UNITS).astype(int)
    if len(corners) < 3:
        return ""
    (x, y), *steps = np.diff(corners, axis=0, prepend=0).tolist()
    return f"M{x} {y}l{' '.join(f'{x} {y}' for x, y in steps)}z".replace(" -", "-")
