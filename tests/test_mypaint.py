"""Real brushes: libmypaint as a painting program, its brushes' files, and what nobody may break."""

import ctypes
import json
import os
import pickle
import re
import subprocess
import sys

import cv2
import gymnasium as gym
import numpy as np
import pytest
from conftest import command, run_process
from gymnasium.error import DependencyNotInstalled
from gymnasium.utils.env_checker import check_env

from strokenet_gym import RecordStrokes, Stroke, StrokeLog, export, load_program
from strokenet_gym.programs.mypaint import brush as brush_module
from strokenet_gym.programs.mypaint import brush_names, drawing
from strokenet_gym.programs.mypaint.library import load_library
from strokenet_gym.programs.mypaint.settings import find_brush, read_settings
from strokenet_gym.programs.opacity import misfit, why_no_twin
from strokenet_gym.programs.three_body import three_body_strokes, uniform_strokes

CHARCOAL = "mypaint:classic/charcoal"


@pytest.fixture(scope="module", autouse=True)
def _library():
    try:
        load_library()
        brush_names()
    except DependencyNotInstalled as error:
        pytest.skip(str(error))


def one(**fields):
    """A stroke along the middle, to the right."""
    t = np.linspace(-0.8, 0.8, 16)
    whole = {"colour": [0.0], "radius": 0.1, "position": np.stack([t, 0 * t], 1)}
    whole |= {"pressure": np.ones(16)} | fields
    return Stroke(*(np.asarray(whole[name], float)[None] for name in Stroke._fields))


def blank(channels=1, size=64, value=1.0):
    return np.full((1, channels, size, size), value, np.float32)


def test_paints_where_it_is_told_in_the_colour_that_it_is_told():
    """Up is up: a trap of this field."""
    brush = load_program("mypaint:ramon/100%_Opaque")
    t = np.linspace(-0.2, 0.2, 16)
    stroke = one(colour=[0.9, 0.3, 0.1], position=np.stack([0.5 + t, 0.6 + 0 * t], 1))
    painted = brush.paint(blank(3), stroke, np.zeros(3, np.float32))[0]
    y, x = np.unravel_index(np.abs(painted - 1).sum(0).argmax(), (64, 64))
    assert abs(y - 0.2 * 64) < 4
    assert 0.6 * 64 < x < 0.9 * 64
    np.testing.assert_allclose(painted[:, y, x], [0.9, 0.3, 0.1], atol=0.01)
    assert (painted[:, 32:] == 1).all()


def test_canvases_are_kept_where_there_is_no_ink(rng):
    """The library has 15 bits; the canvas' own numbers stay where nothing was painted."""
    canvas = rng.uniform(0, 1, (1, 3, 70, 130)).astype(np.float32)  # over several tiles
    stroke = one(colour=[1.0, 0.0, 0.5])
    before = canvas.copy()
    painted = load_program(CHARCOAL).paint(canvas, stroke, np.zeros(3, np.float32))
    np.testing.assert_array_equal(canvas, before)
    assert np.mean(painted == canvas) > 0.4
    assert np.abs(painted - canvas).max() > 0.3
    far = painted[..., :8, :]
    np.testing.assert_array_equal(far, before[..., :8, :])


def test_erasers_lay_the_background_bare():
    brush = load_program("mypaint:deevad/large_hard_eraser")
    painted = brush.paint(blank(3), one(colour=[0, 0, 0]), np.array([0.2, 0.5, 0.7], np.float32))
    np.testing.assert_allclose(painted[0, :, 32, 32], [0.2, 0.5, 0.7], atol=0.02)


def test_settings_are_those_of_the_librarys_own_reader():
    library = load_library()
    for function, result, *arguments in (
        ("from_string", ctypes.c_int, ctypes.c_char_p),
        ("get_base_value", ctypes.c_float, ctypes.c_int),
        ("get_mapping_n", ctypes.c_int, ctypes.c_int, ctypes.c_int),
        ("get_mapping_point", None, *[ctypes.c_int] * 3, *[ctypes.POINTER(ctypes.c_float)] * 2),
    ):
        called = getattr(library, f"mypaint_brush_{function}")
        called.restype, called.argtypes = result, [ctypes.c_void_p, *arguments]
    x, y = ctypes.c_float(), ctypes.c_float()
    for name in brush_names()[::5]:
        file = find_brush(name)
        settings = read_settings(file)
        brush = library.mypaint_brush_new()
        assert library.mypaint_brush_from_string(brush, file.read_bytes())
        for setting, base in zip(settings.numbers.tolist(), settings.base, strict=True):
            assert library.mypaint_brush_get_base_value(brush, setting) == base
        first = 0
        for setting, source, count in settings.lines.tolist():
            assert library.mypaint_brush_get_mapping_n(brush, setting, source) == count
            for k in range(count):
                library.mypaint_brush_get_mapping_point(
                    brush, setting, source, k, ctypes.byref(x), ctypes.byref(y)
                )
                assert [x.value, y.value] == settings.points[first + k].tolist()
            first += count
        numbers = settings.numbers.tolist()
        lines = sum(
            library.mypaint_brush_get_mapping_n(brush, s, i) > 0 for s in numbers for i in range(18)
        )
        assert lines == len(settings.lines)
        library.mypaint_brush_unref(brush)


PAINT = """
import hashlib, numpy as np
from strokenet_gym import load_program
from strokenet_gym.programs.three_body import three_body_strokes
for name in ("classic/charcoal", "classic/dry_brush", "deevad/basic_digital_brush_smudging"):
    stroke = three_body_strokes(np.random.default_rng(0), 1000 if "charcoal" in name else 20)
    print(hashlib.sha256(load_program(f"mypaint:{name}").draw(stroke, 48).tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_the_same_strokes_are_the_same_bits_in_two_processes():
    found = []
    for threads in ("1", "4"):
        result = subprocess.run(
            [
                sys.executable,
                "-c",
                f"import os; os.environ['NUMBA_NUM_THREADS'] = '{threads}'" + PAINT,
            ],
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert result.returncode == 0, result.stderr
        found.append(result.stdout)
    assert found[0] == found[1]
    assert len(found[0].split()) == 3


def test_another_seed_is_another_grain(rng):
    stroke = three_body_strokes(rng, 100)
    one, again, other = (
        load_program(name).draw(stroke, 64) for name in (CHARCOAL, CHARCOAL, f"{CHARCOAL}@5")
    )
    np.testing.assert_array_equal(one, again)
    assert 0.1 < np.square(one - other).sum() / np.square(one).sum() < 0.3
    assert one.sum() == pytest.approx(other.sum(), rel=0.03)
    assert load_program(f"{CHARCOAL}@5").to_json() == f"{CHARCOAL}@5"
    assert load_program(f"{CHARCOAL}@5") != load_program(CHARCOAL)
    with pytest.raises(ValueError, match="seed must be from 0 to 10000, got 99999"):
        load_program(f"{CHARCOAL}@99999")


def test_a_slow_pen_begins_where_the_stroke_does():
    """Brushes that follow the pen slowly would come from the corner of the canvas."""
    t = np.linspace(0.3, 0.8, 16)
    alpha = load_program(CHARCOAL).draw(one(position=np.stack([t, -t], 1), radius=0.02), 64)[0]
    assert alpha[:36, :36].max() == 0
    assert alpha.sum() > 3


def test_a_batch_is_its_strokes_one_by_one(rng):
    stroke = uniform_strokes(rng, 9, channels=3)
    canvas = rng.uniform(0, 1, (9, 3, 40, 56)).astype(np.float32)
    brush = load_program("mypaint:classic/dry_brush")
    together = brush.paint(canvas, stroke, np.zeros(3))
    for i in range(9):
        alone = brush.paint(canvas[i : i + 1], Stroke(*(f[i : i + 1] for f in stroke)), np.zeros(3))
        np.testing.assert_array_equal(alone[0], together[i])


def test_environment_single_batched_recorded_replayed_exported(tmp_path):
    kwargs = {"brush": CHARCOAL, "max_strokes": 3, "channels": 3, "canvas_size": (48, 64)}
    check_env(gym.make("Painting-v0", **kwargs).unwrapped)
    envs = gym.make_vec("Painting-v0", num_envs=2, **kwargs)
    single = RecordStrokes(gym.make("Painting-v0", render_mode="rgb_array", **kwargs), tmp_path)
    envs.reset(seed=3)
    single.reset(seed=3)
    assert json.loads(single.spec.to_json())["kwargs"]["brush"] == CHARCOAL
    envs.action_space.seed(0)
    for _ in range(3):
        actions = envs.action_space.sample()
        seen, rewards, *_ = envs.step(actions)
        alone, reward, *_ = single.step(actions[0])
        np.testing.assert_array_equal(alone["canvas"], seen["canvas"][0])
        assert reward == pytest.approx(rewards[0], abs=1e-6)
    assert single.render().std() > 0
    log = StrokeLog.load(tmp_path / "strokes-00000.json")
    np.testing.assert_array_equal(np.uint8(log.replay() * 255 + 0.5), alone["canvas"])
    for suffix in (".png", ".csv", ".gif", ".mp4"):
        export(log, tmp_path / f"a{suffix}", 64)
    assert cv2.imread(str(tmp_path / "a.png")).shape == (48, 64, 3)
    with pytest.raises(ValueError, match=r"SVG needs the shapes of strokes.*classic/charcoal"):
        export(log, tmp_path / "a.svg")
    copy = pickle.loads(pickle.dumps(single.unwrapped))
    copy.reset(seed=3)
    np.testing.assert_array_equal(copy.step(actions[0])[0]["canvas"].shape, (3, 48, 64))
    with pytest.raises(ValueError, match="'mypaint:classic/charcoal' has no exact gradient"):
        gym.make("DifferentiablePainting-v0", brush=CHARCOAL)


@pytest.mark.parametrize(("name", "error", "match"), [
    ("mypaint:classic/charcoale", ValueError, r"unknown brush 'mypaint:classic/charcoale'"),
    ("mypaint:", ValueError, "unknown brush"),
    ("mypaint:../../etc/passwd", ValueError, "unknown brush"),
    ("nowhere/a.myb", FileNotFoundError, "no brush file nowhere/a.myb"),
])  # fmt: skip
def test_unknown_brushes(name, error, match):
    with pytest.raises(error, match=match):
        gym.make("Painting-v0", brush=name)


TEXTS = {
    "": "Expecting value",
    "{": "is not a brush of MyPaint",
    "[]": "version 3",
    '{"version": 2, "settings": {}}': "version 3",
    '{"version": 3}': "settings must be a dictionary",
    "[" * 100_000: "is not a brush of MyPaint",
    "\0\xff": "is not a brush of MyPaint",
}
SETTINGS = (  # each of them aborts, or hangs, the library's own reader or painter
    ({"base_value": "high"}, "base_value of hardness must be a number, got 'high'"),
    ({"base_value": float("nan")}, "must be a number, got nan"),
    ({"base_value": 10**400}, "is not a brush of MyPaint"),
    ({"base_value": 1e30}, "base_value of hardness must be from 0 to 1"),
    ({"inputs": []}, "inputs of hardness must be a dictionary"),
    ({"inputs": {"pressure": [[0, 0]]}}, "pressure of hardness must have 2 to 64 points, got 1"),
    ({"inputs": {"pressure": [[k, 0] for k in range(65)]}}, "2 to 64 points, got 65"),
    ({"inputs": {"pressure": [[1, 0], [0, 1]]}}, "must have points in order"),
    ({"inputs": {"pressure": [[0, 0], [1, None]]}}, "must be a number, got None"),
    ({"inputs": {"pressure": [[0, 0], [1]]}}, "must have points of two numbers"),
    ({"inputs": {"pressure": [[0, 0], [1, 1e9]]}}, "must add at most 1"),
    (3, "settings must be a dictionary"),
)


def test_damaged_files_are_refused(tmp_path):
    file = tmp_path / "a.myb"
    for text, match in TEXTS.items():
        file.write_text(text, "latin-1")
        with pytest.raises(ValueError, match=match):
            load_program(file)
    whole = json.loads(find_brush("classic/charcoal").read_text())
    for said, match in SETTINGS:
        entry = {"base_value": 0.5, "inputs": {}} | said if isinstance(said, dict) else said
        document = whole | {"settings": whole["settings"] | {"hardness": entry}}
        file.write_text(json.dumps(document))
        with pytest.raises(ValueError, match=match):
            load_program(file)
    # What a later version has more is left out.
    more = {"warmth": {"base_value": 9.0, "inputs": {"mood": [[0, 0], [1, 1]]}}}
    file.write_text(json.dumps(whole | {"settings": whole["settings"] | more}))
    stroke = three_body_strokes(np.random.default_rng(0), 3)
    painted = load_program(file).draw(stroke, 32)
    np.testing.assert_array_equal(painted, load_program(CHARCOAL).draw(stroke, 32))


FUZZ = """
import sys, numpy as np
from strokenet_gym import Stroke, load_program
from strokenet_gym.programs.mypaint import brush as brush_module
from strokenet_gym.programs.mypaint import brush_names, drawing
rng, count = np.random.default_rng(1), int(sys.argv[1])
brushes = brush_names()[:: len(brush_names()) // 20][:20]
for name in brushes:
    size = int(rng.choice([16, 33, 64]))
    stroke = Stroke(
        rng.uniform(-0.5, 1.5, (count, 3)), np.exp(rng.uniform(-9, 0, count)),
        rng.uniform(-1, 1, (count, 16, 2)) * rng.choice([1, 100, 1e4, 1e30], (count, 1, 1)),
        rng.uniform(-1, 2, (count, 16)),
    )
    for field in stroke:
        flat = field.reshape(-1)
        where = rng.integers(flat.size, size=max(1, count // 8))
        flat[where] = rng.choice([np.nan, np.inf, -np.inf, 0, 1e300, -1e-300], len(where))
    canvas = rng.uniform(0, 1, (count, 3, size, size)).astype(np.float32)
    painted = load_program(f"mypaint:{name}").paint(canvas, stroke, np.zeros(3, np.float32))
    assert np.isfinite(painted).all() and painted.min() >= 0 and painted.max() <= 1, name
    bad = ~np.isfinite(stroke.radius)
    assert (painted[bad] == canvas[bad]).all()
print(len(brushes) * count)
"""


@pytest.mark.slow
def test_no_stroke_aborts_python_or_writes_to_the_terminal():
    """MYPAINT_FUZZ=500 paints ten thousand strokes, in four minutes."""
    each = int(os.environ.get("MYPAINT_FUZZ", "8"))
    result = run_process("-c", FUZZ, each)
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{20 * each}\n"


def test_what_can_have_a_twin():
    assert misfit(load_program(CHARCOAL)) < 1e-5
    assert why_no_twin(load_program(CHARCOAL)) is None
    for name, why in (
        ("classic/smudge", "leaves no ink on an empty canvas"),
        ("experimental/leaves", "is more than opacity and colour"),
    ):
        brush = f"mypaint:{name}"
        assert why_no_twin(load_program(brush)).startswith(why)
        sentence = f"no network can imitate the brush '{brush}', since it {why}"
        with pytest.raises(ValueError, match=sentence):
            gym.make("NeuralPainting-v0", brush=brush)
    with pytest.raises(ValueError, match="no network is shipped that imitates the brush 'mypaint:"):
        gym.make("NeuralPainting-v0", brush="mypaint:classic/brush")


def test_the_command_lists_and_draws(tmp_path):
    sheet = tmp_path / "sheet.png"
    names = "marker", CHARCOAL, "mypaint:classic/smudge"
    result = command("brushes", *names, "--sheet", sheet, "--tile", 48)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].split(maxsplit=1) == ["marker", "exact gradient"]
    assert lines[1].split(maxsplit=1) == [CHARCOAL, "network shipped"]
    assert "no network: leaves no ink on an empty canvas" in lines[2]
    assert cv2.imread(str(sheet)).shape == (96, 96, 3)


def test_without_the_library(tmp_path):
    """The error has the line that installs it."""
    code = """
import ctypes.util, sys
from pathlib import Path
from strokenet_gym.programs.mypaint import library
library._candidates = lambda: iter(["libnothing.so"])
from gymnasium.error import DependencyNotInstalled
import gymnasium as gym
try:
    gym.make("Painting-v0", brush="mypaint:classic/charcoal")
except DependencyNotInstalled as error:
    print(error)
"""
    result = run_process("-c", code)
    assert "run `apt-get install libmypaint-1.5-1 mypaint-brushes`" in result.stdout


def test_strokes_do_not_see_what_others_left_outside_the_canvas():
    """A canvas whose sides are no multiples of a tile's: the rest of the tiles is empty."""
    smudge, opaque = load_program("mypaint:classic/smudge"), load_program(CHARCOAL)
    line = np.stack([np.linspace(1.15, 0.3, 16), np.zeros(16)], 1)
    stroke = one(colour=[0.5], position=line, radius=0.3)
    canvas = np.full((1, 1, 48, 48), 0.5, np.float32)
    first = smudge.paint(canvas, stroke)
    opaque.paint(np.ones((1, 1, 48, 48), np.float32), one(position=line, radius=0.5))
    np.testing.assert_array_equal(smudge.paint(canvas, stroke), first)


def test_strokes_must_be_as_many_as_the_canvases(rng):
    brush = load_program(CHARCOAL)
    with pytest.raises(ValueError, match=r"colour must have the shape \(6, 1\), got \(1, 1\)"):
        brush.paint(np.zeros((6, 1, 32, 32), np.float32), one())
    with pytest.raises(ValueError, match=r"colour must have the shape \(1, 3\), got \(1, 1\)"):
        brush.paint(blank(3), one())


@pytest.mark.parametrize(
    ("arguments", "match"),
    [(("--sheet", "a.foo"), r"--sheet must be a \.png"), (("--tile", 8), "--tile must be from 16")],
)
def test_the_command_refuses_before_it_works(arguments, match):
    done = command("brushes", *arguments)
    assert done.returncode == 1
    assert re.search(match, done.stderr)


def myb(path, **settings):
    """A file of a brush: of each setting its base value, and perhaps a line over the pressure."""
    document = {"opaque": (1.0, []), "hardness": (0.8, []), "radius_logarithmic": (1.0, [])}
    entries = {
        name: {"base_value": value, "inputs": {"pressure": line} if line else {}}
        for name, (value, line) in (document | settings).items()
    }
    path.write_text(json.dumps({"version": 3, "settings": entries}))
    return path


@pytest.mark.parametrize(
    ("setting", "value", "line"),
    [
        ("dabs_per_basic_radius", 200.0, []),
        ("dabs_per_actual_radius", 0.0, [[0.0, 0.0], [1.0, 210.0]]),
        ("dabs_per_actual_radius", 1.0, [[0.0, 0.0], [0.001, 10.0]]),  # goes on beyond its end
        ("dabs_per_second", 170.0, []),
    ],
)
def test_dabs_are_bounded(tmp_path, setting, value, line):
    file = myb(tmp_path / "many.myb", **{setting: (value, line)})
    with pytest.raises(ValueError, match=rf"many\.myb is not a brush.* {setting} must be at most"):
        load_program(file)


def test_a_stroke_covers_the_canvas_so_often_and_no_more(tmp_path):
    """Dabs that are each as large as the canvas: what is over the budget is dropped at once."""
    large = {"radius_logarithmic": (1.0, [[0.0, 0.0], [1.0, 6.0]])}
    brush = load_program(myb(tmp_path / "large.myb", dabs_per_basic_radius=(12.0, []), **large))
    zigzag = np.stack([np.tile([-1.0, 1.0], 8), np.linspace(-1, 1, 16)], 1)
    brush.paint(blank(size=512), one(radius=0.002, position=zigzag), np.ones(1, np.float32))
    _, surface = brush_module._local.surface
    assert surface.memory.budget[0] <= 0
    load_program(CHARCOAL).paint(blank(size=512), one(position=zigzag), np.ones(1, np.float32))
    assert surface.memory.budget[0] > 0.9 * drawing.COVERS * 512**2


def test_large_and_endless_brush_files(tmp_path):
    file = tmp_path / "large.myb"
    file.write_text(json.dumps({"version": 3, "settings": "x" * 10**7}))
    with pytest.raises(ValueError, match=r"large\.myb is not a brush") as caught:
        load_program(file)
    assert len(str(caught.value)) < 1000
    (tmp_path / "zero.myb").symlink_to("/dev/zero")
    with pytest.raises(FileNotFoundError, match="no brush file"):
        load_program(tmp_path / "zero.myb")
