"""The scripts that train, run as a user runs them, on small jobs."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import types

import cv2
import numpy as np
import pytest
import torch
from conftest import ROOT, command, run, run_process, succeed

from baselines.harness import rl
from baselines.harness.run import Run, read_curve
from baselines.harness.stroke_files import write_strokes
from baselines.harness.task import RunArgs
from baselines.train_strokenet import Jittered
from strokenet_gym.agents import TracingAgent, load_agent
from strokenet_gym.programs.learned import CompactGenerator, load_generator
from strokenet_gym.programs.stamped import BRUSHES
from strokenet_gym.programs.three_body import three_body_strokes
from strokenet_gym.sb3 import SB3VecEnv
from strokenet_gym.stroke import Stroke
from strokenet_gym.targets import ArrayTargets

SMALL = ["--canvas-size", 32, "--score-limit", 20, "--evaluate-every", 0]


def train(method, out, updates, *options, run=run):
    """Train in this process for so many updates; return what it prints."""
    script = f"baselines.train_{method}"
    return succeed(script, "--updates", updates, "--out", out, *options, run=run)


@pytest.mark.parametrize(
    ("script", "sections"),
    [
        ("train_generator", {"--updates", "--minutes", "--out", "--architecture", "--brush"}),
        ("train_strokenet", {"--updates", "--minutes", "--out", "--score-limit", "--horizon"}),
        ("train_ppo", {"--updates", "--minutes", "--out", "--score-limit", "--rollout"}),
        ("train_sac", {"--updates", "--minutes", "--out", "--score-limit", "--gradient-steps"}),
        ("train_classifier", {"--updates", "--minutes", "--out", "--data-dir", "--lr"}),
        ("train_shac", {"--updates", "--minutes", "--out", "--score-limit", "--horizon", "--lam"}),
        ("benchmark", {"--updates", "--budget", "--out", "--score-limit", "--methods", "--seeds"}),
        ("benchmark_report", {"--out"}),
        ("demo", {"--out", "--quick", "--strokes", "--count"}),
    ],
)
def test_help(script, sections):
    shown = run(f"baselines.{script}", "--help")
    assert shown.returncode == 0
    assert f"baselines.{script} [-h]" in shown.stdout
    words = set(re.findall(r"--[\w-]+", shown.stdout))
    assert sections <= words
    # Every option is explained, by a sentence or by what it chooses between.
    for option in sections:
        assert re.search(rf"{option}\b[^\n]*\s+[^\n│]*\w{{3,}}", shown.stdout), option


def test_train_generator(tmp_path):
    out = tmp_path / "run"
    options = ["--batch", 8, "--sizes", 32, 48]
    train("generator", out, 30, *options)
    generator = load_generator(out / "generator.safetensors")
    assert generator.imitates == BRUSHES["pencil"]
    assert list(out.glob("events.*"))
    assert "step 30" in train("generator", out, 40, *options)
    other = run("baselines.train_generator", "--updates", 50, "--out", out, *options,
                "--lr", 0.5)  # fmt: skip
    assert other.returncode == 1
    assert "run with other settings (lr)" in other.stderr
    # It has learned: a network at its first weights is far off.
    before, after = (ink_error(g) for g in (CompactGenerator(), generator))
    assert after < 0.5 * before


def ink_error(generator):
    stroke = three_body_strokes(np.random.default_rng(10**6), 50)
    truth = BRUSHES["pencil"].draw(stroke, 48)
    with torch.no_grad():
        drawn = generator(Stroke(*map(torch.from_numpy, stroke)), 48).numpy()
    return np.square(drawn - truth).sum() / np.square(truth).sum()


def test_train_the_papers_generator_on_strokes_from_disk(tmp_path):
    write_strokes(tmp_path / "strokes", 1, 64, "pencil", seed=0)
    out = tmp_path / "run"
    options = ["--architecture", "paper", "--width", 4, "--hidden", 16, "--batch", 2,
               "--read", tmp_path / "strokes"]  # fmt: skip
    train("generator", out, 6, *options)
    assert "Resuming" in train("generator", out, 12, *options)
    generator = load_generator(out / "generator.safetensors")
    assert generator.sizes == {"width": 4, "hidden": 16}


@pytest.mark.slow
def test_several_processes_train_together(tmp_path):
    out = tmp_path / "run"
    launch = ["-m", "torch.distributed.run", "--nproc-per-node", 2]
    small = ["--batch", 8, "--sizes", 32, "--out", out]
    for updates in (10, 20):
        output = succeed(*launch, "-m", "baselines.train_generator", "--updates", updates, *small,
                         run=run_process)  # fmt: skip
    assert output.count("Resuming") == 1
    assert load_generator(out / "generator.safetensors").imitates == BRUSHES["pencil"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run of the StrokeNet agent, and the options that it was given."""
    out = tmp_path_factory.mktemp("finished") / "run"
    options = [*SMALL, "--width", 4, "--batch", 16, "--evaluate-every", 60]
    train("strokenet", out, 150, *options)
    return out, options


def test_train_strokenet_learns(finished, tmp_path):
    out, _ = finished
    curve = read_curve(out)
    assert curve[0]["step"] == 0
    assert curve[-1]["step"] == 150
    assert curve[-1]["strokes"] == 150 * 16
    assert curve[-1]["residual_exact"] < 0.8 * curve[0]["residual_exact"]
    scores = tmp_path / "scores.json"
    succeed("baselines.evaluate", "agent", "--agent", out / "agent.safetensors", "--limit", 20,
            "--canvas-size", 32, "--out", scores, "--figure", tmp_path / "grid.png")  # fmt: skip
    result = json.loads(scores.read_text())
    own = json.loads((out / "scores.json").read_text())
    assert own == {name: result[name] for name in own}
    assert result["count"] == 20
    assert result["residual_exact"] < 0.95 * curve[0]["residual_exact"]
    assert result["residual_exact"] < 1 < result["residual_random"]
    assert result["residual_by_stroke"] == pytest.approx([result["residual_exact"]])
    assert 0 < result["strokes_that_matter"] <= 1
    assert result["residual_neural"] == pytest.approx(result["residual_exact"], abs=0.1)
    assert "accuracy_exact" not in result  # there is no classifier of glyphs
    assert cv2.imread(str(tmp_path / "grid.png")).shape == (2 * 3 * 36, 16 * 36, 3)


def test_a_resumed_run_forgets_what_it_does_again(finished, tmp_path):
    out, options = finished
    copy = shutil.copytree(out, tmp_path / "run")
    with open(copy / "curve.jsonl", "a") as file:  # measured after the last checkpoint
        file.write('{"seconds": 99, "step": 100000, "residual_exact": 0.5}\n')
    assert "step 150" in train("strokenet", copy, 151, *options)
    points = read_curve(copy)
    assert points[: len(read_curve(out))] == read_curve(out)
    assert points[-1]["step"] == 151


def test_updates_decide_and_not_the_clock(finished, tmp_path):
    _, options = finished
    for name, minutes in (("much", 25), ("none", 1e-9)):
        train("strokenet", tmp_path / name, 8, *options, "--minutes", minutes)
    much, none = (load_agent(tmp_path / n / "agent.safetensors") for n in ("much", "none"))
    for name, weights in much.state_dict().items():
        torch.testing.assert_close(none.state_dict()[name], weights, rtol=0, atol=0)
    assert read_curve(tmp_path / "none")[-1]["step"] == 8


def test_train_through_the_exact_program(tmp_path):
    out = tmp_path / "run"
    train("strokenet", out, 60, *SMALL, "--generator", "exact", "--width", 4, "--batch", 16,
          "--evaluate-every", 1)  # fmt: skip
    curve = read_curve(out)
    assert curve[0]["step"] == 0
    assert curve[-1]["residual_exact"] < 0.9 * curve[0]["residual_exact"]
    seconds = [point["seconds"] for point in curve]
    assert seconds == sorted(seconds)


def test_what_policies_see_and_say():
    options = rl.Args(num_envs=3, canvas_size=64, max_strokes=2)
    envs = rl.make_envs(options)
    plain = SB3VecEnv("Painting-v0", 3, targets="glyphs", canvas_size=64, max_strokes=2)
    for either in (envs, plain):
        either.seed(0)
    seen, whole = envs.reset(), plain.reset()
    assert envs.observation_space["glimpses"].shape == seen["glimpses"].shape[1:]
    # Numbers that are 0 mean what an untrained tracing agent does, but for its weights' noise.
    first = envs.action_of(np.zeros((3, 49), np.float32), envs.place)
    agent = TracingAgent(1, 64, 8)
    for head in (agent.position, agent.pressure, agent.radius):
        torch.nn.init.zeros_(head.weight)
    np.testing.assert_allclose(first, agent.act(whole), atol=1e-5)
    moved = envs.action_of(np.eye(49, dtype=np.float32)[[1, 1, 1]] / 4, envs.place) - first
    assert (moved[:, 2::3] > 0.01).all()  # the first coefficient of x moves all to the right
    np.testing.assert_allclose(np.delete(moved, np.s_[2::3], 1), 0, atol=1e-6)

    # The same strokes earn the same, as long as all look anew.
    rng = np.random.default_rng(0)
    for last in (False, True):
        numbers = rng.uniform(-0.2, 0.2, (3, 49)).astype(np.float32)
        actions = envs.action_of(numbers, envs.place)
        (_, rewards, done, infos), (_, expected, *_) = envs.step(numbers), plain.step(actions)
        np.testing.assert_allclose(rewards, expected, atol=1e-4)
        assert done.all() == last
    assert set(infos[0]["terminal_observation"]) == set(seen)
    assert envs.seconds > 0


def test_ppo_learns(tmp_path):
    """One character, always the same: its strokes become better than the first one."""
    target = np.zeros((32, 32), np.uint8)
    cv2.putText(target, "L", (6, 26), cv2.FONT_HERSHEY_SIMPLEX, 0.9, 255, 2)
    cv2.imwrite(str(tmp_path / "L.png"), target)
    out = tmp_path / "run"
    train("ppo", out, 16, *SMALL, "--targets", tmp_path / "L.png", "--num-envs", 64, "--batch", 256,
          "--evaluate-every", 60)  # fmt: skip
    curve = read_curve(out)
    assert curve[0]["step"] == 0
    assert curve[-1]["residual_exact"] < 0.95 * curve[0]["residual_exact"]


@pytest.mark.parametrize("algorithm", ["ppo", "sac"])
def test_model_free_training(tmp_path, algorithm):
    out, again = tmp_path / "run", tmp_path / "again"
    small = [*SMALL, "--num-envs", 4, "--canvas-size", 16, "--evaluate-every", 60, "--batch", 16]
    small += ["--gradient-steps", 1] if algorithm == "sac" else ["--rollout", 8]
    train(algorithm, out, 3, *small)
    scores = json.loads((out / "scores.json").read_text())
    assert 0 < scores["environment_share"] < 1
    assert "Resuming" in train(algorithm, out, 6, *small)
    curve = read_curve(out)
    assert curve[0]["strokes"] == 0
    assert curve[-1]["strokes"] == 6 * 4 * (1 if algorithm == "sac" else 8)
    scores = json.loads((out / "scores.json").read_text())
    assert scores["count"] == 20
    assert scores["residual_exact"] == pytest.approx(curve[-1]["residual_exact"])
    assert scores["residual_exact"] < 1.3  # so little training harms little
    assert (out / "policy.safetensors").exists()
    train(algorithm, again, 1, *small)
    first, before = read_curve(again)[0], curve[0]  # same seed, same first evaluation
    assert first["residual_exact"] == before["residual_exact"]


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_saves_and_the_same_command_goes_on(tmp_path, stop):
    out = tmp_path / "run"
    options = [*SMALL, "--width", 4, "--max-strokes", 2, "--evaluate-every", 60]
    command = [sys.executable, "-m", "baselines.train_strokenet", *map(str, options)]
    with subprocess.Popen(
        [*command, "--out", str(out)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        seen = ""
        while "residual=" not in seen:  # the loop runs
            seen += process.stderr.read(1)
        process.send_signal(stop)
        process.stderr.read()
        assert process.wait(300) == 130
    assert (out / "checkpoint.safetensors").exists()
    assert not (out / "agent.safetensors").exists()
    # Fewer updates than are done already: only writes the result.
    assert "Resuming" in train("strokenet", out, 1, *options)
    load_agent(out / "agent.safetensors")


def test_a_second_interrupt_waits_for_the_checkpoint(tmp_path):
    run = Run(RunArgs(out=tmp_path / "run", minutes=1.0), torch.nn.Linear(1, 1))
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


def test_truncated_back_propagation(tmp_path):
    options = [*SMALL, "--agent", "tracing", "--max-strokes", 4, "--width", 4, "--batch", 4,
               "--generator", "exact"]  # fmt: skip
    wrong = run("baselines.train_strokenet", *options, "--horizon", 3, "--out", tmp_path)
    assert wrong.returncode == 1
    assert "--horizon must divide --max-strokes, 4, got 3" in wrong.stderr
    train("strokenet", tmp_path, 4, *options, "--horizon", 2, "--jitter", 1)
    assert load_agent(tmp_path / "agent.safetensors").max_strokes == 4


def test_start_from_an_agent_of_fewer_strokes(tmp_path):
    """Training at a rate of nothing writes what it started from."""
    options = [*SMALL, "--max-strokes", 3, "--batch", 2, "--start", "glyphs"]
    train("strokenet", tmp_path / "run", 1, *options, "--lr", 1e-9)
    agent, before = load_agent(tmp_path / "run" / "agent.safetensors"), load_agent("glyphs")
    assert agent.max_strokes == 3
    for name, weights in before.state_dict().items():
        torch.testing.assert_close(agent.state_dict()[name], weights, atol=1e-5, rtol=0)
    wrong = run("baselines.train_strokenet", *options, "--agent", "tracing", "--out",
                tmp_path / "other")  # fmt: skip
    assert wrong.returncode == 1
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
        (["train_strokenet", "--targets", "cats"], "unknown targets 'cats'"),
        (["train_strokenet", "--minutes", "0"], "--minutes must be positive"),
        (["train_ppo", "--updates", "0"], "--updates must be positive, got 0"),
        (["train_sac", "--score-limit", "0"], "--score-limit must be positive, got 0"),
        (["train_strokenet", "--jitter", "-1"], "--jitter must be in 0 … 5, got -1"),
        (["train_generator", "--brush", "crayon"], "unknown brush 'crayon'"),
        (["train_strokenet", "--generator", "cat"], "unknown generator 'cat'"),
        (["train_ppo", "--brush", "crayon"], "unknown brush 'crayon'"),
        (["train_strokenet", "--background", "2"], "background must be a number in 0 … 1"),
        (["train_classifier", "--data-dir", "nowhere"], "mnist needs train-images"),
        (["train_strokenet", "--width", "0"], "--width must be positive, got 0"),
        (["train_strokenet", "--max-strokes", "0"], "--max-strokes must be positive, got 0"),
        (["train_strokenet", "--agent", "cat"], "--agent must be of strokenet, tracing"),
        (["train_ppo", "--batch", "0"], "--batch must be positive, got 0"),
        (["train_ppo", "--env", "Foo-v0"], "Foo"),
        (["train_sac", "--modules", "no_such"], "--modules no_such cannot be imported"),
        (["train_generator", "--device", "abacus"], "device 'abacus' is unknown"),
        (["train_shac", "--lam", "2"], "--lam must be in 0 … 1, got 2"),
        (["train_ppo", "--gamma", "-1"], "--gamma must be in 0 … 1, got -1"),
        (["train_ppo", "--glimpse", "7"], "glimpse must be a multiple of 8, got 7"),
        (["benchmark", "--methods", "dqn"], "--methods must be of ppo, sac, apg, shac, exact, neu"),
        (["benchmark", "--tasks", "Cat-v0"], "--tasks Cat-v0: "),
        (["benchmark", "--tasks", "Spiral-v0"], "--tasks Spiral-v0 is no environment of Painting"),
        (["benchmark", "--seeds", "0"], "--seeds must be positive, got 0"),
        (["benchmark", "--tasks", "Painting/Glyphs1-v0", "--methods", "shac"], "suits none of"),
        (["benchmark_report", "nowhere.json"], "no such file or folder: nowhere.json"),
        (["evaluate", "agent", "--agent", "cat"], "unknown agent 'cat'"),
        (["evaluate", "agent", "--limit", "0"], "--limit must be at least 1"),
        (["evaluate", "generator", "--generator", "cat"], "unknown generator 'cat'"),
    ],
)
def test_bad_arguments(args, message, tmp_path):
    ended = run(f"baselines.{args[0]}", *args[1:], "--out", tmp_path / "run")
    assert ended.returncode == 1
    (line,) = [line for line in ended.stderr.splitlines() if "compiling" not in line]
    assert line.startswith(f"baselines.{args[0]}: ")
    assert message in line


@pytest.mark.parametrize("method", ["strokenet", "ppo", "sac", "generator"])
def test_the_command_calls_the_trainings(method):
    ended = command("train", method, "--updates", "0")
    assert ended.returncode == 1
    assert ended.stderr == f"strokenet-gym train {method}: --updates must be positive, got 0\n"


def test_weights_and_biases(tmp_path, monkeypatch):
    """A switch: what TensorBoard gets goes there too, by wandb's own mirror."""
    said = {}
    wandb = types.ModuleType("wandb")
    wandb.init = lambda **options: said.update(options)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    options = [*SMALL, "--width", 4, "--batch", 2, "--generator", "exact", "--wandb"]
    train("strokenet", tmp_path / "run", 1, *options)
    assert said["id"] == "run"
    assert said["sync_tensorboard"] is True
    assert said["config"]["batch"] == "2"


def test_weights_and_biases_where_it_is_not_installed(tmp_path):
    options = [*SMALL, "--width", 4, "--batch", 2, "--generator", "exact", "--wandb"]
    ended = run("baselines.train_strokenet", *options, "--out", tmp_path / "run")
    assert ended.returncode == 1
    assert ended.stderr.strip().splitlines()[-1] == (
        "baselines.train_strokenet: wandb is not installed, run `pip install wandb`"
    )
