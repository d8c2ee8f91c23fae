"""Episodes that are kept: wrappers that write each as a stroke log."""

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode

from strokenet_gym.checks import array_of
from strokenet_gym.files import add_file, user_path
from strokenet_gym.stroke_log import StrokeLog

__all__ = ["RecordStrokes", "VectorRecordStrokes", "episodes_of"]


class _Recorder:
    """Keeps the actions of one sub-environment and writes a log when the episode is over."""

    def __init__(self, episodes: Any, folder: str | os.PathLike, name: str) -> None:
        self.episodes, self._folder, self._name = episodes, user_path(folder), name
        self._number = 0
        self._seed: int | None = None
        self._episode = -1
        self._actions: list[np.ndarray] | None = None  # None: there is no episode

    def begin(self, seed: int | None = None) -> None:
        self.write()
        self._seed, self._episode = (self._seed, self._episode + 1) if seed is None else (seed, 0)
        self._actions = []

    def add(self, action: Any) -> None:
        """Keep a checked action, array or tensor."""
        if self._actions is not None:
            self._actions.append(np.array(array_of(action, "an action")))

    @property
    def log(self) -> StrokeLog | None:
        if self._actions is None:
            return None
        height, width = self.episodes.sides
        return StrokeLog(
            size=height if height == width else (height, width),
            background=tuple(self.episodes.background.tolist()),
            brush=self.episodes.engine.brush,
            target=self.episodes.source_name,
            seed=self._seed,
            episode=self._episode,
            strokes=[self.episodes.engine.stroke_of(action) for action in self._actions],
        )

    def write(self) -> None:
        log, self._actions = self.log, None  # whatever happens to it, the episode is over
        if log is not None and log.strokes:
            with add_file(self._names(), swept=self._number > 0) as new:
                log.write(new)

    def _names(self) -> Iterator[Path]:
        """Names for the log, from the first that may be free."""
        while True:
            path = self._folder / f"{self._name}-{self._number:05}.json"
            self._number += 1
            if not path.exists():  # an earlier session's, or another process'
                yield path


class RecordStrokes(gym.Wrapper, gym.utils.RecordConstructorArgs):
    """Writes each episode of a painting environment as a :class:`StrokeLog`.

    Files ``strokes-00000.json`` and so on, after those that exist: several processes may record
    into one folder. An episode that ``reset`` or ``close`` ends early is kept too. A learned
    generator's strokes replay on the real program. Put this wrapper next to the environment, inside
    those that change actions.

    Args:
        env: `Painting-v0`, or another of this package's that paints strokes.
        folder: where to write.
    """

    def __init__(self, env: gym.Env, folder: str | os.PathLike) -> None:
        gym.utils.RecordConstructorArgs.__init__(self, folder=os.fspath(folder))
        gym.Wrapper.__init__(self, env)
        self._recorder = _Recorder(episodes_of(env), folder, "strokes")

    @property
    def log(self) -> StrokeLog | None:
        """The strokes of the episode under way, or None."""
        return self._recorder.log

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Start an episode, and write the one before if it was not finished."""
        result = self.env.reset(seed=seed, options=copy.copy(options))
        self._recorder.begin(None if seed is None else self.env.unwrapped.np_random_seed)
        return result

    def step(self, action: Any) -> Any:
        """Paint a stroke and keep it."""
        result = self.env.step(action)
        self._recorder.add(self._recorder.episodes.check(action, single=True)[0])
        if result[2] or result[3]:
            self._recorder.write()
        return result

    def close(self) -> None:
        """Write the episode under way."""
        try:
            self._recorder.write()
        finally:
            super().close()


class VectorRecordStrokes(gym.vector.VectorWrapper):
    """:class:`RecordStrokes` for what ``gym.make_vec`` gave: files ``strokes-ENV-EPISODE.json``."""

    def __init__(self, env: gym.vector.VectorEnv, folder: str | os.PathLike) -> None:
        super().__init__(env)
        episodes = episodes_of(env)
        self._recorders = [
            _Recorder(episodes, folder, f"strokes-{i:03}") for i in range(env.num_envs)
        ]
        self._over = np.zeros(env.num_envs, bool)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> Any:
        """Start episodes, and write those before that were not finished."""
        # Wrappers of Gymnasium's take the mask out of the options that they are given.
        result = self.env.reset(seed=seed, options=copy.copy(options))
        mask = (options or {}).get("reset_mask")
        seeds: Any = self.env.unwrapped.np_random_seed
        for i in range(self.num_envs) if mask is None else np.flatnonzero(mask):
            seeded = seed is not None and (np.ndim(seed) == 0 or seed[i] is not None)
            self._recorders[i].begin(seeds[i] if seeded else None)
            self._over[i] = False
        return result

    def step(self, actions: Any) -> Any:
        """Paint strokes and keep them."""
        result = self.env.step(actions)
        checked = array_of(self._recorders[0].episodes.check(actions), "actions")
        for recorder, action, over in zip(self._recorders, checked, self._over, strict=True):
            if not over:
                recorder.add(action)
        # Of those that are over this step only started the next episode.
        ended, started = (result[2] | result[3]) & ~self._over, self._over
        mode = self.metadata["autoreset_mode"]
        if mode is AutoresetMode.SAME_STEP:
            started = ended
        elif mode is AutoresetMode.NEXT_STEP:
            self._over = ended.copy()
        try:
            _write_all(self._recorders[i] for i in np.flatnonzero(ended))
        finally:
            for i in np.flatnonzero(started):
                self._recorders[i].begin()
        return result

    def close(self, **kwargs: Any) -> None:
        """Write the episodes under way."""
        try:
            _write_all(self._recorders)
        finally:
            super().close(**kwargs)


def _write_all(recorders: Iterable[_Recorder]) -> None:
    """Write the episodes of all; one that fails does not keep the others from being written."""
    with contextlib.ExitStack() as writes:
        for recorder in reversed(list(recorders)):
            writes.callback(recorder.write)


def episodes_of(env: Any) -> Any:
    """The episodes of this package's environment, single or batched; ValueError for another's."""
    task = getattr(env.unwrapped, "task", None)
    if getattr(getattr(task, "engine", None), "program", None) is None:
        raise ValueError(f"expected one of this package's environments, got {env.unwrapped}")
    return task
