"""The planner: all strokes of a picture, optimised together through the finished canvas.

The method, from few strokes to many: before each stage the strokes go that are worth least, and new
ones come where the error is (candidates.py); then all are moved down the exact gradient of the
finished picture's error, which reaches each stroke through all that lie on it. The error of the
whole is what makes it strong: strokes that are polished one after the other, on what lies there
already, end 6 dB worse.

Kin: Hertzmann's "Paint by relaxation" (2001), which changes a list of strokes by trial and error on
an energy of the finished picture, and "Stylized neural painting" (Zou et al. 2021), which descends
the gradient of a learned renderer.
"""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from strokenet_gym.checks import real_number, whole
from strokenet_gym.envs.arguments import check_seed
from strokenet_gym.painter.candidates import near, new_strokes
from strokenet_gym.painter.palette import Palette, has_colours
from strokenet_gym.painter.parameters import (
    Adam,
    bend,
    extent_of,
    gradient,
    lift,
    limit,
    select,
    to_strokes,
    without_thin_lines,
)
from strokenet_gym.painter.picture import load_motif, load_weight, resized, shape_of
from strokenet_gym.painter.schedule import Clock, plan_stages
from strokenet_gym.painter.styles import Style, find_style
from strokenet_gym.programs.tape import Tape
from strokenet_gym.stroke import NUM_ANCHORS, Stroke
from strokenet_gym.stroke_log import StrokeLog

__all__ = ["Planner", "paint_picture"]

_MOST = 100_000  # strokes
_FREE = 6  # stages in which strokes have any colour, if a palette is to be found
_SETTLES = 10  # steps between two looks for a better colour in the palette,
_SETTLED = 0.1  # up to this share of the learning rate
_UNSEEN = 0.1  # pixels of a stroke, or less
_LIFTS = 25  # steps between two looks for lines that are too thin
_REPLACED = 0.2  # of the strokes, before each stage


def paint_picture(
    image: Any,
    strokes: int = 300,
    style: str | Style = "gouache",
    *,
    progress: Callable[[Planner], object] | None = None,
    **settings: Any,
) -> StrokeLog:
    """Paint a picture in strokes, as close as they come.

    Args:
        image: a file, a PIL image, or an array or tensor, see :class:`Planner`.
        strokes: how many at most, 1 … 100000.
        style: a name in :data:`strokenet_gym.STYLES`, or a :class:`strokenet_gym.Style`.
        progress: called with the planner after each step.
        settings: the other arguments of :class:`Planner`: ``size``, ``seed``, ``background``,
            ``palette``, ``weight``, ``seconds`` and ``canvas``.

    Returns:
        The strokes, which ``replay(size)`` paints at any size, and which
        :func:`strokenet_gym.export` writes to files.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if an argument is not what it must be.
    """
    planner = Planner(image, strokes, style, **settings)
    while not planner.done:
        planner.step()
        if progress is not None:
            progress(planner)
    return planner.log()


class Planner:
    """Plans the strokes of a picture, step by step.

    Args:
        image: a file, a PIL image, or an array or tensor ``[H, W]``, ``[H, W, 1 … 4]`` or
            ``[1 … 4, H, W]`` (grey, grey and opacity, RGB or RGBA); bool, uint8, uint16, or float
            in 0 … 1. It is laid on the background where it is transparent; if none is given, on
            white, or on black or grey where white would hide it. A grey picture is painted in grey,
            unless the palette, the background or the canvas has colours.
        strokes: how many at most, 1 … 100000; fewer if no more of them gain anything, or if some
            end up thinner than the style allows.
        style: a name in :data:`strokenet_gym.STYLES`, or a :class:`strokenet_gym.Style`.
        size: longer side of the finished picture in pixels, 16 … 4096; by default the picture's,
            up to 2048.
        seed: the same one gives the same strokes, unless there is a budget of seconds.
        background: "mean" (of the picture; of one with transparent parts what these are laid on),
            a colour's name, "#rrggbb", or one number in 0 … 1 or three; by default the style's.
        palette: how many colours the strokes may have, 1 … 256, which are found with them; or the
            colours, an array ``[K, C]`` in 0 … 1; by default any.
        weight: where the error counts more: a file or an array as a picture, of the same shape up
            to a scale, whose brightness times its opacity is the weight.
        seconds: time to plan in, more than 0, at most 1e9; by default as long as the style says.
        canvas: what lies below the strokes, a picture of the same shape, on the background where
            it is transparent; by default that alone. Logs do not hold it.

    Attributes:
        done: whether the strokes are final.
        canvas: float32 ``[C, H, W]``, the picture as it is, at the size at which it is planned.
        target: the same of what is painted.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if an argument is not what it must be.
    """

    @np.errstate(under="ignore")
    def __init__(
        self,
        image: Any,
        strokes: int = 300,
        style: str | Style = "gouache",
        *,
        size: int | None = None,
        seed: int = 0,
        background: Any = None,
        palette: Any = None,
        weight: Any = None,
        seconds: float | None = None,
        canvas: Any = None,
    ) -> None:
        self.style = find_style(style)
        count = whole(strokes, "strokes", 1, _MOST)
        if seconds is not None:
            seconds = real_number(seconds, "seconds", 0, 1e9, above=True)
        self._seed = check_seed(seed)
        self._rng = np.random.default_rng(self._seed)
        self._picture, self._background, self._ground = load_motif(
            image, canvas, background, self.style, has_colours(palette)
        )
        self._name = os.path.basename(image) if isinstance(image, (str, os.PathLike)) else ""
        self._shape: tuple[int, int] = shape_of(self._picture.shape[1:], size)
        self._weight = None if weight is None else load_weight(weight, self._picture.shape[1:])
        self._palette = None if palette is None else Palette(palette, len(self._picture))
        self._stages = plan_stages(count, self.style, self._shape)
        self._thinnest = self.style.thinnest / (min(self._stages[-1].shape) / 2)
        self._clock = Clock(self._stages, seconds)
        channels = len(self._picture)
        parts = (0, channels), (0,), (0, NUM_ANCHORS, 2), (0, NUM_ANCHORS)
        self._parameters = Stroke(*map(np.zeros, parts))
        self.done = False
        self.canvas = np.zeros((channels, 0, 0), np.float32)
        self._set_size(self._stages[0].shape)
        self._number, self._adam = -1, Adam(self._parameters)  # of the stage

    @property
    def strokes(self) -> int:
        """How many strokes there are now."""
        return len(self._parameters.radius)

    @property
    def share(self) -> float:
        """How much of the work is done, about, 0 … 1."""
        return 1.0 if self.done else self._clock.share

    @property
    def picture(self) -> np.ndarray:
        """What is painted, float32 ``[C, H, W]`` at the size of the finished picture."""
        return resized(self._picture, self._shape)

    def blank(self) -> np.ndarray:
        """The empty canvas at the size at which the picture is planned, float32 ``[C, H, W]``."""
        if self._ground is not None:
            return np.array(resized(self._ground, self.target.shape[1:]), order="C")
        colour = self._background[:, None, None]
        return np.broadcast_to(colour, self.target.shape).copy()

    @property
    @np.errstate(under="ignore")
    def psnr(self) -> float:
        """Peak signal-to-noise ratio of the canvas, dB; infinite if it is the target."""
        error = float(((self.canvas - self.target) ** 2).mean())
        return -10 * math.log10(error) if error > 0 else math.inf

    @np.errstate(under="ignore")
    def step(self) -> None:
        """Take the next step of the optimiser, or the last one, after which it is done.

        One that is broken off, by Ctrl-C say, changes nothing: the next call takes it.
        """
        if self.done:
            return
        after = copy.copy(self)
        after._adam, after._clock = copy.copy(self._adam), copy.copy(self._clock)
        after._palette = copy.copy(self._palette)
        after._advance()
        self.__dict__.update(after.__dict__)

    @np.errstate(under="ignore")
    def log(self) -> StrokeLog:
        """The strokes as they are now, in the order in which they are painted."""
        parameters, (height, width) = self._parameters, self._shape
        if self._palette is not None and self.strokes > 0 and not self.done:
            parameters = self._settled(copy.copy(self._palette))  # which may find others later
        if not self.done:
            parameters = without_thin_lines(parameters, self.style, self._thinnest)
        stroke = to_strokes(parameters, self._extent)
        size: Any = height if height == width else (height, width)
        return StrokeLog(
            size=size,
            background=tuple(self._background.tolist()),
            brush=self.style.brush,
            target=self._name,
            seed=self._seed,
            strokes=[Stroke(*fields) for fields in zip(*stroke, strict=True)],
        )

    def _advance(self) -> None:
        """The next step, of this stage or of a later one; after the last stage, the end."""
        while self._clock.over or self.strokes == 0:
            self._number += 1
            if self._number == len(self._stages):
                rest = self._parameters, self.style, self._thinnest
                self._parameters, self.done = without_thin_lines(*rest), True
                self._composite("exact")
                return
            stage = self._stages[self._number]
            self._clock.begin(self._number)
            self._set_size(stage.shape)
            if stage.renew:
                self._renew(stage.strokes)
            self._adam = Adam(self._parameters)
        palette, step, rate = self._palette, self._clock.steps, self._clock.rate
        if palette is not None and not palette.given and self._number < _FREE:
            palette = None
        if (step + 1) % _LIFTS == 0:
            self._parameters = lift(self._parameters, self.style, self._thinnest)
        if palette is not None and step % _SETTLES == 0 and rate > _SETTLED:
            self._parameters = self._settled(palette)
        slope, _ = self.slope("draft")
        if palette is not None:
            slope = slope._replace(colour=palette.shared(slope.colour))
        moved = limit(self._adam.step(self._parameters, slope, rate), self.style, self._extent)
        if palette is not None:
            moved = moved._replace(colour=palette.moved(moved.colour))
        self._parameters = moved
        self._clock.tick()

    def _set_size(self, shape: tuple[int, int]) -> None:
        """Look at the picture at another height and width."""
        if shape == self.canvas.shape[1:]:
            return
        self.target = np.ascontiguousarray(resized(self._picture, shape))
        self._map = np.ones((1, *shape), np.float32)
        if self._weight is not None:
            self._map = resized(self._weight[None], shape)
        self._extent = extent_of(self.target)
        self._unit = (256 / min(shape)) ** 2  # so that bends weigh the same at all sizes
        self._composite("draft")

    def _composite(self, accuracy: str, keep: bool = False) -> Tape:
        """Paint the canvas anew; return the tape of it, a batch of one."""
        stroke = Stroke(*(field[None] for field in to_strokes(self._parameters, self._extent)))
        blank = self.blank()[None]
        painted, tape = self.style.brush.paint_taped(blank, stroke, 0.0, accuracy, keep=keep)
        self.canvas = painted[0]
        return tape

    def _settled(self, palette: Palette) -> Stroke:
        """The strokes in the palette's colours that suit them best; it finds these at first."""
        tape = self._composite("draft", keep=True)
        if len(palette.colours) == 0:
            shown = np.broadcast_to(self._map, self.canvas.shape)[None]
            seen = tape.backward(shown, canvas=False)[1].colour[0]
            palette.find(self._parameters.colour, np.maximum(seen.mean(1), _UNSEEN))
        found = tape.best_colours(self.target[None], palette.colours, self._map[0])
        return self._parameters._replace(colour=palette.give(found[0]))

    def _renew(self, count: int) -> None:
        """Take the weakest strokes away, and let new ones come where the error is."""
        if self.strokes > 0:
            costs = self._composite("draft", keep=True).removal_costs(self.target[None])[0]
            costs *= near(self._parameters.position, self._map[0], self._extent)
            strongest = np.argsort(-costs, kind="stable")[: math.ceil(len(costs) * (1 - _REPLACED))]
            self._parameters = select(self._parameters, np.sort(strongest))
            self._composite("draft")
        self._rng = copy.deepcopy(self._rng)
        new = new_strokes(
            count - self.strokes, self.canvas, self.target, self._map[0], self.style,
            self._thinnest, self._rng,
        )  # fmt: skip
        self._parameters = Stroke(
            *(np.concatenate(pair) for pair in zip(self._parameters, new, strict=True))
        )

    @np.errstate(under="ignore")
    def slope(self, accuracy: str = "exact") -> tuple[Stroke, float]:
        """The derivative of what is minimised by the parameters, and its value.

        That is the squared error of the whole canvas, weighted and summed at 256 px, and the
        style's cost of bends.
        """
        tape = self._composite(accuracy, keep=True)
        error = self.canvas - self.target
        grad_canvas = 2 * self._unit * self._map * error
        _, grad = tape.backward(grad_canvas[None], canvas=False)
        slope = gradient(Stroke(*(f[0] for f in grad)), self._parameters, self._extent)
        bends, by_bends = bend(self._parameters, self.style)
        slope = Stroke(*(a + b for a, b in zip(slope, by_bends, strict=True)))
        loss = self._unit * float((self._map * error**2).sum(dtype=float))
        return slope, loss + bends
