"""What is exported from a stroke log, and the command."""

import csv
import itertools
import os
import re
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest
from browser import show_picture
from conftest import command
from defusedxml import ElementTree
from gymnasium.error import DependencyNotInstalled
from PIL import Image
from test_stroke_log import some_log

from strokenet_gym import BRUSHES, StrokeLog
from strokenet_gym.exports import export, to_rgb
from strokenet_gym.exports.svg import _layers
from strokenet_gym.programs.stamped import pen_path
from strokenet_gym.stroke import Stroke, unpack


def read_mp4(file):
    video, frames = cv2.VideoCapture(str(file)), []
    while (image := video.read()[1]) is not None:
        frames.append(image[:, :, ::-1])
    video.release()
    return np.stack(frames)


def test_export_png_and_films(tmp_path):
    log = some_log()
    export(log, tmp_path / "a.png", 96)
    picture = cv2.imread(str(tmp_path / "a.png"))[:, :, ::-1]
    np.testing.assert_array_equal(picture, to_rgb(log.replay(96)))
    for suffix in ("gif", "mp4"):
        file = tmp_path / f"a.{suffix}"
        export(log, file, 96, seconds=0.8, fps=10)
        frames = read_mp4(file)
        assert frames.shape == (4 * 2 + 10, 96, 96, 3)
        assert np.abs(frames[-1].astype(int) - picture).mean() < 4
        assert np.abs(frames[0].astype(int) - picture).mean() > 4


def paths_of(group):
    """Opacity of each path of a group, and its rings in pixels of the grid."""
    for path in group.findall("{*}path"):
        rings = []
        for ring in path.get("d").rstrip("z").split("zM"):
            numbers = [int(number) for number in re.findall(r"-?\d+", ring)]
            rings.append(np.cumsum(np.reshape(numbers, (-1, 2)), 0) / 5)
        yield float(path.get("fill-opacity", 1)), rings


@pytest.mark.parametrize("brush", ["marker", "pencil", "watercolour"])
def test_export_svg(tmp_path, brush):
    """The outlines are laid on each other here as any program that shows SVG does."""
    log = some_log(brush)
    export(log, tmp_path / "a.svg")
    root = ElementTree.parse(tmp_path / "a.svg").getroot()
    groups = root.findall("{*}g")
    assert [group.get("id") for group in groups] == [f"stroke-{k:03}" for k in range(1, 5)]
    for group, stroke in zip(groups, log.strokes, strict=True):
        through = np.ones((2048, 2048))
        paths = list(paths_of(group))
        assert len(paths) == 1 if brush == "marker" else 5 < len(paths) < 60
        for opacity, rings in paths:
            inside = np.zeros(through.shape, np.uint8)
            fixed = [np.rint((ring * 2 - 0.5) * 16).astype(np.int32) for ring in rings]
            cv2.fillPoly(inside, fixed, 1, shift=4)  # by the even-odd rule
            through *= 1 - opacity * inside
        wanted = log.brush.draw(Stroke(*(f[None] for f in stroke)), 512)[0]
        drawn = 1 - through.reshape(512, 4, 512, 4).mean((1, 3))
        assert np.sqrt(np.mean((drawn - wanted) ** 2)) < 0.02
        colour = [int(group.get("fill")[k : k + 2], 16) for k in (1, 3, 5)]
        np.testing.assert_allclose(colour, stroke.colour * 255, atol=0.51)
        assert ("multiply" in group.get("style", "")) == (brush == "watercolour")


def shown(file, size):
    """What librsvg shows of an SVG, uint8 ``[H, W, 3]``."""
    if shutil.which("rsvg-convert") is None:
        pytest.skip("there is no rsvg-convert")
    picture = file.with_suffix(".shown.png")
    subprocess.run(["rsvg-convert", "-w", str(size), file, "-o", picture], check=True, timeout=300)
    return np.asarray(Image.open(picture).convert("RGB")).astype(int)


@pytest.mark.parametrize("brush", ["pencil", "airbrush", "watercolour"])
def test_broad_soft_dark_strokes_have_no_steps(tmp_path, brush):
    log = some_log(brush, 1)
    (stroke,) = log.strokes
    log.strokes = [
        stroke._replace(
            colour=np.zeros(3), radius=np.float64(0.125), pressure=stroke.pressure.clip(0.6, 1)
        )
    ]
    wanted = to_rgb(log.replay(512)).astype(int)
    export(log, tmp_path / "a.svg", 512)
    difference = np.abs(shown(tmp_path / "a.svg", 512) - wanted)
    assert np.percentile(difference, 99.9) <= 6
    assert difference.max() <= 12
    outlines = (tmp_path / "a.svg").read_text().count("<path")
    export(log, tmp_path / "a.svg", 512, detail=2)
    assert (tmp_path / "a.svg").read_text().count("<path") > 1.4 * outlines > 20


@pytest.mark.parametrize("brush", ["pencil", "airbrush", "watercolour"])
@pytest.mark.parametrize("paper", [1.0, 0.5])
def test_light_soft_strokes_are_not_darker_in_librsvg(tmp_path, brush, paper):
    """However many there are, of any colour: what it cuts off of each layer does not add up."""
    log = some_log(brush, 40)
    log.background = (paper,) * 3
    export(log, tmp_path / "a.svg", 256)
    difference = shown(tmp_path / "a.svg", 256) - to_rgb(log.replay(256)).astype(int)
    assert np.abs(difference.mean((0, 1))).max() < 1
    assert np.abs(difference).mean() < 2


@pytest.mark.slow
@pytest.mark.parametrize("brush", ["marker", "watercolour"])
def test_svg_in_a_browser(tmp_path, brush):
    log = some_log(brush, 24)
    export(log, tmp_path / "a.svg", 512)
    with Image.open(show_picture(tmp_path / "a.svg", 512)) as image:
        seen = np.asarray(image.convert("RGB")).astype(int)[:512, :512]
    difference = seen - to_rgb(log.replay(512)).astype(int)
    assert np.abs(difference.mean((0, 1))).max() < 1.5
    assert np.abs(difference).mean() < 2


@pytest.mark.parametrize("cut", [np.floor, np.rint])
@pytest.mark.parametrize("steps", [1, 7, 60])
def test_layers_add_up_in_eight_bits(cut, steps, rng):
    """In a program that cuts off what colour times opacity has after the point, or rounds it."""
    for _ in range(20):
        colour = rng.integers(0, 256, 3)
        reached = np.cumsum(np.full(steps, rng.uniform(0.2, 1) / steps))
        shown = np.zeros(4)  # colour times opacity, and opacity
        for paint, _ in _layers(((one, "") for one in reached), "#" + bytes(colour.tolist()).hex()):
            fill = bytes.fromhex(re.search('fill="#(\\w+)', paint)[1])
            alpha = float(re.search('opacity="(.*)"', paint)[1]) if "opacity" in paint else 1.0
            layer = cut(np.array([*fill, 255]) * alpha * (256 / 255 if cut is np.floor else 1))
            shown = layer + np.rint(shown * (1 - layer[3] / 255))
        assert shown[3] == pytest.approx(255 * reached[-1], abs=1.5)
        np.testing.assert_allclose(shown[:3], colour / 255 * shown[3], atol=1.6)


def test_scribbles_are_small(tmp_path, rng):
    """Strokes of the marker, as a random agent paints them: 24 take 300 kB."""
    brush = BRUSHES["marker"]
    strokes = unpack(rng.uniform(-1, 1, (8, 52)), 3, brush.radii)
    log = StrokeLog(128, (1.0,) * 3, brush)
    log.strokes = [Stroke(*(field[k] for field in strokes)) for k in range(8)]
    export(log, tmp_path / "a.svg", 256)
    assert os.path.getsize(tmp_path / "a.svg") < 100_000
    wanted = to_rgb(log.replay(512)).astype(int)
    assert np.abs(shown(tmp_path / "a.svg", 512) - wanted).mean() < 3.8


def test_a_thousand_soft_strokes_as_svg(tmp_path):
    log = some_log("pencil", 300)
    log.strokes = [s._replace(position=s.position * 0.3) for s in log.strokes] * 3
    log.strokes += log.strokes[:100]
    export(log, tmp_path / "a.svg")
    assert os.path.getsize(tmp_path / "a.svg") < 3e6
    assert (tmp_path / "a.svg").read_text().count("<g ") == 1000


def test_lines_for_plotters(tmp_path):
    log = some_log()
    lifted = log.strokes[1].pressure.copy()
    lifted[5:8] = 0
    log.strokes[1] = log.strokes[1]._replace(pressure=lifted)
    log.strokes[2] = log.strokes[2]._replace(pressure=np.zeros(16))
    widths = []
    for pen in (None, 0.5):
        export(log, tmp_path / "a.svg", lines=True, pen_mm=pen, paper_mm=(100, 200))
        root = ElementTree.parse(tmp_path / "a.svg").getroot()
        assert (root.get("width"), root.get("height")) == ("100mm", "200mm")
        paths = root.findall("{*}path")
        assert [path.get("id") for path in paths] == ["stroke-001", "stroke-002", "stroke-004"]
        assert [path.get("d").count("M") for path in paths] == [1, 2, 1]
        widths.append([float(path.get("stroke-width")) for path in paths])
    assert set(widths[1]) == {0.5}
    assert len(set(widths[0])) == 3
    points = [p.split(",") for p in paths[0].get("d").lstrip("M").split(" ")]
    for k, anchor in ((0, 0), (-1, 15)):
        x, y = log.strokes[0].position[anchor]
        np.testing.assert_allclose(
            np.array(points[k], float), [50 + 50 * x, 100 - 50 * y], atol=0.01
        )
    for wrong in ({"pen_mm": 0}, {"paper_mm": (0, 1)}):
        with pytest.raises(ValueError, match="must be"):
            export(log, tmp_path / "a.svg", lines=True, **wrong)


def test_suffixes_in_any_case(tmp_path):
    log = some_log(count=1)
    wanted = to_rgb(log.replay(64)).astype(int)
    for name in ("ä.PNG", "a.Jpg", "a.JPEG", "a.webp"):
        export(log, tmp_path / name, 64)
        with Image.open(tmp_path / name) as image:
            assert image.format == {".PNG": "PNG", ".webp": "WEBP"}.get(name[-4:], image.format)
            assert np.abs(np.asarray(image.convert("RGB")) - wanted).mean() < 3.8
    export(log, tmp_path / "a.SVG")
    assert (tmp_path / "a.SVG").read_text().startswith("<svg")


def test_export_csv(tmp_path):
    log = some_log()
    export(log, tmp_path / "a.csv", paper_mm=(100, 200))
    with open(tmp_path / "a.csv") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 * 241
    first = log.strokes[0]
    for k, anchor in ((0, 0), (240, 15), (32, 2)):
        x, y = first.position[anchor]
        assert float(rows[k]["x_mm"]) == pytest.approx(50 + 50 * x, abs=1e-3)
        assert float(rows[k]["y_mm"]) == pytest.approx(100 + 50 * y, abs=1e-3)
        assert float(rows[k]["pressure"]) == pytest.approx(first.pressure[anchor], abs=1e-3)
    assert {row["stroke"] for row in rows} == {"1", "2", "3", "4"}


def leaving(*position):
    """A stroke through these places, from one anchor to the next, and one within the canvas."""
    path = np.repeat(np.array(position, float), -(-16 // len(position)), 0)[:16]
    outside = Stroke(np.zeros(3), np.array(0.1), path, np.full(16, 0.5))
    return [outside, outside._replace(position=np.linspace([-0.5, 0], [0.5, 0], 16))]


@pytest.mark.parametrize("size", [64, (32, 64)])
@pytest.mark.parametrize("paper", [(210, 297), (80, 20)])
@pytest.mark.parametrize(
    "places",
    [
        [(0, 0), (3, 0), (3, 3), (0, 0.5)],  # out and in again
        [(-2, -2), (2, 2)],  # across
        [(5, 5), (7, 5)],  # outside all the way
        [(0, 0), (0, -1.3)],
        [(1, 1)],  # a dot in the corner
        [(-1.5, 0.5), (1.5, 0.5), (0.5, 1.5), (0.5, -1.5)],
    ],
)
def test_lines_and_points_stay_on_the_canvas(tmp_path, size, paper, places):
    log = StrokeLog(size, (1.0,) * 3, BRUSHES["pencil"], strokes=leaving(*places))
    rows, columns = log.sides()
    scale = min(paper[0] / columns, paper[1] / rows)
    half = np.array([columns, rows]) * scale / 2
    export(log, tmp_path / "a.csv", paper_mm=paper)
    with open(tmp_path / "a.csv") as file:
        found = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    points = np.array([[row["x_mm"], row["y_mm"]] for row in found]) - np.array(paper) / 2
    assert (np.abs(points) <= half + 1e-3).all()
    drawn = [row["pressure"] for row in found]
    assert set(np.round(drawn, 6)) <= {0.0, 0.5}
    # The pen draws what is inside, and does not return along the border.
    for number, stroke in enumerate(log.strokes, 1):
        path = pen_path(stroke.position, stroke.pressure)[:, :2]
        fine = np.concatenate([np.linspace(*ends, 300) for ends in itertools.pairwise(path)])
        steps = np.hypot(*(np.diff(fine, axis=0) * half).T)
        wanted = steps[(np.abs(fine) <= 1).all(1)[1:]].sum()
        own = [(points[k], drawn[k]) for k, row in enumerate(found) if row["stroke"] == number]
        down = [np.hypot(*(b - a)) for (a, p), (b, q) in itertools.pairwise(own) if p and q]
        assert sum(down) == pytest.approx(wanted, rel=0.01, abs=0.01)
    export(log, tmp_path / "a.svg", lines=True, paper_mm=paper)
    paths = re.findall(r' d="([^"]*)"', (tmp_path / "a.svg").read_text())
    numbers = np.array(re.findall(r"-?[\d.]+", " ".join(paths)), float).reshape(-1, 2)
    assert (np.abs(numbers - np.array(paper) / 2) <= half + 0.011).all()
    assert len(paths) == (1 if min(map(max, places)) > 4 else 2)


def test_export_refuses(tmp_path, monkeypatch):
    log = some_log()
    with pytest.raises(ValueError, match=r"unknown suffix '\.bmp'.*known: \.png, \.jpg"):
        export(log, tmp_path / "a.bmp")
    with pytest.raises(ValueError, match="size must be from 16"):
        export(log, tmp_path / "a.png", 3)
    for fps in (0, 12.5):
        with pytest.raises(ValueError, match="fps must be"):
            export(log, tmp_path / "a.gif", 32, fps=fps)
    with pytest.raises(ValueError, match="detail must be"):
        export(log, tmp_path / "a.svg", detail=0)
    with pytest.raises(ValueError, match="paper_mm"):
        export(log, tmp_path / "a.csv", paper_mm=(0, 5))
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(DependencyNotInstalled, match="run `pip install imageio-ffmpeg`"):
        export(log, tmp_path / "a.mp4", 32)
    assert list(tmp_path.iterdir()) == []


def test_command(tmp_path):
    some_log().save(tmp_path / "log.json")
    done = command("export", tmp_path / "log.json", "--to", tmp_path / "a.png", "--size", 64)
    assert done.returncode == 0
    assert cv2.imread(str(tmp_path / "a.png")).shape == (64, 64, 3)
    options = ("--seconds", 1, "--fps", 5, "--size", 32, "--brush", "marker")
    done = command("export", tmp_path / "log.json", "--to", tmp_path / "a.MP4", *options)
    assert done.returncode == 0, done.stderr
    assert len(read_mp4(tmp_path / "a.MP4")) == 10
    lines = ("--lines", "--pen-mm", 0.3, "--paper-mm", 50, 50)
    done = command("export", tmp_path / "log.json", "--to", tmp_path / "a.svg", *lines)
    assert done.returncode == 0, done.stderr
    assert 'stroke-width="0.300"' in (tmp_path / "a.svg").read_text()
    for args, message in (
        (("nothing.json", "--to", "a.png"), "No such file"),
        ((tmp_path / "log.json", "--to", tmp_path / "a.bmp"), "unknown suffix"),
        ((tmp_path / "log.json", "--to", tmp_path / "log.json" / "a.png"), "log.json"),
    ):
        done = command("export", *args)
        assert done.returncode == 1
        assert message in done.stderr
        assert "Traceback" not in done.stderr


def test_command_without_an_extra(tmp_path, monkeypatch):
    some_log().save(tmp_path / "log.json")
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    done = command("export", tmp_path / "log.json", "--to", tmp_path / "a.gif")
    assert done.returncode == 0, done.stderr  # a GIF needs nothing
    with Image.open(tmp_path / "a.gif") as image:
        assert image.n_frames > 1
    done = command("export", tmp_path / "log.json", "--to", tmp_path / "a.mp4")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.endswith("imageio-ffmpeg is not installed, run `pip install imageio-ffmpeg`")


def test_lines_that_end_where_they_begin(tmp_path):
    angle = np.linspace(0, 2 * np.pi, 16)
    log = StrokeLog(64, (1.0,), BRUSHES["pencil"])
    circle = np.stack([np.cos(angle), np.sin(angle)], 1) / 2
    log.strokes = [Stroke(np.zeros(1), np.array(0.05), circle, np.ones(16))]
    export(log, tmp_path / "a.svg", lines=True)
    (data,) = re.findall(r' d="M([^"]*)"', (tmp_path / "a.svg").read_text())
    points = data.split()
    assert points[0] == points[-1]
    with pytest.raises(ValueError, match="pen_mm is the width of lines: give lines=True"):
        export(log, tmp_path / "b.svg", pen_mm=0.3)
