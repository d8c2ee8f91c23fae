"""Every example, run as a user runs it."""

import subprocess
import sys

import imageio.v3 as imageio
from conftest import ROOT


def run(*args):
    command = [sys.executable, *map(str, args)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout


def test_examples_are_short():
    for file in (ROOT / "examples").glob("*.py"):
        assert len(file.read_text().splitlines()) <= 60, file


def test_fit_one_stroke(tmp_path):
    film = tmp_path / "films" / "fit.gif"
    text = run("examples/fit_one_stroke.py", "--steps", 60, "--character", "L", "--out", film)
    frames = imageio.imread(film)
    assert frames.shape[1:3] == (128, 3 * 128)
    for line in text.splitlines()[:2]:
        name, residual = line.split(": residual ")
        assert float(residual) < 0.6, name
