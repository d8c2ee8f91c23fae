"""Run the benchmark: methods on the suite's tasks for equal time, and draw its page.

    strokenet-gym benchmark                                        # small: 15 minutes on two cores
    strokenet-gym benchmark --budget full --data-dir DIR
    strokenet-gym benchmark --tasks Painting/Glyphs4-v0 --methods ppo apg --seeds 3
    strokenet-gym benchmark report runs/benchmark-full theirs.json

A run has one core and a folder of its own, and runs are done in parallel. Interrupted or killed,
the same command goes on. Whoever has a Ray cluster adds ``--cluster ray``; its machines need a
common folder. A task is a registered environment: one of the suite's, or your own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import cv2
import gymnasium as gym
import joblib
import numba
import torch
from gymnasium.error import Error
from tqdm import tqdm

from strokenet_gym import Brush, PlannerAgent, __version__
from strokenet_gym.command import Interrupts, run_command
from strokenet_gym.extras import require
from strokenet_gym.files import user_path, write_text
from strokenet_gym.programs.learned import twin_of
from strokenet_gym.suite import SUITE

from .benchmark_report import write_page
from .harness.fitting import fit
from .harness.own_files import keep_settings
from .harness.run import lock
from .harness.scoreboard import REFERENCE, SETTINGS, collect
from .harness.scoring import SCORES, random_policy, rollout
from .harness.task import Task, check_positive
from .methods import METHODS

# Seconds of each run, seeds, and test targets that the planner paints.
LOG = "log.txt"
BUDGETS = {"small": (15.0, 1, 20), "full": (120.0, 5, 100)}


@dataclasses.dataclass(kw_only=True)
class Args:
    """Train methods on the benchmark's tasks, score them, and draw the page of what came out."""

    tasks: tuple[str, ...] = ()
    """Ids of environments; by default the suite's, as far as their needs are there."""
    methods: tuple[str, ...] = ()
    """ppo, sac, apg, shac, exact, neural, or yours; by default all."""
    seeds: int | None = None
    """Runs of a method on a task; by default 1 of the small budget, 5 of the full one."""
    budget: Literal["small", "full"] = "small"
    """Time of a run: small, 15 seconds, to see that all works; full, 2 minutes, to cite."""
    updates: int | None = None
    """Updates of a run instead of a time: scores then do not depend on the machine's speed."""
    jobs: int | None = None
    """Runs at a time, a core each; by default as many as there are cores."""
    cluster: Literal["ray"] | None = None
    """Send runs to a Ray cluster: that of RAY_ADDRESS, or one on this machine."""
    out: Path | None = None
    """Output folder (runs/benchmark-BUDGET); one that is half done is gone on with."""
    data_dir: Path | None = None
    """Folder with the data sets; by default the environment variable STROKENET_DATA."""
    modules: tuple[str, ...] = ()
    """Modules of your own to import first, which register environments or enter methods."""
    score_limit: int | None = None
    """Test targets to score with; by default 1000."""


@dataclasses.dataclass(frozen=True)
class Job:
    """A run, or what a task is compared with; it can be sent to another process.

    Attributes:
        env_id: the task's name.
        task: what is painted.
        folder: of the run.
        method: its name; None: blank, random and the planner.
        options: arguments of its training.
    """

    env_id: str
    task: Task
    folder: Path
    method: str | None
    options: dict[str, Any]
    stopped: ClassVar[bool] = False  # whether a job of this process was interrupted

    def __call__(self) -> None:
        """Do it, or go on with it, on one core; what it prints, and its error, go to log.txt.

        Ctrl-C in a terminal reaches all processes: each saves what it has.
        """
        end_with(os.getppid())
        self.folder.mkdir(parents=True, exist_ok=True)
        torch.set_num_threads(1)
        numba.set_num_threads(1)
        cv2.setNumThreads(1)
        self.task.prepare()
        with (
            (self.folder / LOG).open("a") as log,
            contextlib.redirect_stdout(log),
            contextlib.redirect_stderr(log),
        ):
            try:
                if self.method is None:
                    found = {"env_id": self.env_id, "max_strokes": self.task.max_strokes}
                    found |= references(self.task, self.options)
                    write_text(self.file, json.dumps(found) + "\n")
                else:
                    METHODS[self.method].train(self.task, self.folder, **self.options)
            except (KeyboardInterrupt, SystemExit):
                Job.stopped = True
            except Exception:
                traceback.print_exc()

    @property
    def file(self) -> Path:
        """What there is when it is done."""
        return self.folder / (REFERENCE if self.method is None else SCORES)


def end_with(parent: int) -> None:
    """End this process soon after that one, its parent, is gone: it would keep a run's lock."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def references(task: Task, options: dict[str, Any]) -> dict[str, float]:
    """The residuals of a random agent and of the planner on a task's test targets.

    The planner takes the time that it needs for each target. With a brush that is not of its kind,
    strokes are fitted through the program's gradient, or through its network's and painted by the
    program; if there is neither, the planner has no entry.
    """
    targets, _ = task.test_targets(limit=options["score_limit"])
    policy: Any
    if isinstance(task.program, Brush):
        policy = PlannerAgent(task.program, task.max_strokes).act
    elif task.program.gradient == "exact":
        policy = fit(task, targets, "DifferentiablePainting-v0")
    elif twin_of(task.program) is not None:
        policy = fit(task, targets, "NeuralPainting-v0", device="cpu")
    else:
        policy = None
    results = {"random": random_policy(), "planner": policy}
    return {
        name: float(rollout(task, one, targets)["residual"].mean())
        for name, one in results.items()
        if one is not None
    }


def task_of(env_id: str, data_dir: Path | None, modules: tuple[str, ...] = ()) -> Task:
    """The task that an environment of this package is registered with.

    Raises:
        ValueError: if there is no such environment, or it is no painting task.
    """
    try:
        spec = gym.spec(env_id)
    except Error as error:
        raise ValueError(f"--tasks {env_id}: {error}") from None
    if spec.entry_point != "strokenet_gym.envs:PaintingEnv":
        raise ValueError(f"--tasks {env_id} is no environment of PaintingEnv")
    if not isinstance(spec.kwargs.get("canvas_size", 128), int):
        raise ValueError(f"--tasks {env_id}: the canvas of a task must be square")
    task = Task.of(spec.kwargs)
    task.data_dir, task.modules = data_dir, modules
    return task


def allowed(task: Task) -> list[str]:
    """The methods that a task is for."""
    exact, twin = task.program.gradient == "exact", twin_of(task.program) is not None
    has = {"twin": twin, "exact": exact, "gradient": twin or exact, None: True}
    return [
        name
        for name, method in METHODS.items()
        if has[method.needs] and task.max_strokes >= method.min_strokes
    ]


def plan(args: Args, out: Path) -> Iterator[Job]:
    """All there is to do: seed after seed, so that what is there early is of all tasks."""
    seconds, seeds, planned = BUDGETS[args.budget]
    unknown = set(args.methods) - set(METHODS)
    if unknown:
        raise ValueError(f"--methods must be of {', '.join(METHODS)}, got {', '.join(unknown)}")
    tasks: dict[str, Task] = {}
    for env_id in args.tasks or SUITE:
        task = task_of(env_id, args.data_dir, args.modules)
        try:
            task.make_vec("Painting-v0", 1).close()
        except (OSError, Error) as error:  # files or a library are missing
            if args.tasks:
                raise
            print(f"Left out: {env_id}: {error}")
        else:
            tasks[env_id] = task
    suited = {env_id: allowed(task) for env_id, task in tasks.items()}
    for name in args.methods:
        if not any(name in names for names in suited.values()):
            raise ValueError(f"--methods {name} suits none of the tasks {', '.join(tasks)}")
    limit = args.score_limit or 1000
    place = {env_id: out / env_id.replace("/", "-") for env_id in tasks}
    for env_id, task in tasks.items():
        yield Job(env_id, task, place[env_id], None, {"score_limit": min(planned, limit)})
    options = {"minutes": seconds / 60, "updates": args.updates, "clock": "core"}
    options |= {"score_limit": limit, "evaluate_every": seconds / 6, "evaluate_on": 100}
    for seed in range(args.seeds or seeds):
        for env_id, task in tasks.items():
            for name in suited[env_id]:
                if name in (args.methods or METHODS):
                    folder = place[env_id] / f"{name}-{seed}"
                    yield Job(env_id, task, folder, name, options | {"seed": seed})


@contextlib.contextmanager
def workers(args: Args) -> Iterator[Callable[..., Any]]:
    """Something that does jobs in parallel, one core each, in their order."""
    quiet, before = {"TQDM_DISABLE": "1"}, dict(os.environ)
    os.environ |= quiet
    jobs = args.jobs or joblib.cpu_count()
    if args.cluster == "ray":
        require("ray")
        import ray
        from ray.util.joblib import register_ray

        local = {} if "RAY_ADDRESS" in os.environ else {"num_cpus": jobs}
        ray.init(runtime_env={"env_vars": quiet}, log_to_driver=False, **local)
        register_ray()
    try:
        with joblib.parallel_config(args.cluster or "loky", n_jobs=jobs):
            yield joblib.Parallel(pre_dispatch="n_jobs", batch_size=1)
    finally:
        if args.cluster == "ray":
            ray.shutdown()
        for name in set(os.environ) - set(before):
            del os.environ[name]


def main(args: Args) -> None:
    check_positive(args, "seeds", "updates", "jobs", "score_limit")
    Task(modules=args.modules).prepare()
    out = user_path(args.out or Path("runs") / f"benchmark-{args.budget}")
    out.mkdir(parents=True, exist_ok=True)
    with lock(out):
        about = {name: getattr(args, name) for name in ("budget", "updates", "score_limit")}
        about |= {"version": __version__, "methods": {k: m.options for k, m in METHODS.items()}}
        keep_settings(out / SETTINGS, "a benchmark", about)
        jobs = [job for job in plan(args, out) if not job.file.exists()]
        with Interrupts() as interrupts, workers(args) as parallel, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # joblib's, of what Ctrl-C cancels
            parallel(
                joblib.delayed(job)()
                for job in tqdm(jobs, unit="run", desc="started")
                if not (interrupts.asked or Job.stopped)
            )
        if interrupts.asked or Job.stopped:
            print(f"\nStopped; kept in {out}. The same command goes on from here.")
            raise SystemExit(130)
        failed = [str(job.folder / LOG) for job in jobs if not job.file.exists()]
        if failed:
            raise ValueError(
                f"{len(failed)} of {len(jobs)} runs failed, and the same command tries them again; "
                f"why is in {', '.join(failed)}"
            )
        write_page(collect([out]), out)
    print((out / "report.md").read_text())
    print(f"Wrote report.md, report.json, scoreboard.json and pictures to {out}")


if __name__ == "__main__":
    run_command(main)
