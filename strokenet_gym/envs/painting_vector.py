"""The batch of Painting-v0: what ``gym.make_vec`` gives."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.utils.seeding import np_random
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from strokenet_gym.checks import array_of, flag, whole
from strokenet_gym.display import Window, frame, usable_modes
from strokenet_gym.envs.arguments import (
    PortableSpec,
    check_count,
    check_options,
    check_render_mode,
    check_seed,
)
from strokenet_gym.envs.episodes import Episodes
from strokenet_gym.envs.painting import VIDEO_FPS
from strokenet_gym.envs.rewards import Reward
from strokenet_gym.programs import Program, load_program
from strokenet_gym.programs.transforms import refuse_again

__all__ = ["PaintingVectorEnv"]

_COLLECTED = "rgb_array_list"  # the render mode that gym.make adds to "rgb_array"


class PaintingVectorEnv(PortableSpec, gym.vector.VectorEnv):
    """A batch of painting environments that paint in one call, large batches on all cores.

    Each sub-environment behaves as a :class:`PaintingEnv` that was seeded with its own seed.

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
        "render_modes": ["rgb_array", "human"],
        "render_fps": VIDEO_FPS,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    known_options: ClassVar[tuple[str, ...]] = ("target", "reset_mask")

    _own_space: gym.Space | None = None

    def __init__(
        self,
        num_envs: int = 1,
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
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        shown: int = 0,
        copy: bool = True,
        max_episode_steps: int | None = None,
        disable_env_checker: bool | None = None,
    ) -> None:
        episodes = Episodes(
            num_envs,
            load_program(brush),
            targets=targets,
            data_dir=data_dir,
            canvas_size=canvas_size,
            channels=channels,
            max_strokes=max_strokes,
            background=background,
            reward=reward,
        )
        how = render_mode, stroke_seconds, autoreset_mode, shown, copy, max_episode_steps
        self._open(episodes, *how)

    def _open(
        self,
        episodes: Episodes,
        render_mode: str | None,
        stroke_seconds: float,
        autoreset_mode: AutoresetMode | str,
        shown: int,
        copy: bool,
        limit: int | None,
    ) -> None:
        modes = self.metadata["render_modes"]
        self.render_mode = check_render_mode(render_mode, [*modes, _COLLECTED])
        self._frames: list[list[np.ndarray]] = [[] for _ in range(episodes.num_envs)]
        self.copy = flag(copy, "copy")
        free = limit is None or (isinstance(limit, (int, np.integer)) and limit == -1)
        self._limit = None if free else whole(limit, "max_episode_steps", 1, 2**62)
        modes = usable_modes(modes, render_mode)
        mode = self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**self.metadata, "render_modes": modes, "autoreset_mode": mode}
        self._episodes = episodes
        self.num_envs = episodes.num_envs
        self.single_action_space = episodes.action_space
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._batch: tuple[gym.Space, gym.Space] | None = None  # of one, and of all
        self._rngs: dict[int, np.random.Generator] = {}
        self._seeds: dict[int, int] = {}
        self._begun = np.zeros(self.num_envs, bool)
        self._truncated = np.zeros(
            self.num_envs, bool
        )  # when the window was closed, or after the most steps
        self._shown = whole(shown, "shown", 0, self.num_envs - 1)
        self._window: Window | None = None
        if render_mode == "human":
            title = f"{episodes.source_name}, {type(self).__name__} {shown} of {self.num_envs}"
            self._window = Window(title, stroke_seconds)

    @property
    def single_observation_space(self) -> gym.Space:  # type: ignore[override]
        """What a sub-environment observes; of floats, if tensors are asked for.

        A subclass that observes something else sets its own.
        """
        own = self._own_space
        return self._episodes.observation_space if own is None else own

    @single_observation_space.setter
    def single_observation_space(self, space: gym.Space) -> None:
        self._own_space = space

    @property
    def observation_space(self) -> gym.Space:  # type: ignore[override]
        """A batch of these, or what a subclass sets."""
        space = self.single_observation_space
        if self._batch is None or self._batch[0] is not space:
            self._batch = space, batch_space(space, self.num_envs)
        return self._batch[1]

    @observation_space.setter
    def observation_space(self, space: gym.Space) -> None:
        self._batch = self.single_observation_space, space

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

    @np.errstate(under="ignore")
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
            TypeError: if the options are not a dictionary.
        """
        options = check_options(options, self.known_options)
        if isinstance(seed, (list, tuple)) or getattr(seed, "ndim", 0) > 0:
            seeds = [check_seed(one) for one in seed]  # type: ignore[union-attr]
        else:
            first = check_seed(seed)
            seeds = [None if first is None else first + i for i in range(self.num_envs)]
        targets = options.get("target")
        targets = [None] * self.num_envs if targets is None else targets
        mask = options.get("reset_mask")
        mask = np.ones(self.num_envs, bool) if mask is None else mask
        mask = np.atleast_1d(array_of(mask, "reset_mask"))
        for name, entries in (("seeds", seeds), ("targets", targets), ("reset_mask", mask)):
            check_count(entries, name, self.num_envs)
        if mask.dtype != bool or mask.ndim != 1 or not mask.any():
            raise ValueError("reset_mask must be a bool array with at least one True")
        if not (self._begun | mask).all():
            raise ResetNeeded("the first reset() must be without a reset_mask")
        self._seed(np.flatnonzero(mask).tolist(), seeds)
        drawn = self._draw(mask, targets)
        if "as_tensor" in options:
            self._episodes.as_tensor = flag(options["as_tensor"], "as_tensor")
        self._begin(mask, drawn)
        return self._episodes.observe(self.copy), self._info(mask)

    def _draw(self, mask: np.ndarray, targets: Sequence[Any] | None = None) -> np.ndarray:
        """New targets for some of the sub-environments, see :meth:`Episodes.draw`."""
        indices = np.flatnonzero(mask).tolist()
        given = [None if targets is None else targets[i] for i in indices]
        return self._episodes.draw([self._rngs[i] for i in indices], given)

    def _begin(self, mask: np.ndarray, targets: np.ndarray, handed_over: bool = False) -> None:
        """Start episodes with targets that :meth:`_draw` gave."""
        self._begun &= ~mask  # unless all goes well
        self._episodes.begin(np.flatnonzero(mask).tolist(), targets, handed_over)
        self._begun |= mask
        self._truncated = self._truncated & ~mask
        if self.render_mode == _COLLECTED:
            self._collect(mask, anew=True)
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
        refuse_again("step")
        over = self._episodes.finished | self._truncated
        if not self._begun.all() or (self.autoreset_mode is AutoresetMode.DISABLED and over.any()):
            which = np.flatnonzero(~self._begun | over).tolist()
            raise ResetNeeded(f"call reset() before step(): no episode runs in {which}")
        some_over = bool(over.any())  # NEXT_STEP: for these, this step only starts the next episode
        actions = self._episodes.check(actions)
        window = self._window if self._window is not None and not self._window.closed else None
        before = None if window is None else self._episodes.float_canvas(self._shown)
        drawn = self._draw(over) if some_over else None  # before anything has changed
        reward = self._episodes.step(actions, ~over if some_over else None)
        if window is not None and before is not None and not over[self._shown]:
            stroke = self._episodes.stroke_of(actions[self._shown])
            scene = self._episodes.scene(self._shown, stroke)
            window.animate(before, scene, self._episodes.brush, self._episodes.background)
        if self.render_mode == _COLLECTED:
            self._collect(~over)
        if drawn is not None:
            self._begin(over, drawn)
        terminated = self._episodes.finished & ~over
        everywhere = np.ones(self.num_envs, bool)
        closed = window is not None and window.closed  # which ends the episodes under way
        truncated = closed & ~terminated & ~over
        if self._limit is not None:
            truncated |= (self._episodes.stroke >= self._limit) & ~over
        self._truncated = truncated.copy()  # the other is the user's
        ended = terminated | truncated
        if self.autoreset_mode is not AutoresetMode.SAME_STEP or not ended.any():
            info = self._info(everywhere)
            return self._episodes.observe(self.copy), reward, terminated, truncated, info

        # Where all begin anew, arrays are handed over instead of copied.
        handed_over = bool(ended.all()) and not self._episodes.as_tensor
        last, last_info = self._episodes.observe(copy=not handed_over), self._info(ended)
        final_obs = np.full(self.num_envs, None, object)
        for i in np.flatnonzero(ended).tolist():
            final_obs[i] = {key: value[i] for key, value in last.items()}
        self._begin(ended, self._draw(ended), handed_over)
        info = self._info(everywhere)
        info |= {"final_obs": final_obs, "_final_obs": ended.copy()}
        info |= {"final_info": last_info, "_final_info": ended.copy()}
        return self._episodes.observe(self.copy), reward, terminated, truncated, info

    @np.errstate(under="ignore")
    def paint(self, canvas: Any, action: Any) -> Any:
        """Return the canvases with one stroke painted on each: a pure function.

        Args:
            canvas: ``[B, C, H, W]`` in 0 … 1.
            action: ``[B, A]``.

        Returns:
            The new canvases, float32 ``[B, C, H, W]``; tensors if one of the arguments is one and
            the environment has gradients.
        """
        return self._episodes.paint(canvas, action)

    def _info(self, mask: np.ndarray) -> dict[str, Any]:
        info: dict[str, Any] = {}
        for key, value in self._episodes.info().items():
            info[key], info[f"_{key}"] = value, mask.copy()
        return info

    def _collect(self, mask: np.ndarray, anew: bool = False) -> None:
        """Keep a frame of each of these sub-environments, as Gymnasium's RenderCollection does."""
        for i in np.flatnonzero(mask).tolist():
            before = [] if anew else self._frames[i]
            self._frames[i] = [*before, frame(self._episodes.scene(i))]

    @np.errstate(under="ignore")
    def render(self) -> tuple[Any, ...] | None:
        """Return for each sub-environment what ``render_mode`` says, None if that is no frames.

        Raises:
            ResetNeeded: before the first ``reset``.
        """
        if not self._begun.all():
            raise ResetNeeded("there is nothing to render yet: call reset() first")
        if self.render_mode == _COLLECTED:
            frames, self._frames = self._frames, [[] for _ in range(self.num_envs)]
            return tuple(frames)
        if self.render_mode != "rgb_array":
            return None
        return tuple(frame(self._episodes.scene(i)) for i in range(self.num_envs))

    def close_extras(self, **kwargs: Any) -> None:
        """Close the window, if there is one."""
        if self._window is not None:
            self._window.close()
