"""Workers of every kind: forked, spawned, many in one folder, killed, and a main thread that ends.

Each test runs a script of its own, since what it does to a process cannot be undone.
"""

import json
import multiprocessing
import os
import subprocess
import sys

import pytest

from strokenet_gym.files import add_file

START_METHODS = ["fork", "spawn", "forkserver"]

ASYNC = """
import sys
import gymnasium as gym
import torch
import strokenet_gym

class Maker:
    def __init__(self, env_id):
        self.env_id = env_id
    def __call__(self):
        return gym.make(self.env_id, canvas_size=256, max_strokes=3)

if __name__ == "__main__":
    torch.set_num_threads(4)
    network = torch.nn.Conv2d(3, 32, 3)
    network(torch.zeros(8, 3, 128, 128)).sum().backward()
    makers = [Maker("NeuralPainting-v0"), Maker("DifferentiablePainting-v0")]
    makers[0]().reset(seed=0, options={"as_tensor": True})
    envs = gym.vector.AsyncVectorEnv(makers, context=sys.argv[1])
    envs.reset(seed=0)
    envs.action_space.seed(0)
    for _ in range(3):
        envs.step(envs.action_space.sample())
    envs.close()
    network(torch.zeros(8, 3, 128, 128)).sum().backward()
    print("done", torch.get_num_threads())
"""


def run_script(folder, text, *args, timeout=300, **variables):
    """Run a script from a file, as workers that are spawned import it."""
    script = folder / "script.py"
    script.write_text(text)
    return subprocess.run(
        [sys.executable, str(script), *map(str, args)],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


@pytest.mark.slow
@pytest.mark.parametrize("method", START_METHODS)
def test_workers_of_a_parent_that_has_used_torch(method, tmp_path):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} on this system")
    result = run_script(tmp_path, ASYNC, method)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "done 4\n"


RECORD = """
import sys, threading
import gymnasium as gym
from strokenet_gym import RecordStrokes

def record(seed, episodes):
    env = RecordStrokes(gym.make("Painting-v0", canvas_size=16), sys.argv[1])
    env.action_space.seed(seed)
    for k in range(episodes):
        env.reset(seed=seed if k == 0 else None)
        env.step(env.action_space.sample())
    env.close()

if __name__ == "__main__":
    first = int(sys.argv[2])
    threads = [threading.Thread(target=record, args=(first + i, 50)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


@pytest.mark.slow
def test_processes_and_threads_that_record_into_one_folder(tmp_path):
    logs = tmp_path / "logs"
    script = tmp_path / "script.py"
    script.write_text(RECORD)
    command = [sys.executable, str(script), str(logs)]
    processes = [subprocess.Popen([*command, str(10 * i)]) for i in range(3)]
    assert [process.wait(300) for process in processes] == [0] * 3
    documents = [json.loads(path.read_text()) for path in logs.iterdir()]
    kept = sorted((document["seed"], document["episode"]) for document in documents)
    assert kept == [(10 * i + j, k) for i in range(3) for j in range(2) for k in range(50)]


FIRST_GLYPHS = """
import threading, time
import numpy as np

zeros = np.zeros

def slow_zeros(*args, **kwargs):  # as when the system gives another thread its turn here
    time.sleep(0.05)
    return zeros(*args, **kwargs)

np.zeros = slow_zeros
from strokenet_gym.targets import Glyphs

glyphs, drawn, begin = Glyphs(32), [None] * 4, threading.Barrier(4)

def draw(k):
    begin.wait()
    drawn[k] = glyphs.sample(np.random.default_rng(k))

threads = [threading.Thread(target=draw, args=(k,)) for k in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for k, glyph in enumerate(drawn):
    assert glyph.max() == 1 and (glyph == glyphs.sample(np.random.default_rng(k))).all()
"""


def test_threads_that_draw_their_first_glyphs_at_once(tmp_path):
    result = run_script(tmp_path, FIRST_GLYPHS)
    assert result.returncode == 0, result.stderr


def test_recording_where_there_are_no_links(tmp_path, monkeypatch):
    def link(*args):
        raise PermissionError("not on this disk")

    monkeypatch.setattr(os, "link", link)
    names = [tmp_path / f"{i}.json" for i in range(4)]
    names[1].write_text("an earlier one")
    for text in "ab":
        with add_file(names) as new:
            new.write_text(text)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["0.json", "1.json", "2.json"]
    assert [path.read_text() for path in names[:3]] == ["a", "an earlier one", "b"]


AFTER_MAIN = """
import atexit, threading, time
import gymnasium as gym
import strokenet_gym
from strokenet_gym.kernels import threads

threads.THREADS = 4
envs = gym.make_vec("Painting-v0", num_envs=64, canvas_size=16, max_strokes=50)
envs.reset(seed=0)
actions = envs.action_space.sample()

def train(name):
    for _ in range(20):
        envs.step(actions)
    print(name)

def later():
    threading.main_thread().join()
    time.sleep(0.2)
    train("thread")

threading.Thread(target=later).start()
atexit.register(train, "atexit")
"""


@pytest.mark.slow
@pytest.mark.parametrize("warm", [False, True])
def test_painting_after_the_main_thread_has_ended(tmp_path, warm):
    text = AFTER_MAIN + ("train('main')\n" if warm else "")
    result = run_script(tmp_path, text)
    assert result.stderr == ""
    assert result.stdout.split() == ["main"] * warm + ["thread", "atexit"]
