"""Files that people keep of an episode: PNG, SVG, GIF, MP4, CSV and JSON, from a stroke log."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from strokenet_gym.envs.arguments import canvas_sides, whole
from strokenet_gym.extras import require
from strokenet_gym.files import replace_file
from strokenet_gym.programs.stamped import BLENDS, Brush, pen_path
from strokenet_gym.stroke import Stroke, part_way
from strokenet_gym.stroke_log import StrokeLog

__all__ = ["FORMATS", "export", "film"]

_SVG_GRID = 1024  # pixels of the longer side of the picture that outlines are taken from
_SVG_ERROR = 0.15  # of these pixels that a simplified outline may be off
_LEVELS = 12  # outlines of a soft stroke


def export(
    log: StrokeLog,
    path: str | os.PathLike,
    size: int | tuple[int, int] = 512,
    **options: Any,
) -> None:
    """Write an episode to a file; the suffix says what kind. It appears whole or not at all.

    Args:
        log: the episode.
        path: where to: ``.png``, ``.svg``, ``.gif``, ``.mp4``, ``.csv``, or ``.json`` (the
            log itself).
        size: the longer side in pixels, or height and width (SVG: of its view; CSV and JSON: not
            used).
        options: of :func:`film` for GIF and MP4: ``stroke_seconds``, ``fps``; for CSV
            ``paper_mm``: width and height of the paper, by default 210, 297 (A4).

    Raises:
        ValueError: if the suffix or a number is unknown, or the log's program cannot be exported
            to SVG.
        OSError: if the file cannot be written.
        DependencyNotInstalled: if GIF, MP4 or SVG is asked for without the extra "export".
    """
    path = Path(path)
    if path.suffix not in FORMATS:
        raise ValueError(f"unknown suffix {path.suffix!r} of {path}; known: {', '.join(FORMATS)}")
    sides = canvas_sides(log.sides(size), "size", 1, 8192)
    whole(max(sides), "size", 16, 8192)
    with replace_file(path) as new:
        FORMATS[path.suffix](log, new, sides, **options)


def to_rgb(canvas: np.ndarray) -> np.ndarray:
    """From float32 ``[C, H, W]`` in 0 … 1 to uint8 ``[H, W, 3]``."""
    return np.rint(np.broadcast_to(canvas, (3, *canvas.shape[1:])).transpose(1, 2, 0) * 255).astype(
        np.uint8
    )


def film(
    log: StrokeLog,
    size: int | tuple[int, int],
    stroke_seconds: float = 0.5,
    fps: int = 25,
) -> Iterator[np.ndarray]:
    """Frames of the strokes as they grow, and a second of the picture at the end.

    Args:
        log: the episode.
        size: the longer side in pixels, or height and width.
        stroke_seconds: how long a stroke takes.
        fps: frames a second.

    Yields:
        uint8 ``[H, W, 3]``.
    """
    if not (stroke_seconds > 0 and fps > 0 and fps == int(fps)):
        raise ValueError(
            f"stroke_seconds must be positive and fps a whole number, got {stroke_seconds}, {fps}"
        )
    canvas, fps = log.blank(size), int(fps)
    steps = max(1, round(stroke_seconds * fps))
    for stroke in log.strokes:
        for k in range(1, steps):
            yield to_rgb(log.paint(canvas, part_way(stroke, k / steps)))
        canvas = log.paint(canvas, stroke)
        yield to_rgb(canvas)
    for _ in range(fps):
        yield to_rgb(canvas)


def _png(log: StrokeLog, path: Path, size: tuple[int, int]) -> None:
    if not cv2.imwrite(str(path), to_rgb(log.replay(size))[:, :, ::-1]):
        raise OSError(f"cannot write {path}")


def _gif(log: StrokeLog, path: Path, size: tuple[int, int], **options: Any) -> None:
    require("export", "PIL")
    from PIL import Image

    frames = (Image.fromarray(picture) for picture in film(log, size, **options))
    first = next(frames)  # the numbers are checked now
    duration = round(1000 / options.get("fps", 25))  # milliseconds
    first.save(path, save_all=True, append_images=frames, duration=duration, loop=0)


def _mp4(log: StrokeLog, path: Path, size: tuple[int, int], **options: Any) -> None:
    require("export", "imageio", "imageio_ffmpeg")
    import imageio.v2 as imageio

    height, width = size
    even = height - height % 2, width - width % 2  # what the codec can do
    writer: Any = imageio.get_writer(
        path, fps=int(options.get("fps", 25)), codec="libx264", macro_block_size=1
    )
    with writer:
        for picture in film(log, even, **options):
            writer.append_data(picture)


def _csv(
    log: StrokeLog,
    path: Path,
    size: tuple[int, int],
    paper_mm: tuple[float, float] = (210.0, 297.0),
) -> None:
    """Points along each path, in mm from the paper's lower left corner.

    The canvas fills the paper's width or height and is centred.
    """
    width, height = paper_mm
    if not (width > 0 and height > 0):
        raise ValueError(f"paper_mm must be two positive numbers, got {paper_mm}")
    rows, columns = log.sides()
    scale = min(width / columns, height / rows) / 2  # mm for half a pixel
    half, half_x, half_y = scale * min(rows, columns), scale * columns, scale * rows
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["stroke", "x_mm", "y_mm", "pressure", "width_mm"])
        for number, stroke in enumerate(log.strokes, 1):
            for x, y, pressure in pen_path(stroke.position, stroke.pressure):
                wide = 2 * half * float(stroke.radius) * pressure**log.brush.pressure_size
                values = width / 2 + half_x * x, height / 2 + half_y * y, pressure, wide
                writer.writerow([number, *(f"{value:.4f}" for value in values)])


def _svg(log: StrokeLog, path: Path, size: tuple[int, int]) -> None:
    """Each stroke a group of outlines, which lie on each other as a map's contours do.

    An opaque stroke with a hard edge is one path; a soft one has a path for each twelfth of its
    opacity. The grain of rough paper is left out.
    """
    if not isinstance(log.brush, Brush):
        raise ValueError(
            f"SVG needs the shapes of strokes, which the program {log.brush.name!r} does not tell: "
            "export to .png, .gif, .mp4 or .csv"
        )
    require("export", "contourpy")
    rows, columns = grid = log.sides(_SVG_GRID)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" '
        f'xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape" '
        f'width="{size[1]}" height="{size[0]}" viewBox="0 0 {columns} {rows}">',
        f'<rect id="background" width="{columns}" height="{rows}" '
        f'fill="{_css(np.asarray(log.background))}"/>',
    ]
    css = BLENDS[log.brush.blend].css
    blending = "" if css == "normal" else f' style="mix-blend-mode:{css}"'
    for number, stroke in enumerate(log.strokes, 1):
        name = f"stroke-{number:03}"
        colour = _css(log.brush.lays_down(stroke, np.asarray(log.background)).colour)
        lines.append(f'<g id="{name}" inkscape:label="{name}" fill="{colour}"{blending}>')
        lines += [
            f'<path fill-rule="evenodd" fill-opacity="{opacity:.4f}" d="{outline}"/>'
            for opacity, outline in _contours(stroke, log.brush, grid)
        ]
        lines.append("</g>")
    path.write_text("\n".join([*lines, "</svg>"]) + "\n")


def _css(colour: np.ndarray) -> str:
    levels = np.rint(np.broadcast_to(colour, 3).clip(0, 1) * 255).astype(int)
    return "#" + "".join(f"{level:02x}" for level in levels)


def _contours(stroke: Stroke, brush: Brush, grid: tuple[int, int]) -> Iterator[tuple[float, str]]:
    """The opacity of each outline of a stroke, from the outermost one, and its path data."""
    import contourpy

    batch = Stroke(*(np.asarray(field)[None] for field in stroke))
    alpha = dataclasses.replace(brush, grain=0.0).draw(batch, grid)[0]
    highest = float(alpha.max())
    if highest < 0.5 / 255:
        return
    rows, columns = (np.flatnonzero((alpha > 0).any(axis)) for axis in (1, 0))
    top, left = rows[0], columns[0]
    # A frame of copies of the rim, so that an outline reaches the canvas' border and beyond.
    alpha = np.pad(alpha, 1, mode="edge")[top : rows[-1] + 3, left : columns[-1] + 3]
    inked, full = (np.count_nonzero(alpha > share * highest) for share in (0.05, 0.95))
    levels = _LEVELS if full < 0.8 * inked else 1
    generator = contourpy.contour_generator(z=alpha, fill_type="OuterOffset")
    offset = np.array([left - 0.5, top - 0.5])
    below = 0.0  # opacity of the outlines so far
    for level in range(1, levels + 1):
        reached = highest * (1 - brush.grain / 2) * level / levels
        filled: Any = generator.filled(highest * (level - 0.5) / levels, np.inf)
        rings = [
            points[start:stop] + offset
            for points, starts in zip(*filled, strict=True)
            for start, stop in itertools.pairwise(starts)
        ]
        simple = [cv2.approxPolyDP(r.astype(np.float32), _SVG_ERROR, True)[:, 0] for r in rings]
        outline = "".join(
            "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in ring) + "Z"
            for ring in simple
            if len(ring) > 2
        )
        yield 1 - (1 - reached) / (1 - below), outline
        below = reached


def _json(log: StrokeLog, path: Path, size: tuple[int, int]) -> None:
    log.save(path)


FORMATS: dict[str, Callable[..., None]] = {
    ".png": _png,
    ".svg": _svg,
    ".gif": _gif,
    ".mp4": _mp4,
    ".csv": _csv,
    ".json": _json,
}
