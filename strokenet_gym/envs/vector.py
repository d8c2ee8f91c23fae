"""The batch of painting environments: what ``gym.make_vec`` gives. See painting.py."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.utils.seeding import np_random
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from strokenet_gym.checks import array_of, flag, whole
from strokenet_gym.display import frame
from strokenet_gym.envs.arguments import check_seed
from strokenet_gym.envs.engines import Brush
from strokenet_gym.envs.painting import Painting
from strokenet_gym.envs.rewards import Reward
from strokenet_gym.envs.task import Task, make_task
from strokenet_gym.programs.transforms import eager, refuse
from strokenet_gym.stroke import is_tensor

__all__ = ["PaintingVectorEnv"]

_COLLECTED = "rgb_array_list"  # the render mode that gym.make adds to "rgb_array"


class PaintingVectorEnv(Painting, gym.vector.VectorEnv):
    """A batch of painting environments that paint in one call, large batches on all cores.

    Each sub-environment behaves as a :class:`PaintingEnv` that was seeded with its own seed. With
    gradients, actions ``[B, A]`` that are tensors give rewards ``[B]`` with a graph; the flags are
    arrays. With ``as_tensor=True``, ``l2`` and ``residual`` in the information are tensors without
    a graph, so that nothing is copied from the device.

    Args:
        num_envs: how many.
        targets: see :class:`PaintingEnv`, and so for all that is not explained here.
        autoreset_mode: when a sub-environment that ended is reset, see
            :class:`gymnasium.vector.AutoresetMode`. With DISABLED, ``reset`` takes the option
            ``reset_mask``.
        render_mode: None; "rgb_array": ``render`` returns a frame for each sub-environment;
            "rgb_array_list": those of each since its reset and the last ``render``; or "human": one
            of them is shown in a window. Closing that only ends the showing.
        stroke_seconds: how long a stroke takes in the window.
        shown: index of the sub-environment in the window.
        copy: whether observations are copies. If not, they are faster, and the next ``step`` or
            ``reset`` may change them.
        max_episode_steps: strokes after which an episode is truncated, as ``TimeLimit`` does it;
            None or -1: never.
        disable_env_checker: taken since ``gym.make`` takes it; batches have no passive checker.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        **Painting.metadata,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }
    _options = "target", "reset_mask"
    _space = "single_observation_space"

    def __init__(
        self,
        num_envs: int = 1,
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
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        shown: int = 0,
        copy: bool = True,
        max_episode_steps: int | None = None,
        disable_env_checker: bool | None = None,
    ) -> None:
        made = make_task(num_envs, locals())
        self.num_envs = made.num_envs
        self.copy, limit = flag(copy, "copy"), max_episode_steps
        free = limit is None or (isinstance(limit, (int, np.integer)) and limit == -1)
        self._limit = None if free else whole(limit, "max_episode_steps", 1, 2**62)
        self._shown = whole(shown, "shown", 0, self.num_envs - 1)
        title = f" {shown} of {self.num_envs}"
        self._open(made, render_mode, stroke_seconds, title, _COLLECTED)
        mode = self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": mode}
        self.single_action_space = made.action_space
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._rngs: dict[int, np.random.Generator] = {}
        self._seeds: dict[int, int] = {}
        self._frames: list[list[np.ndarray]] = [[] for _ in range(self.num_envs)]
        self._over = np.zeros(self.num_envs, bool)  # whose episode has ended

    def _set_space(self) -> None:
        before = vars(self).get(self._space)
        super()._set_space()
        if self.single_observation_space is not before or not hasattr(self, "observation_space"):
            self.observation_space = batch_space(self.single_observation_space, self.num_envs)

    @property  # type: ignore[misc]
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]
        """The sub-environments' random generators, as SyncVectorEnv gives them."""
        self._seed(range(self.num_envs), [None] * self.num_envs)
        return tuple(self._rngs[i] for i in range(self.num_envs))

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]
        """The sub-environments' seeds."""
        self._seed(range(self.num_envs), [None] * self.num_envs)
        return tuple(self._seeds[i] for i in range(self.num_envs))

    def _seed(self, indices: Sequence[int], seeds: Sequence[int | None]) -> None:
        """Make generators for those that have a seed, or no generator yet."""
        for i in indices:
            if seeds[i] is not None or i not in self._rngs:
                self._rngs[i], self._seeds[i] = np_random(seeds[i])

    @eager
    @np.errstate(under="ignore")
    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start episodes.

        Args:
            seed: one for each sub-environment, or a number s for s, s + 1, s + 2, …
            options: ``target``: a sequence of images, one for each sub-environment;
                ``reset_mask``: bool ``[num_envs]``, those to reset; with gradients, ``as_tensor``:
                whether observations are tensors from now on.

        Raises:
            ValueError: if an option is unknown, or the number of seeds, targets or mask entries
                is not the number of sub-environments.
            ResetNeeded: if the first reset, or that after an error, leaves some out.
            TypeError: if the options are not a dictionary.
        """
        options, count = self._check_options(options), self.num_envs
        if isinstance(seed, (list, tuple)) or getattr(seed, "ndim", 0) > 0:
            seeds = [check_seed(one) for one in seed]  # type: ignore[union-attr]
        else:
            first = check_seed(seed)
            seeds = [None if first is None else first + i for i in range(count)]
        targets, mask = options.get("target"), options.get("reset_mask")
        targets = [None] * count if targets is None else targets
        mask = np.ones(count, bool) if mask is None else np.atleast_1d(array_of(mask, "reset_mask"))
        for name, entries in (("seeds", seeds), ("targets", targets), ("reset_mask", mask)):
            sequence = isinstance(entries, (list, tuple, np.ndarray)) or is_tensor(entries)
            own = len(entries) if sequence and getattr(entries, "ndim", 1) > 0 else None
            if own != count:
                got = f"a {type(entries).__name__}" if own is None else own
                raise ValueError(f"expected {count} {name}, got {got}")
        if mask.dtype != bool or mask.ndim != 1 or not mask.any():
            raise ValueError("reset_mask must be a bool array with at least one True")
        if not (self._running or mask.all()):
            raise ResetNeeded(
                "the first reset(), and that after an error, must be without a reset_mask"
            )
        self._seed(np.flatnonzero(mask).tolist(), seeds)
        drawn = self._draw(mask, targets)
        self._running = False  # unless all goes well
        self._turn(options)
        self._begin(mask, drawn)
        self._begun = self._running = True
        return self.task.observe(self.copy), self._info(mask)

    def _draw(self, mask: np.ndarray, targets: Sequence[Any] | None = None) -> np.ndarray:
        """New targets for some of the sub-environments, see :meth:`Task.draw`."""
        indices = np.flatnonzero(mask).tolist()
        given = [None if targets is None else targets[i] for i in indices]
        return self.task.draw([self._rngs[i] for i in indices], given)

    def _begin(self, mask: np.ndarray, targets: np.ndarray, handed_over: bool = False) -> None:
        """Start episodes with targets that :meth:`_draw` gave."""
        self.task.begin(np.flatnonzero(mask).tolist(), targets, handed_over)
        self._over = self._over & ~mask
        if self.render_mode == _COLLECTED:
            self._collect(mask, anew=True)
        if self._window is not None and mask[self._shown]:
            self._window.show(self.task.scene(self._shown))

    @eager
    def step(
        self, actions: Any
    ) -> tuple[dict[str, Any], Any, np.ndarray, np.ndarray, dict[str, Any]]:
        """Paint one stroke in each sub-environment.

        Returns:
            Batched observations, rewards float64 ``[B]``, terminations and truncations bool
            ``[B]``, and the information, ``[B]`` each with a mask ``_key`` as is Gymnasium's
            custom. With SAME_STEP, ``final_obs`` and ``final_info`` hold those of the episodes
            that ended.

        Raises what :meth:`PaintingEnv.step` does; ResetNeeded also if an episode has ended and is
        not reset automatically.
        """
        refuse("step")
        over, task, mode = self._over, self.task, self.autoreset_mode
        some_over = bool(over.any())  # NEXT_STEP: for these, this step only starts the next episode
        if not self._running or (some_over and mode is AutoresetMode.DISABLED):
            which = np.flatnonzero(over | (not self._running)).tolist()
            raise ResetNeeded(f"call reset() before step(): no episode runs in {which}")
        actions = task.check(actions)
        drawn = self._draw(over) if some_over else None  # before anything has changed
        watched = self._watched
        reward = self._paint(actions, ~over if some_over else None, self._shown)
        if self.render_mode == _COLLECTED:
            self._collect(~over)
        if drawn is not None:
            self._begin(over, drawn)
        terminated = task.ended() & ~over
        closed = watched and not self._watched  # which ends the episodes under way
        truncated = closed & ~terminated & ~over
        if self._limit is not None:
            truncated |= (task.stroke >= self._limit) & ~over
        self._over = ended = terminated | truncated
        if mode is AutoresetMode.SAME_STEP and ended.any():
            # Where all begin anew, arrays are handed over instead of copied.
            handed_over = bool(ended.all()) and not task.engine.as_tensor
            last, last_info = task.observe(copy=not handed_over), self._info(ended)
            final_obs = np.full(self.num_envs, None, object)
            for i in np.flatnonzero(ended).tolist():
                final_obs[i] = {key: value[i] for key, value in last.items()}
            self._begin(ended, self._draw(ended), handed_over)
            final: dict[str, Any] = {"final_obs": final_obs, "_final_obs": ended.copy()}
            final |= {"final_info": last_info, "_final_info": ended.copy()}
        else:
            final = {}
        info = self._info(np.ones(self.num_envs, bool)) | final
        observation = task.observe(self.copy)
        self._running = True
        return observation, reward, terminated, truncated, info

    @eager
    @np.errstate(under="ignore")
    def paint(self, canvas: Any, action: Any) -> Any:
        """Return canvases ``[B, C, H, W]`` with actions ``[B, A]`` on them, as ``PaintingEnv``."""
        return self.task.paint(canvas, action)

    def _info(self, mask: np.ndarray) -> dict[str, Any]:
        info: dict[str, Any] = {}
        for key, value in self.task.info().items():
            info[key], info[f"_{key}"] = value, mask.copy()
        return info

    def _collect(self, mask: np.ndarray, anew: bool = False) -> None:
        """Keep a frame of each of these sub-environments, as Gymnasium's RenderCollection does."""
        for i in np.flatnonzero(mask).tolist():
            before = [] if anew else self._frames[i]
            self._frames[i] = [*before, frame(self.task.scene(i))]

    @np.errstate(under="ignore")
    def render(self) -> tuple[Any, ...] | None:
        """Return for each sub-environment what ``render_mode`` says, None if that is no frames."""
        if not self._begun:
            raise ResetNeeded("there is nothing to render yet: call reset() first")
        if self.render_mode == _COLLECTED:
            frames, self._frames = self._frames, [[] for _ in range(self.num_envs)]
            return tuple(frames)
        if self.render_mode != "rgb_array":
            return None
        return tuple(frame(self.task.scene(i)) for i in range(self.num_envs))

    def close_extras(self, **kwargs: Any) -> None:
        """Close the window, if there is one."""
        if self._window is not None:
            self._window.close()
