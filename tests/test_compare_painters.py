"""Painters of pictures, ours and older ones, side by side."""

import json
import stat
import sys

import cv2
import numpy as np
import pytest
from conftest import run, succeed

from baselines.harness import hertzmann
from baselines.harness.hill_climbing import climb
from baselines.harness.painters import PAINTERS

# Paints its picture in as many bars as it has marks, and takes as long for each.
PRIMITIVE = """
import sys, cv2
options = dict(zip(sys.argv[2::2], sys.argv[3::2]))
assert sys.argv[1] == "-v" and options["-j"] == "1" and options["-s"] == options["-r"]
image = cv2.imread(options["-i"])
for n in range(1, int(options["-n"]) + 1):
    print(f"{n}: t={n / 10:.3f}, score=0.1, n=1, n/s=1")
    if n % int(options["-nth"]) == 0:
        part = image.copy()
        part[:, n:] = 0
        cv2.imwrite(options["-o"] % n, part)
"""


@pytest.fixture
def picture(tmp_path):
    """A file with two bright shapes on a gradient, 64x48."""
    y, x = np.mgrid[:48, :64]
    image = np.stack([x * 2, 40 + y, 200 - y], -1).astype(np.uint8)
    image[(x - 40) ** 2 + (y - 24) ** 2 < 100] = 220, 40, 30
    image[10:16, 10:40] = 250
    assert cv2.imwrite(str(tmp_path / "shapes.png"), image)
    return tmp_path / "shapes.png"


def read(path):
    return np.ascontiguousarray(cv2.imread(str(path))[:, 8:56, ::-1].transpose(2, 0, 1) / 255, "f4")


def error(canvas, picture):
    return float(((canvas - picture) ** 2).mean())


def test_compare_painters(tmp_path, picture):
    out = tmp_path / "out"
    command = ["baselines.compare_painters", picture, "--crop", 48, "--strokes", 4, 8,
               "--out", out, "--painters"]  # fmt: skip
    names = ["photo", "hill-climbing", "hertzmann-1998"]
    text = succeed(*command, *names)
    for name in names:
        assert PAINTERS[name].label in text
    lines = (out / "results.jsonl").read_text()
    rows = [json.loads(line) for line in lines.splitlines()]
    assert [(row["painter"], row["marks"]) for row in rows] == [
        (n, k) for n in names for k in (4, 8)
    ]
    psnr = {(row["painter"], row["marks"]): row["psnr"] for row in rows}
    assert psnr["photo", 8] > psnr["hill-climbing", 8]
    assert psnr["photo", 8] > psnr["photo", 4]
    assert (out / "curves.png").stat().st_size > 1000
    assert cv2.imread(str(out / "photo" / "shapes-8.png")).shape == (48, 48, 3)
    assert succeed(*command, *names) == text  # nothing is painted twice
    assert (out / "results.jsonl").read_text() == lines
    for wrong, message in (("oils", "got oils"), ("triangles", "need the binary of primitive")):
        failed = run(*command, wrong)
        assert failed.returncode == 1
        assert message in failed.stderr
    large = run(*command[:2], "--out", tmp_path / "large")
    assert large.returncode == 1
    assert "shapes.png has 64x48 px, expected 256 … 4096" in large.stderr


def test_primitive_is_run_if_it_is_there(tmp_path, picture, monkeypatch):
    binary = tmp_path / "primitive"
    binary.write_text(f"#!{sys.executable}\n{PRIMITIVE}")
    binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path))
    target = read(picture)
    few, many = PAINTERS["triangles"].paint(target, (10, 20), 0)
    assert (few.marks, many.marks) == (10, 20)
    assert few.seconds == pytest.approx(many.seconds / 2)
    assert not few.canvas[:, :, 10:].any()
    np.testing.assert_allclose(many.canvas[:, :, :20], target[:, :, :20], atol=1e-6)
    assert error(many.canvas, target) < error(few.canvas, target)


def test_hill_climbing_gains_with_each_stroke(picture, rng):
    target = read(picture)
    blank = np.broadcast_to(target.mean((1, 2), keepdims=True), target.shape)
    canvases = [blank, *(canvas for _, canvas in climb(target, 5, rng))]
    errors = [error(canvas, target) for canvas in canvases]
    assert len(errors) == 6
    assert np.diff(errors).max() < 0


def test_hertzmann_keeps_within_the_budget_and_relaxes(picture, rng, monkeypatch):
    target = read(picture)
    blank = error(np.broadcast_to(target.mean((1, 2), keepdims=True), target.shape), target)
    strokes, canvas = hertzmann.paint_layers(target, 12, rng)
    assert 1 <= len(strokes.radius) <= 12
    assert error(canvas, target) < blank
    errors = [error(canvas, target)]
    for trials in (100, 400):
        monkeypatch.setattr(hertzmann, "_TRIALS", trials)
        used, relaxed = hertzmann.relax(target, 12, np.random.default_rng(0))
        assert used == 12
        errors.append(error(relaxed, target))
    assert np.diff(errors).max() < 0
    np.testing.assert_array_equal(relaxed, hertzmann.relax(target, 12, np.random.default_rng(0))[1])
