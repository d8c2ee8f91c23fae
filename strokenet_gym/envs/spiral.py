"""Spiral-v0: the environment of SPIRAL, a painter of Bézier curves with MyPaint's brushes."""

from __future__ import annotations

import colorsys
import math
import os
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded

from strokenet_gym.checks import array_of, flag, whole
from strokenet_gym.display import Scene, frame
from strokenet_gym.envs.arguments import (
    PortableSpec,
    check_options,
    check_render_mode,
    check_seed,
)
from strokenet_gym.envs.painting import VIDEO_FPS
from strokenet_gym.programs.mypaint.pen import Pen
from strokenet_gym.programs.transforms import refuse_again
from strokenet_gym.targets import make_targets
from strokenet_gym.targets.fitting import fit_image

__all__ = ["SpiralEnv"]

_GRID = 32  # places in a row that a curve may go to
_PRESSURES = np.linspace(0.1, 1.0, 10)
_SIZES = (1, 2, 4, 8, 12, 24)  # pixels
_INTENSITIES = np.linspace(0.0, 1.0, 20)
_POINTS = 50  # of a curve
_SECONDS = float(np.float32(0.1))  # between two of them; in single precision, as the original's
_CHOICES = [_GRID**2, _GRID**2, 2, len(_PRESSURES), len(_SIZES), *[len(_INTENSITIES)] * 3]
_NAMES = "control", "end", "flag", "pressure", "size", "red", "green", "blue"
_USED = {
    0: (0, 1, 1, 0, 0, 0, 0, 0),
    1: (1,) * 8,
}  # numbers of an action that mattered, by its flag
_POWERS = {"l2": 2, "l1": 1}


class SpiralEnv(PortableSpec, gym.Env, gym.utils.EzPickle):
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

    `reward="l2"` or "l1": (d_before - d_after) / d_start, as in `Painting-v0`. `reward="none"`: 0,
    as in the original, where a discriminator outside judges the picture.

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

    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": ["rgb_array"],
        "render_fps": VIDEO_FPS,
    }

    def __init__(
        self,
        *,
        targets: Any = "glyphs",
        data_dir: str | os.PathLike | None = None,
        canvas_size: int = 64,
        max_strokes: int = 20,
        brush: str | os.PathLike = "classic/dry_brush",
        reward: str = "l2",
        original_move: bool = False,
        render_mode: str | None = None,
    ) -> None:
        gym.utils.EzPickle.__init__(
            self, targets=targets, data_dir=data_dir, canvas_size=canvas_size,
            max_strokes=max_strokes, brush=brush, reward=reward, original_move=original_move,
            render_mode=render_mode,
        )  # fmt: skip
        self._size = whole(canvas_size, "canvas_size", 16, 4096)
        self._budget = whole(max_strokes, "max_strokes", 1, 2**20)
        if not isinstance(reward, str) or reward not in (*_POWERS, "none"):
            raise ValueError(f"reward must be one of l2, l1, none, got {reward!r}")
        self._reward = reward
        self._original_move = flag(original_move, "original_move")
        if not isinstance(brush, (str, os.PathLike)):
            raise ValueError(f"brush must be the name of a brush or a path, got {brush!r}")
        self._brush = str(os.fspath(brush)).removeprefix("mypaint:")
        self._pen = Pen(self._brush, self._size)
        self._source = make_targets(targets, self._size, data_dir)
        self.render_mode = check_render_mode(render_mode, self.metadata["render_modes"])
        self.action_space = spaces.MultiDiscrete(_CHOICES)
        picture = spaces.Box(0, 255, (3, self._size, self._size), np.uint8)
        self.observation_space = spaces.Dict(
            {
                "canvas": picture,
                "target": picture,
                "strokes_left": spaces.Box(0, 1, (1,), np.float32),
                "action_mask": spaces.MultiBinary(len(_NAMES)),
            }
        )
        self._begun = self._running = False

    @np.errstate(under="ignore")
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start an episode, see :meth:`PaintingEnv.reset`."""
        super().reset(seed=check_seed(seed))
        given = check_options(options, ("target",)).get("target")
        image = self._source.sample(self.np_random) if given is None else given
        white = np.ones(3, np.float32)
        target = fit_image(image, (self._size, self._size), 3, white)
        self._target = np.rint(target * 255).astype(np.uint8)
        self._pen = Pen(self._brush, self._size)
        self._pen.clear()
        self._count, self._flag = 0, 0
        self._place, self._pressure, self._painting = np.zeros(2), 0.0, False
        self._set_look(_SIZES[0], (0.0, 0.0, 0.0))
        self._move(self._place)
        self._canvas = self._pen.picture()
        self._start, self._l2_start = self._error() or 1.0, self._error(2) or 1.0
        self._begun = self._running = True
        return self._observe(), self._info()

    @np.errstate(under="ignore")
    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Paint a curve, or move the pen.

        Raises:
            ResetNeeded: before the first ``reset`` and after the end of an episode.
            ValueError: if the action is not one of the action space.
        """
        refuse_again("step")
        if not self._running:
            raise ResetNeeded("there is no episode under way: call reset() before step()")
        chosen = array_of(action, "an action")
        fits = chosen.shape == (len(_NAMES),) and chosen.dtype.kind in "iu"
        if not (fits and (chosen >= 0).all() and (chosen < _CHOICES).all()):
            raise ValueError(f"an action must be 8 whole numbers under {_CHOICES}, got {action!r}")
        before = self._error()
        control, end, self._flag, pressure, size, *colour = chosen.tolist()
        if self._flag:
            red, green, blue = _INTENSITIES[colour].tolist()
            self._set_look(_SIZES[size], (red, green, blue))
            self._curve(self._pixels(control), self._pixels(end), float(_PRESSURES[pressure]))
        else:
            x, y = place = self._pixels(end)
            self._move(place)
            self._place = np.array([y, y]) if self._original_move else np.array([x, y])
            self._painting = False
        self._count += 1
        self._canvas = self._pen.picture()
        reward = 0.0
        if self._reward != "none":
            reward = (before - self._error()) / self._start
        self._running = self._count < self._budget
        return self._observe(), reward, not self._running, False, self._info()

    def _pixels(self, number: int) -> np.ndarray:
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

    def _error(self, power: int | None = None) -> float:
        """Mean difference of canvas and target to a power: by default the reward's."""
        power = power or _POWERS.get(self._reward, 2)
        difference = np.abs(self._canvas.astype(np.float64) - self._target) / 255
        return float((difference**power).mean())

    def _observe(self) -> dict[str, Any]:
        return {
            "canvas": self._canvas.copy(),
            "target": self._target.copy(),
            "strokes_left": np.array([1 - self._count / self._budget], np.float32),
            "action_mask": np.array(_USED[self._flag], np.int8),
        }

    def _info(self) -> dict[str, Any]:
        l2 = self._error(2)
        return {"l2": l2, "residual": l2 / self._l2_start, "stroke": self._count}

    @np.errstate(under="ignore")
    def render(self) -> np.ndarray | None:
        """Return the frame if ``render_mode`` is "rgb_array", uint8 ``[H, W, 3]``, else None."""
        if not self._begun:
            raise ResetNeeded("there is nothing to render yet: call reset() first")
        if self.render_mode is None:
            gym.logger.warn('render() without a render_mode; pass render_mode="rgb_array"')
            return None
        residual = self._info()["residual"]
        return frame(Scene(self._target, self._canvas, self._count, self._budget, residual))
