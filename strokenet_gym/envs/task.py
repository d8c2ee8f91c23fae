"""What an episode is: its targets, its budget of strokes, its reward and its end.

A :class:`Task` has a batch of episodes, 1 in an ``Env``. What paints is its engine (engines.py).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from strokenet_gym.checks import array_of, whole
from strokenet_gym.display import Scene
from strokenet_gym.envs.arguments import canvas_sides
from strokenet_gym.envs.arrays import Arrays
from strokenet_gym.envs.engines import find_engine
from strokenet_gym.envs.rewards import check_rewards, find_reward
from strokenet_gym.extras import import_object
from strokenet_gym.kernels.canvas import to_bytes
from strokenet_gym.stroke import Stroke
from strokenet_gym.targets import ArrayTargets, channels_of, make_targets
from strokenet_gym.targets.fitting import fit_images
from strokenet_gym.targets.images import is_pil

__all__ = ["Task", "make_task"]


class Task:
    """A batch of painting episodes. Derive from it for a task of your own: docs/extending.md.

    Args:
        num_envs: number of episodes B.
        engine: what paints.
        given: arguments of ``PaintingEnv`` by their names.

    Attributes:
        engine: as given; it has canvases, targets, and distances between them.
        sides: height and width of the canvas in pixels.
        background: float32 ``[C]``, colour of the empty canvas.
        stroke: int64 ``[B]``, strokes painted.
        spaces: what is observed of one episode: arrays (False) or tensors (True).
    """

    @np.errstate(under="ignore")
    def __init__(self, num_envs: int, engine: Arrays, given: Mapping[str, Any]) -> None:
        self.num_envs = whole(num_envs, "num_envs", 1, 2**20)
        self.sides = height, width = canvas_sides(given["canvas_size"], "canvas_size", 16, 4096)
        self.max_strokes = budget = whole(given["max_strokes"], "max_strokes", 1, 2**20)
        targets, channels = given["targets"], given["channels"]
        self.source = make_targets(targets, min(height, width), given["data_dir"])
        named = isinstance(targets, (str, os.PathLike))
        self.source_name = os.fspath(targets) if named else type(targets).__name__
        self.channels = channels_of(self.source) if channels is None else channels
        known = isinstance(self.channels, (int, np.integer)) and self.channels in (1, 3)
        if not known or isinstance(self.channels, bool):
            raise ValueError(f"channels must be 1 (grey), 3 (RGB) or None, got {channels!r}")
        self.channels = int(self.channels)
        self._reward = find_reward(given["reward"])
        colour = array_of(given["background"], "background")
        known = colour.dtype.kind in "fiu" and colour.shape in ((), (self.channels,))
        if not known or not np.all((colour >= 0) & (colour <= 1)):
            raise ValueError(
                f"background must be a number in 0 … 1 or {self.channels} of them, "
                f"got {given['background']!r}"
            )
        self.background = np.broadcast_to(colour, (self.channels,)).astype(np.float32)
        self._image = self.channels, height, width
        program, self.engine = engine.program, engine
        if height != width and program is not None and not program.any_shape:
            raise ValueError(
                f"the program {program.name!r} paints on square canvases only, got "
                f"canvas_size={given['canvas_size']!r}"
            )
        engine.open((self.num_envs, *self._image), self.background)
        self.action_space = engine.action_space()
        pixels, numbers = (
            spaces.Box(0, high, self._image, dtype)
            for high, dtype in ((255, np.uint8), (1, np.float32))
        )
        self.spaces = {False: self.space_of(pixels), True: self.space_of(numbers)}
        self.stroke = np.zeros(self.num_envs, np.int64)
        # What is left after so many strokes: faster to look up than to compute.
        self._left = (1 - np.arange(budget + 1)[:, None] / budget).astype(np.float32)

    def space_of(self, picture: spaces.Box) -> spaces.Dict:
        """The space of an observation with such pictures."""
        left = spaces.Box(0, 1, (1,), np.float32)
        return spaces.Dict({"canvas": picture, "target": picture, "strokes_left": left})

    def draw(self, rngs: Sequence[np.random.Generator], targets: Sequence[Any]) -> np.ndarray:
        """Targets for new episodes: for each a given image, or None to draw one with its generator.

        Returns:
            uint8, or float32 in 0 … 1, ``[N, 1 or C, H, W]``; one channel is for all.
        """
        fit = self.sides, self.channels, self.background
        if not hasattr(self.source, "sample_fitted") or any(t is not None for t in targets):
            return fit_images(
                (
                    self.source.sample(rng) if target is None else _image(target)
                    for rng, target in zip(rngs, targets, strict=True)
                ),
                *fit,
            )
        images = array_of(self.source.sample_fitted(rngs, *fit), "sample_fitted()")
        count, channels, *size = images.shape if images.ndim == 4 else (0, 0)
        known = channels in (1, self.channels) and images.dtype in (np.uint8, np.float32)
        if not known or (count, *size) != (len(rngs), *self.sides):
            raise ValueError(
                f"sample_fitted() of {self.source_name} must return uint8 or float32 of the shape "
                f"{(len(rngs), *self._image)}, got {images.dtype} of {images.shape}"
            )
        known = images.dtype == np.uint8  # and arrays have looked at their own
        known |= getattr(type(self.source), "sample_fitted", None) is ArrayTargets.sample_fitted
        if not known and not (images.min() >= 0 and images.max() <= 1):  # nor NaN
            raise ValueError(
                f"sample_fitted() of {self.source_name} must return uint8, or float32 in 0 … 1, "
                f"got {images.min():g} … {images.max():g}"
            )
        return images

    def begin(self, indices: Sequence[int], images: np.ndarray, handed_over: bool = False) -> None:
        """Start these episodes anew, on empty canvases, with targets that :meth:`draw` gave.

        If all begin anew, arrays that have been observed without a copy may be ``handed_over``:
        they stay as they are.
        """
        self.engine.begin(indices, images, handed_over)
        self.stroke[indices] = 0

    def check(self, action: Any, single: bool = False) -> Any:
        """Return what was passed to ``step``, ``[B, A]`` (``[A]`` if single), as ``[B, A]``."""
        shape = self.action_space.shape or ()
        checked = self.engine.check(action, shape if single else (self.num_envs, *shape))
        return checked[None] if single else checked

    def step(self, action: Any, active: np.ndarray | None = None) -> Any:
        """Paint checked actions on the canvases that are active (None: on all).

        Returns:
            The rewards ``[B]``, of the action's kind; 0 where not active.
        """
        if self.engine.device is None:
            return self._step(action, active)
        rewards = self.engine.door(lambda inside: self._step(inside, active), action)
        return (
            rewards.astype(np.float64, copy=False) if isinstance(rewards, np.ndarray) else rewards
        )

    def _step(self, action: Any, active: np.ndarray | None) -> Any:
        engine, kind = self.engine, self._reward
        rows = None if active is None else engine.index(active)
        before = None if isinstance(kind, int) else engine.kept(engine.canvas)
        change = engine.step(action, rows)
        self.stroke += 1 if active is None else active
        if rows is not None and len(rows) == 0:
            return change[:, 0]  # 0, with a graph
        if isinstance(kind, int):
            earned = -change[:, kind] / engine.start[:, kind]
        else:
            images: Any = before, engine.kept(engine.canvas), engine.kept(engine.target)
            if rows is not None:  # a user's function is asked about strokes alone
                images = tuple(batch[rows] for batch in images)
            earned = check_rewards(engine.values(kind(*images)), len(images[1]))
            earned = earned if rows is None else engine.spread(earned, rows)
        rewards = self.reward(earned)
        return rewards if rows is None else engine.spread(rewards[rows], rows)

    def reward(self, earned: Any) -> Any:
        """What agents get, ``[B]``, for strokes that earned so much by the argument ``reward``.

        Of painted and counted strokes; an array in ``Painting-v0``, else a tensor with a graph.
        """
        return earned

    @property
    def residual(self) -> np.ndarray:
        """Each error now over that at the start, ``[B]``; copied from a device."""
        return self.engine.host(self.engine.distance[:, 0] / self.engine.start[:, 0])

    def ended(self) -> np.ndarray:
        """Whether each episode has ended, bool ``[B]``."""
        return self.stroke >= self.max_strokes

    def paint(self, canvas: Any, action: Any, single: bool = False) -> Any:
        """Return canvases with a stroke on each, see ``PaintingEnv.paint``."""
        action = self.check(action, single)
        shape = self._image if single else (self.num_envs, *self._image)
        canvas = self.engine.check_canvas(canvas, shape)
        painted = self.engine.door(self.engine.paint, canvas[None] if single else canvas, action)
        return painted[0] if single else painted

    def observe(self, copy: bool = True) -> dict[str, Any]:
        """The batched observation; copies, unless not asked for."""
        return self.engine.observe(self._left[self.stroke], copy)

    def info(self) -> dict[str, Any]:
        """``l2``, ``residual`` and ``stroke``, ``[B]`` each, as ``PaintingEnv`` describes them."""
        engine = self.engine
        l2 = engine.distance[:, 0]
        residual = engine.told(l2 / engine.start[:, 0])
        return {"l2": engine.told(l2), "residual": residual, "stroke": self.stroke.copy()}

    def detach(self) -> None:
        """Cut the graph: later gradients stop at what is there now."""
        self.engine.detach()

    def scene(self, index: int, stroke: Stroke | None = None) -> Scene:
        """An episode as it is now, after its last stroke."""
        engine = self.engine
        target, canvas = (to_bytes(engine.host(p[index])) for p in (engine.target, engine.canvas))
        number, residual = int(self.stroke[index]), float(self.residual[index])
        return Scene(target, canvas, number, self.max_strokes, residual, stroke)


def make_task(num_envs: int, given: Mapping[str, Any]) -> Task:
    """The task and the engine that arguments of ``PaintingEnv``, by their names, mean."""
    task = given["task"]
    if isinstance(task, str):
        task = import_object(task, "task")
    kind = Task if task is None else task
    if not (isinstance(kind, type) and issubclass(kind, Task)):
        raise TypeError(f'task must be a class derived from Task, or "module:name", got {task!r}')
    names = "engine", "brush", "generator", "device", "as_tensor"
    return kind(num_envs, find_engine(*(given[name] for name in names)), given)


def _image(target: Any) -> Any:
    """A target that was given for one episode: no path."""
    return target if is_pil(target) else array_of(target, "a target")
