"""What public functions check before kernels have it: shapes, types, layouts; and numbers."""

import gymnasium as gym
import numpy as np
import pytest
import torch

from strokenet_gym import (
    BRUSHES,
    Blend,
    Brush,
    Planner,
    Program,
    Stroke,
    StrokeLog,
    Style,
    best_colours,
    export,
    film,
    load_generator,
    make_targets,
    paint_sequence,
    paint_sequence_vjp,
    removal_costs,
    unpack,
)
from strokenet_gym.checks import real_number
from strokenet_gym.programs.stamped import pen_path
from strokenet_gym.programs.stamped.numbers import ACCURACIES
from strokenet_gym.programs.stamped.raster import composite
from strokenet_gym.programs.three_body import three_body_strokes
from strokenet_gym.targets import ArrayTargets

PENCIL = BRUSHES["pencil"]
ERRORS = ValueError, TypeError


class Veil(Program):
    """A program from outside: the whole canvas takes up half of the colour."""

    name = "veil"

    def paint(self, canvas, stroke, background):
        return (canvas + stroke.colour[:, :, None, None].astype(np.float32)) / 2

    def paint_tensors(self, canvas, target, stroke, background):
        raise NotImplementedError


PROGRAMS = {"pencil": PENCIL, "eraser": BRUSHES["eraser"], "veil": Veil()}


@pytest.fixture(scope="module")
def compact():
    return load_generator("compact")


def some_strokes(count=2, channels=1, dtype=np.float64):
    stroke = three_body_strokes(np.random.default_rng(1), count, channels)
    return Stroke(*(field.astype(dtype) for field in stroke))


def blank(count=2, channels=1, size=24):
    return np.zeros((count, channels, size, size), np.float32)


def tensors(stroke):
    return Stroke(*map(torch.as_tensor, stroke))


# Shapes: no kernel may go beyond the end of anything.

WRONG = {
    "one stroke for all": lambda s: Stroke(*(f[:1] for f in s)),
    "more strokes": lambda s: Stroke(*(np.repeat(f, 2, 0) for f in s)),
    "other channels": lambda s: s._replace(colour=np.ones((2, 3))),
    "3 pressures": lambda s: s._replace(pressure=s.pressure[:, :3]),
    "3 anchors": lambda s: s._replace(position=s.position[:, :3], pressure=s.pressure[:, :3]),
    "x alone": lambda s: s._replace(position=s.position[..., :1]),
    "one radius": lambda s: s._replace(radius=s.radius[:1]),
    "radii in a column": lambda s: s._replace(radius=s.radius[:, None]),
    "no batch": lambda s: Stroke(*(f[0] for f in s)),
    "complex": lambda s: s._replace(pressure=s.pressure + 1j),
    "objects": lambda s: s._replace(position=s.position.astype(object)),
    "bools": lambda s: s._replace(radius=s.radius > 0),
    "texts": lambda s: s._replace(radius=np.array(["a", "b"])),
    "no stroke": lambda s: list(s)[:3],
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", [*PROGRAMS, "compact"])
def test_strokes_that_do_not_fit(name, wrong, compact):
    program, stroke = PROGRAMS.get(name, compact), some_strokes()
    bad = WRONG[wrong](stroke)
    canvas = blank()
    calls = [lambda: program.composite(canvas, canvas.copy(), bad)]
    if name != "veil":  # whose own affair it is
        calls.append(lambda: program.paint(canvas, bad, np.zeros(1, np.float32)))
    many = bad if wrong in ("no stroke", "no batch") else Stroke(*(f[:, None] for f in bad))
    calls.append(lambda: program.paint_sequence(canvas, many))
    if wrong not in ("one stroke for all", "more strokes", "other channels"):
        calls.append(lambda: program.draw(bad, 24))  # as many canvases as strokes, no colour
    for call in calls:
        with pytest.raises(ERRORS):
            call()
    assert not canvas.any()


@pytest.mark.parametrize("wrong", [w for w in WRONG if w not in ("objects", "texts", "no stroke")])
@pytest.mark.parametrize("name", ["pencil", "eraser", "compact"])
def test_tensors_that_do_not_fit(name, wrong, compact):
    program = PROGRAMS.get(name, compact)
    stroke, canvas = (
        tensors(WRONG[wrong](some_strokes(dtype=np.float32))),
        torch.zeros(2, 1, 24, 24),
    )
    with pytest.raises(ERRORS):
        program.paint_tensors(canvas, canvas, stroke, torch.zeros(1))
    with pytest.raises(ERRORS):
        program.paint_tensors(canvas, canvas[:, :, :12], tensors(some_strokes()), torch.zeros(1))
    if name == "pencil":
        one = stroke if wrong == "no batch" else Stroke(*(f[:, None] for f in stroke))
        with pytest.raises(ERRORS):
            program.paint_sequence_tensors(canvas, one)
        if wrong not in ("one stroke for all", "more strokes", "other channels"):
            with pytest.raises((*ERRORS, RuntimeError)):
                program.draw_tensors(stroke, 24)


@pytest.mark.parametrize(
    "background",
    [torch.zeros(3), torch.zeros(1, 1), torch.zeros(1, device="meta"), torch.zeros(1) + 1j,
     np.zeros(3), "white"],
)  # fmt: skip
def test_backgrounds_of_tensors_that_do_not_fit(background):
    canvas = torch.zeros(2, 1, 24, 24)
    with pytest.raises(ERRORS):
        BRUSHES["eraser"].paint_tensors(canvas, canvas, tensors(some_strokes()), background)


def test_networks_take_finite_strokes_of_any_type(compact):
    stroke, canvas = tensors(some_strokes(dtype=np.float32)), torch.zeros(2, 1, 24, 24)
    wanted, _ = compact.paint_tensors(canvas, canvas, stroke, torch.zeros(1))
    for mixed in (
        stroke._replace(radius=stroke.radius.double()),
        Stroke(*(f.half() for f in stroke)),
    ):
        painted, _ = compact.paint_tensors(canvas, canvas, mixed, torch.zeros(1))
        torch.testing.assert_close(painted, wanted, atol=0.05, rtol=0)
    assert not compact.draw(some_strokes()._replace(radius=np.full(2, np.nan)), 24).any()
    none = Stroke(*(field[:0] for field in stroke))
    assert compact.paint(blank(0), Stroke(*(f.numpy() for f in none))).shape == blank(0).shape


def test_arrays_among_tensors():
    with pytest.raises(TypeError, match="must all be tensors"):
        PENCIL.paint_tensors(torch.zeros(2, 1, 24, 24), blank(), tensors(some_strokes()), 0.0)
    stroke = tensors(some_strokes())
    with pytest.raises(TypeError, match="requires a gradient"):
        PENCIL.draw(stroke._replace(radius=stroke.radius.requires_grad_()), 24)


@pytest.mark.parametrize(
    "canvas",
    [
        np.zeros((24, 24), np.float32),
        np.zeros((2, 1, 0, 24), np.float32),
        np.zeros((2, 0, 24, 24), np.float32),
        np.full((2, 1, 24, 24), np.nan, np.float32),
        np.full((2, 1, 24, 24), 255, np.uint8),
        np.zeros((2, 1, 24, 24), complex),
        np.zeros((2, 1, 24, 24), object),
        None,
    ],
)
@pytest.mark.parametrize("name", [*PROGRAMS, "compact"])
def test_canvases_that_are_none(name, canvas, compact):
    program = PROGRAMS.get(name, compact)
    with pytest.raises(ERRORS):
        program.paint(canvas, some_strokes(), np.zeros(1, np.float32)) if name != "veil" else (
            program.composite(canvas, canvas, some_strokes())
        )
    with pytest.raises(ERRORS):
        program.paint_sequence(canvas, Stroke(*(f[:, None] for f in some_strokes())))


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_is_painted_in_place(name):
    """Neither a copy, which nobody would see, nor another kernel, which takes half a minute."""
    program, stroke, canvas = PROGRAMS[name], some_strokes(), blank()
    wrong = [
        read_only(canvas),
        canvas[:, :, :, ::-1],
        np.asfortranarray(np.zeros((2, 1, 24, 25), np.float32)),
        canvas.astype(">f4"),
        canvas.astype(np.float16),
        canvas.astype(int),
        canvas.tolist(),
    ]
    for bad in wrong:
        with pytest.raises(ERRORS, match="in place"):
            program.composite(bad, canvas, stroke)
    for bad in (
        canvas[:1],
        canvas.astype(np.uint8)[:, :, ::-1],
        np.zeros((2, 1, 24, 23), np.uint8),
    ):
        with pytest.raises(ERRORS, match="pixels"):
            program.composite(canvas, canvas.copy(), stroke, pixels=bad)
    for bad in (
        np.zeros((3, 4), int),
        np.zeros((2, 4)),
        np.zeros((2, 8), int)[:, ::2],
        [[0] * 4] * 2,
    ):
        with pytest.raises(ValueError, match=r"inked must be a contiguous int64 array \[2, 4\]"):
            program.composite(canvas, canvas.copy(), stroke, inked=bad)
    with pytest.raises(ValueError, match=r"the target must have the shape \(2, 1, 24, 24\)"):
        program.composite(canvas, blank(1), stroke)


KERNELS = (composite,)
LAYOUTS = {
    "read-only": read_only,
    "backwards": lambda a: np.ascontiguousarray(a[..., ::-1])[..., ::-1],
    "Fortran's": np.asfortranarray,
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "unaligned": lambda a: np.frombuffer(b"x" + a.tobytes(), a.dtype, offset=1).reshape(a.shape),
    "a subclass": lambda a: np.ma.masked_array(a),
    "a list": lambda a: a.tolist(),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_are_the_same_picture_by_the_same_kernel(layout):
    change = LAYOUTS[layout]
    stroke, canvas = some_strokes(), np.random.default_rng(0).random((2, 1, 24, 24), np.float32)
    many = Stroke(*(f[:, None] for f in stroke))
    other, others = (Stroke(*map(change, each)) for each in (stroke, many))
    wanted = (
        PENCIL.paint(canvas, stroke),
        PENCIL.draw(stroke, 24),
        PENCIL.paint_sequence(canvas, many),
    )
    PENCIL.draw(some_strokes(dtype=np.float32), 24)  # as a list's numbers are
    known = [len(kernel.signatures) for kernel in KERNELS]
    found = PENCIL.paint(change(canvas), other), PENCIL.draw(other, 24)
    for a, b in zip((*found, PENCIL.paint_sequence(change(canvas), others)), wanted, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    PENCIL.composite(canvas.copy(), change(canvas), other)
    assert [len(kernel.signatures) for kernel in KERNELS] == known


def test_types_of_strokes_and_canvases(compact):
    stroke, canvas = some_strokes(), blank()
    half = Stroke(*(f.astype(np.float16) for f in stroke))
    np.testing.assert_allclose(PENCIL.paint(canvas.astype(int), half),
                               PENCIL.paint(canvas, stroke), atol=0.05)  # fmt: skip
    assert PENCIL.paint_sequence(
        canvas.astype(int), Stroke(*(f[:, None] for f in stroke))
    ).dtype == (np.float32)
    brain = Stroke(*(f.bfloat16() for f in tensors(stroke)))
    painted, _ = PENCIL.paint_tensors(
        torch.zeros(2, 1, 24, 24), torch.zeros(2, 1, 24, 24), brain, 0.0
    )
    np.testing.assert_allclose(painted, PENCIL.paint(canvas, stroke), atol=0.1)


def test_none_at_all(compact):
    """Batches without a canvas, sequences without a stroke."""
    none = Stroke(*(f[:0] for f in some_strokes()))
    for program in (*PROGRAMS.values(), compact):
        if program is not compact:
            assert (
                program.paint_sequence(blank(0), Stroke(*(f[:, None] for f in none))).shape[0] == 0
            )
            assert program.composite(blank(0), blank(0), none).shape == (0, 2)
        empty = Stroke(*(f[:, None][:, :0] for f in some_strokes()))
        np.testing.assert_array_equal(program.paint_sequence(blank(), empty), blank())
    assert PENCIL.draw(none, 24).shape == (0, 24, 24)
    assert PENCIL.paint(blank(0), none).shape == blank(0).shape
    assert PENCIL.paint_tensors(*map(torch.from_numpy, (blank(0), blank(0))), tensors(none), 0.0)[
        1
    ].shape == (0, 2)
    for kind in (np.asarray, torch.from_numpy):
        assert paint_sequence(kind(blank(0)), kind(np.zeros((0, 2, 50)))).shape == blank(0).shape
    _, back = paint_sequence_vjp(blank(0), np.zeros((0, 2, 50)))
    assert back(blank(0))[1].shape == (0, 2, 50)
    assert removal_costs(blank(0), np.zeros((0, 2, 50)), blank(0)).shape == (0, 2)
    assert best_colours(blank(1)[0], blank(1)[0], np.zeros((0, 50)))[1].shape == (0,)


@pytest.mark.parametrize(
    "size", [0, -1, 24.0, True, "24", (24,), (24, 24, 24), (0, 24), None, 10**6, (24, np.nan)]
)
def test_sizes_that_are_none(size):
    for draw in (PENCIL.draw, Veil().draw):
        with pytest.raises(ValueError, match=r"expected one number|side must be"):
            draw(some_strokes(), size)


def test_sizes_of_numpy():
    assert PENCIL.draw(some_strokes(), np.int64(24)).shape == (2, 24, 24)
    assert PENCIL.draw(some_strokes(), np.array([12, 24])).shape == (2, 12, 24)


@pytest.mark.parametrize("background", [np.zeros(3), np.zeros((1, 1)), "white", 1j, None, [True]])
def test_backgrounds_that_do_not_fit(background, compact):
    for program in (BRUSHES["eraser"], Veil(), compact):
        with pytest.raises((*ERRORS, np.exceptions.DTypePromotionError)):
            program.composite(blank(), blank(), some_strokes(), background)


@pytest.mark.parametrize(
    ("position", "pressure", "steps"),
    [
        (np.zeros((16, 2)), np.ones(3), 16),
        (np.zeros((16, 3)), np.ones(16), 16),
        (np.zeros((1, 2)), np.ones(1), 16),
        (np.zeros(()), np.ones(()), 16),
        (np.zeros((16, 2)), np.ones(16), 0),
        (np.zeros((16, 2)), np.ones(16), 2.5),
        (np.zeros((16, 2), complex), np.ones(16), 16),
    ],
)
def test_paths_that_are_none(position, pressure, steps):
    with pytest.raises(ERRORS):
        pen_path(position, pressure, steps)


# The backward pass.


@pytest.mark.parametrize(
    "cotangent",
    [
        np.ones((1, 1, 8, 8)),
        np.ones((1, 1, 64, 64)),
        np.ones((1, 3, 32, 32)),
        np.ones((2, 1, 32, 32)),
        np.ones((32, 32)),
        1.0,
        None,
        np.ones((1, 1, 32, 32), complex),
        np.ones((1, 1, 32, 32), bool),
        np.ones((1, 1, 32, 32), object),
    ],
)
@pytest.mark.parametrize("through", [True, False])
def test_derivatives_of_another_shape(cotangent, through):
    actions = np.random.default_rng(0).uniform(-1, 1, (1, 3, 50)).astype(np.float32)
    _, back = paint_sequence_vjp(blank(1, 1, 32), actions)
    with pytest.raises(ERRORS, match="the derivative by the canvases must"):
        back(cotangent, canvas=through)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_derivatives_in_any_layout(layout):
    rng = np.random.default_rng(0)
    actions, seed = (
        rng.uniform(-1, 1, (1, 3, 50)).astype(np.float32),
        rng.normal(size=(1, 1, 32, 32)),
    )
    _, back = paint_sequence_vjp(blank(1, 1, 32), actions)
    wanted, given = back(seed), seed.copy()
    for a, b in zip(back(LAYOUTS[layout](given)), wanted, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(given, seed)  # which is not the place of the result


@pytest.mark.parametrize("wrong", [{"colour": np.nan}, {"colour": np.inf}, {"pressure": 1e6}])
@pytest.mark.parametrize("name", ["pencil", "airbrush", "chalk", "watercolour"])
def test_strokes_of_networks_that_have_diverged(name, wrong):
    """They paint nothing, at once, and have no gradient; those beside them are painted."""
    stroke = some_strokes()
    for field, value in wrong.items():
        getattr(stroke, field)[0] = value
    canvas, many = np.full((2, 1, 32, 32), 0.3, np.float32), Stroke(*(f[:, None] for f in stroke))
    for painted in (
        BRUSHES[name].paint(canvas, stroke, 1.0),
        BRUSHES[name].paint_sequence(canvas, many, 1.0),
    ):
        np.testing.assert_array_equal(painted[0], canvas[0])
        assert (painted[1] != canvas[1]).any()
    tensors = Stroke(*(torch.tensor(field, requires_grad=True) for field in stroke))
    below = torch.from_numpy(canvas).double()
    BRUSHES[name].paint_tensors(below, below, tensors, 1.0)[0].sum().backward()
    for field in tensors[1:]:
        assert field.grad[0].eq(0).all()
        assert field.grad[1].isfinite().all()
    assert tensors.position.grad[1].any()


@pytest.mark.parametrize("value", [None, 1, torch.zeros(2), np.zeros(2)])
def test_flags_are_true_or_false(value, tmp_path):
    _, back = paint_sequence_vjp(np.zeros((1, 1, 16, 16)), np.zeros((1, 1, 50)))
    with pytest.raises(ValueError, match="canvas must be True or False"):
        back(np.zeros((1, 1, 16, 16)), canvas=value)
    log = StrokeLog(16, (0.0,), PENCIL)
    with pytest.raises(ValueError, match="lines must be True or False"):
        export(log, tmp_path / "a.svg", lines=value)
    with pytest.raises(ValueError, match=r"detail must be from 0\.01 to 100"):
        export(log, tmp_path / "a.svg", detail=1e-320)


def test_strokes_that_have_diverged_in_a_network(compact):
    stroke = tensors(some_strokes(4, dtype=np.float32))
    stroke.position[0, 3, 1], stroke.pressure[1, 2], stroke.colour[2] = np.nan, 101, np.inf
    stroke = Stroke(*(field.requires_grad_() for field in stroke))
    canvas = torch.full((4, 1, 32, 32), 0.3)
    painted, change = compact.paint_tensors(canvas, canvas, stroke)
    assert painted[:3].eq(canvas[:3]).all()
    assert change[:3].eq(0).all()
    assert painted[3].ne(canvas[3]).any()
    painted.sum().backward()
    for field in stroke:
        assert field.grad.isfinite().all()
        assert field.grad[:3].eq(0).all()


@pytest.mark.parametrize("background", [-1e300, 1.1, np.nan, np.inf])
def test_backgrounds_beyond_their_range(background):
    eraser = BRUSHES["eraser"]
    canvas = torch.zeros(2, 1, 24, 24)
    for paint in (
        lambda: eraser.paint(blank(), some_strokes(), background),
        lambda: eraser.paint_tensors(canvas, canvas, tensors(some_strokes()), background),
    ):
        with pytest.raises(ValueError, match="the background must be"):
            paint()
    eraser.paint(blank() + np.float32(1 + 1e-6), some_strokes(), np.full(1, 1 + 1e-6))  # rounding


@pytest.mark.parametrize("field", ["radius", "colour"])
def test_lists_of_tensors_with_a_graph(field):
    stroke = some_strokes()._replace(**{field: [torch.zeros(2, requires_grad=True)]})
    for name in ("pencil", "eraser"):
        with pytest.raises(ERRORS, match=r"a (stroke's|canvas)"):
            BRUSHES[name].paint(blank(), stroke, 0.0)
    with pytest.raises(ERRORS, match="a canvas"):
        PENCIL.paint([torch.zeros(2, requires_grad=True)], some_strokes(), 0.0)


def test_a_background_with_a_graph():
    """It would get no gradient, in silence."""
    grey = torch.tensor([0.5], requires_grad=True)
    actions = torch.zeros(1, 1, 50, requires_grad=True)
    with pytest.raises(TypeError, match="the background requires a gradient"):
        paint_sequence(torch.zeros(1, 1, 16, 16), actions, "eraser", grey)


@pytest.mark.parametrize("accuracy", ["fine", (1, 2), None, ["draft"]])
def test_accuracies_that_are_none(accuracy):
    with pytest.raises(ValueError, match="accuracy must be one of exact, draft"):
        PENCIL.draw(some_strokes(), 16, accuracy)


def test_an_accuracy_by_its_name():
    drawn = [PENCIL.draw(some_strokes(), 32, one) for one in ("draft", ACCURACIES["draft"])]
    np.testing.assert_array_equal(*drawn)


@pytest.mark.parametrize("value", [10**5000, -(10**5000), "x" * 10**6], ids=["huge", "low", "long"])
def test_messages_about_values_of_any_length(value):
    for name, call in (
        ("max_strokes", lambda: gym.make("Painting-v0", max_strokes=value)),
        ("edge", lambda: Brush(edge=value)),
        ("grey", lambda: Style(PENCIL, grey=value)),
        ("brush", lambda: Brush.from_numbers({"edges": value})),
        ("blend", lambda: Brush(blend=[value])),
    ):
        with pytest.raises(ValueError, match=name) as raised:
            call()
        assert len(str(raised.value)) < 600


@pytest.mark.parametrize("background", [np.nan, 0.5, None])
def test_backgrounds_of_a_style(background):
    with pytest.raises(ValueError, match="a style's background must be a text"):
        Style(PENCIL, background=background)


class Careless(ArrayTargets):
    """A subclass that forgets to look."""

    def sample_fitted(self, rngs, size, channels, background):
        return np.full((len(rngs), 1, *size), np.nan, np.float32)


def test_a_subclass_of_ours_that_samples_nan():
    fitted = Careless(np.zeros((16, 16)))
    envs = gym.make_vec("Painting-v0", num_envs=2, canvas_size=16, targets=fitted)
    with pytest.raises(ValueError, match=r"sample_fitted\(\) of Careless must return"):
        envs.reset(seed=0)


@pytest.mark.parametrize("env_id", ["Painting-v0", "DifferentiablePainting-v0"])
def test_rewards_that_are_flags(env_id):
    env = gym.make(env_id, canvas_size=16, reward=lambda b, a, t: (a != b).any(-1).any(-1).any(-1))
    env.reset(seed=0)
    action = np.ones(50, np.float32)
    actions = [action] if env_id == "Painting-v0" else [action, torch.from_numpy(action)]
    for one in actions:
        env.reset(seed=0)
        assert env.step(one)[1] == 1.0


def test_the_other_functions_of_sequences():
    good, actions = blank(1), np.zeros((1, 2, 50), np.float32)
    for bad in (
        blank(2),
        blank(1, 3),
        blank(1, size=12),
        good.astype(complex),
        good.astype(object),
    ):
        with pytest.raises(ERRORS):
            removal_costs(good, actions, bad)
        with pytest.raises(ERRORS):
            best_colours(good[0], bad[:, :, :7][0], actions[0])
    for bad in (actions[0, 0], actions, np.zeros((2, 52)), actions[0].astype(object)):
        with pytest.raises(ERRORS):
            best_colours(good[0], good[0], bad)
    with pytest.raises(ValueError, match=r"the background must have the shape \(1\), got \(3,\)"):
        paint_sequence(good, actions, background=[0, 0, 0])


def test_canvases_of_environments():
    for env_id in ("Painting-v0", "DifferentiablePainting-v0", "NeuralPainting-v0"):
        env = gym.make(env_id, canvas_size=16).unwrapped
        canvas, action = np.random.default_rng(0).random((1, 16, 16), np.float32), np.ones(50) * 0.3
        wanted = env.paint(canvas, action)
        for change in LAYOUTS.values():
            np.testing.assert_allclose(env.paint(change(canvas), change(action)), wanted, atol=1e-6)
        for bad in (canvas.astype(object), canvas.astype(complex), canvas[:, :8], canvas * np.nan):
            with pytest.raises(ERRORS):
                env.paint(bad, action)


# Numbers are converted where they are checked.


def test_a_number():
    for value in (
        2,
        2.0,
        np.uint8(2),
        np.float16(2),
        np.array(2),
        torch.tensor(2),
        torch.tensor(2.0),
    ):
        found = real_number(value, "n", 0, 255)
        assert (type(found), found) == (float, 2.0)
    for value in (
        True, np.True_, np.array(True), torch.tensor(True), "2", b"2", None, 2j, np.nan, np.inf,
        10**400, [2], np.array([2]), torch.zeros(1), torch.zeros((), device="meta"), np.array("2"),
        np.datetime64("2020"), np.timedelta64(1), object(), 256, -1,
    ):  # fmt: skip
        with pytest.raises(ValueError, match="n must be from 0 to 255, got"):
            real_number(value, "n", 0, 255)
    with pytest.raises(ValueError, match="n must be more than 0, at most 1, got 0"):
        real_number(0, "n", 0, 1, above=True)
    with pytest.raises(ValueError, match=r"requires one: pass value\.item"):
        real_number(torch.tensor(0.5, requires_grad=True), "n", 0, 1)


def test_a_brush_of_tensors():
    with pytest.raises(ValueError, match="brush edge must be a plain number"):
        Brush(edge=torch.tensor(0.5, requires_grad=True))
    assert Brush(edge=torch.tensor(0.5), opacity=np.array(1)) == Brush(edge=0.5)
    with pytest.raises(ValueError, match="brush opacity must be from"):
        Brush(opacity=True)


@pytest.mark.parametrize("name", ["bending", "scribbling", "margin", "thinnest", "detail", "angle"])
@pytest.mark.parametrize("value", [1e155, np.nan, np.inf, "1", True, 10**400, np.ones(2)])
def test_numbers_of_a_style(name, value):
    with pytest.raises(ValueError, match=f"a style's {name} must be"):
        Style(PENCIL, **{name: value})


def test_a_style_of_numpys():
    style = Style(PENCIL, bending=np.float32(2), pressure=(np.uint8(0), np.float16(1)),
                  finish=np.int8(9))  # fmt: skip
    assert (type(style.bending), type(style.pressure[0]), type(style.finish)) == (float, float, int)
    for limits in ((0.5, np.nan), (1, 0), (0, 1, 2), [0, 1]):
        with pytest.raises(ValueError, match="a style's tones must be"):
            Style(PENCIL, tones=limits)


@pytest.mark.parametrize(
    "numbers",
    [{"own": np.nan}, {"under": np.inf}, {"product": "1"}, {"blank": 2}, {"own": 2},
     {"under": -0.1}, {"own": 0.0, "product": 1.0}],
)  # fmt: skip
def test_blends_that_leave_the_canvas(numbers):
    with pytest.raises(ValueError, match="blend"):
        Blend(**numbers)


def test_blends_that_stay_on_it():
    assert Blend(own=-1.0, product=-2.0, under=1.0, css="exclusion").own == -1
    assert type(Blend(own=np.float32(1)).own) is float


def a_log(count=4):
    log = StrokeLog(16, (0.0,), PENCIL)
    log.strokes = [Stroke(*(f[k] for f in some_strokes(count))) for k in range(count)]
    return log


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float16, np.float32, torch.tensor])
def test_seconds_of_a_film(kind):
    """25 frames times 20 seconds are more than 8 bits hold."""
    assert sum(1 for _ in film(a_log(), 16, kind(20), np.uint8(25))) == 525
    for bad in (0, -1, np.nan, "20", True, 1e6):
        with pytest.raises(ValueError, match="seconds must be more than 0, at most 86400, got"):
            film(a_log(), 16, bad)


def test_numbers_elsewhere(tmp_path):
    on = {"lines": True}
    for options in ({"detail": np.nan}, {"detail": "1"}, {**on, "pen_mm": np.nan},
                    {**on, "paper_mm": (210, "a")}, {**on, "paper_mm": 5}):  # fmt: skip
        with pytest.raises(ValueError, match="must be"):
            export(a_log(), tmp_path / "a.svg", **options)
    for seconds in ("1", np.nan, True, 0):
        with pytest.raises(ValueError, match="seconds must be"):
            Planner(np.ones((16, 16)), 3, seconds=seconds)
    for size in (2.5, "16", True):
        with pytest.raises(ValueError, match="size must be a whole number"):
            make_targets("glyphs", size)


class Sampling:
    """Targets that somebody wrote."""

    channels = 1

    def __init__(self, value):
        self.value = value

    def sample(self, rng):
        return np.full((16, 16), self.value, np.float32)


class Fitted(Sampling):
    def sample_fitted(self, rngs, size, channels, background):
        return np.full((len(rngs), 1, *size), self.value, np.float32)


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.5, 255.0])
@pytest.mark.parametrize("source", [Sampling, Fitted])
def test_targets_that_are_no_pictures(source, value):
    env = gym.make("Painting-v0", canvas_size=16, targets=source(value))
    with pytest.raises(ValueError, match=r"in 0 … 1"):
        env.reset(seed=0)
    envs = gym.make_vec("Painting-v0", num_envs=2, canvas_size=16, targets=source(value))
    with pytest.raises(ValueError, match=r"in 0 … 1"):
        envs.reset(seed=0)


# Whatever numpy is told to raise.


@pytest.fixture
def strict():
    with np.errstate(all="raise"):
        yield


TINY = 1e-310, 1e-42, 1e-20, 5e-324


@pytest.mark.parametrize("tiny", TINY)
@pytest.mark.parametrize(
    "env_id", ["Painting-v0", "DifferentiablePainting-v0", "NeuralPainting-v0"]
)
def test_tiny_numbers_in_environments(env_id, tiny, strict):
    target = np.full((16, 16), tiny)
    env = gym.make(env_id, canvas_size=16, targets=target, max_strokes=3, background=tiny)
    env.reset(seed=0)
    action = np.full(50, tiny)
    for scale in (1, -1):
        env.step(scale * action)
    env.unwrapped.paint(np.full((1, 16, 16), tiny), action)
    envs = gym.make_vec(env_id, num_envs=2, canvas_size=16, reward="l1")
    envs.reset(seed=0)
    envs.step(np.full((2, 50), tiny))
    if env_id != "Painting-v0":
        actions = torch.full((2, 50), tiny, dtype=torch.float64, requires_grad=True)
        (envs.step(actions)[1].sum() * tiny).backward()


@pytest.mark.parametrize("tiny", TINY)
def test_tiny_numbers_in_painting(tiny, strict, compact, tmp_path):
    def small(field):
        return np.full(np.shape(field), tiny)

    stroke = Stroke(*map(small, some_strokes()))._replace(radius=np.full(2, 0.1))
    for program in (*BRUSHES.values(), Veil(), compact):
        program.composite(blank(), blank() + np.float32(tiny), stroke, tiny)
        program.paint_sequence(small(blank()), Stroke(*(f[:, None] for f in stroke)), tiny)
        program.draw(stroke, 16)
    painted, back = paint_sequence_vjp(small(blank()), small(np.zeros((2, 2, 50))))
    back(small(painted))
    best_colours(small(blank()[0]), small(blank()[0]), small(np.zeros((2, 50))))
    removal_costs(small(blank()), small(np.zeros((2, 2, 50))), small(blank()))
    unpack(small(np.zeros(50)), 1)
    log = a_log(2)
    log.strokes = [Stroke(*(f[k] for f in stroke)) for k in range(2)]
    for suffix in ("png", "svg", "csv"):
        export(log, tmp_path / f"a.{suffix}", 32)
    list(film(log, 16, 1.0, 5))


def test_planning_and_targets_are_strict(strict):
    image = np.random.default_rng(0).random((32, 32, 3)) ** 40
    planner = Planner(image, 6, "photo", size=32)
    for _ in range(40):
        planner.step()
    planner.log()
    make_targets("glyphs", 32).sample(np.random.default_rng(0))
    make_targets(image, 32).sample_fitted([np.random.default_rng(0)], 24, 1, np.array([1e-40]))


@pytest.mark.parametrize("value", [1e300, 3.5e38, -1e39, np.float64(2), 5, 10**15])
def test_actions_beyond_the_type_are_clipped(value, strict):
    for env_id in ("Painting-v0", "DifferentiablePainting-v0"):
        env = gym.make(env_id, canvas_size=16)
        env.reset(seed=0)
        wanted = env.step(np.full(50, np.sign(value), np.float32))[1]
        env.reset(seed=0)
        assert env.step(np.full(50, value))[1] == wanted
    envs = gym.make_vec("Painting-v0", num_envs=2, canvas_size=16)
    envs.reset(seed=0)
    assert envs.step(np.full((2, 50), value))[1][0] == pytest.approx(wanted, abs=1e-6)
    canvas = blank(1, size=16)
    one, limit = (np.full((1, 1, 50), v, float) for v in (value, np.sign(value)))
    np.testing.assert_array_equal(paint_sequence(canvas, one), paint_sequence(canvas, limit))


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_actions_that_are_no_numbers(value, dtype):
    env = gym.make("Painting-v0", canvas_size=16)
    env.reset(seed=0)
    action = np.zeros(50, dtype)
    action[7] = value
    with pytest.raises(ValueError, match=r"action has the value -?(inf|nan) at index \(7,\)"):
        env.step(action)
