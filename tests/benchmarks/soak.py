"""Hard use: nothing may grow, go wrong, or be in the way of the next start.

A million random strokes through the batched environment; environments made and closed, round after
round; and recordings, exports, preparations of data and trainings that are killed at random
moments, each followed by a clean start in the same folder.

make soak
"""

from __future__ import annotations

import dataclasses
import functools
import gc
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import gymnasium as gym
import imageio_ffmpeg
import numpy as np
import tyro
from defusedxml import ElementTree
from PIL import Image
from tqdm import tqdm

from strokenet_gym import BRUSHES, RecordStrokes, Stroke, StrokeLog
from strokenet_gym.programs.three_body import three_body_strokes

ROOT = Path(__file__).parents[2]
ALL = ("Painting-v0", "DifferentiablePainting-v0", "NeuralPainting-v0")


@dataclasses.dataclass
class Args:
    """Paint random strokes and watch memory, canvases and rewards; make, close and kill."""

    strokes: int = 1_000_000
    """How many."""
    canvas_size: int = 64
    """Width and height of the canvas in pixels."""
    num_envs: int = 64
    """Sub-environments."""
    rounds: int = 400
    """Of making and closing environments."""
    kills: int = 20
    """Of each kind of work."""


def resident() -> float:
    """Memory in use now, MB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def paint(args: Args) -> None:
    """A million strokes."""
    envs = gym.make_vec(
        "Painting-v0", num_envs=args.num_envs, canvas_size=args.canvas_size, max_strokes=50
    )
    envs.reset(seed=0)
    rng = np.random.default_rng(0)
    start = 0.0
    rounds = args.strokes // args.num_envs
    for k in tqdm(range(rounds), "strokes"):
        actions = rng.uniform(-1.2, 1.2, envs.action_space.shape).astype(np.float32)
        _, reward, _, _, info = envs.step(actions)
        canvas = envs.unwrapped.task.engine.canvas
        if not (canvas.min() >= 0 and canvas.max() <= 1):  # also catches NaN
            raise SystemExit(f"a canvas left [0, 1] after {k * args.num_envs} strokes")
        if not (np.isfinite(reward).all() and np.isfinite(info["l2"]).all()):
            raise SystemExit(f"a reward is not finite after {k * args.num_envs} strokes")
        if k == rounds // 10:
            start = resident()
    grown = resident() - start
    print(f"{rounds * args.num_envs} strokes; memory grew by {grown:.1f} MB after the first tenth")
    if grown > 20:
        raise SystemExit("memory is not flat")


def make_and_close(rounds: int) -> None:
    """Environments of every kind, single and batched, used a little and closed."""
    import torch

    start: tuple[float, int, int] | None = None
    with tempfile.TemporaryDirectory() as folder:
        for k in tqdm(range(rounds), "rounds"):
            env_id = ALL[k % 3]
            envs = gym.make_vec(env_id, num_envs=16, canvas_size=32 + 16 * (k % 2))
            env = gym.make(env_id, canvas_size=32, render_mode="rgb_array")
            env = RecordStrokes(env, folder)
            for made in (envs, env):
                made.reset(seed=k)
                action = made.action_space.sample()
                if env_id == "Painting-v0":
                    made.step(action)
                else:
                    reward = made.step(torch.from_numpy(action).requires_grad_())[1]
                    reward.sum().backward()
                made.reset()
            env.render()
            envs.close()
            env.close()
            if k in (max(rounds // 4, 12), rounds - 1):
                gc.collect()
                now = resident(), threading.active_count(), len(os.listdir("/proc/self/fd"))
                if start is None:
                    start = now
                else:
                    print(f"{rounds} rounds; memory, threads, files: {start} → {now}")
                    if now[0] - start[0] > 20 or now[1:] != start[1:]:
                        raise SystemExit("something is not flat")


RECORD = """
import sys, gymnasium as gym
from strokenet_gym import RecordStrokes
env = RecordStrokes(gym.make("Painting-v0", canvas_size=16, max_strokes=2), sys.argv[1])
print("at work", flush=True)
for episode in range(int(sys.argv[2])):
    env.reset(seed=episode)
    for _ in range(2):
        env.step(env.action_space.sample())
"""
EXPORT = """
import sys
from strokenet_gym import StrokeLog, export
log = StrokeLog.load(sys.argv[1] + "/log.json")
print("at work", flush=True)
for _ in range(int(sys.argv[2])):
    for suffix in ("png", "svg", "gif", "mp4"):
        export(log, f"{sys.argv[1]}/picture.{suffix}")
"""
PREPARE = """
import os, sys
os.environ["STROKENET_CACHE"] = sys.argv[1] + "/cache"
from strokenet_gym import Omniglot
print("at work", flush=True)
for k in range(int(sys.argv[2])):
    targets = Omniglot(sys.argv[1], limit=1 + k)  # each is prepared anew
assert len(targets) > 100, len(targets)
"""

TRAIN = """
import sys
from baselines import train_strokenet
from baselines.harness import run
from strokenet_gym.command import run_command
run._SAVE_EVERY = 0.0  # as often as can be
folder, minutes = sys.argv[1:]
sys.argv = [
    "train_strokenet.py", "--out", folder + "/run", "--minutes", minutes, "--canvas-size", "32",
    "--width", "4", "--batch", "4", "--generator", "exact", "--evaluate-every", "0",
]
print("at work", flush=True)
run_command(train_strokenet.main)
"""


def write_inputs(folder: Path) -> None:
    """A log to export and a small data set to prepare."""
    log = StrokeLog(64, (0.0,) * 3, BRUSHES["pencil"])
    strokes = three_body_strokes(np.random.default_rng(0), 8, 3)
    log.strokes = [Stroke(*(np.float64(field[k]) for field in strokes)) for k in range(8)]
    log.save(folder / "log.json")
    import cv2

    (folder / "omniglot").mkdir()
    with zipfile.ZipFile(folder / "omniglot" / "images_background.zip", "w") as archive:
        for k in range(400):
            png = cv2.imencode(".png", np.full((105, 105), k % 255, np.uint8))[1].tobytes()
            name = f"images_background/Greek/character{k % 20:02}/{k:04}_01.png"
            archive.writestr(name, png)


def kill_at_work(
    name: str, command: list[str], clean: list[str], kills: int, longest: float,
    look: Callable[[], None],
) -> int:  # fmt: skip
    """Start something, kill it at a random moment, and start it again, which must go well.

    Returns:
        In how many cases it was at work when it was killed.
    """
    rng, busy = np.random.default_rng(0), 0
    for _ in tqdm(range(kills), name):
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()  # it is at work
        time.sleep(rng.uniform(0, longest))
        busy += process.poll() is None
        process.kill()
        process.communicate()
        look()
        done = subprocess.run(clean, capture_output=True, text=True, cwd=ROOT)
        if done.returncode != 0:
            raise SystemExit(f"{name}: no clean start after a kill\n{done.stderr[-3000:]}")
    return busy


def look_at_files(folder: Path) -> None:
    """Read what has been recorded and exported: all of it is whole."""
    for path in [*folder.glob("logs/*.json"), folder / "log.json"]:
        StrokeLog.load(path)
    for path in folder.glob("picture.*"):
        if path.suffix in (".png", ".gif"):
            with Image.open(path) as picture:
                picture.load()
        elif path.suffix == ".svg":
            ElementTree.parse(path)
        elif imageio_ffmpeg.count_frames_and_secs(str(path))[0] < 2:
            raise SystemExit(f"{path} is not whole")


def kill_all(kills: int) -> None:
    """Kill each kind of work at random moments, and look at what is left."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_inputs(folder)
        logs = folder / "logs"
        works = {  # what is done, how often or how long, and for how many seconds at most
            "recording": (RECORD, logs, "100000", "3", 1.5),
            "export": (EXPORT, folder, "1000", "1", 1.5),
            "data set": (PREPARE, folder, "100000", "40", 1.5),
            "training": (TRAIN, folder, "60", "0.01", 8.0),
        }
        for name, (text, where, much, little, longest) in works.items():
            start = [sys.executable, "-c", text, str(where)]
            shutil.rmtree(folder / "cache", ignore_errors=True)
            look = functools.partial(look_at_files, folder)
            busy = kill_at_work(name, [*start, much], [*start, little], kills, longest, look)
            print(f"{name}: killed {kills} times, {busy} of them at work, each time a clean start")
        left = [path for path in folder.rglob("*") if ".new" in path.name]
        print(f"{len(list(logs.iterdir()))} logs, all whole; {len(left)} unfinished files are left")
        if left:
            raise SystemExit(f"unfinished files are left: {', '.join(map(str, left))}")


def main(args: Args) -> None:
    paint(args)
    make_and_close(args.rounds)
    kill_all(args.kills)


if __name__ == "__main__":
    main(tyro.cli(Args))
