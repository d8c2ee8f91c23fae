"""The painter: pictures planned in strokes, and the command."""

import json
import sys

import cv2
import numpy as np
import pytest
from conftest import succeed

from strokenet_gym import (
    BRUSHES,
    STYLES,
    Brush,
    Planner,
    Stroke,
    StrokeLog,
    Style,
    export,
    paint_picture,
)
from strokenet_gym.cli import main
from strokenet_gym.painter import parameters
from strokenet_gym.painter.command import measures, read_palette
from strokenet_gym.painter.palette import Palette
from strokenet_gym.painter.schedule import plan_stages

# So few steps that a test takes a second: four tenths of these, for a few strokes.
QUICK = {
    name: Style(**{**vars(style), "iterations": 10, "finish": 30}) for name, style in STYLES.items()
}


@pytest.fixture
def picture(rng):
    """A red disc on a blue gradient, uint8 ``[64, 64, 3]``."""
    y, x = np.mgrid[:64, :64]
    image = np.stack([x * 2, 40 + y, 120 + y * 2], -1).astype(np.uint8)
    image[(x - 40) ** 2 + (y - 24) ** 2 < 200] = 220, 40, 30
    return image


def error(painted, image, weight=1.0):
    target = np.moveaxis(image.reshape(*image.shape[:2], -1), -1, 0) / 255
    return float((weight * (painted - target) ** 2).mean())


@pytest.mark.parametrize("name", STYLES)
def test_each_style_paints(picture, name):
    planner = Planner(picture, 12, QUICK[name])
    blank, steps = planner.psnr, 0
    while not planner.done:
        planner.step()
        steps += 1
        assert 0 <= planner.share <= 1
    assert steps == 9 * 4 + 12 + 1
    assert 1 <= planner.strokes <= 12
    assert planner.psnr > blank + 0.1
    log = planner.log()
    assert isinstance(log, StrokeLog)
    assert log.brush == STYLES[name].brush
    assert len(log.background) == (1 if STYLES[name].grey else 3)
    replayed = -10 * np.log10(((log.replay() - planner.picture) ** 2).mean())
    assert replayed == pytest.approx(planner.psnr, abs=0.05)
    planner.step()  # nothing is left to do
    assert planner.done


def test_seeds(picture, tmp_path):
    one, same, other = (paint_picture(picture, 6, QUICK["gouache"], seed=s) for s in (1, 1, 2))
    for a, b in zip(one.strokes, same.strokes, strict=True):
        for field, again in zip(a, b, strict=True):
            np.testing.assert_array_equal(field, again)
    assert not np.array_equal(one.strokes[0].position, other.strokes[0].position)
    one.save(tmp_path / "a.json")
    np.testing.assert_array_equal(StrokeLog.load(tmp_path / "a.json").replay(), one.replay())


def test_a_log_at_any_time(picture):
    planner = Planner(picture, 8, QUICK["photo"])
    assert planner.log().strokes == []
    for _ in range(10):
        planner.step()
    log = planner.log()
    assert len(log.strokes) == planner.strokes > 0
    assert error(log.replay(), picture) < error(log.blank(), picture)


def test_progress_and_a_budget(picture):
    seen = []
    slow = Style(Brush(), iterations=10**6, finish=10**6)
    paint_picture(picture, 4, slow, seconds=0.5, progress=lambda p: seen.append(p.share))
    assert seen == sorted(seen)
    assert seen[-1] == 1


def test_what_strokes_may_be(picture):
    style = QUICK["pencil"]
    log = paint_picture(picture, 12, style)
    low, high = style.brush.radii
    for stroke in log.strokes:
        assert low * 0.999 <= stroke.radius <= high * 1.001
        assert (np.abs(stroke.position) <= 1 + Style.margin + 1e-9).all()
        assert style.pressure[0] <= stroke.pressure.min()
        assert stroke.pressure.max() <= style.pressure[1]
        assert style.tones[0] <= stroke.colour.min() <= stroke.colour.max() <= style.tones[1]


def test_gradient(rng):
    """Through the parameters, on a canvas that is twice as wide as high."""
    extent, style = np.array([2.0, 1.0]), Style(Brush(), scribbling=0.5)
    some = Stroke(
        rng.uniform(0, 1, (3, 3)),
        rng.uniform(-3, -1, 3),
        rng.uniform(-1, 1, (3, 16, 2)),
        rng.uniform(0.2, 1, (3, 16)),
    )
    by = Stroke(*(rng.normal(size=np.shape(field)) for field in some))

    def loss(parts):
        strokes = parameters.to_strokes(parts, extent)
        linear = sum((a * b).sum() for a, b in zip(by, strokes, strict=True))
        return linear + parameters.bend(parts, style)[0]

    slope = parameters.gradient(by, some, extent)
    bends = parameters.bend(some, style)[1]
    slope = Stroke(*(a + b for a, b in zip(slope, bends, strict=True)))
    for _ in range(5):
        way = Stroke(*(1e-6 * rng.normal(size=np.shape(field)) for field in some))
        ahead, behind = (
            loss(Stroke(*(f + sign * w for f, w in zip(some, way, strict=True))))
            for sign in (1, -1)
        )
        expected = sum((a * b).sum() for a, b in zip(slope, way, strict=True))
        assert (ahead - behind) / 2 == pytest.approx(expected, rel=1e-5)


def test_the_gradient_of_the_whole_picture(picture):
    """A small step of the planner's own goes down its own loss."""
    planner = Planner(picture, 6, QUICK["photo"])
    for _ in range(20):
        planner.step()
    slope, loss = planner.slope("exact")
    base = planner._parameters
    squares = sum((s**2).sum() for s in slope)

    def loss_after(size):
        moved = (f - size * s for f, s in zip(base, slope, strict=True))
        planner._parameters = Stroke(*moved)
        return planner.slope("exact")[1]

    size = 1e-3 * loss / squares
    fall = loss_after(-size) - loss_after(size)
    assert fall == pytest.approx(2 * size * squares, rel=0.05)


@pytest.mark.parametrize("palette", [3, [[0.9, 0.2, 0.1], [0.2, 0.3, 0.8]]])
def test_palette(picture, palette):
    log = paint_picture(picture, 12, QUICK["gouache"], palette=palette)
    colours = {tuple(stroke.colour) for stroke in log.strokes}
    assert len(colours) <= (len(palette) if np.shape(palette) else palette)
    if np.shape(palette):
        assert colours <= set(map(tuple, palette))
    assert error(log.replay(), picture) < error(log.blank(), picture)


@pytest.mark.parametrize("name", ["pencil", "watercolour", "photo"])
def test_palettes_with_a_weight(picture, name):
    weight = np.full((64, 64), 0.1)
    weight[:, 32:] = 1
    log = paint_picture(picture, 12, QUICK[name], palette=2, weight=weight)
    assert 1 <= len({tuple(stroke.colour) for stroke in log.strokes}) <= 2


def test_palettes_while_planning(picture):
    """What is asked before the end has the palette's colours, and does not change the plan."""
    asked, left = (Planner(picture, 12, QUICK["gouache"], palette=2) for _ in range(2))
    assert asked.log().strokes == []
    while not asked.done:
        asked.step()
        left.step()
        assert len({tuple(stroke.colour) for stroke in asked.log().strokes}) <= 2
    assert np.array_equal(asked.log().replay(), left.log().replay())


@pytest.mark.parametrize("count", [1, 3, 9])
def test_find_a_palette(rng, count):
    """Groups of strokes' colours, whatever they weigh; more colours than groups are no harm."""
    groups = np.array([[0.1, 0.2, 0.3], [0.8, 0.1, 0.5], [0.4, 0.9, 0.7]])
    colours = np.repeat(groups, 20, axis=0) + rng.normal(0, 0.01, (60, 3))
    palette = Palette(count, 3)
    palette.find(colours, rng.uniform(0.1, 5, 60))
    assert palette.colours.shape == (count, 3)
    if count >= 3:
        nearest = np.abs(groups[:, None] - palette.colours).max(-1).min(1)
        assert (nearest < 0.03).all()


def test_weight(picture):
    left = np.full((32, 32), 0.02)
    left[:, :16] = 1
    logs = [paint_picture(picture, 4, QUICK["photo"], weight=w) for w in (left, left[:, ::-1])]
    map_ = np.kron(left, np.ones((2, 2)))
    assert error(logs[0].replay(), picture, map_) < error(logs[1].replay(), picture, map_)


def test_transparent_and_grey_pictures(picture):
    clear = np.dstack([picture, np.zeros((64, 64), np.uint8)])
    clear[:, 32:, 3] = 255
    planner = Planner(clear, 4, background="#00ff00")
    np.testing.assert_allclose(planner.picture[:, :, 0].T, [[0, 1, 0]] * 64, atol=1e-6)
    np.testing.assert_allclose(planner.picture[:, :, -1].T, picture[:, -1] / 255, atol=1e-6)
    log = paint_picture(picture[:, :, 0], 4, QUICK["photo"], background="black")
    assert log.background == (0,)
    assert log.strokes[0].colour.shape == (1,)


@pytest.mark.parametrize("level", [255, 90])
@pytest.mark.parametrize("side", [1, 40])
@pytest.mark.parametrize("name", STYLES)
def test_pictures_of_one_colour(level, side, name):
    image = np.full((side, side, 3), level, np.uint8)
    log = paint_picture(image, 3, QUICK[name])
    replayed = log.replay()
    assert np.isfinite(replayed).all()
    assert log.size == max(16, side)
    if log.background == pytest.approx(level / 255):
        assert log.strokes == []


def test_size(picture):
    planner = Planner(picture, 400, size=512)
    assert planner.picture.shape == (3, 512, 512)
    stages = plan_stages(400, STYLES["photo"], (2000, 3000))
    assert stages[-1].shape == (320, 480)
    assert stages[0].shape == (160, 240)
    assert [s.strokes for s in stages] == sorted(s.strokes for s in stages)


@pytest.mark.parametrize(
    ("image", "kwargs", "kind", "message"),
    [
        ("https://a.b/c.png", {}, ValueError, "URLs are not read"),
        ("none.png", {}, FileNotFoundError, "none.png"),
        (__file__, {}, ValueError, "cannot read .* as an image"),
        (np.zeros((5, 4, 5)), {}, ValueError, "a picture must have the shape"),
        (np.zeros((4, 400)), {}, ValueError, "64 times as long as wide"),
        (np.zeros((4, 4)) + 2, {}, ValueError, "a float picture must be in 0 … 1"),
        (np.zeros((4, 4), int), {}, ValueError, "uint8, uint16, or float"),
        (None, {"strokes": 0}, ValueError, "strokes must be from 1"),
        (None, {"style": "oil"}, ValueError, "style must be one of photo, gouache"),
        (None, {"size": 8}, ValueError, "size must be from 16 to 4096"),
        (None, {"background": "grey"}, ValueError, "mean, white, black or #rrggbb"),
        (None, {"seconds": 0}, ValueError, "seconds must be more than 0"),
        (None, {"palette": 0}, ValueError, "palette must be from 1 to 256"),
        (None, {"palette": [[0.1]]}, ValueError, r"colours \[K, 3\]"),
        (None, {"palette": np.zeros((300, 3))}, ValueError, "1 … 256 colours"),
        (None, {"palette": {}}, ValueError, "a palette must be a number or colours, got {}"),
        (None, {"background": {}}, ValueError, "background must have 3 numbers"),
        (None, {"style": ["photo"]}, ValueError, "style must be one of photo, gouache"),
        (None, {"seconds": "5"}, ValueError, "seconds must be more than 0"),
        (None, {"seconds": True}, ValueError, "seconds must be more than 0"),
        (None, {"weight": np.zeros((8, 8))}, ValueError, "the weight is 0 everywhere"),
        (None, {"weight": np.ones((8, 16))}, ValueError, "the picture's shape, 64x64, got 16x8"),
    ],
)
def test_refused(picture, image, kwargs, kind, message):
    with pytest.raises(kind, match=message):
        Planner(picture if image is None else image, **kwargs)


@pytest.fixture
def quick(monkeypatch):
    for name, style in QUICK.items():
        monkeypatch.setitem(STYLES, name, style)


def command(monkeypatch, *args):
    monkeypatch.setattr(sys, "argv", ["strokenet-gym", "paint", *map(str, args)])
    main()


def test_command(picture, tmp_path, monkeypatch, quick, capsys):
    file = tmp_path / "a.png"
    cv2.imwrite(str(file), picture)
    command(monkeypatch, file, "--strokes", 6)
    assert cv2.imread(str(tmp_path / "a-painted.png")).shape == (64, 64, 3)
    pens = tmp_path / "pens.txt"
    pens.write_text("red #ff0000\nblue #2020d0\n")
    to = [a for suffix in ("json", "svg", "csv") for a in ("--to", tmp_path / f"b.{suffix}")]
    report = tmp_path / "new" / "report.json"
    rest = ["--style", "marker", "--palette", pens, "--size", 96, "--report", report]
    command(monkeypatch, file, "--strokes", 6, *to, *rest, "--seconds", 2, "--watch")
    log = StrokeLog.load(tmp_path / "b.json")
    assert log.size == 96
    assert {tuple(s.colour) for s in log.strokes} <= {tuple(c) for c in read_palette(str(pens))}
    found = json.loads(report.read_text())
    assert list(found) == ["mse", "psnr", "ssim", "strokes", "seconds", "size"]
    assert found["psnr"] == pytest.approx(-10 * np.log10(found["mse"]))
    assert 0 < found["ssim"] < 1
    assert (tmp_path / "b.svg").exists()
    assert "Wrote" in capsys.readouterr().out


def test_ctrl_c_keeps_what_there_is(picture, tmp_path, monkeypatch, quick):
    file, step = tmp_path / "a.png", Planner.step
    cv2.imwrite(str(file), picture)

    def stop(planner):
        step(planner)
        if planner.strokes == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(Planner, "step", stop)
    command(monkeypatch, file, "--strokes", 12, "--to", tmp_path / "b.json")
    assert len(StrokeLog.load(tmp_path / "b.json").strokes) == 4


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["none.png"], "none.png"),
        (["a.png", "--to", "b.gift"], "cannot write b.gift: unknown suffix '.gift'"),
        (["a.png", "--to", "b"], "cannot write b: unknown suffix ''"),
        (["a.png", "--to", "/proc/b.png"], "/proc/b.png"),
        (["a.png", "--to", "a.png/b.png"], "a.png"),
        (["a.png", "--to", "."], "it is a folder"),
        (["a.png", "--palette", "a.txt"], "names no colour"),
        (["http://a.b/c.png"], "URLs are not read"),
    ],
)
def test_command_refuses_before_the_work(args, message, picture, tmp_path, monkeypatch, capsys):
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    (tmp_path / "a.txt").write_text("red")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Planner, "step", lambda planner: pytest.fail("it worked"))
    with pytest.raises(SystemExit):
        command(monkeypatch, *args)
    assert message in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "a.txt"]


def test_measures(picture):
    image = np.moveaxis(picture, -1, 0) / 255
    assert measures(image, image) == {"mse": 0.0, "psnr": None, "ssim": pytest.approx(1.0)}
    assert measures(image[:, :5], image[:, :5] * 0.5)["ssim"] is None


def test_it_needs_no_torch():
    code = "import sys; from strokenet_gym import paint_picture; assert 'torch' not in sys.modules"
    succeed("-c", code)


def test_the_log_of_a_slim_picture_can_be_read(tmp_path):
    """Its sides have the 16 pixels that a canvas has at least, or it is refused."""
    image = np.zeros((20, 640, 3), np.uint8)
    image[:, 200:400] = 200
    with pytest.raises(ValueError, match="size must be from 512 to 4096, got 256"):
        paint_picture(image, 4, QUICK["gouache"], size=256)
    log = paint_picture(image[:10], 4, QUICK["gouache"])
    assert log.size == (16, 1024)
    log.save(tmp_path / "slim.json")
    np.testing.assert_array_equal(StrokeLog.load(tmp_path / "slim.json").replay(), log.replay())


@pytest.mark.parametrize("brush", [BRUSHES["eraser"], "pencil"])
def test_styles_need_brushes_that_add_colour(brush):
    with pytest.raises(ValueError, match="must be a Brush that adds colour"):
        Style(brush)


def test_plans_that_would_take_too_much_memory(monkeypatch):
    monkeypatch.setenv("STROKENET_MEMORY_MB", "100")
    with pytest.raises(ValueError, match=r"planning 5000 strokes on \d+x\d+ px would take"):
        paint_picture(np.zeros((3000, 3000, 3), np.uint8), 5000)


@pytest.mark.parametrize("name", ["photo", "watercolour"])
def test_the_pen_is_lifted_where_lines_are_too_thin(picture, name):
    """When it is done, and in a log of a plan that is broken off."""
    style = STYLES[name]
    planner = Planner(picture, 40, style)
    half = min(plan_stages(40, style, (64, 64))[-1].shape) / 2
    while not planner.done:
        planner.step()
        if planner.done or planner.share > 0.5:
            strokes = planner.log().strokes
            drawn = [s.radius * s.pressure**style.brush.pressure_size * half for s in strokes]
            assert all((d > 0).any() for d in drawn)
            assert min(d[d > 0].min() for d in drawn) >= style.thinnest - 1e-3
    assert 30 <= planner.strokes <= 40


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"pressure": (0.5, 0.2)}, "pressure must be a range"),
        ({"pressure": 0.1}, "pressure must be two numbers"),
        ({"pressure": (0.0, 0.0)}, "largest pressure must be more than 0"),
        ({"tones": (0.0, float("nan"))}, "tones must be"),
        ({"bending": -1}, "bending must be from 0"),
        ({"bending": "x"}, "bending must be from 0"),
        ({"thinnest": 1.0}, "must allow pressures from 0"),
        ({"angle": float("nan")}, "angle must be from"),
        ({"detail": 0}, "detail must be from"),
        ({"iterations": float("inf")}, "iterations must be a whole number"),
        ({"finish": 0}, "finish must be from 1"),
    ],
)
def test_styles_that_are_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        Style(BRUSHES["pencil"], **kwargs)


def test_ctrl_c_while_a_film_is_written(picture, tmp_path, monkeypatch, quick, capsys):
    """The picture and the report are there, and no traceback."""
    file, films = tmp_path / "a.png", []
    cv2.imwrite(str(file), picture)

    def stop(log, file, size):
        if file.suffix == ".gif" and log.strokes:
            films.append(file)
            raise KeyboardInterrupt
        export(log, file, size)

    monkeypatch.setattr("strokenet_gym.painter.command.export", stop)
    to = [a for name in ("b.gif", "b.png") for a in ("--to", tmp_path / name)]
    with pytest.raises(SystemExit, match=r"stopped: .*b\.gif is not written"):
        command(monkeypatch, file, "--strokes", 4, *to, "--report", tmp_path / "r.json")
    assert films
    assert (tmp_path / "b.png").exists()
    assert json.loads((tmp_path / "r.json").read_text())["strokes"] <= 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"#ff0000 #fff", "a colour is written as #rrggbb, got #fff"),
        (b"#ff000080", "got #ff000080"),
        (b"\xff\xfe#", "is not a text"),
        (b"# no colour", "names no colour"),
    ],
)
def test_palette_files_that_are_refused(content, message, tmp_path):
    file = tmp_path / "pens.txt"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_palette(str(file))
