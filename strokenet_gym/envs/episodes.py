"""What all painting environments share: spaces, targets, canvases, rewards and observations.

An :class:`Episodes` object runs a batch of episodes side by side; an ``Env`` holds one with a
batch of 1, a ``VectorEnv`` one with as many as it has sub-environments. :class:`Episodes` paints
with the real program; envs/neural_painting.py derives one that paints with tensors.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from strokenet_gym import renderer
from strokenet_gym.display import Scene
from strokenet_gym.renderer import Brush, get_brush
from strokenet_gym.stroke import Stroke, action_size, check_action, unpack
from strokenet_gym.targets import fit_image, make_targets

__all__ = ["Episodes"]

Reward = str | Callable[[Any, Any, Any], Any]


class Episodes:
    """A batch of painting episodes.

    Args:
        num_envs: number of episodes B.
        targets: see :func:`strokenet_gym.targets.make_targets`.
        data_dir: folder with the data sets.
        canvas_size: width and height in pixels.
        channels: 1 (grey), 3 (RGB), or None to take the targets'.
        max_strokes: strokes in an episode.
        brush: a brush or its name.
        background: intensity of the empty canvas in 0 … 1: a number, or one for each channel.
        reward: "l2", "l1", or a function of (canvas before, canvas after, target), each
            ``[B, C, H, W]``, that returns ``[B]``.

    Attributes:
        canvas: float32 ``[B, C, H, W]`` in 0 … 1, never rounded.
        target: the same.
        stroke: int64 ``[B]``, strokes painted.
    """

    def __init__(
        self,
        num_envs: int,
        *,
        targets: Any = "glyphs",
        data_dir: str | os.PathLike | None = None,
        canvas_size: int = 128,
        channels: int | None = None,
        max_strokes: int = 1,
        brush: str | Brush = "pencil",
        background: float | tuple[float, ...] = 0.0,
        reward: Reward = "l2",
    ) -> None:
        self.num_envs = _whole(num_envs, "num_envs", 1, 2**20)
        self.canvas_size = _whole(canvas_size, "canvas_size", 16, 4096)
        self.max_strokes = _whole(max_strokes, "max_strokes", 1, 2**20)
        self.brush = get_brush(brush)
        self.source = make_targets(targets, canvas_size, data_dir)
        named = isinstance(targets, (str, os.PathLike))
        self.source_name = os.fspath(targets) if named else type(targets).__name__
        if channels is None:
            channels = _channels_of(self.source)
        if channels not in (1, 3):
            raise ValueError(f"channels must be 1 (grey), 3 (RGB) or None, got {channels!r}")
        self.channels = channels
        if reward not in ("l1", "l2") and not callable(reward):
            raise ValueError(f'reward must be "l2", "l1" or a function, got {reward!r}')
        self.reward = reward
        self._kind = 1 if reward == "l1" else 0  # column of _distance
        colour = np.asarray(background, np.float32)
        if colour.shape not in ((), (channels,)) or not np.all((colour >= 0) & (colour <= 1)):
            raise ValueError(
                f"background must be a number in 0 … 1 or {channels} of them, got {background!r}"
            )
        self.background = np.broadcast_to(colour, (channels,)).copy()

        image = (channels, canvas_size, canvas_size)
        self.observation_space = spaces.Dict(
            {
                "canvas": spaces.Box(0, 255, image, np.uint8),
                "target": spaces.Box(0, 255, image, np.uint8),
                "strokes_left": spaces.Box(0, 1, (1,), np.float32),
            }
        )
        self.action_space: Any = spaces.Box(-1, 1, (action_size(channels),), np.float32)

        self.canvas: Any
        self.target: Any
        self._allocate((num_envs, *image))
        self.stroke = np.zeros(num_envs, np.int64)
        # What is left after so many strokes: faster to look up than to compute.
        self._left = (1 - np.arange(max_strokes + 1)[:, None] / max_strokes).astype(np.float32)
        self._distance = np.zeros((num_envs, 2))  # l2 and l1, now
        self._start = np.ones((num_envs, 2))  # and when the episode began
        self._area = channels * canvas_size**2  # what both are averaged over

    def _allocate(self, shape: tuple[int, ...]) -> None:
        self.canvas, self.target = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self._pixels, self._target_pixels = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)

    def begin(
        self, indices: Sequence[int], rngs: Sequence[np.random.Generator], targets: Sequence[Any]
    ) -> None:
        """Start new episodes on empty canvases.

        Args:
            indices: which of the batch.
            rngs: for each of them, what draws its target.
            targets: for each of them, an image in a shape that ``fit_image`` takes, or None to
                draw one.

        Raises:
            ValueError: if a target is not an image.
        """
        size, channels = self.canvas_size, self.channels
        fitted = np.empty((len(indices), channels, size, size), np.float32)
        for k, (rng, target) in enumerate(zip(rngs, targets, strict=True)):
            image = self.source.sample(rng) if target is None else np.asarray(target)
            fitted[k] = fit_image(image, size, channels, self.background)
        error = fitted - self.background[:, None, None]
        start = np.stack(
            [(error**2).mean((1, 2, 3), float), np.abs(error).mean((1, 2, 3), float)], 1
        )
        # A target that looks like the empty canvas, to half a grey level, has nothing to divide
        # by; its rewards are then plain differences, and the best return is about 0.
        visible = np.abs(error).max((1, 2, 3)) > 0.51 / 255
        self._start[indices] = np.where(visible[:, None], start, 1.0)
        self.stroke[indices] = 0
        self._put(indices, fitted, start)

    def _put(self, indices: Sequence[int], targets: np.ndarray, distance: np.ndarray) -> None:
        """Set targets, empty canvases and the distances between them."""
        blank = self.background[:, None, None]
        self.target[indices], self.canvas[indices] = targets, blank
        self._target_pixels[indices], self._pixels[indices] = to_bytes(targets), to_bytes(blank)
        self._distance[indices] = distance

    def check(self, action: Any, single: bool = False) -> Any:
        """Check what the user passed to ``step`` or ``paint``.

        Args:
            action: ``[B, A]``, or ``[A]`` if it is a single one.
            single: whether it is.

        Returns:
            The action ``[B, A]``, clipped to [-1, 1].

        Raises:
            ValueError: if the action's shape is wrong, or a component is NaN or infinite.
            TypeError: if it does not hold real numbers.
        """
        shape = self.action_space.shape
        if single:
            return check_action(action, shape)[None]
        return check_action(action, (self.num_envs, *shape))

    def paint(self, action: Any, active: np.ndarray | None = None) -> Any:
        """Paint a stroke on each canvas that is active.

        Args:
            action: ``[B, A]``, checked.
            active: bool ``[B]``, or None for all.

        Returns:
            The rewards, float64 ``[B]``; 0 where not active.
        """
        stroke = self._stroke(action.astype(np.float64))  # as the kernels want it
        if active is not None:
            stroke = stroke._replace(pressure=stroke.pressure * active[:, None])
        before = self.canvas.copy() if callable(self.reward) else None
        change = renderer.paint(self.canvas, self.target, stroke, self.brush, pixels=self._pixels)
        change /= self._area
        self._distance += change
        np.maximum(self._distance, 0.0, out=self._distance)
        self.stroke += 1 if active is None else active
        if callable(self.reward):
            reward = self.reward(before, self.canvas.copy(), self.target.copy())
            reward = check_rewards(np.asarray(reward, float), self.num_envs)
        else:
            reward = -change[:, self._kind] / self._start[:, self._kind]
        return reward if active is None else np.where(active, reward, 0.0)

    def _stroke(self, action: Any) -> Stroke:
        """What the brush does at these actions."""
        return self.brush.lays_down(unpack(action, self.channels), self.background)

    def composite(self, canvas: Any, action: Any) -> Any:
        """Return the canvases with a stroke painted on each; a pure function.

        Args:
            canvas: ``[B, C, H, W]`` in 0 … 1.
            action: ``[B, A]``, checked.

        Raises:
            ValueError: if the canvas' shape is wrong, or it is not in 0 … 1.
        """
        self._check_canvas(canvas)
        painted = np.array(canvas, np.float32, order="C")
        stroke = self._stroke(action.astype(np.float64))
        renderer.paint(painted, painted.copy(), stroke, self.brush)
        return painted

    def _check_canvas(self, canvas: Any) -> None:
        shape = (self.num_envs, self.channels, self.canvas_size, self.canvas_size)
        if tuple(canvas.shape) != shape:
            raise ValueError(f"expected a canvas of shape {shape}, got {tuple(canvas.shape)}")
        low, high = canvas.min().item(), canvas.max().item()
        if not (low >= 0 and high <= 1):
            raise ValueError(f"a canvas must be in 0 … 1, got {low:g} … {high:g}")

    @property
    def finished(self) -> np.ndarray:
        """Whether each episode's strokes are used up, bool ``[B]``."""
        return self.stroke >= self.max_strokes

    def observe(self, copy: bool = True) -> dict[str, Any]:
        """The batched observation; copies, unless not asked for."""
        return {
            "canvas": self._pixels.copy() if copy else self._pixels,
            "target": self._target_pixels.copy() if copy else self._target_pixels,
            "strokes_left": self._strokes_left(),
        }

    def _strokes_left(self) -> np.ndarray:
        return self._left[self.stroke]

    def info(self) -> dict[str, np.ndarray]:
        """What a user may want to log, ``[B]`` each.

        ``l2`` is the mean squared error now, ``residual`` that over the one of the empty canvas,
        ``stroke`` the number of strokes painted.
        """
        l2 = self._distance[:, 0].copy()
        return {"l2": l2, "residual": l2 / self._start[:, 0], "stroke": self.stroke.copy()}

    def scene(self, index: int, stroke: Stroke | None = None) -> Scene:
        """An episode as it is now, after its last stroke."""
        target, canvas = self._pictures(index)
        residual = self._distance[index, 0] / self._start[index, 0]
        number = int(self.stroke[index])
        return Scene(target, canvas, number, self.max_strokes, float(residual), stroke)

    def stroke_of(self, action: Any) -> Stroke:
        """What the real brush does at an action ``[A]`` (checked): float64 arrays."""
        return self._stroke(np.asarray(action, np.float64))

    def float_canvas(self, index: int) -> np.ndarray:
        """A copy of a canvas, float32 ``[C, H, W]``."""
        return self.canvas[index].copy()

    def _pictures(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Target and canvas as uint8 ``[C, H, W]``."""
        return self._target_pixels[index], self._pixels[index]


def first(batch: dict[str, Any]) -> dict[str, Any]:
    """The first of a batched observation."""
    return {key: value[0] for key, value in batch.items()}


def check_rewards(rewards: Any, num_envs: int) -> Any:
    """Return what a reward function gave.

    Raises:
        ValueError: if it is not one number for each environment.
    """
    if tuple(rewards.shape) != (num_envs,):
        raise ValueError(
            f"the reward function must return the shape ({num_envs},), got {tuple(rewards.shape)}"
        )
    return rewards


def check_options(options: dict[str, Any] | None, known: tuple[str, ...]) -> dict[str, Any]:
    """Return the reset options.

    Raises:
        ValueError: if there is one that nobody knows.
    """
    unknown = set(options or {}) - set(known)
    if unknown:
        raise ValueError(f"unknown reset options {sorted(unknown)}; known: {', '.join(known)}")
    return dict(options or {})


def check_render_mode(mode: str | None, known: list[str]) -> str | None:
    """Return the render mode.

    Raises:
        ValueError: if it is not one of those.
    """
    if mode is not None and mode not in known:
        raise ValueError(f"unknown render_mode {mode!r}; known: None, {', '.join(known)}")
    return mode


def to_bytes(image: np.ndarray) -> np.ndarray:
    return (image * np.float32(255) + np.float32(0.5)).astype(np.uint8)


def _whole(value: Any, name: str, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise ValueError(f"{name} must be a whole number, got {value!r}")
    if not low <= value <= high:
        raise ValueError(f"{name} must be from {low} to {high}, got {value}")
    return int(value)


def _channels_of(source: Any) -> int:
    """1 or 3, as the source says or else as its images are."""
    if hasattr(source, "channels"):
        return int(source.channels)
    image = np.asarray(source.sample(np.random.default_rng(0)))
    return 3 if image.ndim == 3 and 3 in (image.shape[0], image.shape[-1]) else 1
