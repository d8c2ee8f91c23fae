"""The painter: pictures planned in strokes, and the command."""

import json
import os
import re
import sys

import cv2
import numpy as np
import pytest
from conftest import run_process, succeed

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
from strokenet_gym.painter import planner as planner_module
from strokenet_gym.painter.command import measures, read_palette
from strokenet_gym.painter.palette import Palette
from strokenet_gym.painter.schedule import Clock, plan_stages
from strokenet_gym.programs.stamped.tape import StampedTape

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


@pytest.mark.parametrize("palette", [None, 3])
def test_a_step_that_breaks_off_is_taken_again(picture, palette, monkeypatch):
    """Wherever it does: the plan goes on, and ends as if nothing had happened."""
    plain = paint_picture(picture, 6, QUICK["gouache"], palette=palette)
    planner = Planner(picture, 6, QUICK["gouache"], palette=palette)
    places = [
        (planner_module.Adam, "step"), (planner_module, "limit"), (planner_module, "new_strokes"),
        (planner_module, "without_thin_lines"), (StampedTape, "backward"),
        (StampedTape, "removal_costs"), (Palette, "moved"), (Clock, "tick"),
    ]  # fmt: skip
    broken = 0
    while not planner.done:
        for owner, name in places:
            work = getattr(owner, name)

            def interrupted(*args, work=work, **kwargs):
                work(*args, **kwargs)
                raise KeyboardInterrupt

            monkeypatch.setattr(owner, name, interrupted)
            before = planner.strokes, planner.share
            try:
                planner.step()
            except KeyboardInterrupt:
                broken += 1
                assert (planner.done, planner.strokes, planner.share) == (False, *before)
            monkeypatch.setattr(owner, name, work)
        planner.step()
    assert broken > 9
    assert len(plain.strokes) == planner.strokes
    for one, other in zip(plain.strokes, planner.log().strokes, strict=True):
        for field, same in zip(one, other, strict=True):
            np.testing.assert_array_equal(field, same)


def test_an_interrupted_planner_is_not_done(picture, monkeypatch):
    planner = Planner(picture, 12, QUICK["photo"])
    for _ in range(3):
        planner.step()

    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(planner_module, "limit", stop)
        with pytest.raises(KeyboardInterrupt):
            planner.step()
    assert not planner.done
    assert len(planner.log().strokes) < 12
    while not planner.done:
        planner.step()
    assert planner.strokes > 8


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


@pytest.mark.parametrize("name", ["gouache", "pencil"])
@pytest.mark.parametrize(
    "asked",
    [
        {"palette": [[0.8, 0.1, 0.1], [0.1, 0.1, 0.6]]},
        {"background": "#20c060"},
        {"background": (0.1, 0.7, 0.3)},
        {"canvas": np.full((64, 64, 3), [40, 200, 90], np.uint8)},
    ],
)
def test_grey_pictures_in_colours_that_are_asked_for(picture, asked, name):
    planner = Planner(picture[:, :, 0], 4, QUICK[name], **asked)
    while not planner.done:
        planner.step()
    log = planner.log()
    assert len(log.background) == len(planner.picture) == len(planner.canvas) == 3
    if "palette" in asked:
        assert {tuple(s.colour) for s in log.strokes} <= set(map(tuple, asked["palette"]))
        assert np.ptp(planner.canvas, axis=0).max() > 0.1
    else:
        np.testing.assert_allclose(planner.blank()[:, 0, 0], [0.12, 0.73, 0.35], atol=0.06)
    shades = {"palette": [0.2, 0.9], "background": (0.5, 0.5, 0.5), "canvas": picture[:, :, 1]}
    grey = {key: np.array([[v] * 3 for v in shades[key]]) if key == "palette" else shades[key]
            for key in asked}  # fmt: skip
    assert len(Planner(picture[:, :, 0], 4, QUICK[name], **grey).picture) == 1


def test_colour_pictures_on_a_grey_canvas(picture):
    planner = Planner(picture, 2, canvas=picture[:, :, 0])
    np.testing.assert_allclose(planner.blank()[:, 5, 9], picture[5, 9, 0] / 255, atol=0.1)
    with pytest.raises(
        ValueError, match="the canvas must have the picture's shape, 64x64, got 9x8"
    ):
        Planner(picture, 2, canvas=np.zeros((8, 9)))


def clear_logo(colour, kind=4):
    """A square of a colour on nothing, whose transparent pixels have that colour too."""
    logo = np.full((64, 64, 4), [*colour, 0], np.uint8)
    logo[16:48, 16:48, 3] = 255
    return logo if kind == 4 else logo[:, :, 2:]


@pytest.mark.parametrize("kind", [4, 2])
@pytest.mark.parametrize("name", STYLES)
@pytest.mark.parametrize(
    ("colour", "ground"),
    [((200, 30, 40), 1), ((0, 0, 0), 1), ((255, 255, 255), 0), ((240, 240, 230), 0)],
)
def test_a_logo_differs_from_its_ground(colour, ground, name, kind):
    planner = Planner(clear_logo(colour, kind), 4, QUICK[name])
    picture = planner.picture
    np.testing.assert_allclose(picture[:, 0, 0], ground, atol=1e-6)
    assert np.abs(picture[:, 30, 30] - ground).max() > 0.3
    if STYLES[name].background == "mean":
        np.testing.assert_array_equal(planner.blank()[:, 0, 0], picture[:, 0, 0])
    # What somebody says counts.
    said = Planner(clear_logo(colour, kind), 4, QUICK[name], background="#808080").picture
    np.testing.assert_allclose(said[:, 0, 0], 128 / 255, atol=1e-6)


def test_a_photograph_with_a_rounded_corner_has_its_mean(picture):
    corner = np.dstack([picture, np.full((64, 64), 255, np.uint8)])
    corner[0, :5, 3] = 100
    plain, rounded = (Planner(p, 4, QUICK["photo"]).log().background for p in (picture, corner))
    np.testing.assert_allclose(rounded, plain, atol=0.01)


def test_a_logo_in_black_and_white_lies_on_grey():
    logo = clear_logo((0, 0, 0))
    logo[:, 32:, :3] = 255
    assert Planner(logo, 4).log().background == (0.5,) * 3
    logo[20:22, 20:22, :3] = 90  # a few pixels do not change that
    assert Planner(logo, 4).log().background == (0.5,) * 3
    nothing = np.zeros((64, 64, 4), np.uint8)
    assert Planner(nothing, 4).log().background == (1.0,) * 3


def test_the_opacity_of_a_weight_and_of_a_canvas(picture):
    clear = np.full((64, 64, 2), 255, np.uint8)
    clear[:, 32:, 1] = 0
    dark = clear[:, :, 0] * (clear[:, :, 1] > 0)
    seen, wanted = (Planner(picture, 2, weight=w)._weight for w in (clear, dark))
    np.testing.assert_array_equal(seen, wanted)
    with pytest.raises(ValueError, match="the weight is 0 everywhere"):
        Planner(picture, 2, weight=clear * np.array([1, 0], np.uint8))
    canvas = np.dstack([picture, clear[:, :, 1]])
    blank = Planner(picture, 2, canvas=canvas, background="#00ff00", size=64).blank()
    np.testing.assert_allclose(blank[:, 0, -1], [0, 1, 0], atol=0.02)
    np.testing.assert_allclose(blank[:, 0, 0], picture[0, 0] / 255, atol=0.05)


def test_a_logo_by_the_command(tmp_path, monkeypatch, quick):
    file = tmp_path / "logo.png"
    cv2.imwrite(str(file), clear_logo((200, 30, 40)))
    command(monkeypatch, file, "--strokes", 6)
    painted = cv2.imread(str(tmp_path / "logo.png-painted.png")).astype(int)
    assert np.abs(painted[32, 32] - painted[2, 2]).max() > 100


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
        (np.zeros((5, 4, 5)), {}, ValueError, "a target must be a picture"),
        (np.zeros((4, 400)), {}, ValueError, "64 times as long as wide"),
        (np.zeros((4, 4)) + 2, {}, ValueError, "a float picture must be in 0 … 1"),
        (np.zeros((4, 4), int), {}, ValueError, "uint8, uint16, or float"),
        (None, {"strokes": 0}, ValueError, "strokes must be from 1"),
        (None, {"style": "oil"}, ValueError, "style must be one of photo, gouache"),
        (None, {"size": 8}, ValueError, "size must be from 16 to 4096"),
        (None, {"background": "greyish"}, ValueError, "mean, #rrggbb or a colour's name"),
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
    assert cv2.imread(str(tmp_path / "a.png-painted.png")).shape == (64, 64, 3)
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
        (
            ["a.png", "--to", "b.gift"],
            "strokenet-gym: unknown suffix '.gift' of b.gift; known: .png",
        ),
        (["a.png", "--to", "b.pdf"], "unknown suffix '.pdf' of b.pdf; known: .png"),
        (["a.png", "--to", "b"], "unknown suffix '' of b"),
        (["a.png", "--to", "/proc/b.png"], "/proc/b.png"),
        (["a.png", "--to", "a.png/b.png"], "a.png"),
        (["a.png", "--to", "c.png"], "cannot write c.png: Is a directory"),
        (["a.png", "--palette", "a.txt"], "names no colour"),
        (["http://a.b/c.png"], "URLs are not read"),
    ],
)
def test_command_refuses_before_the_work(args, message, picture, tmp_path, monkeypatch, capsys):
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    (tmp_path / "a.txt").write_text("red")
    (tmp_path / "c.png").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Planner, "step", lambda planner: pytest.fail("it worked"))
    with pytest.raises(SystemExit):
        command(monkeypatch, *args)
    assert message in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "a.txt", "c.png"]


def test_measures(picture):
    image = np.moveaxis(picture, -1, 0) / 255
    assert measures(image, image) == {"mse": 0.0, "psnr": None, "ssim": pytest.approx(1.0)}
    assert measures(image[:, :5], image[:, :5] * 0.5)["ssim"] is None


def test_it_needs_no_torch():
    code = "import sys; from strokenet_gym import paint_picture; assert 'torch' not in sys.modules"
    succeed("-c", code, run=run_process)


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
        ({"tones": (0.0, float("nan"))}, "tones must be from 0 to 1"),
        ({"bending": -1}, "bending must be from 0"),
        ({"bending": "x"}, "bending must be from 0"),
        ({"thinnest": 1.0}, "must allow pressures from 0"),
        ({"angle": float("nan")}, "angle must be from -3600"),
        ({"detail": 0}, "detail must be from 0.01"),
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


def test_names_of_colours(picture, tmp_path):
    wanted = [[1, 0, 0], [0, 0, 1], [0, 128 / 255, 1]]
    np.testing.assert_allclose(read_palette("red, Blue,#0080ff"), wanted)
    np.testing.assert_allclose(read_palette("teal"), [[0, 128 / 255, 128 / 255]])
    assert read_palette("12") == 12
    (tmp_path / "a,b.txt").write_text("#00ff00")
    np.testing.assert_allclose(read_palette(str(tmp_path / "a,b.txt")), [[0, 1, 0]])
    with pytest.raises(ValueError, match=r"palette red,bleu: unknown color specifier: 'bleu'"):
        read_palette("red,bleu")
    with pytest.raises(FileNotFoundError, match="neither a number nor colours"):
        read_palette("bleu")
    for background, colour in (
        ("tomato", (255, 99, 71)),
        ("Grey", (128,) * 3),
        ("#0f0", (0, 255, 0)),
    ):
        blank = Planner(picture, 4, background=background).blank()
        np.testing.assert_allclose(blank[:, 0, 0], np.array(colour) / 255, atol=1e-6)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["--to", "b.json", "--report", "b.json"], "--report and --to b.json are the same file"),
        (["--to", "b.png", "--to", "./b.png"], "a file is given twice|are the same file"),
        (["--to", "b.png", "--to", "link.png"], "are the same file"),
        (["--to", "a.png"], "--to a.png and the picture are the same file"),
        (["--to", "b.png", "--weight", "w.png", "--report", "w.png"], "--report and --weight are"),
    ],
)
def test_files_that_would_overwrite_each_other(
    files, message, picture, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("a.png", picture)
    os.symlink("b.png", "link.png")
    monkeypatch.setattr(Planner, "step", lambda planner: pytest.fail("it worked"))
    with pytest.raises(SystemExit):
        command(monkeypatch, "a.png", *files)
    assert re.search(message, capsys.readouterr().err)
    assert sorted(os.listdir()) == ["a.png", "link.png"]


def test_default_outputs_are_one_for_each_picture(picture, tmp_path, monkeypatch, quick):
    monkeypatch.chdir(tmp_path)
    for name in ("scan.1.png", "scan.2.png", "a.jpg", "a.png"):
        cv2.imwrite(name, picture[:16, :16])
    pictures = sorted(os.listdir())
    for name in pictures:
        command(monkeypatch, name, "--strokes", 1)
    assert sorted(os.listdir()) == sorted([*pictures, *(f"{p}-painted.png" for p in pictures)])


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
