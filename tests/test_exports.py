"""What is exported from a stroke log, and the command."""

import csv
import subprocess
import sys

import cv2
import imageio.v3 as imageio
import numpy as np
import pytest
from defusedxml import ElementTree
from gymnasium.error import DependencyNotInstalled
from test_stroke_log import some_log

from strokenet_gym.exports import export, to_rgb
from strokenet_gym.stroke import Stroke


def read_mp4(file):
    """imageio's reader leaves pipes open, about which Python warns."""
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
        export(log, file, 96, stroke_seconds=0.2, fps=10)
        frames = imageio.imread(file) if suffix == "gif" else read_mp4(file)
        assert frames.shape[1:] == (96, 96, 3)
        if suffix == "mp4":  # a GIF's writer merges frames that do not differ
            assert len(frames) == 4 * 2 + 10
        assert np.abs(frames[-1].astype(int) - picture).mean() < 4
        assert np.abs(frames[0].astype(int) - picture).mean() > 4


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
        paths = group.findall("{*}path")
        assert len(paths) == (1 if brush == "marker" else 12)
        for path in paths:
            rings = [
                np.array([point.split() for point in ring.rstrip("Z").split("L")], float)
                for ring in path.get("d").split("M")[1:]
            ]
            inside = np.zeros(through.shape, np.uint8)
            fixed = [np.rint((ring * 2 - 0.5) * 16).astype(np.int32) for ring in rings]
            cv2.fillPoly(inside, fixed, 1, shift=4)  # by the even-odd rule
            through *= 1 - float(path.get("fill-opacity")) * inside
        wanted = log.brush.draw(Stroke(*(f[None] for f in stroke)), 512)[0]
        drawn = 1 - through.reshape(512, 4, 512, 4).mean((1, 3))
        assert np.sqrt(np.mean((drawn - wanted) ** 2)) < 0.02
        colour = [int(group.get("fill")[k : k + 2], 16) for k in (1, 3, 5)]
        np.testing.assert_allclose(colour, stroke.colour * 255, atol=0.51)
        assert ("multiply" in group.get("style", "")) == (brush == "watercolour")


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


def test_export_refuses(tmp_path, monkeypatch):
    log = some_log()
    with pytest.raises(ValueError, match=r"unknown suffix '\.bmp'.*known: \.png, \.svg"):
        export(log, tmp_path / "a.bmp")
    with pytest.raises(ValueError, match="size must be from 16"):
        export(log, tmp_path / "a.png", 3)
    for fps in (0, 12.5):
        with pytest.raises(ValueError, match="fps a whole number"):
            export(log, tmp_path / "a.gif", 32, fps=fps)
    with pytest.raises(ValueError, match="paper_mm"):
        export(log, tmp_path / "a.csv", paper_mm=(0, 5))
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(DependencyNotInstalled, match=r'pip install "strokenet-gym\[export\]"'):
        export(log, tmp_path / "a.mp4", 32)
    assert list(tmp_path.iterdir()) == []


def command(*args):
    program = [sys.executable, "-c", "from strokenet_gym.cli import main; main()"]
    return subprocess.run([*program, *map(str, args)], capture_output=True, text=True, timeout=60)


def test_command(tmp_path):
    some_log().save(tmp_path / "log.json")
    done = command("export", tmp_path / "log.json", "--to", tmp_path / "a.png", "--size", 64)
    assert done.returncode == 0
    assert cv2.imread(str(tmp_path / "a.png")).shape == (64, 64, 3)
    for args, message in (
        (("nothing.json", "--to", "a.png"), "No such file"),
        ((tmp_path / "log.json", "--to", tmp_path / "a.bmp"), "unknown suffix"),
        ((tmp_path / "log.json", "--to", tmp_path / "log.json" / "a.png"), "log.json"),
    ):
        done = command("export", *args)
        assert done.returncode == 1
        assert message in done.stderr
        assert "Traceback" not in done.stderr


def test_command_without_an_extra(tmp_path, monkeypatch, capsys):
    from strokenet_gym.cli import main

    some_log().save(tmp_path / "log.json")
    monkeypatch.setitem(sys.modules, "contourpy", None)
    arguments = ["export", str(tmp_path / "log.json"), "--to", str(tmp_path / "a.svg")]
    monkeypatch.setattr(sys, "argv", ["strokenet-gym", *arguments])
    with pytest.raises(SystemExit, match="1"):
        main()
    assert 'pip install "strokenet-gym[export]"' in capsys.readouterr().err
