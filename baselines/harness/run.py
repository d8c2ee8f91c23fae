"""What every training needs: a budget, checkpoints, resuming, logs, a progress bar.

A run has a folder of its own, which holds, for whoever reads it (the benchmark, people):

=======================  ==========================================================================
checkpoint.safetensors   weights, optimisers, random states, time, settings: what a run goes on from
curve.jsonl              a line of JSON for each evaluation: ``seconds`` and ``step`` of training,
                         and what was measured; of agents ``residual_exact`` on 200 test targets and
                         ``strokes`` painted so far
events.*                 TensorBoard's
agent.safetensors        at the end: the weights (policy.safetensors, generator.safetensors)
scores.json              at the end, of agents: what ``scoring.score`` returns
samples.npz              at the end, of agents: ``target`` and ``canvas``, uint8 ``[12, C, H, W]``
.lock                    keeps other processes out
=======================  ==========================================================================

A new method is a module whose ``main`` leaves these behind, and a line in methods.py.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import torch
import torch.distributed
from safetensors import safe_open
from torch import nn
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from strokenet_gym.command import Interrupts
from strokenet_gym.extras import require
from strokenet_gym.files import user_path, write_text
from strokenet_gym.pretrained import write_weights

from .own_files import DAMAGES, damaged, read_lines
from .task import RunArgs, check_positive, check_seed

__all__ = ["Run", "lock", "read_curve"]

_CHECKPOINT = "checkpoint.safetensors"
_CURVE = "curve.jsonl"
_SAVE_EVERY = 60.0  # seconds
# Settings that a run may go on with other values of.
_FREE = {
    "out", "minutes", "updates", "device", "data_dir", "evaluate_every", "evaluate_on",
    "score_limit", "read", "wandb",
}  # fmt: skip


class Run:
    """A training run that may be stopped at any moment and goes on where it was.

    Iterate over it: each turn, an update, yields the fraction of the budget that is used up. A
    checkpoint (weights, optimiser, random states, time, step) is written every minute, at the end
    and on Ctrl-C or ``kill``; a folder that has one is resumed. Of several processes (torchrun)
    the first one writes, all take the same number of turns, and each has random numbers of its
    own.

    Args:
        args: the script's arguments, with ``out``, the folder of the run.
        model: its weights are kept.
        optimizers: their states are kept.

    Attributes:
        folder: the run's.
        rng: NumPy generator for the data, seeded by ``args.seed``; its state is kept.
        first: whether this process is the first (or only) one.
        step: turns (updates) so far.
        seconds: time spent in the loop so far, over all sessions.

    Raises:
        ValueError: if the budget is not positive, or if the folder holds a run with other
            settings or is in use by another process.
    """

    def __init__(self, args: RunArgs, model: nn.Module, *optimizers: torch.optim.Optimizer) -> None:
        check_positive(args, "minutes", "updates")
        check_seed(args)
        self.folder = user_path(args.out or "runs/run")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.minutes, self.updates = args.minutes, args.updates
        self._clock = {"wall": time.monotonic, "core": time.process_time}[args.clock]
        self.model, self.optimizers = model, optimizers
        self.rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
        self.first = self.rank == 0
        if self.first:  # one that was just told to stop may still be saving
            self._lock = lock(self.folder, wait=10.0)
        self.rng = np.random.default_rng(args.seed)
        self.step = 0
        self.seconds = 0.0
        self._free = 0.0  # seconds of this turn that do not count
        self._recorded = -1  # the step of the curve's last point
        values = dataclasses.asdict(args).items()
        self.settings = {name: str(value) for name, value in values if name not in _FREE}
        if (self.folder / _CHECKPOINT).exists():
            self._load()
        self._next = self.seconds  # when every() is true again
        if not self.first:
            self.rng = np.random.default_rng([args.seed, self.rank, self.step])
            return
        self._trim_curve()
        if args.wandb:
            self._mirror()
        self._writer = SummaryWriter(str(self.folder), purge_step=self.step or None)

    def _mirror(self) -> None:
        """Have Weights & Biases follow TensorBoard; a run that goes on there goes on here, too."""
        require("wandb")
        import wandb

        wandb.init(
            project="strokenet_gym", name=self.folder.name, id=self.folder.name, resume="allow",
            config=self.settings, sync_tensorboard=True, dir=str(self.folder),
        )  # fmt: skip

    def __iter__(self) -> Iterator[float]:
        return self.part(0.0, 1.0)

    def part(self, begin: float, end: float) -> Iterator[float]:
        """Turns in a part of the budget, such as 0.0 to 0.5; yields its used-up fraction."""
        saved = time.monotonic()
        with Interrupts() as interrupts:
            unit = "s" if self.updates is None else "updates"
            bar: dict[str, Any] = {} if self.first else {"disable": True}
            with tqdm(
                total=round(self._budget), initial=round(self._used), unit=unit, **bar
            ) as self._bar:
                while not self._over(end * self._budget, interrupts):
                    start, self._free = self._clock(), 0.0
                    yield (self._used / self._budget - begin) / (end - begin)
                    self.step += 1
                    self.seconds += self._clock() - start - self._free
                    self._bar.update(round(self._used) - self._bar.n)
                    if time.monotonic() - saved > _SAVE_EVERY:
                        self.save()
                        saved = time.monotonic()
            with interrupts.held():
                self.save()
        if interrupts.asked:
            if self.first:
                print(f"\nStopped; saved in {self.folder}. The same command goes on from here.")
            raise SystemExit(130)

    @property
    def _budget(self) -> float:
        """Updates, or seconds."""
        return 60 * self.minutes if self.updates is None else self.updates

    @property
    def _used(self) -> float:
        """As much of it as is used up."""
        return self.seconds if self.updates is None else self.step

    def _over(self, budget: float, interrupts: Interrupts) -> bool:
        """Whether to stop; several processes agree on it, and on the time."""
        if torch.distributed.is_initialized():
            state = torch.tensor([self.seconds, float(interrupts.asked > 0)], dtype=torch.float64)
            torch.distributed.all_reduce(state, torch.distributed.ReduceOp.MAX)
            self.seconds = state[0].item()
            interrupts.asked = max(interrupts.asked, int(state[1]))
        return self._used >= budget or interrupts.asked > 0

    def log(self, **values: float) -> None:
        """Write scalars to TensorBoard and the progress bar."""
        if not self.first:
            return
        for name, value in values.items():
            self._writer.add_scalar(name, value, self.step)
        self._bar.set_postfix({name: f"{value:.4g}" for name, value in values.items()})

    def log_images(self, name: str, images: torch.Tensor) -> None:
        """Write pictures ``[B, C, H, W]`` in 0 … 1 to TensorBoard."""
        if self.first:
            self._writer.add_images(name, images.detach().cpu(), self.step)

    def every(self, seconds: float) -> bool:
        """Whether so much of the budget has gone by since this was last true; never for 0.

        Sooner at the start, where curves are steep: a quarter of the time so far, or a second.
        """
        if seconds <= 0 or self.seconds < self._next:
            return False
        self._next = self.seconds + min(seconds, max(1.0, self.seconds / 4))
        return True

    @contextmanager
    def uncounted(self) -> Iterator[None]:
        """Work inside this context, such as an evaluation, does not use up the budget."""
        start = self._clock()
        yield
        self._free += self._clock() - start

    def record(self, **values: float) -> None:
        """Add a point to the learning curve: TensorBoard, and a line of JSON in curve.jsonl.

        Nothing, if it has one of this step: a finished run that is started again has.
        """
        if self.step == self._recorded:
            return
        self._recorded = self.step
        for name, value in values.items():
            self._writer.add_scalar(name, value, self.step)
        with open(self.folder / _CURVE, "a") as file:
            file.write(json.dumps({"seconds": self.seconds, "step": self.step, **values}) + "\n")

    def _trim_curve(self) -> None:
        """Forget points after the checkpoint: that stretch is done again."""
        if not (self.folder / _CURVE).exists():
            return
        points = [p for p in read_curve(self.folder) if p["step"] <= self.step and self.step > 0]
        text = "".join(json.dumps(point) + "\n" for point in points)
        write_text(self.folder / _CURVE, text)
        self._recorded = int(points[-1]["step"]) if points else -1

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        if not self.first:
            return
        # Clones, since a file must not hold a shared tensor twice.
        weights = self.model.state_dict()
        tensors = {f"model.{k}": v.clone().contiguous() for k, v in weights.items()}
        for number, optimizer in enumerate(self.optimizers):
            for index, state in optimizer.state_dict()["state"].items():
                key = f"optimizer.{number}.{index}"
                tensors |= {f"{key}.{k}": v.contiguous() for k, v in state.items()}
        tensors["random"] = torch.get_rng_state()
        metadata = {
            "settings": json.dumps(self.settings),
            "step": str(self.step),
            "seconds": repr(self.seconds),
            "rng": json.dumps(self.rng.bit_generator.state),
        }
        write_weights(self.folder / _CHECKPOINT, tensors, metadata)
        self._writer.flush()

    def _load(self) -> None:
        file = self.folder / _CHECKPOINT
        try:
            with safe_open(file, "pt") as checkpoint:
                metadata = checkpoint.metadata()
                tensors = {name: checkpoint.get_tensor(name) for name in checkpoint.keys()}  # noqa: SIM118
            settings = json.loads(metadata["settings"])
        except DAMAGES as error:
            raise damaged(file, error) from error
        if settings != self.settings:
            differ = sorted(
                k for k in settings | self.settings if settings.get(k) != self.settings.get(k)
            )
            raise ValueError(
                f"{self.folder} holds a run with other settings ({', '.join(differ)}): "
                "choose another --out, or delete it"
            )
        try:
            self._take(tensors, metadata)
        except DAMAGES as error:
            raise damaged(file, error) from error
        if self.first:
            minutes = self.seconds / 60
            print(f"Resuming {self.folder}: step {self.step}, {minutes:.1f} minutes done.")

    def _take(self, tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
        """Go on from a checkpoint."""
        self.model.load_state_dict(
            {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
        )
        for number, optimizer in enumerate(self.optimizers):
            state: dict[Any, dict[str, torch.Tensor]] = {}
            for name, value in tensors.items():
                if name.startswith(f"optimizer.{number}."):
                    _, _, index, key = name.split(".", 3)
                    state.setdefault(int(index), {})[key] = value
            weights = [one for group in optimizer.param_groups for one in group["params"]]
            for index, values in state.items():
                if any(v.dim() and v.shape != weights[index].shape for v in values.values()):
                    raise ValueError(f"optimizer.{number}.{index} is of other weights")
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": state, "param_groups": groups})
        torch.set_rng_state(tensors["random"])
        self.rng.bit_generator.state = json.loads(metadata["rng"])
        self.step, self.seconds = int(metadata["step"]), float(metadata["seconds"])
        if not (self.step >= 0 and 0 <= self.seconds < math.inf):
            raise ValueError(f"it says step {self.step} after {self.seconds} seconds")


def lock(folder: Path, wait: float = 0.0) -> filelock.BaseFileLock:
    """Keep other processes out of a folder, until the lock is released or this process ends.

    Raises:
        ValueError: if another still has it after that many seconds.
    """
    held = filelock.FileLock(folder / ".lock", timeout=wait)
    try:
        held.acquire()
    except filelock.Timeout as error:
        raise ValueError(f"{folder} is in use by another run: choose another --out") from error
    return held


def read_curve(folder: Path, *measured: str) -> list[dict[str, float]]:
    """The points of a run's learning curve: seconds, step, and what was measured.

    Raises:
        ValueError: if a line is damaged, or lacks what was to be measured.
    """
    return read_lines(folder / _CURVE, "seconds", "step", *measured)
