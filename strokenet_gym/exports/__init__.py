"""Files that people keep of an episode: pictures, drawings, films, points; from a stroke log."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from strokenet_gym.checks import whole
from strokenet_gym.envs.arguments import canvas_sides
from strokenet_gym.exports.films import film, write_gif, write_mp4
from strokenet_gym.exports.lines import write_csv
from strokenet_gym.exports.pictures import to_rgb, write_picture
from strokenet_gym.exports.svg import write_svg
from strokenet_gym.files import replace_file
from strokenet_gym.stroke_log import StrokeLog

__all__ = ["FORMATS", "export", "film", "to_rgb", "writer_of"]


@np.errstate(under="ignore")
def export(
    log: StrokeLog,
    path: str | os.PathLike,
    size: int | tuple[int, int] = 512,
    **options: Any,
) -> None:
    """Write an episode to a file; the suffix says what kind. It appears whole or not at all.

    Args:
        log: the episode.
        path: where to: ``.png``, ``.jpg``, ``.webp``, ``.svg``, ``.gif``, ``.mp4``, ``.csv``, or
            ``.json`` (the log itself); in any case.
        size: the longer side in pixels, or height and width (SVG: of its view; CSV, JSON and an
            SVG of lines: not used).
        options: for GIF and MP4 ``seconds`` and ``fps``, see :func:`film`; for SVG ``detail``, by
            default 1: with 2 its steps of opacity are half as high; or ``lines=True``: the pen's
            paths instead of the picture, for plotters, all with ``pen_mm``, the width of a pen, or
            else as wide as they are; for these and CSV ``paper_mm``: width and height of the
            paper, by default 210, 297 (A4).

    Raises:
        ValueError: if the suffix or a number is unknown, or the log's program cannot be exported
            to SVG.
        TypeError: if an option is not one of the format's.
        OSError: if the file cannot be written.
        DependencyNotInstalled: if MP4 is asked for without imageio-ffmpeg.
    """
    write = writer_of(path)
    sides = canvas_sides(log.sides(size), "size", 1, 8192)
    whole(max(sides), "size", 16, 8192)
    with replace_file(path) as new:
        write(log, new, sides, **options)


def writer_of(path: str | os.PathLike) -> Callable[..., None]:
    """The function of a log, a path, height and width, and options that writes such files.

    Raises:
        ValueError: if the suffix is unknown.
    """
    suffix = Path(path).suffix
    if suffix.lower() not in FORMATS:
        raise ValueError(f"unknown suffix {suffix!r} of {path}; known: {', '.join(FORMATS)}")
    return FORMATS[suffix.lower()]


FORMATS: dict[str, Callable[..., None]] = {
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".webp"), write_picture),
    ".svg": write_svg,
    ".gif": write_gif,
    ".mp4": write_mp4,
    ".csv": write_csv,
    ".json": lambda log, path, size: log.write(path),
}
