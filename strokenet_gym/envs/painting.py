"""Painting-v0: the real painting program as a Gymnasium environment, single and batched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.utils.seeding import np_random
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from strokenet_gym.display import Window, frame
from strokenet_gym.envs.episodes import Episodes, check_options, check_render_mode, first
from strokenet_gym.stroke import Stroke

__all__ = ["PaintingEnv", "PaintingVectorEnv"]

_VIDEO_FPS = 5  # of videos with a frame for each stroke, as RecordVideo makes them


class PaintingEnv(gym.Env):
    """Paint a target image with a limited number of brush strokes.

    ## Description

    The agent sees a target and a canvas, and paints one stroke a step with a round, pressure
    sensitive brush along a curve through 16 anchor points. The painting program is exact: the
    same stroke at any canvas size is the same picture. Based on *StrokeNet: A Neural Painting
    Environment* (Zheng, Jiang, Huang; ICLR 2019).

    ## Action Space

    `Box(-1, 1, (C + 49,), float32)` with C = 1 (grey) or 3 (RGB) colour channels. Values beyond
    the bounds are clipped. In this order, mapped from [-1, 1] to:

    | numbers | meaning | range | unit |
    |---|---|---|---|
    | C | colour | 0 … 1 | intensity |
    | 1 | radius, on a log scale | 0.002 … 0.125 | canvas half-widths |
    | 16 × 3 | x, y, pressure of each anchor | -1 … 1 (y up), 0 … 1 | half-widths; 0 lifts the pen |

    `strokenet_gym.pack` and `unpack` translate.

    ## Observation Space

    `Dict` of `canvas` and `target`, both `Box(0, 255, (C, H, W), uint8)`, and `strokes_left`,
    `Box(0, 1, (1,), float32)`: the share of the budget that is left.

    ## Rewards

    With d the mean squared error between canvas and target (images in [0, 1]), each stroke earns
    (d_before - d_after) / d_start. The undiscounted return is 1 - residual; 1 is a perfect copy.
    `reward="l1"` takes the mean absolute error instead. If the target looks like the empty
    canvas, d_start is replaced by 1: the return is then -d_after, and 0 at best.

    ## Starting State

    An empty canvas of the background colour, and a target drawn from `targets` with the
    environment's seed, or given by `reset(options={"target": image})`.

    ## Episode End

    Terminates after `max_strokes` strokes. Truncates only when a person closes the window.

    ## Information

    `l2` (d now), `residual` (d now / d_start) and `stroke` (strokes painted), after both `reset`
    and `step`.

    ## Arguments

    * `targets="glyphs"`: "glyphs", a data set ("mnist", "omniglot", "quickdraw", "kanjivg") or a
      selection of its labels ("quickdraw:cat,house"), a path of an image or of a folder of images,
      an array, or an object with `sample(rng)`.
    * `data_dir=None`: where data sets are; by default the environment variable STROKENET_DATA.
    * `canvas_size=128`: width and height in pixels, 16 to 4096 (the paper's is 256).
    * `channels=None`: 1, 3, or None for the targets' own.
    * `max_strokes=1`: the budget.
    * `brush="pencil"`: a `strokenet_gym.Brush` or its name: pencil, marker, airbrush, watercolour,
      eraser or chalk.
    * `background=0.0`: intensity of the empty canvas, one number or one for each channel.
    * `reward="l2"`: "l2", "l1", or a function of (canvas before, canvas after, target), float32
      `[B, C, H, W]` each, that returns `[B]` (B is 1 in a single environment).
    * `render_mode=None`: "rgb_array" (target beside canvas) or "human" (the same in a window, where
      each stroke is seen growing; `help(strokenet_gym.display.Window)` lists the keys).
    * `stroke_seconds=0.5`: how long a stroke takes in the window.

    ## Vectorized environment

    `gym.make_vec("Painting-v0", num_envs=64)` gives :class:`PaintingVectorEnv`, which paints on
    all cores in one call.

    ## Version History

    * v0: Initial release.

    ## References

    * N. Zheng, Y. Jiang, D. Huang. StrokeNet: A Neural Painting Environment. ICLR 2019.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": ["rgb_array", "human"],
        "render_fps": _VIDEO_FPS,
    }

    def __init__(
        self, *, render_mode: str | None = None, stroke_seconds: float = 0.5, **kwargs: Any
    ) -> None:
        self.render_mode = check_render_mode(render_mode, self.metadata["render_modes"])
        self._episodes = self._make_episodes(**kwargs)
        self.observation_space = self._episodes.observation_space
        self.action_space = self._episodes.action_space
        self._begun = False  # whether there was a reset
        self._running = False  # whether an episode is under way
        self._window: Window | None = None
        if render_mode == "human":
            self._window = Window(type(self).__name__, stroke_seconds)
        self._stroke: Stroke | None = None  # the last one, if frames are asked for

    def _make_episodes(self, **kwargs: Any) -> Episodes:
        return Episodes(1, **kwargs)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start an episode.

        Args:
            seed: seeds the choice of the target.
            options: ``{"target": image}`` paints that image instead.

        Raises:
            ValueError: if an option is unknown or the target is not an image.
        """
        super().reset(seed=seed)
        options = check_options(options, self._known_options)
        self._episodes.begin([0], [self.np_random], [options.get("target")])
        self._begun = self._running = True
        self._stroke = None
        if self._window is not None:
            self._window.show(self._episodes.scene(0))
        return first(self._episodes.observe()), self._info()

    _known_options: ClassVar[tuple[str, ...]] = ("target",)

    def step(self, action: Any) -> tuple[dict[str, Any], Any, bool, bool, dict[str, Any]]:
        """Paint one stroke.

        Raises:
            ResetNeeded: before the first ``reset`` and after the end of an episode.
            ValueError: if the action's shape is wrong, or a component is NaN or infinite.
            TypeError: if the action does not hold real numbers.
        """
        if not self._running:
            why = "the episode has ended" if self._begun else "there is no episode yet"
            raise ResetNeeded(f"{why}: call reset() before step()")
        action = self._episodes.check(action, single=True)
        self._running = False  # unless all goes well
        window = self._window if self._window is not None and not self._window.closed else None
        before = None if window is None else self._episodes.float_canvas(0)
        reward = self._episodes.paint(action)[0]
        if self.render_mode is not None:
            self._stroke = self._episodes.stroke_of(action[0])
        if isinstance(reward, np.floating):
            reward = float(reward)
        terminated, truncated = bool(self._episodes.finished[0]), False
        if window is not None and before is not None:
            window.paint(before, self._episodes.scene(0, self._stroke), self._episodes.brush)
            truncated = window.closed
        self._running = not (terminated or truncated)
        return first(self._episodes.observe()), reward, terminated, truncated, self._info()

    def paint(self, canvas: Any, action: Any) -> Any:
        """Return the canvas with one stroke painted on it: a pure function, apart from episodes.

        Args:
            canvas: ``[C, H, W]`` in 0 … 1.
            action: ``[A]``.

        Returns:
            The new canvas, float32 ``[C, H, W]``.
        """
        if isinstance(canvas, (list, tuple)):
            canvas = np.asarray(canvas)
        return self._episodes.composite(canvas[None], self._episodes.check(action, single=True))[0]

    def _info(self) -> dict[str, Any]:
        return {key: value.item() for key, value in self._episodes.info().items()}

    def render(self) -> np.ndarray | None:
        """Return the frame if ``render_mode`` is "rgb_array", uint8 ``[H, W, 3]``, else None.

        Raises:
            ResetNeeded: before the first ``reset``.
        """
        if not self._begun:
            raise ResetNeeded("there is nothing to render yet: call reset() first")
        if self.render_mode is None:
            gym.logger.warn('render() without a render_mode; pass render_mode="rgb_array"')
        if self.render_mode != "rgb_array":
            return None
        return frame(self._episodes.scene(0, self._stroke))

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._window is not None:
            self._window.close()


class PaintingVectorEnv(gym.vector.VectorEnv):
    """A batch of painting environments that paint in one call, large batches on all cores.

    Each sub-environment behaves as a :class:`PaintingEnv` that was seeded with its own seed.

    Args:
        num_envs: how many.
        autoreset_mode: when a sub-environment that ended is reset, see
            :class:`gymnasium.vector.AutoresetMode`. With DISABLED, ``reset`` takes the option
            ``reset_mask``.
        render_mode: None; "rgb_array": ``render`` returns a frame for each sub-environment; or
            "human": one of them is shown in a window. Closing that only ends the showing.
        stroke_seconds: how long a stroke takes in the window.
        shown: index of the sub-environment in the window.
        copy: whether observations are copies. If not, they are faster, and the next ``step`` or
            ``reset`` changes them.
        kwargs: see :class:`PaintingEnv`.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": ["rgb_array", "human"],
        "render_fps": _VIDEO_FPS,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        stroke_seconds: float = 0.5,
        shown: int = 0,
        copy: bool = True,
        **kwargs: Any,
    ) -> None:
        self.render_mode = check_render_mode(render_mode, self.metadata["render_modes"])
        self.copy = copy
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self._episodes = self._make_episodes(num_envs, **kwargs)
        self.num_envs = self._episodes.num_envs
        self.single_observation_space = self._episodes.observation_space
        self.single_action_space = self._episodes.action_space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._rngs: dict[int, np.random.Generator] = {}
        self._begun = np.zeros(self.num_envs, bool)
        if not 0 <= shown < self.num_envs:
            raise ValueError(f"shown must be from 0 to {self.num_envs - 1}, got {shown}")
        self._shown = shown
        self._window: Window | None = None
        if render_mode == "human":
            title = f"{type(self).__name__}, {shown} of {self.num_envs}"
            self._window = Window(title, stroke_seconds)

    def _make_episodes(self, num_envs: int, **kwargs: Any) -> Episodes:
        return Episodes(num_envs, **kwargs)

    _known_options: ClassVar[tuple[str, ...]] = ("target", "reset_mask")

    def reset(
        self,
        *,
        seed: int | list[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start episodes.

        Args:
            seed: one for each sub-environment, or a number s for s, s + 1, s + 2, …
            options: ``target``: a sequence of images, one for each sub-environment;
                ``reset_mask``: bool ``[num_envs]``, those to reset.

        Raises:
            ValueError: if an option is unknown, or the number of seeds, targets or mask entries
                is not the number of sub-environments.
            ResetNeeded: if the first reset leaves some out.
        """
        options = check_options(options, self._known_options)
        seeds = [None if seed is None else seed + i for i in range(self.num_envs)] \
            if seed is None or isinstance(seed, (int, np.integer)) else list(seed)  # fmt: skip
        targets = options.get("target")
        targets = [None] * self.num_envs if targets is None else targets
        mask = np.asarray(options.get("reset_mask", np.ones(self.num_envs, bool)))
        for name, entries in (("seeds", seeds), ("targets", targets), ("reset_mask", mask)):
            if len(entries) != self.num_envs:
                raise ValueError(f"expected {self.num_envs} {name}, got {len(entries)}")
        if mask.dtype != bool or not mask.any():
            raise ValueError("reset_mask must be a bool array with at least one True")
        if not (self._begun | mask).all():
            raise ResetNeeded("the first reset() must be without a reset_mask")
        for i in np.flatnonzero(mask).tolist():
            if seeds[i] is not None or i not in self._rngs:
                self._rngs[i] = np_random(seeds[i])[0]
        self._begin(mask, targets)
        return self._episodes.observe(self.copy), self._info(mask)

    def _begin(self, mask: np.ndarray, targets: Sequence[Any]) -> None:
        indices = np.flatnonzero(mask).tolist()
        rngs = [self._rngs[i] for i in indices]
        self._episodes.begin(indices, rngs, [targets[i] for i in indices])
        self._begun |= mask
        if self._window is not None and mask[self._shown]:
            self._window.show(self._episodes.scene(self._shown))

    def step(
        self, actions: Any
    ) -> tuple[dict[str, Any], Any, np.ndarray, np.ndarray, dict[str, Any]]:
        """Paint one stroke in each sub-environment.

        Returns:
            Batched observations, rewards float64 ``[B]``, terminations and truncations bool
            ``[B]``, and the information, ``[B]`` each with a mask ``_key`` as is Gymnasium's
            custom. With SAME_STEP, ``final_obs`` and ``final_info`` hold those of the episodes
            that ended.

        Raises:
            ResetNeeded: if a sub-environment was never reset, or has ended and is not reset
                automatically.
            ValueError: if the actions' shape is wrong, or a component is NaN or infinite.
            TypeError: if the actions do not hold real numbers.
        """
        over = self._episodes.finished
        if not self._begun.all() or (self.autoreset_mode is AutoresetMode.DISABLED and over.any()):
            which = np.flatnonzero(~self._begun | over).tolist()
            raise ResetNeeded(f"call reset() before step(): no episode runs in {which}")
        some_over = bool(over.any())  # NEXT_STEP: for these, this step only starts the next episode
        actions = self._episodes.check(actions)
        window = self._window if self._window is not None and not self._window.closed else None
        before = None if window is None else self._episodes.float_canvas(self._shown)
        reward = self._episodes.paint(actions, ~over if some_over else None)
        if window is not None and before is not None and not over[self._shown]:
            stroke = self._episodes.stroke_of(actions[self._shown])
            scene = self._episodes.scene(self._shown, stroke)
            window.paint(before, scene, self._episodes.brush)
        nothing = [None] * self.num_envs
        if some_over:
            self._begin(over, nothing)
        terminated = self._episodes.finished & ~over
        everywhere = np.ones(self.num_envs, bool)
        truncated = np.zeros(self.num_envs, bool)
        if self.autoreset_mode is not AutoresetMode.SAME_STEP or not terminated.any():
            return (
                self._episodes.observe(self.copy),
                reward,
                terminated,
                truncated,
                self._info(everywhere),
            )

        last, last_info = self._episodes.observe(), self._info(terminated)
        final_obs = np.full(self.num_envs, None, object)
        for i in np.flatnonzero(terminated):
            final_obs[i] = {key: value[i] for key, value in last.items()}
        self._begin(terminated, nothing)
        info = self._info(everywhere)
        info |= {"final_obs": final_obs, "_final_obs": terminated.copy()}
        info |= {"final_info": last_info, "_final_info": terminated.copy()}
        return self._episodes.observe(self.copy), reward, terminated, truncated, info

    def paint(self, canvas: Any, action: Any) -> Any:
        """Return the canvases with one stroke painted on each: a pure function.

        Args:
            canvas: ``[B, C, H, W]`` in 0 … 1.
            action: ``[B, A]``.

        Returns:
            The new canvases, float32 ``[B, C, H, W]``.
        """
        return self._episodes.composite(canvas, self._episodes.check(action))

    def _info(self, mask: np.ndarray) -> dict[str, Any]:
        info: dict[str, Any] = {}
        for key, value in self._episodes.info().items():
            info[key], info[f"_{key}"] = value, mask.copy()
        return info

    def render(self) -> tuple[np.ndarray, ...] | None:
        """Return a frame for each sub-environment if ``render_mode`` is "rgb_array", else None.

        Raises:
            ResetNeeded: before the first ``reset``.
        """
        if not self._begun.all():
            raise ResetNeeded("there is nothing to render yet: call reset() first")
        if self.render_mode != "rgb_array":
            return None
        return tuple(frame(self._episodes.scene(i)) for i in range(self.num_envs))

    def close_extras(self, **kwargs: Any) -> None:
        """Close the window, if there is one."""
        if self._window is not None:
            self._window.close()
