"""Every example, run with few steps."""

import importlib.util
import itertools
import re
import runpy

import cv2
import numpy as np
import pygame
import pytest
from conftest import ROOT, run_process, succeed
from PIL import Image

from strokenet_gym import paint_sequence_vjp


def test_examples_are_short():
    for file in (ROOT / "examples").glob("*.py"):
        longest = 150 if file.stem == "ppo_single_file" else 60
        assert len(file.read_text().splitlines()) <= longest, file


def test_fit_one_stroke(tmp_path):
    film = tmp_path / "films" / "fit.gif"
    text = succeed("examples/fit_one_stroke.py", "--steps", 60, "--character", "L", "--out", film)
    with Image.open(film) as picture:
        assert picture.size == (3 * 128, 128)
    for line in text.splitlines()[:2]:
        name, residual = line.split(": residual ")
        assert float(residual) < 0.6, name


def test_interpolate_digits(tiny_mnist):
    out = tiny_mnist / "walk.png"
    succeed("examples/interpolate_digits.py", "--data-dir", tiny_mnist, "--pairs", 2, "--steps", 3,
        "--out", out)  # fmt: skip
    assert cv2.imread(str(out)).shape == (2 * 128, 5 * 128, 3)


def test_watch_agent(tmp_path):
    text = succeed("examples/watch_agent.py", "--pictures", 2, "--stroke-seconds", 0.1,
               "--canvas-size", 64, "--record", tmp_path)  # fmt: skip
    residuals = [float(line.split("residual ")[1]) for line in text.splitlines()]
    assert len(residuals) == 2
    assert max(residuals) < 1
    assert len(list(tmp_path.glob("*.json"))) == 2


def test_ppo_single_file(tmp_path):
    options = ("--num-envs", 4, "--num-steps", 4, "--canvas-size", 32, "--total-strokes", 64,
               "--out", tmp_path)  # fmt: skip
    text = succeed("examples/ppo_single_file.py", *options)
    assert re.fullmatch(r"64 strokes: residual \d\.\d+ \(\d+ strokes/s\)\n", text)


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("torchrl"), reason="TorchRL is not installed")
def test_torchrl_gradients():
    """The gradient of whole episodes comes through TorchRL's rollouts: the policy learns."""
    options = ("--steps", 120, "--strokes", 2)
    text = succeed("examples/torchrl_gradients.py", *options, run=run_process)
    assert float(text.rsplit(": ", 1)[1]) > 0.1


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("ray"), reason="Ray is not installed")
def test_rllib_ppo():
    options = ("--workers", 2, "--iterations", 2)
    text = succeed("examples/rllib_ppo.py", *options, run=run_process)
    returns = [float(line.split("return ")[1].split()[0]) for line in text.splitlines()]
    assert len(returns) == 2
    # Of episodes of random strokes; a perfect picture is 1, a white canvas about -10.
    assert all(-2 < value < 0.5 for value in returns)


def test_play(monkeypatch, capsys):
    """A person draws a line, sees the scores, asks for the next character and quits."""
    spec = importlib.util.spec_from_file_location("play", ROOT / "examples" / "play.py")
    play = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(play)
    event, moves = pygame.event.Event, [(160, 60 + 5 * k) for k in range(40)]
    draw = [event(pygame.MOUSEMOTION, pos=pos, buttons=(1, 0, 0), rel=(0, 5)) for pos in moves]
    tremble = [(300, 10), (301, 11)]
    script = [
        *(event(pygame.MOUSEMOTION, pos=pos, buttons=(1, 0, 0), rel=(1, 1)) for pos in tremble),
        event(pygame.MOUSEBUTTONUP, button=1, pos=(301, 11)),  # is no stroke, nor part of one
        *draw[:20],
        event(pygame.MOUSEBUTTONDOWN, button=4, pos=(160, 160)),  # the wheel
        event(pygame.MOUSEBUTTONUP, button=4, pos=(160, 160)),
        *draw[20:],
        event(pygame.MOUSEBUTTONUP, button=1, pos=(160, 260)),
        event(pygame.KEYDOWN, key=pygame.K_n),
        event(pygame.KEYDOWN, key=pygame.K_q),
    ]
    trails = []
    fit = play.fit
    monkeypatch.setattr(
        play, "fit", lambda trail, radius: trails.append(trail) or fit(trail, radius)
    )
    turns, clock = iter(script), itertools.count(0, 10)
    monkeypatch.setattr(pygame.time, "get_ticks", lambda: next(clock))
    monkeypatch.setattr(pygame.event, "wait", lambda milliseconds: next(turns))
    play.main()
    assert pygame.display.get_surface().get_flags() & pygame.RESIZABLE
    pygame.quit()
    assert [[point[:2] for point in trail] for trail in trails] == [moves]
    scores = [float(part.split()[0]) for part in capsys.readouterr().out.split("residual ")[1:]]
    person, agent = scores
    assert agent < 0.5 < person < 2  # a line through a character misses most of it


def test_jax_vjp():
    jax = pytest.importorskip("jax", reason="jax is not installed: pip install jax")
    paint = runpy.run_path(str(ROOT / "examples" / "jax_vjp.py"))["paint"]
    canvas, rng = np.zeros((1, 1, 32, 32), np.float32), np.random.default_rng(0)
    actions = rng.uniform(-0.9, 0.9, (1, 3, 50)).astype(np.float32)
    grad = jax.grad(lambda a: paint(canvas, a).sum())(actions)
    _, back = paint_sequence_vjp(canvas, actions)
    np.testing.assert_allclose(grad, back(np.ones_like(canvas))[1], atol=1e-5)
