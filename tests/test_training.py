"""The scripts that train, run as a user runs them, on small jobs."""

import dataclasses
import json
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import filelock
import numpy as np
import pytest
import torch
from conftest import ROOT, run, succeed
from harness import rl
from harness.run import Run, RunArgs, read_curve
from harness.stroke_files import write_strokes
from train_strokenet import Jittered

from strokenet_gym.agents import load_agent
from strokenet_gym.programs.learned import load_generator
from strokenet_gym.programs.stamped import BRUSHES
from strokenet_gym.sb3 import SB3VecEnv
from strokenet_gym.targets import ArrayTargets


@pytest.fixture
def end_of(monkeypatch, capsys):
    """Run a script that is to end at once, in this process, which has imported all it needs.

    Returns its exit status and what it printed.
    """

    def run_here(script, *args):
        monkeypatch.setattr(sys, "argv", [script, *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(ROOT / "baselines" / script), run_name="__main__")
        return ended.value.code, capsys.readouterr()

    return run_here


@pytest.mark.parametrize(
    "script",
    [
        "train_generator",
        "train_strokenet",
        "train_ppo",
        "train_sac",
        "train_classifier",
        "compare",
        "demo",
    ],
)
def test_help(script, end_of):
    code, printed = end_of(f"{script}.py", "--help")
    assert code == 0
    assert "--out" in printed.out


def test_train_generator(tmp_path):
    out = tmp_path / "run"
    succeed("baselines/train_generator.py", "--minutes", 0.05, "--out", out)
    assert load_generator(out / "generator.safetensors").imitates == BRUSHES["pencil"]
    assert list(out.glob("events.*"))
    again = succeed("baselines/train_generator.py", "--minutes", 0.08, "--out", out)
    assert "Resuming" in again
    other = run("baselines/train_generator.py", "--minutes", 0.1, "--out", out, "--lr", 0.5)
    assert other.returncode != 0
    assert "run with other settings (lr)" in other.stderr


def test_train_the_papers_generator_on_strokes_from_disk(tmp_path):
    write_strokes(tmp_path / "strokes", 1, 64, "pencil", seed=0)
    out = tmp_path / "run"
    command = ["baselines/train_generator.py", "--architecture", "paper", "--width", 4,
               "--hidden", 16, "--read", tmp_path / "strokes", "--out", out]  # fmt: skip
    succeed(*command, "--minutes", 0.02)
    assert "Resuming" in succeed(*command, "--minutes", 0.06)
    generator = load_generator(out / "generator.safetensors")
    assert generator.sizes == {"width": 4, "hidden": 16}


def test_several_processes_train_together(tmp_path):
    out = tmp_path / "run"
    launch = ["-m", "torch.distributed.run", "--nproc-per-node", 2]
    for minutes in (0.05, 0.1):
        output = succeed(*launch, "baselines/train_generator.py", "--minutes", minutes,
                         "--out", out)  # fmt: skip
    assert output.count("Resuming") == 1
    assert load_generator(out / "generator.safetensors").imitates == BRUSHES["pencil"]


def learn(out, share, *command):
    """Train until the agent has this share of its first residual, longer on a slower machine."""
    for minutes in (0.1, 0.2, 0.5, 2):
        succeed(*command, "--canvas-size", 32, "--out", out, "--minutes", minutes, timeout=600)
        curve = read_curve(out)
        if curve[-1]["residual_exact"] < share * curve[0]["residual_exact"]:
            return curve
    raise AssertionError(f"has not learned: {curve}")


def test_train_strokenet_learns(tmp_path):
    out = tmp_path / "run"
    learn(out, 0.8, "baselines/train_strokenet.py", "--width", 4)
    scores = tmp_path / "scores.json"
    succeed("baselines/evaluate.py", "agent", "--agent", out / "agent.safetensors", "--limit", 20,
            "--canvas-size", 32, "--out", scores, "--figure", tmp_path / "grid.png")  # fmt: skip
    result = json.loads(scores.read_text())
    assert result["count"] == 20
    assert result["residual_exact"] < 0.95 * read_curve(out)[0]["residual_exact"]
    assert result["residual_exact"] < 1 < result["residual_random"]
    assert result["residual_by_stroke"] == pytest.approx([result["residual_exact"]])
    assert 0 < result["strokes_that_matter"] <= 1
    assert result["residual_neural"] == pytest.approx(result["residual_exact"], abs=0.1)
    assert "accuracy_exact" not in result  # there is no classifier of glyphs
    assert cv2.imread(str(tmp_path / "grid.png")).shape == (2 * 3 * 36, 16 * 36, 3)


def test_train_through_the_exact_program(tmp_path):
    curve = learn(tmp_path / "run", 0.9, "baselines/train_strokenet.py", "--generator", "exact",
                  "--width", 4, "--evaluate-every", 1)  # fmt: skip
    assert len(curve) >= 3
    assert curve[0]["step"] == 0
    assert curve[-1]["residual_exact"] < 1
    seconds = [point["seconds"] for point in curve]
    assert seconds == sorted(seconds)


def test_a_resumed_run_forgets_what_it_does_again(tmp_path):
    out = tmp_path / "run"
    command = ["baselines/train_strokenet.py", "--canvas-size", 32, "--width", 4, "--out", out]
    succeed(*command, "--minutes", 0.05)
    with open(out / "curve.jsonl", "a") as file:  # measured after the last checkpoint
        file.write('{"seconds": 99, "step": 100000, "residual_exact": 0.5}\n')
    succeed(*command, "--minutes", 0.06)
    assert max(point["step"] for point in read_curve(out)) < 100000


def test_what_policies_see_and_say():
    envs = rl.make_envs(rl.Args(num_envs=3, canvas_size=64, input_size=16, noise=0.1))
    plain = SB3VecEnv("Painting-v0", 3, targets="glyphs", canvas_size=64)
    for either in (envs, plain):
        either.seed(0)
    small, large = envs.reset(), plain.reset()
    assert small["target"].shape == (3, *envs.observation_space["target"].shape)
    averages = large["target"].reshape(3, 1, 16, 4, 16, 4).mean((3, 5))
    np.testing.assert_allclose(small["target"], averages, atol=0.51)

    # A policy's numbers change the first stroke as a whole: the first ones of position move it.
    first = envs.action_of(np.zeros((3, 50), np.float32))
    np.testing.assert_allclose(first, np.tile(envs.first, (3, 1)), atol=1e-6)
    moved = envs.action_of(np.eye(50, dtype=np.float32)[2:5] / 4) - first
    expected = np.tile(np.diag([0.25, 0.25, 0.25 * envs.INK]), (1, 16))
    np.testing.assert_allclose(moved[:, 2:], expected, atol=1e-6)
    np.testing.assert_allclose(moved[:, :2], 0, atol=1e-6)

    # The same strokes earn the same, and the last picture comes small too.
    numbers = np.random.default_rng(0).uniform(-0.2, 0.2, (3, 50)).astype(np.float32)
    _, rewards, done, infos = envs.step(numbers)
    _, plain_rewards, _, _ = plain.step(envs.action_of(numbers))
    np.testing.assert_allclose(rewards, plain_rewards, atol=1e-4)
    assert done.all()
    assert infos[0]["terminal_observation"]["canvas"].shape == (1, 16, 16)
    assert envs.venv.seconds > 0


def test_encoder_keeps_the_pictures():
    envs = rl.make_envs(rl.Args(num_envs=3, canvas_size=64))
    seen = {k: torch.from_numpy(v).float() for k, v in envs.reset().items()}
    features = rl.Encoder(envs.observation_space)(seen)
    assert features.shape == (3, 2 * 16 * 16 + 1)
    torch.testing.assert_close(features[:, :256], 4 * seen["target"].flatten(1))
    torch.testing.assert_close(features[:, -1:], seen["strokes_left"])


def test_ppo_learns(tmp_path):
    """One character, always the same: its strokes become better than the first one."""
    target = np.zeros((32, 32), np.uint8)
    cv2.putText(target, "L", (6, 26), cv2.FONT_HERSHEY_SIMPLEX, 0.9, 255, 2)
    cv2.imwrite(str(tmp_path / "L.png"), target)
    learn(tmp_path / "run", 0.95, "baselines/train_ppo.py", "--targets", tmp_path / "L.png",
          "--num-envs", 64, "--batch", 256)  # fmt: skip


@pytest.mark.parametrize("algorithm", ["ppo", "sac"])
def test_model_free_training(tmp_path, algorithm):
    out = tmp_path / "run"
    small = ["--num-envs", 4, "--canvas-size", 16, "--evaluate-every", 2]
    small += ["--updates", 1] if algorithm == "sac" else ["--rollout", 8]
    command = [f"baselines/train_{algorithm}.py", *small, "--batch", 16, "--out", out]
    succeed(*command, "--minutes", 0.05)
    assert 0 < json.loads((out / "scores.json").read_text())["environment_share"] < 1
    assert "Resuming" in succeed(*command, "--minutes", 0.1)
    curve = read_curve(out)
    assert curve[-1]["strokes"] > curve[0]["strokes"] == 0
    assert 0 < curve[-1]["residual_exact"] < 3
    assert json.loads((out / "scores.json").read_text())["count"] == 1000
    assert (out / "policy.safetensors").exists()
    again = tmp_path / "again"
    succeed(*command[:-1], again, "--minutes", 0.001)
    assert read_curve(again)[0] == curve[0]  # same seed, same first evaluation


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_saves_and_the_same_command_goes_on(tmp_path, stop):
    out = tmp_path / "run"
    script = ["baselines/train_strokenet.py", "--canvas-size", "32", "--width", "4"]
    command = [sys.executable, *script, "--max-strokes", "2", "--out", str(out), "--minutes"]
    with subprocess.Popen([*command, "5"], cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        seen = ""
        while "residual=" not in seen:  # the loop runs
            seen += process.stderr.read(1)
        process.send_signal(stop)
        process.stderr.read()
        assert process.wait(300) == 130
    assert (out / "checkpoint.safetensors").exists()
    assert not (out / "agent.safetensors").exists()
    # Less time than is used up already: only writes the result.
    assert "Resuming" in succeed(*command[1:], 0.001)
    load_agent(out / "agent.safetensors")


def test_a_second_interrupt_waits_for_the_checkpoint(tmp_path):
    @dataclasses.dataclass(kw_only=True)
    class Args(RunArgs):
        out: Path = tmp_path / "run"
        minutes: float = 1.0
        seed: int = 0

    run = Run(Args(), torch.nn.Linear(1, 1))
    save = run.save

    def interrupted():
        os.kill(os.getpid(), signal.SIGINT)
        save()

    run.save = interrupted
    turns = 0
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        for _ in run:
            turns += 1
            os.kill(os.getpid(), signal.SIGINT)
    assert turns == 1
    assert (tmp_path / "run" / "checkpoint.safetensors").exists()
    assert not list((tmp_path / "run").glob(".strokenet-*"))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a training outlives the comparison")
def test_a_comparison_killed_outright_takes_its_training_along(tmp_path):
    command = [sys.executable, "baselines/compare.py", "--canvas-size", "32", "--seeds", "1",
               "--minutes", "5", "--methods", "exact", "--out", str(tmp_path)]  # fmt: skip
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        seen = ""
        while "residual=" not in seen:  # the loop runs
            seen += process.stderr.read(1)
        process.kill()
        process.stderr.read()  # ends when the training does
    training = ["baselines/train_strokenet.py", "--canvas-size", 32, "--generator", "exact",
                "--out", tmp_path / "exact-0", "--minutes", 0.001]  # fmt: skip
    with filelock.FileLock(tmp_path / "exact-0" / ".lock"):
        busy = run(*training)
    assert busy.returncode != 0
    assert "exact-0 is in use by another run" in busy.stderr
    assert "Resuming" in succeed(*training)
    steps = [point["step"] for point in read_curve(tmp_path / "exact-0")]
    assert steps == sorted(steps)


def test_truncated_back_propagation(tmp_path):
    command = ["baselines/train_strokenet.py", "--agent", "tracing", "--max-strokes", "4"]
    command += ["--canvas-size", "32", "--width", "4", "--generator", "exact"]
    command += ["--out", tmp_path, "--minutes", "0.02"]
    wrong = run(*command, "--horizon", "3")
    assert wrong.returncode != 0
    assert "--horizon must divide --max-strokes, 4, got 3" in wrong.stderr
    succeed(*command, "--horizon", "2", "--evaluate-every", "0", "--jitter", "1")
    assert load_agent(tmp_path / "agent.safetensors").max_strokes == 4


def test_start_from_an_agent_of_fewer_strokes(tmp_path):
    """Training that has no time left writes what it started from."""
    command = ["baselines/train_strokenet.py", "--max-strokes", 3, "--canvas-size", 32]
    command += ["--start", "glyphs", "--minutes", 0.0001, "--evaluate-every", 0]
    succeed(*command, "--lr", 1e-9, "--out", tmp_path / "run")
    agent, before = load_agent(tmp_path / "run" / "agent.safetensors"), load_agent("glyphs")
    assert agent.max_strokes == 3
    for name, weights in before.state_dict().items():
        torch.testing.assert_close(agent.state_dict()[name], weights, atol=1e-5, rtol=0)
    wrong = run(*command, "--agent", "tracing", "--out", tmp_path / "other")
    assert wrong.returncode != 0
    assert "--start glyphs is a strokenet" in wrong.stderr


def test_jitter_keeps_the_picture():
    """A disc in the middle stays whole, and in about its place and size, never the same."""
    rows, columns = np.mgrid[:64, :64] - 31.5
    disc = (np.hypot(rows, columns) < 10).astype(np.float32)
    source = Jittered(ArrayTargets(disc), 1.0)
    rng = np.random.default_rng(0)
    images = np.stack([source.sample(rng) for _ in range(100)])
    assert images.shape == (100, 64, 64)
    np.testing.assert_allclose(images.sum((1, 2)) / disc.sum(), 1, atol=0.25)
    ink = images.sum((1, 2), keepdims=True)
    middle = np.stack([(images * axis / ink).sum((1, 2)) for axis in (rows, columns)])
    assert np.abs(middle).max() <= 3.3  # 0.1 half-widths
    assert middle.std() > 1


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["train_strokenet.py", "--targets", "cats"], "unknown targets 'cats'"),
        (["train_strokenet.py", "--minutes", "0"], "--minutes must be positive"),
        (["train_strokenet.py", "--jitter", "-1"], "--jitter must be in 0 … 5, got -1"),
        (["train_generator.py", "--brush", "crayon"], "unknown brush 'crayon'"),
        (["train_strokenet.py", "--generator", "cat"], "unknown generator 'cat'"),
        (["train_ppo.py", "--brush", "crayon"], "unknown brush 'crayon'"),
        (["train_strokenet.py", "--background", "2"], "background must be a number in 0 … 1"),
        (["train_classifier.py", "--data-dir", "nowhere"], "mnist needs train-images"),
        (["train_strokenet.py", "--width", "0"], "--width must be positive, got 0"),
        (["train_strokenet.py", "--max-strokes", "0"], "--max-strokes must be positive, got 0"),
        (
            ["train_strokenet.py", "--agent", "cat"],
            "--agent must be of strokenet, tracing",
        ),
        (["train_ppo.py", "--batch", "0"], "--batch must be positive, got 0"),
        (["train_ppo.py", "--env", "Foo-v0"], "Foo"),
        (["train_sac.py", "--modules", "no_such"], "--modules no_such cannot be imported"),
        (["train_generator.py", "--device", "abacus"], "device 'abacus' is unknown"),
        (["compare.py", "--methods", "dqn"], "--methods must be of neural, exact, ppo, sac"),
        (["compare.py", "--minutes", "-1"], "--minutes must be positive"),
        (["compare.py", "--seeds", "0"], "--seeds must be at least 1"),
        (["evaluate.py", "agent", "--agent", "cat"], "unknown agent 'cat'"),
        (["evaluate.py", "agent", "--limit", "0"], "--limit must be at least 1"),
        (["evaluate.py", "generator", "--generator", "cat"], "unknown generator 'cat'"),
    ],
)
def test_bad_arguments(args, message, tmp_path, end_of):
    code, printed = end_of(*args, "--out", tmp_path / "run")
    assert code == 1
    (line,) = [line for line in printed.err.splitlines() if "compiling" not in line]
    assert line.startswith(f"{args[0]}: ")
    assert message in line


def test_weights_and_biases(tmp_path):
    """A switch: what TensorBoard gets goes there too, by wandb's own mirror."""
    (tmp_path / "wandb.py").write_text(
        "def init(**said):\n    print('wandb', sorted(said.items()))\n"
    )
    command = [sys.executable, "baselines/train_strokenet.py", "--minutes", "0.001", "--width", "4",
               "--canvas-size", "32", "--batch", "2", "--evaluate-every", "0", "--generator",
               "exact", "--wandb", "--out", str(tmp_path / "run")]  # fmt: skip
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "('id', 'run')" in done.stdout
    assert "('sync_tensorboard', True)" in done.stdout
    (tmp_path / "wandb.py").write_text("raise ImportError")
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1] == (
        "train_strokenet.py: wandb is not installed, run `pip install wandb`"
    )
