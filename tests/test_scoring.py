"""The scripts that measure, compare and show, and what they measure with."""

import json

import cv2
import numpy as np
import pytest
import torch
from conftest import succeed
from PIL import Image, ImageSequence

from baselines.harness import stroke_files
from baselines.harness.classifier import DigitClassifier, crop_digits
from baselines.harness.gradients import gradient_cosines
from baselines.harness.scoring import random_policy, score
from baselines.harness.stroke_files import StrokeFiles, write_strokes
from baselines.harness.stroke_samples import agent_strokes, far_apart_strokes
from baselines.harness.task import Task
from strokenet_gym import Brush
from strokenet_gym.agents import load_agent
from strokenet_gym.programs.learned import CompactGenerator, save_generator
from strokenet_gym.programs.stamped import BRUSHES
from strokenet_gym.programs.three_body import three_body_strokes
from strokenet_gym.targets import MNIST
from strokenet_gym.targets.mnist import read_idx


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


def test_train_classifier(tiny_mnist):
    out = tiny_mnist / "run"
    text = succeed(
        "baselines.train_classifier", "--data-dir", tiny_mnist, "--updates", 20, "--out", out
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
    succeed("baselines.evaluate", "agent", "--agent", "mnist", "--targets", "mnist",
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
    text = succeed("baselines.evaluate", "all", "--data-dir", tiny_mnist, "--limit", 5,
                   "--canvas-size", 64, "--out", out, "--agents", "glyphs", "mnist")  # fmt: skip
    assert json.loads(out.read_text()).keys() == {"glyphs", "mnist"}
    assert len([line for line in text.splitlines() if line.startswith("| ")]) == 3


@pytest.mark.parametrize("generator", ["compact", pytest.param("paper", marks=pytest.mark.slow)])
def test_evaluate_generator(tmp_path, generator):
    scores, figures = tmp_path / "scores.json", tmp_path / "figures"
    small = ["--count", 20, "--canvas-size", 64, "--sizes", 32, 64]
    succeed("baselines.evaluate", "generator", "--generator", generator, *small,
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
    text = succeed("baselines.demo", "--out", tmp_path, "--strokes", 20)
    for line in ("blank canvas", "random agent", "StrokeNet agent"):
        assert line in text
    photograph, painting = (
        cv2.imread(str(tmp_path / f"{n}.png")) for n in ("photograph", "painting")
    )
    assert photograph.shape == painting.shape
    assert np.corrcoef(photograph.ravel(), painting.ravel())[0, 1] > 0.8
    assert (tmp_path / "painting.svg").stat().st_size > 1000
    with Image.open(tmp_path / "painting.gif") as film:
        assert film.n_frames > 20
    assert cv2.imread(str(tmp_path / "grid.png")).std() > 10
    with Image.open(tmp_path / "strokes.gif") as film:
        assert film.n_frames >= 16
        ink = [np.asarray(frame.convert("L")).sum() for frame in ImageSequence.Iterator(film)]
    assert ink[0] < ink[8] < ink[15]  # the strokes grow
    succeed("baselines.demo", "--out", tmp_path, "--count", 1, "--strokes", 1)


@pytest.mark.parametrize("brush", ["watercolour", "eraser"])
def test_evaluate_a_network_of_another_brush(tmp_path, brush):
    """On an empty canvas on which its strokes show: multiplying ink leaves nothing on black."""
    file = tmp_path / "twin.safetensors"
    save_generator(CompactGenerator(), file, brush)
    succeed("baselines.evaluate", "generator", "--generator", file, "--count", 5,
            "--canvas-size", 32, "--sizes", 32, "--out", tmp_path / "scores.json",
            "--figures", tmp_path / "figures")  # fmt: skip
    scores = json.loads((tmp_path / "scores.json").read_text())
    cosine = scores["three_body"]["gradient_cosine"]
    assert cosine["position"]["count"] == 5
    assert cosine["colour"]["count"] == (5 if brush == "watercolour" else 0)


@pytest.fixture
def folder(tmp_path):
    """A folder of small pictures in colour."""
    for k in range(6):
        picture = np.full((32, 48, 3), 255, np.uint8)
        cv2.circle(picture, (24, 16), 6 + k, (40 * k, 0, 200), -1)
        (tmp_path / "pictures").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / "pictures" / f"{k}.png"), picture)
    return tmp_path / "pictures"


def test_another_task_from_training_to_evaluation(folder, tmp_path):
    """Marker on white paper, pictures in colour: every script has it, and so has the agent."""
    out = tmp_path / "run"
    task = ["--targets", folder, "--brush", "marker", "--background", 1, "--channels", 3]
    small = ["--canvas-size", 32, "--updates", 60]
    succeed("baselines.train_strokenet", *task, *small, "--width", 4, "--out", out)
    agent = load_agent(out / "agent.safetensors")
    assert agent.task | {"targets": ""} == {
        "targets": "", "canvas_size": 32, "max_strokes": 1, "channels": 3, "brush": "marker",
        "background": [1.0], "reward": "l2", "task": None,
    }  # fmt: skip
    text = succeed("baselines.evaluate", "agent", "--agent", out / "agent.safetensors",
                   "--targets", folder, "--figure", tmp_path / "grid.png")  # fmt: skip
    scores = json.loads(text)
    own = json.loads((out / "scores.json").read_text())
    assert own == {name: scores[name] for name in own}
    assert scores["count"] == 6
    assert scores["residual_exact"] < scores["residual_random"]
    assert "residual_neural" not in scores  # no network imitates the marker
    samples = np.load(out / "samples.npz")
    assert samples["target"].shape == (6, 3, 32, 32)
    assert samples["target"][:, :, 0].min() == 255  # padded with paper
    assert cv2.imread(str(tmp_path / "grid.png")).size > 0
    small[-1] = 2
    small += ["--num-envs", 16, "--batch", 16, "--rollout", 2, "--evaluate-every", 0]
    succeed("baselines.train_ppo", *task, *small, "--out", tmp_path / "ppo")
    assert json.loads((tmp_path / "ppo" / "scores.json").read_text())["count"] == 6


def test_task_in_json_and_back():
    task = Task(targets="glyphs", brush="marker", background=(1.0, 0.5, 0.2), channels=3,
                max_strokes=4)  # fmt: skip
    assert Task.of(json.loads(json.dumps(task.settings()))) == task


def test_names_come_before_folders(tmp_path, monkeypatch):
    """A folder that is called like a data set is not what its name means."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "glyphs").mkdir()
    assert Task().settings()["targets"] == "glyphs"
    (tmp_path / "flat.json").write_text('{"edge": 0.2}')
    settings = Task(brush="flat.json").settings()
    monkeypatch.chdir("/")
    assert Task.of(settings).program == Brush(edge=0.2)


def test_scores_do_not_depend_on_the_reward():
    policy = random_policy()
    result = score(policy, Task(canvas_size=32, max_strokes=3, reward="l1"), limit=10)
    assert result["residual_by_stroke"][-1] == pytest.approx(result["residual_exact"])
    assert len(result["residual_by_stroke"]) == 3
