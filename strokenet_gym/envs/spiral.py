"""Spiral-v0: the environment of SPIRAL, a painter of Bézier curves with MyPaint's brushes.

A task with an engine of its own: a pen that goes on from curve to curve.
"""

from __future__ import annotations

import colorsys
import math
import os
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from strokenet_gym.checks import array_of, flag, whole
from strokenet_gym.envs.arrays import Arrays
from strokenet_gym.envs.painting import PaintingEnv
from strokenet_gym.envs.rewards import Reward
from strokenet_gym.envs.task import Task
from strokenet_gym.programs.mypaint.pen import Pen

__all__ = ["SpiralEnv"]

_GRID = 32  # places in a row that a curve may go to
_PRESSURES = np.linspace(0.1, 1.0, 10)
_SIZES = (1, 2, 4, 8, 12, 24)  # pixels
_INTENSITIES = np.linspace(0.0, 1.0, 20)
_POINTS = 50  # of a curve
_SECONDS = float(np.float32(0.1))  # between two of them; in single precision, as the original's
_CHOICES = [_GRID**2, _GRID**2, 2, len(_PRESSURES), len(_SIZES), *[len(_INTENSITIES)] * 3]
# Numbers of an action that mattered, by its flag.
_USED = np.array([[0, 1, 1, 0, 0, 0, 0, 0], [1] * 8], np.int8)


class _Curves(Arrays):
    """One pen on white paper."""

    def __init__(self, brush: str, original_move: bool) -> None:
        super().__init__(None)
        self._brush, self._original_move, self.flag = brush, original_move, 0

    def open(self, shape: tuple[int, ...], colour: np.ndarray) -> None:
        super().open(shape, colour)
        self._size, self._pen = shape[2], Pen(self._brush, shape[2])

    def action_space(self) -> spaces.MultiDiscrete:
        return spaces.MultiDiscrete(_CHOICES)

    def check(self, action: Any, shape: tuple[int, ...]) -> np.ndarray:
        chosen = array_of(action, "an action")
        fits = chosen.shape == shape and chosen.dtype.kind in "iu"
        if not (fits and (chosen >= 0).all() and (chosen < _CHOICES).all()):
            raise ValueError(f"an action must be 8 whole numbers under {_CHOICES}, got {action!r}")
        return chosen

    def begin(self, indices: Sequence[int], images: np.ndarray, handed_over: bool = False) -> None:
        super().begin(indices, images, handed_over)
        self._pen = Pen(self._brush, self._size)
        self._pen.clear()
        self.flag, self._place, self._pressure, self._painting = 0, np.zeros(2), 0.0, False
        self._set_look(_SIZES[0], (0.0, 0.0, 0.0))
        self._move(self._place)

    def step(self, action: np.ndarray, rows: Any) -> np.ndarray:
        control, end, self.flag, pressure, size, *colour = action[0].tolist()
        if self.flag:
            red, green, blue = _INTENSITIES[colour].tolist()
            self._set_look(_SIZES[size], (red, green, blue))
            self._curve(self._pixels_of(control), self._pixels_of(end), float(_PRESSURES[pressure]))
        else:
            x, y = place = self._pixels_of(end)
            self._move(place)
            self._place = np.array([y, y]) if self._original_move else np.array([x, y])
            self._painting = False
        self._inked[:] = 0, self._size, 0, self._size
        self._pixels[0] = self._pen.picture()
        self.canvas[:] = self._pixels / np.float32(255)
        error = (self.canvas - self.target).astype(np.float64)
        distance = np.array([[(error**2).mean(), np.abs(error).mean()]])
        change, self.distance = distance - self.distance, distance
        return change

    def paint(self, canvas: Any, action: Any) -> Any:
        raise ValueError("Spiral-v0 has no pure function paint, since its pen keeps its state")

    def _pixels_of(self, number: int) -> np.ndarray:
        """Where a place on the grid is, x and y."""
        row, column = divmod(number, _GRID)
        return np.array([column, row]) * (self._size / _GRID)

    def _set_look(self, size: float, colour: tuple[float, float, float]) -> None:
        self._pen.set("radius_logarithmic", math.log(size))
        for name, value in zip("hsv", colorsys.rgb_to_hsv(*colour), strict=True):
            self._pen.set(f"color_{name}", value)

    def _move(self, place: np.ndarray) -> None:
        self._pen.lift()
        self._pen.draw(place[None], np.zeros(1), _SECONDS)

    def _curve(self, control: np.ndarray, end: np.ndarray, pressure: float) -> None:
        first = self._pressure if self._painting else pressure
        t = np.linspace(0, 1, _POINTS + 1)[:, None]
        path = (1 - t) ** 2 * self._place + 2 * t * (1 - t) * control + t**2 * end
        pressures = first + (pressure - first) * t[:, 0]
        skip = int(self._painting)  # a new stroke begins with its first point
        self._pen.draw(path[skip:], pressures[skip:], _SECONDS)
        self._place, self._pressure, self._painting = end, pressure, True


class _Spiral(Task):
    """The observation has a mask as well."""

    engine: _Curves

    def space_of(self, picture: spaces.Box) -> spaces.Dict:
        common = super().space_of(picture).spaces
        return spaces.Dict({**common, "action_mask": spaces.MultiBinary(len(_CHOICES))})

    def observe(self, copy: bool = True) -> dict[str, Any]:
        return {**super().observe(copy), "action_mask": _USED[[self.engine.flag]]}


class SpiralEnv(PaintingEnv, gym.utils.EzPickle):
    """Paint with one pen, curve by curve, each from where the last one ended.

    ## Description

    The task of SPIRAL, after its authors' code, on the libmypaint that the system has. The agent
    chooses where a quadratic Bézier curve goes, its pressure, width and colour, or moves the pen
    without painting. The brush keeps its state from curve to curve within an episode.

    ## Action Space

    `MultiDiscrete([1024, 1024, 2, 10, 6, 20, 20, 20])`:

    | number | meaning |
    |---|---|
    | control, end | places on a grid of 32 × 32, row by row from the top |
    | flag | 1 paints; 0 moves the pen to the end, and nothing else counts |
    | pressure | 0.1 … 1 in ten steps; it changes evenly along the curve, from the last one |
    | size | radius of the brush: 1, 2, 4, 8, 12 or 24 px |
    | red, green, blue | 0 … 1 in twenty steps |

    ## Observation Space

    `Dict` of `canvas` and `target`, both `Box(0, 255, (3, H, W), uint8)`; `strokes_left`,
    `Box(0, 1, (1,), float32)`; and `action_mask`, `MultiBinary(8)`: which numbers of the last
    action mattered (at first: as after a move).

    ## Rewards

    As in `Painting-v0`. `reward="none"` is the original's, where a discriminator outside judges the
    picture.

    ## Starting State

    White paper, the pen in the upper left corner, and a target drawn from `targets`, or given by
    `reset(options={"target": image})`. Each episode begins with a new brush, so that the same
    actions paint the same picture.

    ## Episode End

    Terminates after `max_strokes` actions. (The original's `episode_length` of 20 counts the
    reset.)

    ## Information

    `l2`, `residual` and `stroke`, as in `Painting-v0`.

    ## Arguments

    * `targets="glyphs"`, `data_dir=None`: see `Painting-v0`.
    * `canvas_size=64`: width and height in pixels.
    * `max_strokes=20`: actions in an episode.
    * `brush="classic/dry_brush"`: name of a brush of MyPaint, or the path of its .myb file. (A seed
      as in `"mypaint:NAME@3"` is only for programs that begin each stroke anew.)
    * `reward="l2"`: see above.
    * `original_move=False`: after a move, the original takes its y for its x as the next curve's
      beginning; True does so too.
    * `render_mode=None`: or "rgb_array".

    ## Version History

    * v0: Initial release.

    ## References

    * Y. Ganin, T. Kulkarni, I. Babuschkin, S. M. A. Eslami, O. Vinyals. Synthesizing Programs for
      Images using Reinforced Adversarial Learning. ICML 2018.
    """

    metadata: dict[str, Any] = {**PaintingEnv.metadata, "render_modes": ["rgb_array"]}  # noqa: RUF012

    def __init__(
        self,
        *,
        targets: Any = "glyphs",
        data_dir: str | os.PathLike | None = None,
        canvas_size: int = 64,
        max_strokes: int = 20,
        brush: str | os.PathLike = "classic/dry_brush",
        reward: str | Reward = "l2",
        original_move: bool = False,
        render_mode: str | None = None,
    ) -> None:
        given = {
            "targets": targets, "data_dir": data_dir, "max_strokes": max_strokes, "reward": reward,
            "canvas_size": whole(canvas_size, "canvas_size", 16, 4096),
        }  # fmt: skip
        own = {"brush": brush, "original_move": original_move, "render_mode": render_mode}
        gym.utils.EzPickle.__init__(self, **given, **own)
        if not isinstance(brush, (str, os.PathLike)):
            raise ValueError(f"brush must be the name of a brush or a path, got {brush!r}")
        name = str(os.fspath(brush)).removeprefix("mypaint:")
        engine = _Curves(name, flag(original_move, "original_move"))
        task = _Spiral(1, engine, {**given, "channels": 3, "background": 1.0})
        self._open(task, render_mode, 0.0)
        self.action_space = task.action_space
        self._stroke = None
