"""Strokes that are kept: a JSON document, which paints the same picture again."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from strokenet_gym.checks import real_array, whole
from strokenet_gym.envs.arguments import canvas_sides, check_seed
from strokenet_gym.files import replace_file, user_path
from strokenet_gym.kernels.canvas import sides
from strokenet_gym.programs import Program, find_name, load_program
from strokenet_gym.reading import read_json, shown
from strokenet_gym.stroke import NUM_ANCHORS, Stroke

__all__ = ["StrokeLog"]

_FORMAT = "strokenet-gym strokes"
_VERSION = 1
_RANGES = {"colour": (0, 1), "radius": (0, 10), "position": (-100, 100), "pressure": (0, 1)}


@dataclasses.dataclass
class StrokeLog:
    """The strokes of one episode, in physical units, and what they were painted on.

    Attributes:
        size: side of the canvas in pixels, or height and width.
        background: intensity of the empty canvas, for each of C channels.
        brush: the program that painted.
        target: name of the target's source, "" if it is not known.
        seed: seed of the environment's last seeded reset, None if there was none.
        episode: number of the episode since then.
        strokes: the strokes so far, each with float64 fields and no batch.
    """

    size: int | tuple[int, int]
    background: tuple[float, ...]
    brush: Program
    target: str = ""
    seed: int | None = None
    episode: int = 0
    strokes: list[Stroke] = dataclasses.field(default_factory=list)

    def sides(self, size: int | tuple[int, int] | None = None) -> tuple[int, int]:
        """Height and width of the picture: as they were, as given, or for a longer side."""
        height, width = sides(self.size)
        if size is None:
            return height, width
        if isinstance(size, (int, np.integer)):
            scale = whole(size, "size", 1, 8192) / max(height, width)
            return max(1, round(height * scale)), max(1, round(width * scale))
        return canvas_sides(size, "size", 1, 8192)

    def blank(self, size: int | tuple[int, int] | None = None) -> np.ndarray:
        """The empty canvas, float32 ``[C, H, W]``."""
        colour = np.asarray(self.background, np.float32)
        return np.broadcast_to(colour[:, None, None], (len(colour), *self.sides(size))).copy()

    @np.errstate(under="ignore")
    def replay(self, size: int | tuple[int, int] | None = None) -> np.ndarray:
        """Paint the picture again.

        Args:
            size: the longer side in pixels, or height and width; by default the episode's, and then
                the canvas is the same as in `Painting-v0`, bit for bit.

        Returns:
            float32 ``[C, H, W]`` in 0 … 1.
        """
        canvas = self.blank(size)
        for stroke in self.strokes:
            canvas = self.paint(canvas, stroke)
        return canvas

    @np.errstate(under="ignore")
    def paint(self, canvas: np.ndarray, stroke: Stroke) -> np.ndarray:
        """A canvas float32 ``[C, H, W]`` with a stroke on it, as the log's program paints it."""
        batch = Stroke(*(np.asarray(field)[None] for field in stroke))
        painted = canvas[None].copy()
        self.brush.composite(painted, canvas[None], batch, np.asarray(self.background, np.float32))
        return painted[0]

    def save(self, path: str | os.PathLike) -> None:
        """Write the log as JSON; the file appears whole, or not at all and OSError is raised."""
        with replace_file(path) as new:
            self.write(new)

    def write(self, file: Path) -> None:
        """Write the log as JSON into a file."""
        from strokenet_gym import __version__

        document = {
            "format": _FORMAT,
            "version": _VERSION,
            "package": __version__,
            "canvas": {"size": self.size, "background": list(self.background)},
            "brush": find_name(self.brush),
            "target": self.target,
            "seed": self.seed,
            "episode": self.episode,
            "strokes": [
                {name: np.asarray(value).tolist() for name, value in stroke._asdict().items()}
                for stroke in self.strokes
            ],
        }
        file.write_text(json.dumps(document) + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike, brush: str | Program | None = None) -> StrokeLog:
        """Read a log.

        Args:
            path: the file.
            brush: what to paint with instead of the log's brush. A log alone opens no files and
                modules: a program from there must be named here.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is no stroke log, of a later version, damaged (the message names the
                stroke), or would take too much memory.
        """
        path, program = user_path(path), None if brush is None else load_program(brush)
        try:
            document = read_json(path)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error}") from error
        if not isinstance(document, dict) or document.get("format") != _FORMAT:
            raise ValueError(f"{path} is not a stroke log: its format is not {_FORMAT!r}")
        if document.get("version") != _VERSION:
            raise ValueError(
                f"{path} has version {shown(document.get('version'))} of the format; this package "
                f"reads version {_VERSION}, so it may need an update"
            )
        with _errors_of(path, ""):
            program = program or load_program(document["brush"], trusted=False)
        with _errors_of(path):
            canvas = document["canvas"]
            size, background = canvas["size"], tuple(float(v) for v in canvas["background"])
            height, width = canvas_sides(size, "canvas size", 16, 4096)
            target, strokes = document.get("target", ""), document["strokes"]
            for name, value, kind in (("target", target, str), ("strokes", strokes, list)):
                if not isinstance(value, kind):
                    raise ValueError(f"{name} must be a {kind.__name__}, got {value!r}")
            if len(background) not in (1, 3):
                raise ValueError(f"background must have 1 or 3 numbers, got {len(background)}")
            _check_range("background", np.array(background), 0, 1)
            return cls(
                size=height if height == width else (height, width),
                background=background,
                brush=program,
                target=target,
                seed=check_seed(document.get("seed")),
                episode=whole(document.get("episode", 0), "episode", 0, 2**63),
                strokes=[_stroke(strokes, k, len(background)) for k in range(len(strokes))],
            )


@contextlib.contextmanager
def _errors_of(part: object, problem: str = " is damaged") -> Iterator[None]:
    """Have errors name the part of the log that they are in."""
    try:
        yield
    except KeyError as error:
        raise ValueError(f"{part} lacks the field {error}") from None
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{part}{problem}: {shown(error)}") from None


def _stroke(entries: list[Any], index: int, channels: int) -> Stroke:
    shapes = (channels,), (), (NUM_ANCHORS, 2), (NUM_ANCHORS,)
    with _errors_of(f"stroke {index}", ""):
        fields = [entries[index][name] for name in Stroke._fields]
        stroke = Stroke(*map(real_array, fields, Stroke._fields, shapes))
        for name, field in stroke._asdict().items():
            _check_range(name, field, *_RANGES[name])
    return stroke


def _check_range(name: str, values: np.ndarray, low: float, high: float) -> None:
    if not ((values >= low) & (values <= high)).all():  # nor NaN
        raise ValueError(f"{name} must be from {low:g} to {high:g}, got {values.tolist()}")
