"""Painting-v0: a painting program as a Gymnasium environment (the batch: painting_vector.py)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium.error import ResetNeeded

from strokenet_gym.checks import flag
from strokenet_gym.display import Window, frame, usable_modes
from strokenet_gym.envs.arguments import (
    PortableSpec,
    check_options,
    check_render_mode,
    check_seed,
)
from strokenet_gym.envs.episodes import Episodes, first
from strokenet_gym.envs.rewards import Reward
from strokenet_gym.programs import Program, load_program
from strokenet_gym.programs.transforms import refuse_again
from strokenet_gym.stroke import Stroke, is_tensor

__all__ = ["PaintingEnv"]

VIDEO_FPS = 5  # of videos with a frame for each stroke, as RecordVideo makes them


class PaintingEnv(PortableSpec, gym.Env):
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
    | 1 | radius, on a log scale | 0.002 … 0.125, or the brush's range | canvas half-widths |
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

    Terminates after `max_strokes` strokes. Truncates when a person closes the window, and after
    `max_episode_steps` strokes, if `gym.make` or `gym.make_vec` is given such a limit.

    ## Information

    `l2` (d now), `residual` (d now / d_start) and `stroke` (strokes painted), after both `reset`
    and `step`.

    ## Arguments

    * `targets="glyphs"`: "glyphs", a data set ("mnist", "omniglot", "quickdraw", "kanjivg") or a
      selection of its labels ("quickdraw:cat,house"), a path of an image or of a folder of images,
      an array, or an object with `sample(rng)`.
    * `data_dir=None`: where data sets are; by default the environment variable STROKENET_DATA.
    * `canvas_size=128`: side of the canvas in pixels, 16 to 4096 (the paper's is 256); or
      `(height, width)`. Positions reach from -1 to 1 over each side; radii are in half the shorter
      side, so that dots stay round. Targets are fitted and padded.
    * `channels=None`: 1, 3, or None for the targets' own.
    * `max_strokes=1`: the budget.
    * `brush="pencil"`: what paints. A name: pencil, marker, airbrush, watercolour, eraser or chalk;
      a `strokenet_gym.Brush`, its numbers by name, or the path of a JSON file of them; or any
      `strokenet_gym.Program`, or "module:name" of one.
    * `background=0.0`: intensity of the empty canvas, one number or one for each channel.
    * `reward="l2"`: "l2", "l1", or a function of (canvas before, canvas after, target), float32
      `[B, C, H, W]` each, that returns `[B]`; or "module:function" of one. B is 1 in a single
      environment; in a batch, how many have a stroke in this step (with NEXT_STEP, those that
      only start an episode have none).
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
        "render_fps": VIDEO_FPS,
    }

    known_options: ClassVar[tuple[str, ...]] = ("target",)

    _own_space: gym.Space | None = None

    def __init__(
        self,
        *,
        targets: Any = "glyphs",
        data_dir: str | os.PathLike | None = None,
        canvas_size: int | Sequence[int] = 128,
        channels: int | None = None,
        max_strokes: int = 1,
        brush: str | os.PathLike | Mapping[str, Any] | Program = "pencil",
        background: float | Sequence[float] = 0.0,
        reward: str | Reward = "l2",
        render_mode: str | None = None,
        stroke_seconds: float = 0.5,
    ) -> None:
        episodes = Episodes(
            1,
            load_program(brush),
            targets=targets,
            data_dir=data_dir,
            canvas_size=canvas_size,
            channels=channels,
            max_strokes=max_strokes,
            background=background,
            reward=reward,
        )
        self._open(episodes, render_mode, stroke_seconds)

    def _open(self, episodes: Episodes, render_mode: str | None, stroke_seconds: float) -> None:
        modes = self.metadata["render_modes"]
        self.render_mode = check_render_mode(render_mode, modes)
        self.metadata = {**self.metadata, "render_modes": usable_modes(modes, render_mode)}
        self._episodes = episodes
        self.action_space = episodes.action_space
        self._begun = False  # whether there was a reset
        self._running = False  # whether an episode is under way
        self._window: Window | None = None
        if render_mode == "human":
            title = f"{episodes.source_name}, {type(self).__name__}"
            self._window = Window(title, stroke_seconds)
        self._stroke: Stroke | None = None  # the last one, if frames are asked for

    @property
    def observation_space(self) -> gym.Space:  # type: ignore[override]
        """What ``reset`` and ``step`` observe; of floats, if they are asked for tensors.

        A subclass that observes something else sets its own.
        """
        own = self._own_space
        return self._episodes.observation_space if own is None else own

    @observation_space.setter
    def observation_space(self, space: gym.Space) -> None:
        self._own_space = space

    @np.errstate(under="ignore")
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start an episode.

        Args:
            seed: seeds the choice of the target.
            options: ``{"target": image}`` paints that image instead.

        Raises:
            ValueError: if the seed is not a whole number, an option is unknown or the target is
                not an image.
            TypeError: if the options are not a dictionary.
        """
        super().reset(seed=check_seed(seed))
        options = check_options(options, self.known_options)
        target = self._episodes.draw([self.np_random], [options.get("target")])
        self._running = False  # unless all goes well
        if "as_tensor" in options:
            self._episodes.as_tensor = flag(options["as_tensor"], "as_tensor")
        self._episodes.begin([0], target)
        self._begun = self._running = True
        self._stroke = None
        if self._window is not None:
            self._window.show(self._episodes.scene(0))
        return first(self._episodes.observe()), self._info()

    def step(self, action: Any) -> tuple[dict[str, Any], Any, bool, bool, dict[str, Any]]:
        """Paint one stroke.

        Raises:
            ResetNeeded: before the first ``reset`` and after the end of an episode.
            ValueError: if the action's shape is wrong, or a component is NaN or infinite.
            TypeError: if the action does not hold real numbers.
        """
        refuse_again("step")
        if not self._running:
            why = (
                "the episode has ended, or an error broke it off"
                if self._begun
                else "there is no episode yet"
            )
            raise ResetNeeded(f"{why}: call reset() before step()")
        action = self._episodes.check(action, single=True)
        self._running = False  # unless all goes well
        window = self._window if self._window is not None and not self._window.closed else None
        before = None if window is None else self._episodes.float_canvas(0)
        reward = self._episodes.step(action)[0]
        if self.render_mode is not None:
            self._stroke = self._episodes.stroke_of(action[0])
        if not is_tensor(reward):
            reward = float(reward)
        terminated, truncated = bool(self._episodes.finished[0]), False
        if window is not None and before is not None:
            scene = self._episodes.scene(0, self._stroke)
            window.animate(before, scene, self._episodes.brush, self._episodes.background)
            truncated = window.closed
        self._running = not (terminated or truncated)
        return first(self._episodes.observe()), reward, terminated, truncated, self._info()

    @np.errstate(under="ignore")
    def paint(self, canvas: Any, action: Any) -> Any:
        """Return the canvas with one stroke painted on it: a pure function, apart from episodes.

        Args:
            canvas: ``[C, H, W]`` in 0 … 1.
            action: ``[A]``.

        Returns:
            The new canvas, float32 ``[C, H, W]``; a tensor if one of the arguments is one and the
            environment has gradients.

        Raises:
            ValueError: if a shape is wrong, or a value out of its range.
            TypeError: if one of them does not hold real numbers.
        """
        return self._episodes.paint(canvas, action, single=True)

    def _info(self) -> dict[str, Any]:
        return {key: value.item() for key, value in self._episodes.info().items()}

    @np.errstate(under="ignore")
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
