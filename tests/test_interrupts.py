"""What raises in the middle of a step leaves the episodes as they were."""

import contextlib
import functools
import itertools
import signal
import subprocess
import sys
import threading
import time
import weakref

import gymnasium as gym
import numpy as np
import pytest
import torch
from conftest import run_process, succeed
from gymnasium.error import ResetNeeded
from PIL import Image

from strokenet_gym import BRUSHES, Stroke
from strokenet_gym.extras import require
from strokenet_gym.interrupts import shielded
from strokenet_gym.kernels import threads
from strokenet_gym.kernels.cache import njit
from strokenet_gym.programs.stamped import painting

ALL = ("Painting-v0", "DifferentiablePainting-v0", "NeuralPainting-v0")


class Failing:
    """A reward function that raises when it is told to."""

    error = None

    def __call__(self, before, after, target):
        if self.error is not None:
            raise self.error
        return (after - before).mean((1, 2, 3))


def assert_consistent(envs):
    task = envs.unwrapped.task
    canvas, target = task.engine.host(task.engine.canvas), task.engine.host(task.engine.target)
    l2 = np.asarray(task.info()["l2"])
    np.testing.assert_allclose(l2, ((canvas - target) ** 2).mean((1, 2, 3)), atol=1e-5)


@pytest.mark.parametrize("env_id", ALL)
@pytest.mark.parametrize("tensors", [False, True])
@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_a_reward_function_that_raises(env_id, tensors, error, rng):
    if tensors and env_id == "Painting-v0":
        pytest.skip("arrays only")
    reward = Failing()
    envs = gym.make_vec(env_id, num_envs=20, canvas_size=32, max_strokes=9, reward=reward)
    envs.reset(seed=0, options={"as_tensor": True} if tensors else None)

    def actions():
        values = rng.uniform(-1, 1, (20, 50)).astype(np.float32)
        return torch.from_numpy(values) if tensors else values

    envs.step(actions())
    reward.error = error
    with pytest.raises(type(error)):
        envs.step(actions())
    reward.error = None
    with pytest.raises(ResetNeeded):
        envs.step(actions())
    envs.reset()
    observation, *_, info = envs.step(actions())
    assert info["stroke"].tolist() == [1] * 20
    assert_consistent(envs)
    assert observation["canvas"].shape == (20, 1, 32, 32)


@pytest.mark.parametrize("env_id", ALL)
def test_an_error_breaks_a_single_episode_off(env_id):
    reward = Failing()
    env = gym.make(env_id, canvas_size=32, max_strokes=9, reward=reward)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="action"):  # what is refused changes nothing
        env.step(np.full(50, np.nan))
    assert env.step(np.ones(50, np.float32))[4]["stroke"] == 1
    reward.error = ValueError("no")
    with pytest.raises(ValueError, match="no"):
        env.step(np.ones(50, np.float32))
    reward.error = None
    with pytest.raises(ResetNeeded, match="an error broke it off"):
        env.step(np.ones(50, np.float32))
    env.reset()
    assert env.step(np.ones(50, np.float32))[4]["stroke"] == 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("env_id", ALL)
def test_rewards_that_are_not_numbers(env_id, value):
    env = gym.make(env_id, canvas_size=16, reward=lambda b, a, t: 0 * a.mean((1, 2, 3)) + value)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="must return finite numbers"):
        env.step(np.ones(50, np.float32))


@pytest.mark.parametrize("done", [0, 8, 20])
def test_an_interrupt_between_the_strokes_of_a_batch(done, rng, monkeypatch):
    """Some of the canvases have their stroke already: all begin anew."""
    envs = gym.make_vec("Painting-v0", num_envs=20, canvas_size=32, max_strokes=9, channels=3)
    envs.reset(seed=0)
    envs.step(rng.uniform(-1, 1, (20, 52)).astype(np.float32))

    def broken_off(work, count):
        work(0, done)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threads, "run", broken_off)
        with pytest.raises(KeyboardInterrupt):
            envs.step(np.ones((20, 52), np.float32))
    with pytest.raises(ResetNeeded):
        envs.step(np.ones((20, 52), np.float32))
    envs.reset()
    envs.step(rng.uniform(-1, 1, (20, 52)).astype(np.float32))
    assert_consistent(envs)


def test_helpers_have_stopped_when_an_interrupt_is_raised(monkeypatch):
    monkeypatch.setattr(threads, "THREADS", 3)
    at_work, main = [], threading.current_thread()

    def work(start, stop):
        if threading.current_thread() is main:
            raise KeyboardInterrupt
        at_work.append(start)
        time.sleep(0.05)
        at_work.remove(start)

    with pytest.raises(KeyboardInterrupt):
        threads.run(work, 1000)
    assert at_work == []


@pytest.mark.skipif(sys.platform == "win32", reason="no timers of signals")
def test_ctrl_c_at_any_moment(rng):
    """Whenever it comes, the errors that the batch knows are those of its canvases."""
    envs = gym.make_vec("Painting-v0", num_envs=16, canvas_size=64, max_strokes=100)
    envs.reset(seed=0)
    actions = rng.uniform(-1, 1, (16, 50)).astype(np.float32)
    envs.step(actions)
    interrupted = 0
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for _ in range(60):
            strokes = envs.unwrapped.task.info()["stroke"]
            wait = rng.uniform(1e-5, 2e-3)
            try:
                signal.setitimer(signal.ITIMER_REAL, wait)
                for _ in range(1000):
                    envs.step(actions)
                    strokes = strokes + 1
                    if strokes[0] >= 99:
                        envs.reset()
                        strokes = envs.unwrapped.task.info()["stroke"]
            except KeyboardInterrupt:
                interrupted += 1
            with contextlib.suppress(ResetNeeded):
                envs.step(actions)
                envs.step(actions)
            envs.reset()
            assert_consistent(envs)
            envs.step(actions)
            assert_consistent(envs)
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert interrupted > 30


_AT_EACH_MOMENT = """
import faulthandler, itertools, sys, threading, time
from strokenet_gym.kernels import threads

threads.THREADS = 2
done, at_work = [], []


def interrupt(moment):
    left = itertools.count(moment, -1)

    def trace(frame, event, argument):
        if not next(left):
            raise KeyboardInterrupt
        return trace

    return trace


def work(start, stop):
    helps = threading.current_thread() is not threading.main_thread()
    if helps:
        at_work.append(start)
        time.sleep(1e-3)
    done.extend(range(start, stop))
    if helps:
        at_work.remove(start)


def together(start, stop):
    both.wait(20)


faulthandler.dump_traceback_later(120, exit=True)
for moment in itertools.count(1):
    threads._forget_threads()
    sys.settrace(interrupt(moment))
    try:
        threads.run(work, 100)
    except KeyboardInterrupt:
        pass
    else:
        break
    finally:
        sys.settrace(None)
    assert not at_work
    done.clear()
    threads.run(work, 100)
    assert sorted(done) == list(range(100)), moment
    both = threading.Barrier(2)
    threads.run(together, 2, least=1)  # the helper is there as well
assert moment > 20
"""


def test_painting_goes_on_after_an_interrupt_at_each_moment():
    """One that breaks what waits for a lock of Python's own must not leave it locked."""
    subprocess.run([sys.executable, "-c", _AT_EACH_MOMENT], check=True, timeout=300)


class Sometimes:
    """Targets that cannot always be had."""

    channels = 1
    broken = False

    def sample(self, rng):
        if self.broken:
            raise OSError("the disk is gone")
        return rng.random((16, 16))


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_targets_that_fail_during_an_automatic_reset(mode, rng):
    source = Sometimes()
    envs = gym.make_vec("Painting-v0", num_envs=3, targets=source, canvas_size=16, max_strokes=2,
                        autoreset_mode=mode)  # fmt: skip
    envs.reset(seed=0)
    step = lambda: envs.step(rng.uniform(-1, 1, (3, 50)).astype(np.float32))  # noqa: E731
    step()
    if mode == "NextStep":
        step()
    source.broken = True
    with pytest.raises(OSError, match="the disk is gone"):
        step()
    source.broken = False
    if mode == "SameStep":  # after the strokes were painted
        with pytest.raises(ResetNeeded):
            step()
        envs.reset()
    step()
    assert_consistent(envs)


def test_a_reset_that_fails_changes_nothing(rng):
    env = gym.make("Painting-v0", canvas_size=16, max_strokes=3).unwrapped
    env.reset(seed=0)
    env.step(np.ones(50, np.float32))
    with pytest.raises(ValueError, match="shape"):
        env.reset(options={"target": np.zeros(3)})
    assert env.step(np.ones(50, np.float32))[4]["stroke"] == 2


@pytest.mark.parametrize("tensors", [False, True])
@pytest.mark.parametrize("env_id", ALL)
def test_reward_functions_of_the_other_kind(env_id, tensors):
    """Arrays for tensors and tensors for arrays: rewards are of the actions' kind all the same."""
    if tensors and env_id == "Painting-v0":
        pytest.skip("arrays only")
    other = np.ones(2) if tensors else torch.ones(2)
    envs = gym.make_vec(env_id, num_envs=2, canvas_size=16, reward=lambda b, a, t: other)
    envs.reset(seed=0)
    actions = torch.zeros(2, 50) if tensors else np.zeros((2, 50), np.float32)
    for _ in range(3):  # through the automatic reset
        reward = envs.step(actions)[1]
        assert isinstance(reward, torch.Tensor if tensors else np.ndarray)


def test_large_rewards_are_finite():
    envs = gym.make_vec("Painting-v0", num_envs=2, canvas_size=16,
                        reward=lambda b, a, t: np.array([1e308, 1e308]))  # fmt: skip
    envs.reset(seed=0)
    assert envs.step(np.zeros((2, 50), np.float32))[1].tolist() == [1e308] * 2


def test_a_file_that_cannot_be_written_costs_none_of_the_others(tmp_path, monkeypatch):
    """Films come last, and what fails is said at the end."""
    from strokenet_gym.exports import FORMATS
    from strokenet_gym.painter.command import paint

    def full(log, path, *args, **kwargs):
        if len(log.strokes):
            raise OSError(28, "No space left on device")
        path.write_bytes(b"")

    monkeypatch.setitem(FORMATS, ".gif", full)
    image = tmp_path / "a.png"
    Image.linear_gradient("L").save(image)
    files = tuple(tmp_path / f"b.{suffix}" for suffix in ("gif", "json", "png"))
    with pytest.raises(OSError, match="No space left"):
        paint(str(image), 3, to=files, report=tmp_path / "r.json")
    assert sorted(f.name for f in tmp_path.iterdir()) == ["a.png", "b.json", "b.png", "r.json"]


@pytest.mark.parametrize(("count", "least"), [(1, 1), (64, 1), (64, 8), (100, 7), (3, 8)])
@pytest.mark.parametrize("many", [1, 2, 5])
def test_shares_cover_all(count, least, many, monkeypatch):
    monkeypatch.setattr(threads, "THREADS", many)
    shares = threads._shares(count, least)
    assert [i for start, stop in shares for i in range(start, stop)] == list(range(count))
    assert all(stop - start >= least for start, stop in shares[:-1])
    assert shares[0][1] <= max(least, count // many)


def test_helpers_let_go_of_what_was_painted(monkeypatch):
    """A helper that has not begun waits for other calls' work, and longer than its own call."""
    monkeypatch.setattr(threads, "THREADS", 2)
    threads.run(lambda start, stop: None, 16, least=1)  # makes the helper
    gate, begun = threading.Event(), threading.Event()

    def wait():
        begun.set()
        gate.wait(20)

    for _ in range(threads._started):
        threads._calls.put(wait)
    assert begun.wait(10)
    canvas = np.zeros(16)
    seen = weakref.ref(canvas)
    threads.run(functools.partial(lambda canvas, start, stop: None, canvas), 16, least=1)
    del canvas
    gone = seen() is None
    gate.set()
    assert gone


# What is done but once is done whole.


@pytest.fixture
def ctrl_c():
    """Ctrl-C that raises, as Python has it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield functools.partial(signal.raise_signal, signal.SIGINT)
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_comes_after_what_is_shielded(ctrl_c):
    done = []

    @shielded()
    def nested():
        with shielded():
            ctrl_c()
            ctrl_c()
            done.append("inner")
        done.append("outer")

    @shielded()
    def fails():
        ctrl_c()
        raise ValueError("no")

    with pytest.raises(KeyboardInterrupt):
        nested()
    assert done == ["inner", "outer"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(KeyboardInterrupt) as caught:
        fails()
    assert isinstance(caught.value.__context__, ValueError)


@pytest.mark.parametrize("handler", [signal.SIG_IGN, print])
def test_shields_keep_other_peoples_handlers(ctrl_c, handler, capsys):
    signal.signal(signal.SIGINT, handler)
    with shielded():
        ctrl_c()
        assert capsys.readouterr().out == ""
    assert (capsys.readouterr().out != "") == (handler is print)
    assert signal.getsignal(signal.SIGINT) is handler


def test_shields_in_other_threads(ctrl_c):
    """Python interrupts the main thread alone, and no other may change what it does."""
    found = []

    def work():
        with shielded():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler]


def test_packages_are_imported_whole(ctrl_c, tmp_path, monkeypatch):
    text = "import signal\nsignal.raise_signal(signal.SIGINT)\nwhole = True\n"
    (tmp_path / "hit_halfway.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        require("hit_halfway")
    assert sys.modules.pop("hit_halfway").whole


def test_kernels_are_loaded_whole(ctrl_c):
    @njit()
    def double(x):
        return 2 * x

    def load(*args):
        ctrl_c()

    double._cache.load_overload, double._cache.save_overload = load, lambda *args: None
    with pytest.raises(KeyboardInterrupt):
        double(3)
    assert len(double.signatures) == 1
    assert double(3) == 6


def test_scratch_is_never_another_canvases(monkeypatch):
    """A Ctrl-C between what it is and what it is for had kernels write beyond its end."""
    stroke = Stroke(np.ones((1, 1)), np.full(1, 0.1), np.zeros((1, 16, 2)), np.ones((1, 16)))
    pencil, moment = BRUSHES["pencil"], 0
    wanted = pencil.draw(stroke, 48)

    def trace(frame, event, argument):
        frame.f_trace_opcodes = True
        if event == "call" and frame.f_code is not painting.scratch_of.__code__:
            return None
        if event == "opcode" and not next(left):
            raise KeyboardInterrupt
        return trace

    for moment in itertools.count():
        left = itertools.count(moment, -1)
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            painting.scratch_of(16, 16, np.dtype(np.float32))
        except KeyboardInterrupt:
            pass
        else:
            break
        finally:
            sys.settrace(before)
        (logs, marks), ink = painting.scratch_of(48, 48, np.dtype(np.float32))
        assert logs.shape == (48, 48)
        assert marks.shape == (48, 6)
        assert ink[0].shape == (48 * 48,)
    assert moment > 20
    np.testing.assert_array_equal(pencil.draw(stroke, 48), wanted)


@pytest.mark.slow
def test_interrupts_of_new_processes_and_of_those_at_work():
    command = ("tests/benchmarks/interrupts.py", "--fresh", 6, "--warm", 12)
    found = succeed(*command, run=run_process, timeout=900)
    assert "18 interrupts, after 0 of them the next call was wrong" in found
