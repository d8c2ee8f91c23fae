"""The task: what is painted, with what, on what, and for which reward. Every script has it."""

from __future__ import annotations

import dataclasses
import functools
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import gymnasium as gym
import numpy as np
import tyro

from strokenet_gym import load_program
from strokenet_gym.checks import whole
from strokenet_gym.files import user_path
from strokenet_gym.programs import Program, find_name
from strokenet_gym.targets import ImageFiles, ImageSet, Targets, channels_of, make_targets

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Task", "check_positive", "check_seed"]


def check_positive(args: Any, *names: str) -> None:
    """Refuse arguments that are not positive; those that are None are let through.

    Raises:
        ValueError: if one is not.
    """
    for name in names:
        value = getattr(args, name)
        if value is not None and not value > 0:
            raise ValueError(f"--{name.replace('_', '-')} must be positive, got {value}")


def check_seed(args: Any) -> None:
    """Refuse a seed that not everything takes that is seeded by it.

    Raises:
        ValueError: if it is not from 0 to 4294967295.
    """
    whole(args.seed, "--seed", 0, 2**32 - 1)


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
    modules: tuple[str, ...] = ()
    """Modules of your own to import first, whose data sets, brushes, rewards and agents enter
    themselves in the tables (with PYTHONPATH=. if they are in the working directory)."""

    @classmethod
    def from_command_line(cls) -> Self:
        """The script's arguments, its ``modules`` imported.

        Raises:
            ValueError: if a module cannot be imported, or a number is not positive.
        """
        args = tyro.cli(cls)
        args.prepare()
        return args

    def prepare(self) -> None:
        """Import the modules, and look at the numbers."""
        for module in self.modules:
            try:
                importlib.import_module(module)
            except ImportError as error:
                raise ValueError(f"--modules {module} cannot be imported: {error}") from error
        check_positive(self, "canvas_size", "max_strokes")
        if hasattr(self, "seed"):
            check_seed(self)

    @classmethod
    def of(cls, values: dict[str, Any]) -> Task:
        """The task in a dictionary that may have more, or less, than a task's values."""
        names = {field.name for field in dataclasses.fields(Task)}
        known = {name: value for name, value in values.items() if name in names}
        if "background" in known:
            known["background"] = tuple(np.atleast_1d(known["background"]).tolist())
        return cls(**known)

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

        Pictures are by their absolute path, brushes from a file by their numbers; where the data
        sets are is not a part of it.
        """
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(Task)}
        del values["data_dir"], values["modules"]
        if isinstance(self.source, ImageFiles):
            values["targets"] = str(user_path(self.targets).resolve())
        if str(self.brush).endswith(".json"):
            values["brush"] = find_name(self.program)
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
        if isinstance(source, (ImageSet, ImageFiles)):
            # In random order, since they are sorted.
            chosen = np.random.default_rng(0).permutation(len(source))[:limit].tolist()
            if isinstance(source, ImageFiles):
                return [source[i] for i in chosen], None
            return [source[i] for i in chosen], source.labels[chosen]
        rng = np.random.default_rng({"train": 0, "test": 10**6}[split])
        return [source.sample(rng) for _ in range(limit or 1000)], None
