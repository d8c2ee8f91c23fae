"""The painting program against an independent reference, and what it promises."""

import multiprocessing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from reference import reference_opacity

from strokenet_gym import load_program
from strokenet_gym.programs.stamped import BRUSHES, Brush, pen_path
from strokenet_gym.programs.stamped.grain import paper
from strokenet_gym.programs.stamped.numbers import EXACT
from strokenet_gym.programs.three_body import three_body_strokes, uniform_strokes
from strokenet_gym.stroke import NUM_ANCHORS, Stroke

PENCIL = BRUSHES["pencil"]
SOFT = [  # and of low density, where there are fewer stamps the softer they are
    Brush(edge=edge, density=density, pressure_opacity=opacity, radius_max=0.9)
    for edge, density, opacity in ((1, 2, 1), (1, 1, 0), (1, 1.5, 2), (0.9, 4, 0), (0.75, 2, 1))
]
SOFT_NAMES = [f"edge {brush.edge}, density {brush.density}" for brush in SOFT]


def stroke_of(position, pressure=1.0, radius=0.05, colour=1.0):
    """One stroke as a batch; numbers are repeated."""
    n = NUM_ANCHORS
    return Stroke(
        colour=np.full((1, 1), colour),
        radius=np.full(1, radius),
        position=np.broadcast_to(np.asarray(position, float), (1, n, 2)).copy(),
        pressure=np.broadcast_to(np.asarray(pressure, float), (1, n)).copy(),
    )


def line(start, end, **kwargs):
    return stroke_of(np.linspace(start, end, NUM_ANCHORS), **kwargs)


def take(stroke, index):
    return Stroke(*(field[index] for field in stroke))


@pytest.mark.parametrize("size", [32, 64, 128])
def test_matches_the_reference(rng, size):
    strokes = [three_body_strokes(rng, 160), uniform_strokes(rng, 40)]
    stroke = Stroke(*(np.concatenate(fields) for fields in zip(*strokes, strict=True)))
    drawn = PENCIL.draw(stroke, size)
    total = 0.0
    for i in range(200):
        wanted = reference_opacity(
            stroke.position[i], stroke.pressure[i], stroke.radius[i], size, PENCIL
        )
        difference = np.abs(drawn[i] - wanted) * 255
        assert difference.max() <= 2, f"stroke {i}"
        total += difference.mean()
    assert total / 200 <= 0.2


@pytest.mark.parametrize(
    "brush",
    [
        Brush(pressure_size=0, pressure_opacity=0, edge=0.1),
        Brush(pressure_size=0.5, pressure_opacity=2, edge=1, opacity=0.05),
        Brush(density=2, opacity=0.5),
        *SOFT,
        *(brush for brush in BRUSHES.values() if brush != PENCIL),
    ],
)
def test_matches_the_reference_with_other_brushes(rng, brush):
    stroke = three_body_strokes(rng, 20)
    drawn = brush.draw(stroke, 64)
    for i in range(20):
        wanted = reference_opacity(
            stroke.position[i], stroke.pressure[i], stroke.radius[i], 64, brush
        )
        if brush.grain > 0:
            wanted = wanted * paper((64, 64), brush.grain)
        assert np.abs(drawn[i] - wanted).max() * 255 <= 2, f"stroke {i}"


@pytest.mark.parametrize("brush", SOFT, ids=SOFT_NAMES)
def test_broad_soft_strokes_match_the_reference(rng, brush):
    stroke = three_body_strokes(rng, 24)._replace(radius=np.geomspace(0.02, 0.5, 24))
    drawn = brush.draw(stroke, 128)
    for i in range(24):
        wanted = reference_opacity(
            stroke.position[i], stroke.pressure[i], stroke.radius[i], 128, brush
        )
        assert np.abs(drawn[i] - wanted).max() * 255 <= 2, f"stroke {i}"
        assert np.abs(drawn[i] - wanted).mean() * 255 <= 0.2


@pytest.mark.parametrize("size", [256, 1024])
def test_matches_the_reference_on_large_canvases(rng, size):
    """Broad, opaque strokes, where the kernels skip most; partly off the canvas; on one spot."""
    stroke = three_body_strokes(rng, 4)._replace(radius=np.array([0.12, 0.08, 0.05, 0.002]))
    stroke = stroke._replace(pressure=np.clip(stroke.pressure + 0.4, 0, 1))
    stroke.position[0] += [0.9, 0.3]
    stroke.position[1] -= [0.5, 1.2]
    stroke.position[2] = stroke.position[2, :1]
    drawn = PENCIL.draw(stroke, size)
    for i in range(4):
        wanted = reference_opacity(
            stroke.position[i], stroke.pressure[i], stroke.radius[i], size, PENCIL
        )
        assert np.abs(drawn[i] - wanted).max() * 255 <= 2, f"stroke {i}"


def hairpins(rng, count):
    """There and back on one line, with two anchors at the tip, or with one beside it."""
    back = np.r_[np.linspace(0, 1, 8), np.linspace(1, 0, 8)]
    beside = np.r_[np.linspace(0, 1, 8), np.linspace(1, 0, 9)[1:]]
    position = np.empty((count, NUM_ANCHORS, 2))
    for i in range(count):
        way = rng.normal(size=2)
        way *= rng.uniform(0.05, 0.5) / np.linalg.norm(way)
        aside = 0.01 * np.arange(NUM_ANCHORS) * (i % 2)
        share = (back, beside)[i % 2]
        position[i] = rng.uniform(-0.6, 0.6, 2) + np.outer(share, way)
        position[i] += np.outer(aside, [-way[1], way[0]])
    radius = np.exp(rng.uniform(np.log(0.004), np.log(0.125), count))
    slope = rng.uniform(-0.3, 0.3, (count, 1)) * np.linspace(0, 1, NUM_ANCHORS)
    pressure = (rng.uniform(0.3, 1, (count, 1)) + slope).clip(0.05, 1)
    return Stroke(np.ones((count, 1)), radius, position, pressure)


@pytest.mark.parametrize("size", [64, 256])
@pytest.mark.parametrize("brush", [*BRUSHES.values(), *SOFT], ids=[*BRUSHES, *SOFT_NAMES])
def test_hairpins_match_the_reference(rng, brush, size):
    stroke = hairpins(rng, 8)
    drawn = brush.draw(stroke, size)
    for i in range(8):
        wanted = reference_opacity(
            stroke.position[i], stroke.pressure[i], stroke.radius[i], size, brush
        )
        if brush.grain > 0:
            wanted = wanted * paper((size, size), brush.grain)
        assert np.abs(drawn[i] - wanted).max() * 255 <= 2, f"stroke {i}"
        assert np.abs(drawn[i] - wanted).mean() * 255 <= 0.2


@pytest.mark.parametrize("brush", [*BRUSHES.values(), *SOFT], ids=[*BRUSHES, *SOFT_NAMES])
def test_doubling_the_samples_changes_nothing_visible(rng, brush):
    for stroke in (three_body_strokes(rng, 100), uniform_strokes(rng, 50)):
        change = np.abs(
            brush.draw(stroke, 128)
            - brush.draw(stroke, 128, EXACT._replace(spacing=EXACT.spacing / 2))
        )
        assert change.max() * 255 <= 2


def test_float64_agrees_with_float32(rng):
    stroke = three_body_strokes(rng, 50)
    exact = PENCIL.draw(Stroke(*(field.astype(float) for field in stroke)), 96)
    assert exact.dtype == np.float64
    assert np.abs(PENCIL.draw(stroke, 96) - exact).max() < 1e-4


def test_reversed_stroke_is_the_same_picture(rng):
    """As far as the sampling goes, which runs the other way round."""
    stroke = uniform_strokes(rng, 50)
    back = stroke._replace(position=stroke.position[:, ::-1], pressure=stroke.pressure[:, ::-1])
    difference = np.abs(PENCIL.draw(stroke, 128) - PENCIL.draw(back, 128))
    assert difference.max() * 255 <= 2
    assert difference.mean() * 255 <= 0.02


def test_tap_leaves_a_dot():
    picture = PENCIL.draw(stroke_of([0.25, 0.25], radius=0.1), 64)[0]
    ys, xs = np.nonzero(picture > 0.5)
    assert abs(xs.mean() + 0.5 - 40) < 0.6
    assert abs(ys.mean() + 0.5 - 24) < 0.6
    assert 15 < len(xs) < np.pi * 3.2**2


@pytest.mark.parametrize(
    ("corner", "rows", "columns"),
    [
        ((0.8, 0.8), slice(0, 16), slice(48, 64)),  # top right
        ((-0.8, 0.8), slice(0, 16), slice(0, 16)),
        ((0.8, -0.8), slice(48, 64), slice(48, 64)),
    ],
)
def test_y_points_up_and_x_to_the_right(corner, rows, columns):
    picture = PENCIL.draw(stroke_of(corner), 64)[0]
    assert picture.sum() > 0
    assert picture[rows, columns].sum() == pytest.approx(picture.sum())


def test_scales_from_64_to_512(rng):
    stroke = three_body_strokes(rng, 100)
    small = PENCIL.draw(stroke, 64)
    large = PENCIL.draw(stroke, 512).reshape(100, 64, 8, 64, 8).mean((2, 4))
    # The program looks at the centres of pixels, so single pixels on a hard rim differ.
    assert small.sum() == pytest.approx(large.sum(), rel=0.01)
    assert np.abs(small - large).mean() * 255 < 1
    assert ((small - large) ** 2).sum() < 0.05 * (large**2).sum()


@pytest.mark.parametrize("angle", [0, 0.3, np.pi / 4])
@pytest.mark.parametrize("radius", [0.002, 0.01, 0.02, 0.03])
def test_thin_strokes_neither_vanish_nor_alias(angle, radius):
    """A line's ink is in proportion to its width, wherever it falls between the pixels."""
    direction = 0.6 * np.array([np.cos(angle), np.sin(angle)])
    inks = []
    for shift in np.linspace(0, 2 / 64, 7):
        offset = shift * np.array([-np.sin(angle), np.cos(angle)])
        inks.append(
            PENCIL.draw(line(offset - direction, offset + direction, radius=radius), 64).sum()
        )
    large = PENCIL.draw(line(-direction, direction, radius=radius), 2048).sum() / 32**2
    assert np.mean(inks) == pytest.approx(large, rel=0.15)
    assert min(inks) > 0.4 * large


def test_thin_line_does_not_punch_a_hole_in_a_thick_one():
    """Where a faint line crosses an opaque one, the opaque one stays opaque."""
    position = np.concatenate(
        [np.linspace([-0.8, 0], [0.8, 0], 8), np.linspace([0, 0.8], [0, -0.8], 8)]
    )
    thick_then_thin = np.r_[np.full(7, 1.0), 0, 0, np.full(7, 0.1)]
    brush = Brush(pressure_opacity=0)
    picture = brush.draw(stroke_of(position, pressure=thick_then_thin, radius=0.06), 64)[0]
    assert picture[32, 31:33].min() > 0.99


def test_pressure_zero_lifts_the_pen():
    assert PENCIL.draw(line([-1, 0], [1, 0], pressure=0.0), 64).max() == 0
    gap = np.r_[np.ones(5), np.zeros(6), np.ones(5)]
    picture = PENCIL.draw(line([-0.9, 0], [0.9, 0], pressure=gap), 64)[0]
    assert picture[:, 26:38].max() == 0
    assert picture[:, 8].max() > 0.9
    assert picture[:, 55].max() > 0.9


def test_batch_is_the_same_as_one_by_one(rng):
    stroke = uniform_strokes(rng, 40)
    together = PENCIL.draw(stroke, 64)
    for i in range(40):
        np.testing.assert_array_equal(
            together[i], PENCIL.draw(take(stroke, slice(i, i + 1)), 64)[0]
        )


def test_paint_composites_and_reports_the_change(rng):
    stroke = uniform_strokes(rng, 20, channels=3)
    canvas = rng.uniform(0, 1, (20, 3, 48, 48)).astype(np.float32)
    target = rng.uniform(0, 1, canvas.shape).astype(np.float32)
    before, pixels = canvas.copy(), np.round(canvas * 255).astype(np.uint8)
    change = PENCIL.composite(canvas, target, stroke, pixels=pixels)
    alpha = PENCIL.draw(stroke, 48)[:, None]
    wanted = before * (1 - alpha) + stroke.colour[:, :, None, None] * alpha
    np.testing.assert_allclose(canvas, wanted, atol=1e-5)
    assert np.abs(pixels - canvas * 255).max() <= 0.501
    for kind, error in enumerate((np.square, np.abs)):
        true = (error(canvas - target) - error(before - target)).sum((1, 2, 3))
        np.testing.assert_allclose(change[:, kind], true, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("brush", BRUSHES.values(), ids=BRUSHES)
def test_brushes_blend_as_they_say(rng, brush):
    stroke = three_body_strokes(rng, 20, channels=3)
    background = np.array([0.9, 0.8, 0.7])
    canvas = rng.uniform(0, 1, (20, 3, 48, 48)).astype(np.float32)
    before = canvas.copy()
    brush.composite(canvas, canvas.copy(), stroke, background)
    alpha, colour = brush.draw(stroke, 48)[:, None], stroke.colour[:, :, None, None]
    if brush.blend == "multiply":
        colour = colour * before
    if brush.blend == "erase":
        colour = background[:, None, None]
    np.testing.assert_allclose(canvas, before * (1 - alpha) + colour * alpha, atol=1e-5)


def test_grain_belongs_to_the_canvas(rng):
    chalk = BRUSHES["chalk"]
    small, large = paper((64, 64), 0.9), paper((512, 512), 0.9)
    assert 0.1 <= large.min() < 0.2
    assert 0.9 < large.max() <= 1
    np.testing.assert_allclose(small, large.reshape(64, 8, 64, 8).mean((1, 3)), atol=0.02)
    stroke = three_body_strokes(rng, 50)._replace(radius=np.full(50, 0.1))
    small = chalk.draw(stroke, 64)
    large = chalk.draw(stroke, 512).reshape(50, 64, 8, 64, 8).mean((2, 4))
    assert ((small - large) ** 2).sum() < 0.01 * (large**2).sum()


def test_pen_path_is_where_the_ink_is(rng):
    stroke = three_body_strokes(rng, 10)._replace(pressure=np.ones((10, NUM_ANCHORS)))
    stroke = stroke._replace(radius=np.full(10, 0.02))
    drawn = PENCIL.draw(stroke, 256)
    for i in range(10):
        path = pen_path(stroke.position[i], stroke.pressure[i])
        assert path.shape == (241, 3)
        np.testing.assert_allclose(path[::16, :2], stroke.position[i], atol=1e-6)
        inside = np.abs(path[:, :2]).max(1) < 0.99
        x, y = (128 * np.stack([1 + path[:, 0], 1 - path[:, 1]]))[:, inside].astype(int)
        assert drawn[i, y, x].min() > 0.5


def test_clears_its_scratch(rng):
    stroke = uniform_strokes(rng, 1)
    first = PENCIL.draw(stroke, 64)
    PENCIL.draw(uniform_strokes(rng, 30), 64)
    np.testing.assert_array_equal(first, PENCIL.draw(stroke, 64))


@settings(max_examples=200)
@given(
    position=arrays(
        float, (NUM_ANCHORS, 2), elements=st.sampled_from([-1.0, -0.5, 0.0, 1e-9, 1.0, 50.0])
    ),
    pressure=arrays(float, NUM_ANCHORS, elements=st.sampled_from([0.0, 1e-12, 0.01, 0.5, 1.0])),
    radius=st.sampled_from([0.002, 0.03, 0.125]),
)
def test_degenerate_strokes_are_drawn(position, pressure, radius):
    """Coincident anchors, jumps, far off the canvas: opacity stays in 0 … 1."""
    picture = PENCIL.draw(stroke_of(position, pressure=pressure, radius=radius), 32)
    assert np.isfinite(picture).all()
    assert picture.min() >= 0
    assert picture.max() <= 1


def test_off_the_canvas_leaves_nothing():
    assert PENCIL.draw(stroke_of([3.0, 3.0]), 64).max() == 0


def _draw_in_child(queue):
    queue.put(PENCIL.draw(uniform_strokes(np.random.default_rng(1), 32), 32).sum())


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_works_in_child_processes(method):
    stroke = uniform_strokes(np.random.default_rng(1), 32)
    here = PENCIL.draw(stroke, 32).sum()  # the pool runs before the fork
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    child = context.Process(target=_draw_in_child, args=(queue,))
    child.start()
    assert queue.get(timeout=300) == here
    child.join(10)


def test_brush_by_name():
    assert load_program("pencil") is PENCIL
    with pytest.raises(ValueError, match=r"unknown brush 'crayon'; known brushes: pencil"):
        load_program("crayon")
    with pytest.raises(TypeError, match="got int"):
        load_program(3)


@pytest.mark.parametrize(
    "numbers",
    [
        {"blend": "add"},
        {"grain": 2},
        {"edge": 0},
        {"opacity": 1.5},
        {"density": -1},
        {"pressure_size": float("nan")},
    ],
)
def test_brush_refuses_bad_numbers(numbers):
    with pytest.raises(ValueError, match=f"brush {next(iter(numbers))} must be (from|one of)"):
        Brush(**numbers)
