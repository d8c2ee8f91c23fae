"""What is painted, with what, on what, for which reward, and what all trainings have in common."""

from __future__ import annotations

import dataclasses
import functools
import importlib
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym
import numpy as np

from strokenet_gym import load_program
from strokenet_gym.checks import whole
from strokenet_gym.files import user_path
from strokenet_gym.programs import Program, find_name
from strokenet_gym.targets import ImageFiles, Targets, channels_of, held_out, make_targets

__all__ = ["AgentRunArgs", "RunArgs", "Task", "check_positive", "check_seed"]


def check_positive(args: Any, *names: str) -> None:
    """Refuse arguments that are not positive; those that are None are let through."""
    for name in names:
        value = getattr(args, name)
        if value is not None and not value > 0:
            raise ValueError(f"--{name.replace('_', '-')} must be positive, got {value}")


def check_seed(args: Any) -> None:
    """Refuse a seed that not everything takes that is seeded by it."""
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
    task: str | None = None
    """module:name of a class that says what an episode is, if not the usual one."""
    modules: tuple[str, ...] = ()
    """Modules of your own to import first, whose data sets, brushes, rewards and agents enter
    themselves in the tables (with PYTHONPATH=. if they are in the working directory)."""

    def prepare(self, *positive: str) -> None:
        """Import the modules, and check the numbers, these among them.

        Raises:
            ValueError: if a module cannot be imported, or a number is out of its range.
        """
        for module in self.modules:
            try:
                importlib.import_module(module)
            except ImportError as error:
                raise ValueError(f"--modules {module} cannot be imported: {error}") from error
        check_positive(self, "canvas_size", "max_strokes", *positive)
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
        """A batch of environments of this task, with other arguments, or ones that replace its."""
        return gym.make_vec(env_id, num_envs=num_envs, **(self.arguments() | options))

    def arguments(self) -> dict[str, Any]:
        """The environments' arguments."""
        names = "canvas_size", "max_strokes", "brush", "reward", "task"
        values = {name: getattr(self, name) for name in names}
        values |= {"targets": self.source, "channels": self.num_channels}
        one = len(self.background) == 1
        return values | {"background": self.background[0] if one else self.background}

    def test_targets(
        self, split: str = "test", limit: int | None = None
    ) -> tuple[list[np.ndarray], np.ndarray | None]:
        """The images to score with, see :func:`strokenet_gym.targets.held_out`."""
        if limit is not None and limit < 1:
            raise ValueError(f"--limit must be at least 1, got {limit}")
        return held_out(self.targets, self.canvas_size, self.data_dir, split, limit)


@dataclasses.dataclass(kw_only=True)
class RunArgs:
    """What can be set for every training run."""

    out: Path | None = None
    """Folder of the run (runs/METHOD-TARGETS-SEED); one that has a checkpoint is resumed."""
    minutes: float = 15.0
    """Time budget, evaluations not counted."""
    updates: int | None = None
    """Budget in updates instead of minutes: what is learned then does not depend on the machine's
    speed."""
    seed: int = 0
    """Seed of weights, data and exploration."""
    clock: Literal["wall", "core"] = "wall"
    """Whose minutes: the wall's clock, or the processor time of all threads, of which nothing else
    on the machine takes any."""
    wandb: bool = False
    """Send what TensorBoard gets to Weights & Biases too (pip install wandb)."""


@dataclasses.dataclass(kw_only=True)
class AgentRunArgs(Task, RunArgs):
    """What can be set for every training run of an agent."""

    evaluate_every: float = 60.0
    """Seconds between evaluations (not counted as training); 0: only at the end."""
    evaluate_on: int = 200
    """Test targets of these evaluations."""
    score_limit: int | None = None
    """Test targets to score with at the end, and at most in evaluations, at random; by default
    all, and 1000 of sources without an end."""
    device: str = "cpu"
    """cpu or cuda."""

    def begin(self, method: str, *positive: str) -> None:
        """Check the arguments, these among the positive ones, and name the run's folder."""
        self.prepare("minutes", "updates", "score_limit", "evaluate_on", *positive)
        self.out = self.out or Path("runs") / f"{method}-{Path(self.targets).name}-{self.seed}"

    def check_shares(self, *names: str) -> None:
        """Refuse arguments that are not in 0 … 1."""
        for name in names:
            if not 0 <= getattr(self, name) <= 1:
                option = f"--{name.replace('_', '-')}"
                raise ValueError(f"{option} must be in 0 … 1, got {getattr(self, name)}")

    @functools.cached_property
    def held_out(self) -> list[np.ndarray]:
        """The targets of the evaluations."""
        return self.test_targets(limit=min(self.evaluate_on, self.score_limit or self.evaluate_on))[
            0
        ]
