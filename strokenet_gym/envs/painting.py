"""The painting environment, and what it shares with its batch (vector.py).

The way of an action, single and batched: ``step`` (here, or vector.py) → ``Task.step`` (task.py) →
``Engine.step`` (arrays.py, or tensors.py with gradients) → ``unpack`` (stroke.py) → the program's
``composite`` or, with gradients, ``paint_tensors`` (programs/stamped/brush.py, or a network's in
programs/learned/base.py) → its kernels. Nothing on this way calls back.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.error import ResetNeeded

from strokenet_gym.checks import flag
from strokenet_gym.display import Window, frame, usable_modes
from strokenet_gym.envs.arguments import PortableSpec, check_seed
from strokenet_gym.envs.engines import Brush
from strokenet_gym.envs.rewards import Reward
from strokenet_gym.envs.task import Task, make_task
from strokenet_gym.programs.transforms import eager, refuse
from strokenet_gym.stroke import Stroke, is_tensor

__all__ = ["Painting", "PaintingEnv"]


class Painting(PortableSpec):
    """What the single and the batched environment share.

    Attributes:
        task: the episodes.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": ["rgb_array", "human"],
        "render_fps": 5,  # of videos with a frame for each stroke, as RecordVideo makes them
    }
    task: Task
    _options: tuple[str, ...] = ("target",)
    _space = "observation_space"

    def _open(self, task: Task, mode: Any, seconds: Any, title: str = "", *more: str) -> None:
        """Begin with a task, a render mode (one of these more, say), and a window's."""
        known = self.metadata["render_modes"]
        if mode is not None and mode not in (*known, *more):
            raise ValueError(
                f"unknown render_mode {mode!r}; known: None, {', '.join((*known, *more))}"
            )
        self.render_mode: str | None = mode
        self.metadata = {**self.metadata, "render_modes": usable_modes(known, mode)}
        self.task = task
        self._set_space()
        self._begun = False  # whether there was a reset
        self._running = False  # whether episodes are under way
        self._window: Window | None = None
        if mode == "human":
            title = f"{task.source_name}, {type(self).__name__}{title}"
            self._window = Window(title, seconds)

    def _set_space(self) -> None:
        """Say what is observed now, unless a subclass says something else."""
        spaces, own = self.task.spaces, vars(self).get(self._space)
        if own is None or any(own is one for one in spaces.values()):
            setattr(self, self._space, spaces[self.task.engine.as_tensor])

    def _check_options(self, options: Any) -> dict[str, Any]:
        if options is None:
            return {}
        if not isinstance(options, Mapping):
            raise TypeError(f"reset options must be a dictionary, got {type(options).__name__}")
        device = self.task.engine.device
        known = self._options if device is None else (*self._options, "as_tensor")
        unknown = sorted(set(options) - set(known), key=repr)
        if unknown:
            raise ValueError(f"unknown reset options {unknown}; known: {', '.join(known)}")
        flag(options.get("as_tensor", False), "as_tensor")
        return dict(options)

    def _turn(self, options: dict[str, Any]) -> None:
        """Observe arrays or tensors from now on."""
        if "as_tensor" in options:
            self.task.engine.as_tensor = bool(options["as_tensor"])
            self._set_space()

    def _paint(self, action: Any, active: np.ndarray | None = None, shown: int = 0) -> Any:
        """Paint checked actions, and show in the window how one grows; return the rewards."""
        engine, window = self.task.engine, self._window
        seen = self._watched and (active is None or active[shown])
        before = engine.host(engine.canvas[shown]) if seen else None
        self._running = False  # unless all goes well
        rewards = self.task.step(action, active)
        if window is not None and before is not None:
            scene = self.task.scene(shown, engine.stroke_of(action[shown]))
            window.animate(before, scene, engine.brush, engine.colour)
        return rewards

    @property
    def _watched(self) -> bool:
        return self._window is not None and not self._window.closed

    @property
    def device(self) -> Any:
        """Where tensors are; None if there are arrays only."""
        return self.task.engine.device

    def detach(self) -> None:
        """Cut the graph: later gradients stop at the canvas as it is now."""
        self.task.detach()


class PaintingEnv(Painting, gym.Env):
    """Paint a target image with a limited number of brush strokes.

    ## Description

    The agent sees a target and a canvas, and paints one stroke a step with a round, pressure
    sensitive brush along a curve through 16 anchor points. The painting program is exact: the
    same stroke at any canvas size is the same picture. Based on N. Zheng, Y. Jiang, D. Huang.
    *StrokeNet: A Neural Painting Environment*. ICLR 2019.

    `Painting-v0` has NumPy arrays and no gradients. `DifferentiablePainting-v0` (the program's
    exact gradient) and `NeuralPainting-v0` (painted by a network, with its gradient) are the same
    task in torch.

    ## Action Space

    `Box(-1, 1, (C + 49,), float32)` with C = 1 (grey) or 3 (RGB) colour channels. Values beyond
    the bounds are clipped. In this order, mapped from [-1, 1] to:

    | numbers | meaning | range | unit |
    |---|---|---|---|
    | C | colour | 0 … 1 | intensity |
    | 1 | radius, on a log scale | 0.002 … 0.125, or the brush's range | canvas half-widths |
    | 16 × 3 | x, y, pressure of each anchor | -1 … 1 (y up), 0 … 1 | half-widths; 0 lifts the pen |

    `strokenet_gym.pack` and `unpack` translate. With gradients, a tensor is accepted as well as an
    array; a component outside [-1, 1] gets none.

    ## Observation Space

    `Dict` of `canvas` and `target`, both `Box(0, 255, (C, H, W), uint8)`, and `strokes_left`,
    `Box(0, 1, (1,), float32)`: the share of the budget that is left. With `as_tensor=True`, from
    `gym.make` or from `reset(options={"as_tensor": True})` on: float32 tensors in [0, 1] of the
    same shapes, on the environment's device, with a graph to the strokes (float64 after float64
    actions, which are for gradient checks); and so the space says.

    ## Rewards

    With d the mean squared error between canvas and target (images in [0, 1]), each stroke earns
    (d_before - d_after) / d_start. The undiscounted return is 1 - residual; 1 is a perfect copy.
    `reward="l1"` takes the mean absolute error instead. If the target looks like the empty
    canvas, d_start is replaced by 1: the return is then -d_after, and 0 at best. A float; after a
    tensor as action a scalar tensor with a graph.

    ## Starting State

    An empty canvas of the background colour, and a target drawn from `targets` with the
    environment's seed, or given by `reset(options={"target": image})`.

    ## Episode End

    Terminates after `max_strokes` strokes. Truncates when a person closes the window, and after
    `max_episode_steps` strokes, if `gym.make` or `gym.make_vec` is given such a limit.

    An action that is refused changes nothing. Any other error in `step`, and Ctrl-C, break the
    episode off (in a batch, all episodes): `step` raises `ResetNeeded` until `reset`.

    ## Information

    `l2` (d now), `residual` (d now / d_start) and `stroke` (strokes painted), after both `reset`
    and `step`: plain numbers.

    ## Gradients

    After a tensor as action, rewards, and observations with `as_tensor=True`, have a graph through
    all strokes since the last `reset` or `detach()` (of `env.unwrapped`); so has what the pure
    function `paint(canvas, action)` returns. There are first derivatives only. Gradients survive
    `gym.make`'s own wrappers; wrappers that go through NumPy (ClipAction, RescaleAction) cut them.

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
    * `reward="l2"`: "l2", "l1", "none" (0), or a function of (canvas before, canvas after, target),
      float32 `[B, C, H, W]` each, that returns `[B]`; or "module:function" of one. It gets arrays
      in `Painting-v0`, else tensors. B is 1 in a single environment; in a batch, how many have a
      stroke in this step (with NEXT_STEP, those that only start an episode have none).
    * `render_mode=None`: "rgb_array" (target beside canvas) or "human" (the same in a window, where
      each stroke is seen growing; `help(strokenet_gym.display.Window)` lists the keys).
    * `stroke_seconds=0.5`: how long a stroke takes in the window.
    * `task=None`: a class derived from `strokenet_gym.envs.Task`, or "module:name" of one, with a
      reward or an end of its own.
    * `engine`: which of the three ids it is: "program", "gradient" or "network".
    * `as_tensor=False`, with gradients: whether observations are tensors.
    * `device="auto"`, with gradients: where tensors are: "cpu", "cuda", …; "auto" takes CUDA if
      there is one and the program runs there, as networks do.
    * `generator=None`, of `NeuralPainting-v0`: the shipped network that imitates the brush; or name
      of one, path of a file of weights, any `strokenet_gym.Program` that has a gradient, or
      "exact": the brush's own.

    ## Vectorized environment

    `gym.make_vec("Painting-v0", num_envs=64)` gives :class:`PaintingVectorEnv`, which paints in
    one call, and on all cores where it paints on the CPU.

    ## Version History

    * v0: Initial release.
    """

    def __init__(
        self,
        *,
        targets: Any = "glyphs",
        data_dir: str | os.PathLike | None = None,
        canvas_size: int | Sequence[int] = 128,
        channels: int | None = None,
        max_strokes: int = 1,
        brush: Brush = "pencil",
        background: float | Sequence[float] = 0.0,
        reward: str | Reward = "l2",
        render_mode: str | None = None,
        stroke_seconds: float = 0.5,
        task: str | type[Task] | None = None,
        engine: str = "program",
        generator: Brush | None = None,
        as_tensor: bool = False,
        device: Any = "auto",
    ) -> None:
        self._open(make_task(1, locals()), render_mode, stroke_seconds)
        self.action_space = self.task.action_space
        self._stroke: Stroke | None = None  # the last one, if frames are asked for

    @eager
    @np.errstate(under="ignore")
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start an episode.

        Args:
            seed: seeds the choice of the target.
            options: ``{"target": image}`` paints that image instead; with gradients, ``as_tensor``
                says whether observations are tensors from now on.

        Raises:
            ValueError: if the seed is not a whole number, an option is unknown or the target is
                not an image.
            TypeError: if the options are not a dictionary.
        """
        super().reset(seed=check_seed(seed))
        options = self._check_options(options)
        target = self.task.draw([self.np_random], [options.get("target")])
        self._running = False  # unless all goes well
        self._turn(options)
        self.task.begin([0], target)
        self._stroke = None
        if self._window is not None:
            self._window.show(self.task.scene(0))
        self._begun = self._running = True
        return self._observe()

    @eager
    def step(self, action: Any) -> tuple[dict[str, Any], Any, bool, bool, dict[str, Any]]:
        """Paint one stroke.

        Raises:
            ResetNeeded: before the first ``reset``, after the end of an episode, and after an error
                broke it off.
            ValueError: if the action's shape is wrong, or a component is NaN or infinite.
            TypeError: if the action does not hold real numbers.
        """
        refuse("step")
        if not self._running:
            ended = "the episode has ended, or an error broke it off"
            why = ended if self._begun else "there is no episode yet"
            raise ResetNeeded(f"{why}: call reset() before step()")
        action = self.task.check(action, single=True)
        watched = self._watched
        reward = self._paint(action)[0]
        if self.render_mode is not None and self.task.engine.program is not None:
            self._stroke = self.task.engine.stroke_of(action[0])
        terminated = bool(self.task.ended()[0])
        truncated = watched and not self._watched
        observation, info = self._observe()
        self._running = not (terminated or truncated)
        reward = reward if is_tensor(reward) else float(reward)
        return observation, reward, terminated, truncated, info

    def _observe(self) -> tuple[dict[str, Any], dict[str, Any]]:
        observation = {key: value[0] for key, value in self.task.observe().items()}
        return observation, {key: value.item() for key, value in self.task.info().items()}

    @eager
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
        return self.task.paint(canvas, action, single=True)

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
        return frame(self.task.scene(0, self._stroke))

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._window is not None:
            self._window.close()
