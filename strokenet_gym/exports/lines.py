"""The pen's paths of a stroke log in mm on paper, for plotters and robots: SVG and CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from strokenet_gym.checks import real_number
from strokenet_gym.programs.stamped import pen_path
from strokenet_gym.stroke_log import StrokeLog
from strokenet_gym.targets.drawings import simplified

__all__ = ["css", "write_csv", "write_lines"]

_LIFTED = 1e-3  # pressure up to which the pen leaves no mark
_OFF_MM = 0.01  # that a simplified line may be off


def css(colour: np.ndarray) -> str:
    """A colour in 0 … 1, of 1 or 3 channels, as ``#rrggbb``."""
    levels = np.rint(np.broadcast_to(colour, 3).clip(0, 1) * 255).astype(int)
    return "#" + "".join(f"{level:02x}" for level in levels)


def write_csv(
    log: StrokeLog,
    path: Path,
    size: tuple[int, int],
    paper_mm: tuple[float, float] = (210.0, 297.0),
) -> None:
    """Write points along each path, in mm from the paper's lower left corner.

    The canvas fills the paper's width or height and is centred. Where a path leaves it and comes
    in again there are two points without pressure.
    """
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["stroke", "x_mm", "y_mm", "pressure", "width_mm"])
        for number, points in enumerate(_points(log, paper_mm), 1):
            writer.writerows([number, *(f"{value:.4f}" for value in point)] for point in points)


def write_lines(
    log: StrokeLog, path: Path, pen_mm: float | None, paper_mm: tuple[float, float]
) -> None:
    """Write each stroke as one path, as wide as the pen or as the stroke is on average, in SVG."""
    if pen_mm is not None:
        pen_mm = real_number(pen_mm, "pen_mm", 0, 1000, above=True)
    found = list(_points(log, paper_mm))  # checks the paper
    width, height = paper_mm
    text = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}mm" height="{height:g}mm" '
        f'viewBox="0 0 {width:g} {height:g}" fill="none" stroke-linecap="round" '
        'stroke-linejoin="round">'
    ]
    for number, (stroke, points) in enumerate(zip(log.strokes, found, strict=True), 1):
        down = points[:, 2] > _LIFTED
        # A pen that is set down at one point leaves a dot: a line of no length.
        changes = np.flatnonzero(np.diff(down)) + 1
        runs = [r for r in np.split(points, changes) if len(r) and r[0, 2] > _LIFTED]
        if not runs:
            continue
        data = ""
        for run in runs:
            line = simplified((run[:, :2] * [1, -1] + [0, height]).astype(np.float32), _OFF_MM)
            line = line if len(line) > 1 else np.repeat(line, 2, 0)
            data += "M" + " ".join(f"{x:.2f},{y:.2f}" for x, y in line)
        wide = float(points[down, 3].mean()) if pen_mm is None else pen_mm
        text.append(
            f'<path id="stroke-{number:03}" stroke="{css(stroke.colour)}" '
            f'stroke-width="{max(wide, 0.01):.3f}" d="{data}"/>'
        )
    path.write_text("\n".join([*text, "</svg>"]) + "\n")


def _points(log: StrokeLog, paper_mm: tuple[float, float]) -> Iterator[np.ndarray]:
    """For each stroke points along its path, ``[N, 4]``: x, y, pressure, width; in mm."""
    if not isinstance(paper_mm, (tuple, list, np.ndarray)) or len(paper_mm) != 2:
        raise ValueError(f"paper_mm must be two numbers, got {paper_mm!r}")
    width, height = (
        real_number(side, "a side of paper_mm", 0, 1e5, above=True) for side in paper_mm
    )
    rows, columns = log.sides()
    scale = min(width / columns, height / rows) / 2  # mm for half a pixel
    half, half_x, half_y = scale * min(rows, columns), scale * columns, scale * rows
    power = getattr(log.brush, "pressure_size", 1.0)
    for stroke in log.strokes:
        x, y, pressure = pen_path(stroke.position, stroke.pressure).T
        wide = 2 * half * float(stroke.radius) * pressure**power
        points = np.stack([half_x * x, half_y * y, pressure, wide], 1)
        centre = np.array([width / 2, height / 2, 0, 0])
        yield centre + _cut(points, np.array([half_x, half_y]))


def _cut(points: np.ndarray, border: np.ndarray) -> np.ndarray:
    """A path whose parts beyond the border (largest x and y from the centre) are pen lifts."""
    for axis, side in ((0, 1), (0, -1), (1, 1), (1, -1)):
        beyond = points[:, axis] - side * border[axis]
        last = np.flatnonzero(beyond[:-1] * beyond[1:] < 0)  # before it crosses
        share = beyond[last] / (beyond[last] - beyond[last + 1])
        crossing = points[last] + share[:, None] * (points[last + 1] - points[last])
        crossing[:, axis] = side * border[axis]
        points = np.insert(points, last + 1, crossing, axis=0)
    middle = (points[:-1, :2] + points[1:, :2]) / 2
    inside = np.concatenate([[False], (np.abs(middle) <= border).all(1), [False]])
    parts: list[np.ndarray] = []
    for begin, end in np.flatnonzero(np.diff(inside)).reshape(-1, 2):
        part = points[begin : end + 1]
        if parts:
            parts += [parts[-1][-1:] * [1, 1, 0, 0], part[:1] * [1, 1, 0, 0]]
        parts.append(part)
    return np.concatenate(parts) if parts else points[:0]
