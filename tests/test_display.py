"""Frames, and the window with its keys."""

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pygame
import pytest

from strokenet_gym import display
from strokenet_gym.display import Scene, Window, frame
from strokenet_gym.programs.stamped import BRUSHES
from strokenet_gym.stroke import Stroke

LINE = Stroke(
    np.ones(1), np.array(0.1), np.stack([np.linspace(-0.8, 0.8, 16), np.full(16, 0.5)], 1),
    np.ones(16),
)  # fmt: skip


def scene(size=64, channels=1, stroke=LINE):
    pictures = np.random.default_rng(0).integers(0, 256, (2, channels, size, size)).astype(np.uint8)
    return Scene(*pictures, number=3, budget=8, residual=0.25, stroke=stroke)


@pytest.fixture
def window():
    window = Window("test", stroke_seconds=0.1)
    yield window
    window.close()


def press(key):
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key))


@pytest.mark.parametrize(("size", "side"), [(16, 256), (28, 280), (128, 256), (300, 300)])
@pytest.mark.parametrize("channels", [1, 3])
def test_frame(size, side, channels):
    moment = scene(size, channels)
    picture = frame(moment)
    assert picture.shape == (side + 24, 2 * side + 8, 3)
    factor = side // size
    wanted = np.broadcast_to(moment.target, (3, size, size)).transpose(1, 2, 0)
    np.testing.assert_array_equal(picture[:side:factor, :side:factor], wanted)
    wanted = np.broadcast_to(moment.canvas, (3, size, size)).transpose(1, 2, 0)
    np.testing.assert_array_equal(picture[:side:factor, side + 8 :: factor], wanted)
    assert picture[side:].max() == 255, "the caption"


def test_overlay_is_on_the_canvas_where_the_stroke_is():
    moment = scene(256)
    change = (frame(moment, anchors=True) != frame(moment)).any(2)
    rows, columns = np.nonzero(change)
    assert abs(rows.mean() - 64) < 2  # y = 0.5 is a quarter from the top
    assert abs(columns.mean() - 264 - 128) < 2
    assert columns.min() > 264
    assert not (frame(scene(stroke=None), anchors=True) != frame(scene(stroke=None))).any()


def test_window_opens_once_and_closes(window):
    assert not pygame.display.get_init()
    window.show(scene())
    window.show(scene())
    surface = pygame.display.get_surface()
    picture = np.asarray(pygame.surfarray.array3d(surface)).transpose(1, 0, 2)
    np.testing.assert_array_equal(picture, frame(scene()))
    window.close()
    assert not pygame.display.get_init()
    window.show(scene())
    assert pygame.display.get_init()


def test_a_stroke_grows(window, monkeypatch):
    seen = []
    monkeypatch.setattr(window, "_present", lambda moment, _=0: seen.append(moment.canvas))
    final = scene()
    window.animate(np.zeros((1, 64, 64), np.float32), final, BRUSHES["pencil"], np.zeros(1))
    ink = [int(canvas.sum()) for canvas in seen[:-1]]
    assert len(ink) == 2
    assert 0 < ink[0] < ink[1]
    assert seen[-1] is final.canvas


def grab():
    return pygame.surfarray.array3d(pygame.display.get_surface()).transpose(1, 0, 2)


class Clock:
    """Time that goes by while a window waits for its next frame, and then only."""

    def __init__(self):
        self.now, self.keys = 0.0, {}

    def tick(self, fps):
        self.now += 1 / fps
        for moment in [moment for moment in self.keys if moment <= self.now]:
            press(self.keys.pop(moment))


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(pygame.time, "Clock", lambda: clock)
    monkeypatch.setattr(display.time, "monotonic", lambda: clock.now)
    return clock


def test_keys(window, clock, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    window.show(scene())
    press(pygame.K_a)
    press(pygame.K_s)
    press(pygame.K_SPACE)  # pauses, until the next one
    clock.keys[start := clock.now + 1.5] = pygame.K_SPACE
    window.show(scene())
    assert start < clock.now < start + 0.1
    assert len(list(tmp_path.glob("runs/strokenet-*.png"))) == 1
    np.testing.assert_array_equal(grab(), frame(scene(), anchors=True))
    press(pygame.K_h)
    window.show(scene())
    window.show(scene())
    assert (grab() != frame(scene(), anchors=True)).any(2)[:120, :230].mean() > 0.1


def test_the_right_arrow_paints_one_stroke_and_holds_it(window, clock):
    blank = np.zeros((1, 64, 64), np.float32)
    window.show(scene())
    press(pygame.K_RIGHT)
    clock.keys[end := clock.now + 1.5] = pygame.K_RIGHT
    window.show(scene())  # as after reset: does not wait
    assert clock.now < end - 1.4
    # Waits at its end for the second press.
    window.animate(blank, scene(), BRUSHES["pencil"], np.zeros(1))
    assert end <= clock.now < end + 0.1
    np.testing.assert_array_equal(grab(), frame(scene()))


def test_a_finished_picture_stays_for_a_moment(clock):
    window = Window("test", stroke_seconds=1)
    finished = replace(scene(), number=8)
    window._present(finished, 0.7)
    assert 0.7 <= clock.now < 0.8
    window.close()


def test_one_window_at_a_time(window):
    window.show(scene())
    other = Window("other")
    with pytest.raises(RuntimeError, match="close the other environment's first"):
        other.show(scene())
    other.close()
    window.show(scene())
    window.close()
    other.show(scene())
    other.close()


@pytest.mark.parametrize("how", ["key", "button"])
def test_closing_ends_the_episode(how):
    env = gym.make("Painting-v0", render_mode="human", stroke_seconds=0, max_strokes=5)
    env.reset(seed=0)
    assert not env.step(env.action_space.sample())[3]
    if how == "key":
        press(pygame.K_q)
    else:
        pygame.event.post(pygame.event.Event(pygame.QUIT))
    _, reward, terminated, truncated, info = env.step(env.action_space.sample())
    assert (terminated, truncated) == (False, True)
    assert np.isfinite(reward)
    assert info["stroke"] == 2
    assert not pygame.display.get_init()
    env.reset()  # without a window
    assert not env.step(env.action_space.sample())[3]
    assert not pygame.display.get_init()
    env.close()


def test_window_of_a_batch():
    envs = gym.make_vec(
        "Painting-v0", num_envs=3, render_mode="human", stroke_seconds=0, shown=2, max_strokes=2
    )
    envs.reset(seed=0)
    for _ in range(5):
        observation = envs.step(envs.action_space.sample())[0]
        picture = pygame.surfarray.array3d(pygame.display.get_surface()).transpose(1, 0, 2)
        np.testing.assert_array_equal(picture[:256:2, 264::2, 0], observation["canvas"][2, 0])
    assert pygame.display.get_caption()[0] == "glyphs, PaintingVectorEnv 2 of 3"
    terminated = np.ones(3, bool)
    while terminated.any():  # so that episodes are under way
        terminated = envs.step(envs.action_space.sample())[2]
    press(pygame.K_q)
    terminated, truncated = envs.step(envs.action_space.sample())[2:4]
    assert (terminated ^ truncated).all()
    for k in range(4):
        observation, _, terminated, truncated, _ = envs.step(envs.action_space.sample())
        assert not truncated.any()
        if k == 0:
            assert (observation["strokes_left"] == 1).all()
    assert not pygame.display.get_init()
    envs.close()
    with pytest.raises(ValueError, match="shown must be from 0 to 2, got 3"):
        gym.make_vec("Painting-v0", num_envs=3, render_mode="human", shown=3)


def test_windows_fit_the_desktop(window, monkeypatch):
    monkeypatch.setattr(pygame.display, "get_desktop_sizes", lambda: [(400, 300)])
    window.show(scene())
    assert pygame.display.get_surface().get_size() == (400, 300 - (300 - 256 - 24))


def test_resized_window(window):
    window.show(scene())
    pygame.display.set_mode((700, 500), pygame.RESIZABLE)
    window.show(scene())
    picture = pygame.surfarray.array3d(pygame.display.get_surface()).transpose(1, 0, 2)
    wanted = frame(scene(), size=(346, 346))
    np.testing.assert_array_equal(picture[65 : 65 + 370, :700], wanted)


def test_no_display(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "nonsense")
    with pytest.raises(OSError, match=r'no window can be opened .*render_mode="rgb_array"'):
        Window("test").show(scene())


def test_a_window_that_nobody_would_see(monkeypatch):
    """What SDL falls back to where there is no display."""
    monkeypatch.delenv("SDL_VIDEODRIVER", raising=False)
    monkeypatch.setattr(pygame.display, "get_driver", lambda: "offscreen")
    with pytest.raises(OSError, match=r'no window can be opened: .*render_mode="rgb_array"'):
        Window("test").show(scene())


def test_bad_speed():
    with pytest.raises(ValueError, match="stroke_seconds must be from 0 to 86400, got -1"):
        Window("test", -1)
