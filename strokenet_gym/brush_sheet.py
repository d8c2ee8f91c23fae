"""The command ``strokenet-gym brushes``: what brushes there are, and how they look."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import tyro
from gymnasium.error import DependencyNotInstalled

from strokenet_gym.checks import whole
from strokenet_gym.exports.pictures import encode
from strokenet_gym.files import replace_file
from strokenet_gym.programs import Program, load_program
from strokenet_gym.programs.base import MYPAINT
from strokenet_gym.programs.opacity import why_no_twin
from strokenet_gym.programs.stamped import BRUSHES
from strokenet_gym.stroke import NUM_ANCHORS, Stroke

__all__ = ["brushes", "draw_sheet"]

_TILES = 16, 1024  # pixels, at least and at most
_RED, _BLUE, _OCHRE = (0.8, 0.15, 0.1), (0.2, 0.3, 0.7), (0.8, 0.6, 0.1)


def brushes(
    names: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    sheet: Path | None = None,
    tile: int = 256,
) -> None:
    """List the brushes: ours, and those of MyPaint that are installed.

    Shows whether each has an exact gradient, and whether a network imitates it or could be trained
    to (`strokenet-gym train generator`).

    Args:
        names: Only these; as --brush takes them.
        sheet: Write a picture with a stroke of each across two bars: a .png file.
        tile: Width and height of a brush's part of the picture in pixels.
    """
    if sheet is not None and sheet.suffix.lower() != ".png":
        raise ValueError(f"--sheet must be a .png file, got {sheet}")
    whole(tile, "--tile", *_TILES)
    missing = None
    if names:
        chosen = [load_program(name) for name in names]
    else:
        chosen = list(BRUSHES.values())
        try:
            from strokenet_gym.programs.mypaint import brush_names

            for name in brush_names():
                try:
                    chosen.append(load_program(f"{MYPAINT}{name}"))
                except ValueError as error:  # a damaged file
                    print(error)
        except DependencyNotInstalled as error:
            missing = error
    width = max(len(brush.name) for brush in chosen)
    for brush in chosen:
        print(f"{brush.name:{width}}  {_abilities(brush)}", flush=True)
    if missing is not None:
        print(f"More brushes: {missing}")
    if sheet is not None:
        picture = draw_sheet(chosen, tile)
        with replace_file(sheet) as new:
            new.write_bytes(encode(picture))
        print(f"Wrote {sheet}")


def _abilities(brush: Program) -> str:
    found = ["exact gradient"] if brush.gradient == "exact" else []
    try:
        from strokenet_gym.programs.learned import twin_of

        shipped = twin_of(brush) is not None
    except DependencyNotInstalled:  # without torch there are no networks
        shipped = False
    if shipped:
        found.append("network shipped")
    elif brush.gradient is None:
        why = why_no_twin(brush)
        found.append("network can be trained" if why is None else f"no network: {why}")
    return ", ".join(found)


def draw_sheet(chosen: Iterable[Program], tile: int) -> np.ndarray:
    """Each brush across two bars, from light to full pressure.

    Args:
        chosen: the brushes.
        tile: side of a brush's part in pixels, 16 … 1024.

    Returns:
        uint8 ``[rows * tile, columns * tile, 3]``.
    """
    whole(tile, "tile", *_TILES)
    tiles = [_draw_tile(brush, tile) for brush in chosen]
    columns = math.ceil(math.sqrt(len(tiles)))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    rows = [np.concatenate(tiles[k : k + columns], 1) for k in range(0, len(tiles), columns)]
    return np.concatenate(rows)


def _draw_tile(brush: Program, size: int) -> np.ndarray:
    t, full = np.linspace(-1, 1, NUM_ANCHORS), np.ones(NUM_ANCHORS)
    marker, wave = BRUSHES["marker"], np.stack([0.7 * t, 0.7 * np.sin(5 * t)], 1)
    bars = [np.stack([0.9 * t, y * full], 1) for y in (0.35, -0.35)]
    canvas = np.ones((1, 3, size, size), np.float32)
    for program, colour, points, pressure, radius in (
        (marker, _BLUE, bars[0], full, 0.1),
        (marker, _OCHRE, bars[1], full, 0.1),
        (brush, _RED, wave, np.linspace(0.15, 1, NUM_ANCHORS), 0.12),
    ):
        wide = np.clip(radius, *program.radii)
        stroke = Stroke(np.array([colour]), wide[None], points[None], pressure[None])
        canvas = program.paint(canvas, stroke, np.ones(3, np.float32))
    drawn = np.ascontiguousarray((canvas[0] * 255).astype(np.uint8).transpose(1, 2, 0))
    name, font = brush.name.removeprefix(MYPAINT), cv2.FONT_HERSHEY_SIMPLEX
    wide, _ = cv2.getTextSize(name, font, 1.0, 1)[0]
    scale = min(0.6 * max(1.0, size / 256), (size - 16) / wide)
    cv2.putText(drawn, name, (8, size - 10), font, scale, (0, 0, 0), 1, cv2.LINE_AA)
    return drawn
