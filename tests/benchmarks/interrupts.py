"""Ctrl-C at random moments, in new processes and in those at work: the next call is right.

A process that Ctrl-C hit, and that goes on, as notebooks do, must paint what one paints that
nothing hit, bit for bit. In its first second packages are imported and kernels loaded.

make soak, or `python tests/benchmarks/interrupts.py --fresh 30 --warm 100`.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LONGEST = 120.0  # seconds that a process may take


@dataclasses.dataclass
class Args:
    """Interrupt, and look whether the next call is right."""

    fresh: int = 300
    """Interrupts in the first second of a process, one each."""
    warm: int = 1000
    """Interrupts of processes at work."""
    seed: int = 0
    """Of the moments."""
    only: tuple[str, ...] = ()
    """Kinds of work; all by default."""


# The work: each gives what must be the same every time. Nothing is imported before it begins, and
# strokenet_gym first, which imports the others whole.
# ruff: noqa: I001


def steps() -> Any:
    """A batch of episodes in one environment, which goes on after an interrupt."""
    import strokenet_gym  # noqa: F401
    import gymnasium as gym
    import numpy as np

    envs = kept("envs", lambda: gym.make_vec(
        "Painting-v0", num_envs=20, canvas_size=64, max_strokes=4, channels=3
    ))  # fmt: skip
    observation, _ = envs.reset(seed=3)
    actions = np.random.default_rng(0).uniform(-1, 1, (4, 20, 52)).astype(np.float32)
    rewards = [envs.step(action)[1] for action in actions[:3]]
    return observation["target"], rewards, envs.unwrapped.task.engine.canvas


def sequences() -> Any:
    """Many strokes, and their gradient."""
    import strokenet_gym
    import numpy as np

    rng = np.random.default_rng(0)
    canvas, actions = rng.random((2, 1, 96, 96), np.float32), rng.uniform(-1, 1, (2, 30, 50))
    painted, back = strokenet_gym.paint_sequence_vjp(canvas, actions, "chalk")
    return painted, *back(painted)


def tensors() -> Any:
    """Gradients of an episode in torch."""
    import strokenet_gym  # noqa: F401
    import gymnasium as gym

    env = kept("env", lambda: gym.make(
        "DifferentiablePainting-v0", canvas_size=64, max_strokes=4
    ))  # fmt: skip
    import torch

    torch.manual_seed(0)
    env.reset(seed=0)
    actions = torch.rand(4, 50).requires_grad_()
    sum(env.step(action)[1] for action in actions).backward()
    return env.unwrapped.task.engine.host(env.unwrapped.task.engine.canvas), actions.grad.numpy()


def plans() -> Any:
    """A picture that is planned from the beginning."""
    import strokenet_gym
    import numpy as np

    image = np.random.default_rng(0).random((32, 32, 3), np.float32)
    style = strokenet_gym.Style(strokenet_gym.BRUSHES["marker"], iterations=1, finish=4)
    log = strokenet_gym.paint_picture(image, 6, style)
    return log.replay(), [list(stroke) for stroke in log.strokes]


def exports() -> Any:
    """Files of a log."""
    import strokenet_gym
    import numpy as np

    log = strokenet_gym.StrokeLog(64, (0.0,), strokenet_gym.BRUSHES["pencil"])
    actions = np.random.default_rng(0).uniform(-1, 1, (5, 50))
    log.strokes = [strokenet_gym.unpack(action, 1) for action in actions]
    contents = []
    for suffix in ("png", "svg", "csv", "json"):
        file = Path(sys.argv[2]) / f"a.{suffix}"
        strokenet_gym.export(log, file, 128)
        contents.append(file.read_bytes())
    return contents


def charcoal() -> Any:
    """A brush of libmypaint, if that is installed."""
    import strokenet_gym
    import numpy as np
    from gymnasium.error import DependencyNotInstalled

    actions = np.random.default_rng(0).uniform(-1, 1, (4, 50))
    stroke = strokenet_gym.unpack(actions, 1)
    try:
        brush = strokenet_gym.load_program("mypaint:classic/charcoal")
    except DependencyNotInstalled:
        return "not installed"
    return brush.paint(np.zeros((4, 1, 64, 64), np.float32), stroke)


WORK: dict[str, Callable[[], Any]] = {
    work.__name__: work for work in (steps, sequences, tensors, plans, exports, charcoal)
}
_kept: dict[str, Any] = {}


def kept(name: str, make: Callable[[], Any]) -> Any:
    if name not in _kept:
        _kept[name] = make()
    return _kept[name]


def digest(result: Any) -> str:
    """A few characters that stand for all the bits of a result."""
    found = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, (list, tuple)):
            for one in value:
                add(one)
        elif isinstance(value, (bytes, str)):
            found.update(value if isinstance(value, bytes) else value.encode())
        else:
            import numpy as np

            found.update(np.ascontiguousarray(value).tobytes())

    add(result)
    return found.hexdigest()[:16]


def child(name: str, rounds: int) -> None:
    """Work until a Ctrl-C comes, and then once more; a line for each that has come."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for _ in range(rounds):
        hit = False
        try:
            print("begin", flush=True)
            while True:
                WORK[name]()
        except KeyboardInterrupt:
            hit = True
        assert hit
        try:
            print(digest(WORK[name]()), flush=True)
        except Exception as error:
            print(f"{type(error).__name__}: {error}".replace("\n", " ")[:300], flush=True)


def expected(name: str, folder: str) -> tuple[str, float]:
    """What the work gives, and how long it takes a new process."""
    start = time.monotonic()
    code = f"import interrupts; print(interrupts.digest(interrupts.WORK[{name!r}]()))"
    done = run(["-c", code, name, folder])
    found, error = done.communicate(timeout=10 * LONGEST)
    if done.returncode != 0:
        raise SystemExit(f"{name}: {error[-2000:]}")
    return found.split()[-1], time.monotonic() - start


def run(command: list[str]) -> subprocess.Popen[str]:
    variables = os.environ | {"NUMBA_NUM_THREADS": "2"}
    return subprocess.Popen(
        [sys.executable, "-X", "faulthandler", *command], cwd=Path(__file__).parent, text=True,
        env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def interrupt(name: str, folder: str, rounds: int, longest: float, rng: random.Random) -> list[str]:
    """Start a process, interrupt it so often, and return what it gave each time after that."""
    code = f"import interrupts; interrupts.child({name!r}, {rounds})"
    process, found = run(["-c", code, name, folder]), []
    assert process.stdout is not None
    while process.stdout.readline().strip() == "begin":
        time.sleep(rng.uniform(0, longest))
        process.send_signal(signal.SIGINT)
        found.append(process.stdout.readline().strip() or "nothing")
    _, error = process.communicate(timeout=LONGEST)
    if len(found) < rounds or "nothing" in found:
        said = " ".join(error.split())[-600:]
        found[-1:] = [f"it ended with {process.returncode}: {said}"]
    return found


def main(args: Args) -> None:
    from tqdm import tqdm

    rng, kinds = random.Random(args.seed), args.only or tuple(WORK)
    wrong: collections.Counter[str] = collections.Counter()
    counts: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory(prefix="strokenet-interrupts-") as folder:
        for name in kinds:
            expected(name, folder)  # compiles what there is to compile
        known = {name: expected(name, folder) for name in kinds}

        def look(kind: str, name: str, found: list[str]) -> None:
            counts[f"{kind} {name}"] += len(found)
            for one in found:
                if one != known[name][0]:
                    wrong[f"{kind} {name}: {one}"] += 1
                    print(f"{kind} {name}: {one}", file=sys.stderr, flush=True)

        for k in tqdm(range(args.fresh), "fresh", mininterval=10):
            name = kinds[k % len(kinds)]
            look("fresh", name, interrupt(name, folder, 1, max(1.0, known[name][1]), rng))
        for name in kinds:
            rounds = args.warm // len(kinds) + (name in kinds[: args.warm % len(kinds)])
            found = interrupt(name, folder, rounds + 1, 0.1, rng)
            look("warm", name, found[1:])  # the first was of a fresh one
    for what, count in sorted(counts.items()):
        print(f"{what:16} {count:5} interrupts")
    total = sum(counts.values())
    print(f"{total} interrupts, after {sum(wrong.values())} of them the next call was wrong")
    if wrong or total < args.fresh + args.warm:
        raise SystemExit("see above")


if __name__ == "__main__":
    import tyro  # not in the children, which this file is for as well

    main(tyro.cli(Args))
