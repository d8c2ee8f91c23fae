"""The benchmark's command, its page, and SHAC."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
import torch
from conftest import ROOT, run, succeed

from baselines.benchmark_report import interval, iqm
from baselines.harness.run import read_curve
from baselines.train_shac import Critic, td_lambda_values

TASKS = "Painting/Glyphs1-v0", "Painting/Sparse4-v0"
SMALL = ["--score-limit", 8, "--tasks", *TASKS]


def scores(out):
    """Each run's residual, by its folder's name."""
    files = sorted(out.glob("*/*/scores.json"))
    names = [f"{file.parents[1].name}/{file.parent.name}" for file in files]
    return {
        n: json.loads(f.read_text())["residual_exact"] for n, f in zip(names, files, strict=True)
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A benchmark of two updates, and what it printed."""
    out = tmp_path_factory.mktemp("benchmark") / "out"
    command = ["baselines.benchmark", *SMALL, "--methods", "ppo", "apg", "exact", "--updates", 3,
               "--seeds", 3, "--jobs", 2, "--out", out]  # fmt: skip
    return out, command, succeed(*command)


def test_benchmark(finished):
    out, command, text = finished
    assert "| Glyphs1-v0 | -" in text  # the random agent
    for label in ("PPO", "APG", "StrokeNet, exact", "planner", "as good as PPO ever becomes"):
        assert label in text
    assert "3 updates; too short" in text
    report = json.loads((out / "report.json").read_text())
    assert set(report["tasks"]) == set(TASKS)
    for env_id, told in report["tasks"].items():
        assert told["random"] < 0 < 0.8 < told["planner"] <= 1
        for entry in report["entries"]:
            assert len(entry["scores"][env_id]) == 3
            assert told["random"] < min(entry["scores"][env_id])
    for name in ("curves", "profile", "Glyphs1-v0", "Sparse4-v0"):
        assert cv2.imread(str(out / f"{name}.png")).std() > 10
    before = {file: file.stat().st_mtime for file in out.glob("*/*/scores.json")}
    assert len(before) == 18
    succeed(*command)  # all is done already
    assert before == {file: file.stat().st_mtime for file in before}
    other = run(*command[:-2], "--budget", "full", "--out", out)
    assert other.returncode == 1
    assert "holds a benchmark with other settings" in other.stderr


def test_the_same_seed_gives_the_same_scores(finished, tmp_path):
    out, command, _ = finished
    succeed(*command[:-2], "--jobs", 1, "--seeds", 1, "--out", tmp_path)
    again = scores(tmp_path)
    assert len(again) == 6
    assert again == {name: scores(out)[name] for name in again}


def test_report_of_others(finished, tmp_path):
    out, *_ = finished
    theirs = {
        "entries": [
            {"method": "theirs", "label": "Their method", "scores": {TASKS[0]: [0.9, 0.8, 0.85]}}
        ]
    }
    (tmp_path / "theirs.json").write_text(json.dumps(theirs))
    page = tmp_path / "page"
    text = succeed("baselines.benchmark_report", out, tmp_path / "theirs.json", "--out", page)
    assert "Their method" in text
    assert "0.850 (" in text
    board = json.loads((page / "scoreboard.json").read_text())
    assert [entry["method"] for entry in board["entries"]] == ["ppo", "apg", "exact", "theirs"]
    # A scoreboard alone is enough for the tables, that of somebody else too; first or last.
    alone = tmp_path / "theirs.json", "--out", tmp_path / "alone"
    assert "0.850 (" in succeed("baselines.benchmark_report", *alone)
    first = tmp_path / "theirs.json", out, "--out", tmp_path / "again"
    assert "0.850 (" in succeed("baselines.benchmark_report", *first)
    for twice in ((out, out), (page / "scoreboard.json", out), (page / "scoreboard.json",) * 2):
        bad = run("baselines.benchmark_report", *twice, "--out", tmp_path / "bad")
        assert bad.returncode == 1
        assert re.search("have one seed|in a scoreboard and in a folder|is there twice", bad.stderr)
    for content, problem in (("{}", "it lacks"), ('{"entries": [{"method": "x"}]}', "it lacks")):
        (tmp_path / "bad.json").write_text(content)
        bad = run("baselines.benchmark_report", tmp_path / "bad.json", "--out", tmp_path / "bad")
        assert bad.returncode == 1
        assert "bad.json is damaged" in bad.stderr
        assert problem in bad.stderr


@pytest.mark.slow
def test_a_killed_benchmark_goes_on(tmp_path):
    """The curve has no gap and no double line, and the score is that of an unbroken run."""
    options = ["--score-limit", "8", "--tasks", TASKS[0], "--methods", "apg", "--updates", "60"]
    command = [sys.executable, "-m", "baselines.benchmark", *options, "--out"]
    curve = tmp_path / "killed" / "Painting-Glyphs1-v0" / "apg-0" / "curve.jsonl"
    with subprocess.Popen(
        [*command, str(tmp_path / "killed")], cwd=ROOT, start_new_session=True
    ) as process:
        while not curve.exists() or not curve.read_text():
            time.sleep(0.1)
            assert process.poll() is None
        process.kill()  # alone: what it had started ends by itself
    time.sleep(3)
    for name in ("killed", "whole"):
        subprocess.run([*command, str(tmp_path / name)], cwd=ROOT, check=True)
    killed = read_curve(curve.parent)
    steps = [point["step"] for point in killed]
    assert steps == sorted(set(steps))
    assert steps[-1] == 60
    assert scores(tmp_path / "killed") == scores(tmp_path / "whole")


@pytest.mark.slow
def test_an_interrupted_benchmark_says_so(tmp_path):
    command = [sys.executable, "-m", "baselines.benchmark", "--tasks", TASKS[0], "--methods", "apg",
               "--budget", "full", "--score-limit", "8", "--out", str(tmp_path)]  # fmt: skip
    curve = tmp_path / "Painting-Glyphs1-v0" / "apg-0" / "curve.jsonl"
    with subprocess.Popen(
        command, cwd=ROOT, start_new_session=True, stdout=subprocess.PIPE, text=True
    ) as process:
        while not curve.exists() or not curve.read_text():
            time.sleep(0.1)
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "The same command goes on from here" in said
    assert (curve.parent / "checkpoint.safetensors").exists()


@pytest.mark.slow
def test_ray_gives_the_same_scores(finished, tmp_path):
    pytest.importorskip("ray")
    out, command, _ = finished
    succeed(*command[:-2], "--cluster", "ray", "--out", tmp_path)
    assert scores(tmp_path) == scores(out)


def test_a_run_that_fails_does_not_end_the_others(tmp_path):
    """Its folder says why."""
    (tmp_path / "out" / "Painting-Glyphs1-v0" / "ppo-0").mkdir(parents=True)
    file = tmp_path / "out" / "Painting-Glyphs1-v0" / "ppo-0" / "checkpoint.safetensors"
    file.write_bytes(b"damaged")
    command = ["baselines.benchmark", *SMALL, "--methods", "ppo", "apg", "--updates", 1,
               "--jobs", 1, "--out", tmp_path / "out"]  # fmt: skip
    ended = run(*command)
    assert ended.returncode == 1
    assert "1 of 6 runs failed" in ended.stderr
    assert "is damaged" in (file.parent / "log.txt").read_text()
    file.unlink()
    succeed(*command)


def test_interquartile_mean():
    values = np.array([0.1, 0.5, 0.6, 0.7, 9.0])
    assert iqm(values) == pytest.approx(0.6)  # the ends do not count
    low, high = interval(values)
    assert 0.1 < low < 0.6 < high < 9
    assert interval(values[:2]) is None


def test_values_that_a_critic_learns():
    """Equation 8, term by term, of a window of three strokes."""
    rewards, after, lam = [1.0, 2.0, 4.0], [10.0, 20.0, 40.0], 0.5
    told = td_lambda_values(*([torch.tensor([x]) for x in one] for one in (rewards, after)), lam)
    for t, value in enumerate(told):
        steps = range(1, 3 - t + 1)
        returns = [sum(rewards[t : t + k]) + after[t + k - 1] for k in steps]
        weights = [(1 - lam) * lam ** (k - 1) for k in steps[:-1]] + [lam ** (2 - t)]
        assert value.item() == pytest.approx(np.dot(returns, weights))


def test_a_critic_begins_with_nothing_and_ends_with_nothing():
    critic = Critic(3)
    seen = {name: torch.rand(2, 3, 32, 32) for name in ("target", "canvas")}
    seen["strokes_left"] = torch.tensor([[0.0], [0.5]])
    assert not critic(seen).any()
    torch.nn.init.ones_(critic.net[-1].bias)
    assert critic(seen).tolist() == [0, 0.5]


def test_shac_learns(tmp_path):
    """Better than at its start, and than the blank canvas, on targets that it has not seen."""
    options = ["--targets", "glyphs", "--canvas-size", 32, "--max-strokes", 4, "--horizon", 2,
               "--score-limit", 20, "--updates", 120, "--evaluate-every", 1e-6]  # fmt: skip
    succeed("baselines.train_shac", *options, "--out", tmp_path)
    curve = read_curve(tmp_path)
    assert curve[-1]["residual_exact"] < min(0.9, curve[0]["residual_exact"])
    assert curve[-1]["strokes"] == 120 * 32 * 2
