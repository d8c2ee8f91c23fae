"""Strokes of any length: exact, in bounded memory and time, and Ctrl-C gets through."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from reference import reference_opacity

from strokenet_gym import Brush, Stroke, StrokeLog
from strokenet_gym.kernels import threads

SPARSE = Brush(density=0.1, edge=0.05)  # hard and faint: what is sampled most finely


def stroke_of(position, radius=0.002, count=1):
    """A batch of strokes through these anchors, white."""
    position = np.broadcast_to(np.asarray(position, float), (count, 16, 2))
    pressure, colour = np.ones((count, 16)), np.ones((count, 1))
    return Stroke(colour, np.full(count, float(radius)), position, pressure)


def scribble(width=0.95):
    """From side to side, 15 times."""
    x = np.where(np.arange(16) % 2, width, -width)
    return np.stack([x, np.linspace(-0.9, 0.9, 16)], 1)


def far_and_near(seed=0):
    """Anchors at ±100 and on the canvas by turns: long segments that are slow where they show."""
    position = np.random.default_rng(seed).uniform(-1, 1, (16, 2))
    position[::3] = 100 * np.sign(position[::3])
    return position


def test_more_stamps_than_the_table_has_room_for():
    """Painted table by table, and still the same picture as the reference's."""
    opacity = SPARSE.draw(stroke_of(scribble(), 0.03), 64)[0]
    expected = reference_opacity(scribble(), np.ones(16), 0.03, 64, SPARSE)
    assert np.abs(opacity - expected).max() * 255 < 0.5


@pytest.mark.parametrize("of", ["position", "pressure", "radius"])
def test_the_gradient_goes_through_all_tables(of):
    rng, stroke = np.random.default_rng(0), stroke_of(scribble(), 0.03)
    stroke = stroke._replace(pressure=np.full((1, 16), 0.8))
    target = rng.random((1, 1, 64, 64))

    def tape(stroke):
        return SPARSE.paint_taped(np.zeros((1, 1, 64, 64)), stroke, target=target)[1]

    def loss(stroke):
        return tape(stroke).change[0, 0]

    _, by = tape(stroke).backward(None, np.array([[1.0, 0.0]]), canvas=False)
    step = rng.normal(size=np.shape(getattr(stroke, of)))
    slope = (np.asarray(getattr(by, of)) * step).sum()
    h = 1e-6
    high, low = (loss(stroke._replace(**{of: getattr(stroke, of) + s * step})) for s in (h, -h))
    # A hard rim of a thin pen has many kinks.
    assert slope == pytest.approx((high - low) / (2 * h), rel=0.02)


def test_a_small_log_that_hung(tmp_path):
    """Its path is 700 canvases long, and most of it off the canvas."""
    path = tmp_path / "log.json"
    log = StrokeLog(512, (0.0,), SPARSE)
    one = stroke_of(np.round(far_and_near(), 1))
    log.strokes = [Stroke(*(np.asarray(field)[0] for field in one))]
    log.save(path)
    code = f"""
import resource
from strokenet_gym import StrokeLog
log = StrokeLog.load({str(path)!r})
log.replay(64)  # compiled
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
canvas = log.replay()
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(grown / 1024, canvas.sum())
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
    megabytes, ink = map(float, result.stdout.split())
    assert megabytes < 64
    assert ink > 0

    assert cost(one) < 3 * cost(stroke_of(scribble()))


def cost(stroke):
    """Seconds of the processor, the best of three; its ratios hold on every machine."""
    canvas = np.zeros((1, 1, 512, 512), np.float32)
    seconds = []
    for _ in range(4):  # the first compiles
        start = time.process_time()
        SPARSE.composite(canvas, canvas.copy(), stroke)
        seconds.append(time.process_time() - start)
    return min(seconds)


def test_paths_off_the_canvas_cost_nothing():
    above = stroke_of(scribble(100) + np.array([0, 150]))
    assert not SPARSE.draw(above, 512).any()
    assert cost(above) < cost(stroke_of(scribble())) / 10


def paint_many(keep):
    """Seconds of work in one call."""
    stroke = Stroke(*(field[None] for field in stroke_of(scribble(), 0.125, count=200)))
    canvas = np.zeros((1, 1, 512, 512), np.float32)
    SPARSE.paint_taped(canvas, stroke, keep=keep)


def draw_many():
    SPARSE.draw(stroke_of(scribble(), 0.125, count=200), 512)


@pytest.mark.skipif(sys.platform == "win32", reason="no timers of signals")
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("work", [draw_many, lambda: paint_many(False), lambda: paint_many(True)])
def test_ctrl_c_gets_through_between_strokes(work, count, monkeypatch):
    monkeypatch.setattr(threads, "THREADS", count)
    SPARSE.draw(stroke_of(scribble()), 64)
    paint = Stroke(*(field[None] for field in stroke_of(scribble())))
    SPARSE.paint_taped(np.zeros((1, 1, 64, 64), np.float32), paint)
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    strokes, check = [], threads.check
    monkeypatch.setattr(threads, "check", lambda: strokes.append(1) or check())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            work()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert len(strokes) < 100  # of 200, which take half a minute and more
