"""What all painting environments share: a batch of episodes that a program paints side by side.

An ``Env`` holds :class:`Episodes` with a batch of 1, a ``VectorEnv`` with as many as it has
sub-environments. They know targets, budgets, rewards and observations. What paints is a program
(programs/base.py), and the pictures are arrays or tensors (arrays.py, tensors.py). The path of an
action is ``step`` → ``unpack`` → the pictures' ``stroke`` → the program's ``composite`` or
``paint_tensors``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from strokenet_gym.checks import array_of, flag, whole
from strokenet_gym.display import Scene
from strokenet_gym.envs.arguments import canvas_sides
from strokenet_gym.envs.arrays import Arrays
from strokenet_gym.envs.rewards import Reward, ask, find_reward
from strokenet_gym.kernels.canvas import to_bytes
from strokenet_gym.programs.base import Program
from strokenet_gym.stroke import Stroke, action_size, is_tensor, unpack
from strokenet_gym.targets import ArrayTargets, channels_of, make_targets
from strokenet_gym.targets.fitting import fit_images
from strokenet_gym.targets.images import is_pil

__all__ = ["Episodes"]


class Episodes:
    """A batch of painting episodes.

    Args:
        num_envs: number of episodes B.
        program: what paints.
        targets: see :func:`strokenet_gym.make_targets`.
        data_dir: folder with the data sets.
        canvas_size: side of the canvas in pixels, or height and width.
        channels: 1 (grey), 3 (RGB), or None to take the targets'.
        max_strokes: strokes in an episode.
        background: intensity of the empty canvas in 0 … 1: a number, or one for each channel.
        reward: see :func:`strokenet_gym.envs.rewards.find_reward`.
        brush: what a stroke leaves in the real program, if ``program`` is a network; else None.
        device: of tensors; None if actions are never tensors.
        as_tensor: whether observations are tensors at first.

    Attributes:
        sides: height and width of the canvas in pixels.
        as_tensor: whether observations are tensors, float32 in 0 … 1, and not arrays of uint8;
            whatever the actions are.
        pictures: canvases and targets, as arrays or as tensors: as the last action was.
        stroke: int64 ``[B]``, strokes painted.
    """

    pictures: Any

    @np.errstate(under="ignore")
    def __init__(
        self,
        num_envs: int,
        program: Program,
        *,
        targets: Any,
        data_dir: str | os.PathLike | None,
        canvas_size: int | Sequence[int],
        channels: int | None,
        max_strokes: int,
        background: float | Sequence[float],
        reward: str | Reward,
        brush: Program | None = None,
        device: Any = None,
        as_tensor: bool = False,
    ) -> None:
        self.num_envs = whole(num_envs, "num_envs", 1, 2**20)
        self.sides = height, width = canvas_sides(canvas_size, "canvas_size", 16, 4096)
        self.max_strokes = whole(max_strokes, "max_strokes", 1, 2**20)
        self.program, self.brush = program, brush or program
        if height != width and not program.any_shape:
            raise ValueError(
                f"the program {program.name!r} paints on square canvases only, got "
                f"canvas_size={canvas_size!r}"
            )
        self.source = make_targets(targets, min(height, width), data_dir)
        named = isinstance(targets, (str, os.PathLike))
        self.source_name = os.fspath(targets) if named else type(targets).__name__
        self.channels = channels_of(self.source) if channels is None else channels
        known = isinstance(self.channels, (int, np.integer)) and self.channels in (1, 3)
        if not known or isinstance(self.channels, bool):
            raise ValueError(f"channels must be 1 (grey), 3 (RGB) or None, got {channels!r}")
        self.channels = int(self.channels)
        self.reward = find_reward(reward)
        colour = array_of(background, "background")
        known = colour.dtype.kind in "fiu" and colour.shape in ((), (self.channels,))
        if not known or not np.all((colour >= 0) & (colour <= 1)):
            raise ValueError(
                f"background must be a number in 0 … 1 or {self.channels} of them, "
                f"got {background!r}"
            )
        self.background = np.broadcast_to(colour, (self.channels,)).astype(np.float32)

        image = (self.channels, height, width)
        self.as_tensor = flag(as_tensor, "as_tensor")
        # Of arrays, and of tensors.
        self._spaces = {
            False: _observation_space(spaces.Box(0, 255, image, np.uint8)),
            True: _observation_space(spaces.Box(0, 1, image, np.float32)),
        }
        self.action_space = spaces.Box(-1, 1, (action_size(self.channels),), np.float32)
        self.device = device
        self._shape = (self.num_envs, *image)
        self.pictures = Arrays(self._shape, self.background)
        self._kinds: dict[bool, Any] = {False: self.pictures}  # True: tensors, once there are any
        self.stroke = np.zeros(self.num_envs, np.int64)
        # What is left after so many strokes: faster to look up than to compute.
        budget = self.max_strokes
        self._left = (1 - np.arange(budget + 1)[:, None] / budget).astype(np.float32)
        self._distance = np.zeros((self.num_envs, 2))  # l2 and l1, now
        self._start = np.ones((self.num_envs, 2))  # and when the episode began

    def _kind_of(self, *values: Any) -> Any:
        """The pictures that are of the values' kind: the one place that tells which."""
        if self.device is None:
            return self.pictures
        return self._kind(any(map(is_tensor, values)))

    def _kind(self, tensors: bool) -> Any:
        if tensors not in self._kinds:
            from strokenet_gym.envs.tensors import Tensors

            self._kinds[tensors] = Tensors(self.background, self.device)
        return self._kinds[tensors]

    @property
    def observation_space(self) -> spaces.Dict:
        """What :meth:`observe` gives of one episode."""
        return self._spaces[self.as_tensor]

    def draw(self, rngs: Sequence[np.random.Generator], targets: Sequence[Any]) -> np.ndarray:
        """Targets for new episodes.

        Args:
            rngs: for each of them, what draws its target.
            targets: for each of them, an image in a shape that ``fit_image`` takes, or None to
                draw one.

        Returns:
            uint8, or float32 in 0 … 1, ``[N, 1 or C, H, W]``; one channel is for all.

        Raises:
            ValueError: if a target is not an image.
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
        if not known or (count, *size) != (len(rngs), *self._shape[2:]):
            raise ValueError(
                f"sample_fitted() of {self.source_name} must return uint8 or float32 of the shape "
                f"{(len(rngs), *self._shape[1:])}, got {images.dtype} of {images.shape}"
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
        """Start new episodes on empty canvases.

        Args:
            indices: which of the batch.
            images: the target of each of them, as :meth:`draw` gives them.
            handed_over: whether arrays that have been observed without a copy stay as they are;
                only if all begin anew.
        """
        pictures = self._kind(self.as_tensor)
        if pictures is not self.pictures and len(indices) == self.num_envs:  # all begin anew
            pictures.take_over(*self.pictures.float_pictures())
            self.pictures = pictures
        start, visible = self.pictures.begin(indices, images, handed_over)
        # A target that looks like the empty canvas, to half a grey level, has nothing to divide
        # by; its rewards are then plain differences, and the best return is about 0.
        self._start[indices] = np.where(visible[:, None], start, 1.0)
        self._distance[indices] = start
        self.stroke[indices] = 0

    def check(self, action: Any, single: bool = False) -> Any:
        """Check what the user passed to ``step`` or ``paint``.

        Args:
            action: ``[B, A]``, or ``[A]`` if it is a single one.
            single: whether it is.

        Returns:
            The action ``[B, A]``, clipped to [-1, 1].

        Raises:
            ValueError: if the action's shape is wrong, or a component is NaN or infinite.
            TypeError: if it does not hold real numbers, or asks for a gradient that there is not.
        """
        shape = self.action_space.shape
        checked = self._kind_of(action).check(action, shape if single else (self.num_envs, *shape))
        return checked[None] if single else checked

    def step(self, action: Any, active: np.ndarray | None = None) -> Any:
        """Paint a stroke on each canvas that is active.

        Args:
            action: ``[B, A]``, checked.
            active: bool ``[B]``, or None for all.

        Returns:
            The rewards ``[B]``, of the action's kind; 0 where not active, of which an own reward
            function is not asked. If anything raises, the episodes are as they were.
        """
        pictures = self._kind_of(action)
        if pictures is not self.pictures:
            pictures.take_over(*self.pictures.float_pictures())
        stroke = self._unpack(pictures.unpackable(action))
        kind = self.reward
        before: Any = None if isinstance(kind, int) else pictures.kept(pictures.canvas)
        pictures.settle()
        try:
            after, change = pictures.stroke(self.program, stroke, active)
            distance = np.maximum(self._distance + pictures.numbers(change), 0.0)
            if isinstance(kind, int):
                reward = -change[:, kind] / pictures.like(self._start[:, kind], change)
            else:
                images = before, pictures.kept(after), pictures.kept(pictures.target)
                reward = ask(kind, pictures, images, active)
                if reward is None:
                    reward = change[:, 0]
            count = self.stroke + (1 if active is None else active)
            # Nothing that Python may be interrupted in stands between these.
            pictures.canvas, self._distance, self.stroke = after, distance, count
            self.pictures = pictures
        except BaseException:
            pictures.undo()
            raise
        return reward

    def _unpack(self, action: Any) -> Stroke:
        return unpack(action, self.channels, self.program.radii)

    def paint(self, canvas: Any, action: Any, single: bool = False) -> Any:
        """Return the canvases with a stroke painted on each: a pure function.

        Args:
            canvas: ``[B, C, H, W]`` in 0 … 1, or ``[C, H, W]`` if it is a single one.
            action: ``[B, A]``, or ``[A]``.
            single: whether they are.

        Raises:
            ValueError: if a shape is wrong, or the canvas is not in 0 … 1.
            TypeError: if one of them does not hold real numbers.
        """
        pictures = self._kind_of(canvas, action)
        shape = self.action_space.shape if single else (self.num_envs, *self.action_space.shape)
        action, canvas = pictures.check(action, shape), pictures.check_canvas(canvas)
        wanted = self._shape[1:] if single else self._shape
        if tuple(canvas.shape) != wanted:
            raise ValueError(f"expected a canvas of shape {wanted}, got {tuple(canvas.shape)}")
        low, high = canvas.min().item(), canvas.max().item()
        if not (low >= 0 and high <= 1):
            raise ValueError(f"a canvas must be in 0 … 1, got {low:g} … {high:g}")
        if single:
            canvas, action = canvas[None], action[None]
        stroke = self._unpack(pictures.unpackable(action))
        painted = pictures.paint(self.program, canvas, stroke)
        return painted[0] if single else painted

    @property
    def finished(self) -> np.ndarray:
        """Whether each episode's strokes are used up, bool ``[B]``."""
        return self.stroke >= self.max_strokes

    def observe(self, copy: bool = True) -> dict[str, Any]:
        """The batched observation, see :attr:`as_tensor`; copies, unless not asked for."""
        left, wanted = self._left[self.stroke], self._kind(self.as_tensor)
        if wanted is not self.pictures:
            return wanted.observe_others(*self.pictures.float_pictures(), left)
        return wanted.observe(left, copy)

    def info(self) -> dict[str, np.ndarray]:
        """What a user may want to log, ``[B]`` each.

        ``l2`` is the mean squared error now, ``residual`` that over the one of the empty canvas,
        ``stroke`` the number of strokes painted.
        """
        l2 = self._distance[:, 0].copy()
        return {"l2": l2, "residual": l2 / self._start[:, 0], "stroke": self.stroke.copy()}

    def scene(self, index: int, stroke: Stroke | None = None) -> Scene:
        """An episode as it is now, after its last stroke."""
        canvas, target = (to_bytes(pictures[index]) for pictures in self.pictures.float_pictures())
        residual = self._distance[index, 0] / self._start[index, 0]
        number = int(self.stroke[index])
        return Scene(target, canvas, number, self.max_strokes, float(residual), stroke)

    def stroke_of(self, action: Any) -> Stroke:
        """What an action ``[A]`` (checked) means: float64 arrays."""
        if is_tensor(action):
            action = action.detach().cpu().numpy()
        return self._unpack(np.asarray(action, np.float64))

    def float_canvas(self, index: int) -> np.ndarray:
        """A copy of a canvas, float32 ``[C, H, W]``."""
        return self.pictures.float_pictures()[0][index].copy()


def _image(target: Any) -> Any:
    """A target that was given for one episode: no path."""
    return target if is_pil(target) else array_of(target, "a target")


def _observation_space(pictures: spaces.Box) -> spaces.Dict:
    left = spaces.Box(0, 1, (1,), np.float32)
    return spaces.Dict({"canvas": pictures, "target": pictures, "strokes_left": left})


def first(batch: dict[str, Any]) -> dict[str, Any]:
    """The first of a batched observation."""
    return {key: value[0] for key, value in batch.items()}
