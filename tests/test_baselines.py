"""The scripts, run as a user runs them, on small jobs."""

import json
import signal
import subprocess
import sys

import cv2
import filelock
import imageio.v3 as imageio
import numpy as np
import pytest
import torch
from conftest import ROOT
from harness import rl, stroke_files
from harness.classifier import DigitClassifier, crop_digits
from harness.gradients import gradient_cosines
from harness.methods import METHODS
from harness.report import as_good, reached, share, table
from harness.run import read_curve
from harness.stroke_files import StrokeFiles, write_strokes
from harness.stroke_samples import agent_strokes, far_apart_strokes
from train_strokenet import Jittered

from strokenet_gym.agents import load_agent
from strokenet_gym.programs.learned import load_generator
from strokenet_gym.programs.learned.three_body import three_body_strokes
from strokenet_gym.programs.stamped import BRUSHES
from strokenet_gym.sb3 import SB3VecEnv
from strokenet_gym.targets import MNIST, ArrayTargets
from strokenet_gym.targets.mnist import read_idx


def run(*args, timeout=120):
    command = [sys.executable, *map(str, args)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout)


def succeed(*args, timeout=120):
    result = run(*args, timeout=timeout)
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout


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
def test_help(script):
    assert "--out" in succeed(f"baselines/{script}.py", "--help")


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


def test_stroke_files(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(stroke_files, "SHARD", 20)
    write_strokes(tmp_path, 30, 32, "pencil", seed=0)
    assert "40 strokes to write in 2 files" in capsys.readouterr().out
    file = tmp_path / "strokes-00000.npz"
    before = np.load(file)["position"]
    file.unlink()
    write_strokes(tmp_path, 60, 32, "pencil", seed=0)  # goes on, and mends
    assert "40 strokes to write in 2 files" in capsys.readouterr().out
    np.testing.assert_array_equal(np.load(file)["position"], before)
    with pytest.raises(ValueError, match="'seed': 0"):
        write_strokes(tmp_path, 60, 32, "pencil", seed=1)

    reader, rng = StrokeFiles(tmp_path, "pencil"), np.random.default_rng(0)
    stroke, opacity = reader.sample(rng, 8)
    assert opacity.shape == (8, 32, 32)
    np.testing.assert_allclose(opacity, BRUSHES["pencil"].draw(stroke, 32), atol=0.51 / 255)
    for file in tmp_path.glob("strokes-*.npz"):
        file.write_bytes(file.read_bytes()[:3000])
    with pytest.raises(ValueError, match="is damaged"):
        StrokeFiles(tmp_path, "pencil").sample(rng, 8)
    with pytest.raises(ValueError, match="strokes of the brush 'pencil', not 'marker'"):
        StrokeFiles(tmp_path, "marker")
    with pytest.raises(ValueError, match="holds no strokes"):
        StrokeFiles(tmp_path / "nothing", "pencil")
    with pytest.raises(ValueError, match="got 0"):
        write_strokes(tmp_path, 0, 32, "pencil", seed=0)


def test_train_strokenet_learns(tmp_path):
    out = tmp_path / "run"
    succeed("baselines/train_strokenet.py", "--minutes", 0.2, "--canvas-size", 32, "--width", 4,
            "--out", out)  # fmt: skip
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
    # Compiles what is not compiled yet, which would use up the time.
    succeed("baselines/train_strokenet.py", "--generator", "exact", "--minutes", 0.001,
            "--canvas-size", 32, "--width", 4, "--out", tmp_path / "warm")  # fmt: skip
    out = tmp_path / "run"
    succeed("baselines/train_strokenet.py", "--generator", "exact", "--minutes", 0.2,
            "--canvas-size", 32, "--width", 4, "--evaluate-every", 3, "--out", out)  # fmt: skip
    curve = read_curve(out)
    assert len(curve) >= 3
    assert curve[0]["step"] == 0
    assert curve[-1]["residual_exact"] < min(1, curve[0]["residual_exact"])
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


def test_compare(tmp_path):
    out = tmp_path / "comparison"
    command = ["baselines/compare.py", "--minutes", 0.05, "--seeds", 1, "--canvas-size", 32,
               "--out", out, "--methods", "exact", "ppo"]  # fmt: skip
    text = succeed(*command, timeout=300)
    assert "StrokeNet, exact gradient" in text
    assert "gradient descent on each of 100 targets" in text
    assert "random agent" in text
    report = json.loads((out / "report.json").read_text())
    assert report["methods"].keys() == {"exact", "ppo"}
    assert 0 < report["optimum"] < 0.5
    for method in report["methods"].values():
        assert 0 < method["residual_exact"] < 2
        curve = method["runs"][0]["curve"]
        assert len(curve) >= 2
        assert curve[-1]["strokes"] > curve[0]["strokes"] == 0
    assert cv2.imread(str(out / "curves.png")).size > 0
    assert cv2.imread(str(out / "paintings.png")).shape == (3 * 36, 12 * 36, 3)
    before = (out / "exact-0" / "agent.safetensors").stat().st_mtime
    assert succeed(*command).count("Resuming") == 0  # all is done already
    assert (out / "exact-0" / "agent.safetensors").stat().st_mtime == before
    other = run(*command, "--max-strokes", 2)
    assert other.returncode != 0
    assert "holds a comparison with other settings" in other.stderr
    with filelock.FileLock(out / ".lock"):
        busy = run(*command)
    assert busy.returncode != 0
    assert "is in use by another run" in busy.stderr


def test_what_it_takes_to_be_as_good():
    curve = [
        {"seconds": s, "residual_exact": r, "strokes": 100 * s}
        for s, r in ((0, 1.0), (5, 0.4), (10, 0.2))
    ]
    assert reached(curve, 0.5)["seconds"] == 5
    assert reached(curve, 0.4)["seconds"] == 5
    assert reached(curve, 0.1) is None
    slow = {"seconds": 100, "residual_exact": 0.4, "strokes": 5000}
    assert as_good("exact", curve[1], slow) == {
        "time": 20, "time_with_generator": 20, "strokes": 10
    }  # fmt: skip
    assert as_good("neural", curve[1], slow)["time_with_generator"] < 1
    assert [share(r) for r in (None, 0.25, 2.44, 23.7)] == ["never", "4.0 times", "1/2.4", "1/24"]


def test_table_of_what_methods_need():
    run = {"scores": {"residual_random": 1.3}, "curve": [{"strokes": 100}]}
    results = {"residual_exact": 0.1, "spread": 0.0, "runs": [run], "as_good_as": {}}
    report = {
        "optimum": 0.01,
        "methods": {name: {"label": METHODS[name].label} | results for name in ("neural", "exact")},
    }
    assert "as good as" not in table(report)  # nobody to compare with
    ratios = {"time": 20, "time_with_generator": 0.25, "strokes": 50}
    report["methods"]["neural"]["as_good_as"] = {"exact": [ratios, None]}
    report["methods"]["exact"]["as_good_as"] = {"neural": [ratios, None]}
    neural, exact = table(report).splitlines()[-2:]
    assert neural.endswith("| 1/20, never | 1/50, never | 4.0 times, never |")
    assert exact.endswith("| 1/20, never | 1/50, never |  |")


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
    succeed("baselines/train_ppo.py", "--targets", tmp_path / "L.png", "--canvas-size", 32,
            "--num-envs", 64, "--batch", 256, "--minutes", 0.3, "--out",
            tmp_path / "run")  # fmt: skip
    curve = read_curve(tmp_path / "run")
    assert curve[-1]["residual_exact"] < 0.95 * curve[0]["residual_exact"]


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
        assert process.wait(60) == 130
    assert (out / "checkpoint.safetensors").exists()
    assert not (out / "agent.safetensors").exists()
    # Less time than is used up already: only writes the result.
    assert "Resuming" in succeed(*command[1:], 0.001)
    load_agent(out / "agent.safetensors")


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


def test_train_classifier(tiny_mnist):
    out = tiny_mnist / "run"
    text = succeed(
        "baselines/train_classifier.py", "--data-dir", tiny_mnist, "--minutes", 0.03, "--out", out
    )
    assert "accuracy on 12 test digits" in text
    assert (out / "classifier.safetensors").exists()


def test_crop_digits_undoes_the_placing(data_dir):
    mnist = MNIST(data_dir, "test", size=256)
    canvases = torch.stack([torch.from_numpy(mnist[i])[None] for i in range(20)])
    digits = read_idx(data_dir / "mnist" / "t10k-images-idx3-ubyte.gz")[:20]
    difference = crop_digits(canvases)[:, 0].numpy() - digits / 255
    assert np.abs(difference).mean() < 0.02


def test_shipped_classifier(data_dir):
    mnist = MNIST(data_dir, "test")
    canvases = np.stack([mnist[i][None] for i in range(1000)])
    found = DigitClassifier.from_pretrained().classify((canvases * 255).astype(np.uint8))
    assert (found == mnist.labels[:1000].astype(int)).mean() > 0.97


def test_evaluate_agent_on_digits(tiny_mnist):
    scores = tiny_mnist / "scores.json"
    succeed("baselines/evaluate.py", "agent", "--agent", "mnist", "--targets", "mnist",
            "--data-dir", tiny_mnist, "--split", "test", "--limit", 5, "--out", scores)  # fmt: skip
    result = json.loads(scores.read_text())
    expected = {"l2_blank", "count"}
    expected |= {f"{key}_{kind}" for key in ("l2", "residual") for kind in ("exact", "neural")}
    expected |= {"psnr_exact", "ssim_exact"}
    expected |= {f"accuracy_{kind}" for kind in ("originals", "exact", "neural")}
    assert expected <= result.keys()
    assert result["count"] == 5
    assert result["residual_exact"] * result["l2_blank"] == pytest.approx(
        result["l2_exact"], rel=0.5
    )


def test_evaluate_all(tiny_mnist):
    out = tiny_mnist / "all.json"
    text = succeed("baselines/evaluate.py", "all", "--data-dir", tiny_mnist, "--limit", 5,
                   "--canvas-size", 64, "--out", out, "--agents", "glyphs", "mnist")  # fmt: skip
    assert json.loads(out.read_text()).keys() == {"glyphs", "mnist"}
    assert len([line for line in text.splitlines() if line.startswith("| ")]) == 3


@pytest.mark.parametrize("generator", ["compact", "paper"])
def test_evaluate_generator(tmp_path, generator):
    scores, figures = tmp_path / "scores.json", tmp_path / "figures"
    small = ["--count", 20, "--canvas-size", 64, "--sizes", 32, 64]
    succeed("baselines/evaluate.py", "generator", "--generator", generator, *small,
            "--out", scores, "--figures", figures)  # fmt: skip
    result = json.loads(scores.read_text())
    assert result["ink_error_by_size"].keys() == {"32", "64"}
    assert result["strokes_per_second"].keys() == {"forward", "forward_and_backward"}
    assert result["parameters"] > 1000
    best = 0.05 if generator == "compact" else 1.0
    for kind in ("three_body", "uniform", "agents", "far_apart"):
        values = result[kind]
        assert values["count"] == 20
        assert 0 < values["ink_error"] < best
        assert values["ink_error"] < values["ink_error_worst_percent"]
        cosines = values["gradient_cosine"]
        assert cosines.keys() == {"all", "colour", "radius", "position", "pressure"}
        for cosine in cosines.values():
            assert -1 <= cosine["p10"] <= cosine["median"] <= 1
            assert 0 < cosine["count"] <= 20
        if generator == "compact":
            assert values["psnr"] > 30
            assert cosines["all"]["median"] > 0.8
            assert values["share_above_0.2"] < 0.1
        assert cv2.imread(str(figures / f"worst_{kind}.png")).shape == (2 * 2 * 68, 8 * 68, 3)
    assert cv2.imread(str(figures / "gradients.png")).size > 0
    if generator == "paper":
        assert result["dots_error"] < 0.5 < result["dots_error_untrained"]
        assert cv2.imread(str(figures / "dots.png")).size > 0
    else:
        assert cv2.imread(str(figures / "features.png")).size > 0


def test_far_apart_strokes_are_far_apart(rng):
    position = far_apart_strokes(rng, 50).position
    assert np.abs(position).max() <= 1
    assert np.linalg.norm(np.diff(position, axis=1), axis=2).min() > 0.5


def test_agent_strokes_are_the_agents(rng):
    stroke = agent_strokes(rng, 5)
    assert stroke.position.shape == (5, 16, 2)
    assert stroke.pressure.max() > 0.5
    assert len(agent_strokes(rng, 3, ("mnist",)).radius) == 3


def test_the_exact_gradient_agrees_with_itself():
    pencil = BRUSHES["pencil"]
    cosines = gradient_cosines(pencil, pencil, three_body_strokes, 20, 64, seed=0)
    for cosine in cosines.values():
        assert cosine["p10"] == pytest.approx(1)


def test_demo(tmp_path):
    text = succeed("baselines/demo.py", "--out", tmp_path)
    for line in ("blank canvas", "random agent", "StrokeNet agent"):
        assert line in text
    assert cv2.imread(str(tmp_path / "grid.png")).std() > 10
    frames = imageio.imread(tmp_path / "strokes.gif", index=None)
    assert frames.shape[0] >= 16
    ink = frames.astype(float).sum((1, 2, 3))
    assert ink[0] < ink[8] < ink[15]  # the strokes grow
    succeed("baselines/demo.py", "--out", tmp_path, "--count", 1)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["train_strokenet.py", "--targets", "cats"], "unknown targets 'cats'"),
        (["train_strokenet.py", "--minutes", "0"], "--minutes must be positive"),
        (["train_strokenet.py", "--jitter", "-1"], "--jitter must be in 0 … 5, got -1"),
        (["train_generator.py", "--brush", "crayon"], "unknown brush 'crayon'"),
        (["train_strokenet.py", "--generator", "cat"], "unknown generator 'cat'"),
        (["compare.py", "--minutes", "-1"], "--minutes must be positive"),
        (["compare.py", "--seeds", "0"], "--seeds must be at least 1"),
        (["evaluate.py", "agent", "--agent", "cat"], "unknown agent 'cat'"),
        (["evaluate.py", "agent", "--limit", "0"], "--limit must be at least 1"),
        (["evaluate.py", "generator", "--generator", "cat"], "unknown generator 'cat'"),
    ],
)
def test_bad_arguments(args, message, tmp_path):
    result = run(f"baselines/{args[0]}", *args[1:], "--out", tmp_path / "run")
    assert result.returncode != 0
    assert message in result.stderr
