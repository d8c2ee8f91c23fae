"""The task: what is painted, with what, on what, and for which reward. Every script has it."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym
import numpy as np

from strokenet_gym import load_program
from strokenet_gym.programs import Program
from strokenet_gym.targets import ImageSet, Targets, channels_of, make_targets
from strokenet_gym.targets.images import ImageFolder, read_image

__all__ = ["Task"]


@dataclasses.dataclass(kw_only=True)
class Task:
    """A painting task; a script's arguments derive from it, so that all have the same options."""

    targets: str = "glyphs"
    """What to paint: glyphs, mnist, omniglot, quickdraw, kanjivg (or a selection such as
    quickdraw:cat,house), or the path of an image or folder."""
    data_dir: Path | None = None
    """Folder with the data sets; by default the environment variable STROKENET_DATA."""
    canvas_size: int = 128
    """Width and height of the canvas in pixels (the paper's is 256)."""
    max_strokes: int = 1
    """Strokes per picture."""
    channels: Literal[1, 3] | None = None
    """1 for grey, 3 for RGB; by default the targets' own."""
    brush: str = "pencil"
    """What paints: the name of a brush, the path of a JSON file with a brush's numbers, or
    module:name of a program."""
    background: tuple[float, ...] = (0.0,)
    """Intensity of the empty canvas in 0 … 1 (1 is white paper), or one for each channel."""
    reward: str = "l2"
    """Name of the reward, or module:function of one."""

    @classmethod
    def of(cls, values: dict[str, Any]) -> Task:
        """The task in a dictionary that may have more, or less, than a task's values."""
        names = [field.name for field in dataclasses.fields(Task)]
        task = cls(**{name: values[name] for name in names if name in values})
        return dataclasses.replace(task, background=tuple(np.atleast_1d(task.background).tolist()))

    @functools.cached_property
    def source(self) -> Targets:
        """Where targets for training come from."""
        return make_targets(self.targets, self.canvas_size, self.data_dir)

    @property
    def num_channels(self) -> int:
        """1 or 3."""
        return channels_of(self.source) if self.channels is None else self.channels

    @property
    def program(self) -> Program:
        """What paints."""
        return load_program(self.brush)

    def settings(self) -> dict[str, Any]:
        """What makes it this task, such that it fits in JSON: kept with what is trained for it.

        Folders are absolute; where the data sets are is not a part of it.
        """
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(Task)}
        del values["data_dir"]
        if Path(self.targets).exists():
            values["targets"] = str(Path(self.targets).resolve())
        return values | {"channels": self.num_channels, "background": list(self.background)}

    def make_vec(self, env_id: str, num_envs: int, **options: Any) -> Any:
        """A batch of environments of this task.

        Args:
            env_id: name of the environment.
            num_envs: how many.
            options: other arguments of the environment, or ones that replace the task's.
        """
        return gym.make_vec(env_id, num_envs=num_envs, **(self.arguments() | options))

    def arguments(self) -> dict[str, Any]:
        """The environments' arguments."""
        one = len(self.background) == 1
        return {
            "targets": self.source,
            "canvas_size": self.canvas_size,
            "max_strokes": self.max_strokes,
            "channels": self.num_channels,
            "brush": self.brush,
            "background": self.background[0] if one else self.background,
            "reward": self.reward,
        }

    def command_line(self) -> list[str]:
        """The options that give a script this task."""
        line = []
        for field in dataclasses.fields(Task):
            value = getattr(self, field.name)
            if value != field.default:
                entries = value if isinstance(value, tuple) else (value,)
                line += [f"--{field.name.replace('_', '-')}", *map(str, entries)]
        return line

    def test_targets(
        self, split: str = "test", limit: int | None = None
    ) -> tuple[list[np.ndarray], np.ndarray | None]:
        """The images to score with, and their labels if there are any.

        Args:
            split: "test" or "train". Glyphs are endless; test glyphs have seeds of their own.
            limit: only so many, at random; of sources without an end 1000 by default.
        """
        if limit is not None and limit < 1:
            raise ValueError(f"--limit must be at least 1, got {limit}")
        try:
            source = make_targets(self.targets, self.canvas_size, self.data_dir, split)
        except ValueError:
            name, selection, _ = self.targets.partition(":")
            if not selection:
                raise
            # Some sets are split by label: then all test items stand for the selected ones.
            source = make_targets(name, self.canvas_size, self.data_dir, split)
        if isinstance(source, ImageSet):
            # In random order, since the sets are sorted.
            chosen = np.random.default_rng(0).permutation(len(source))[:limit]
            return [source[int(i)] for i in chosen], source.labels[chosen]
        if isinstance(source, ImageFolder):
            return [read_image(file) for file in source.files[:limit]], None
        rng = np.random.default_rng({"train": 0, "test": 10**6}[split])
        return [source.sample(rng) for _ in range(limit or 1000)], None
