"""Films of stroke logs: colours in a browser, no flicker, lengths, sizes, and full disks."""

import os
import resource
import subprocess
import sys

import cv2
import numpy as np
import pytest
from browser import show_film
from PIL import Image
from test_stroke_log import some_log

from strokenet_gym.exports import export, film
from strokenet_gym.exports.films import _MP4, _encode

COLOURS = [
    *((0, 255, 0), (255, 0, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255), (255, 0, 255)),
    *((0, 0, 0), (255, 255, 255), (128, 128, 128), (200, 30, 90), (20, 120, 240)),
    *((250, 180, 20), (60, 60, 20), (10, 200, 100), (90, 20, 160), (240, 230, 200)),
]


@pytest.mark.parametrize("size", [256, 512, 1024])
def test_colours_in_a_browser(size, tmp_path):
    side = size // 4
    picture = np.zeros((size, size, 3), np.uint8)
    places = []
    for k, colour in enumerate(COLOURS):
        y, x = k // 4 * side, k % 4 * side
        picture[y : y + side, x : x + side] = colour
        places.append([x + side // 2, y + side // 2])
    file = tmp_path / "film.mp4"
    _encode(iter([picture] * 25), file, (size, size), 25, *_MP4)
    found = show_film(file, places)
    assert found["size"] == [size, size]
    assert found["seconds"] == pytest.approx(1, abs=0.05)
    difference = np.abs(np.array(found["pixels"])[:, :3] - COLOURS)
    assert difference.max() <= 3


def read_gif(file):
    """Frames in full colour, and how long each is seen, in milliseconds."""
    with Image.open(file) as image:
        frames, times = [], []
        for k in range(image.n_frames):
            image.seek(k)
            times.append(image.info["duration"])
            frames.append(np.asarray(image.convert("RGB")).astype(int))
    return frames, times


@pytest.mark.parametrize("brush", ["pencil", "watercolour"])
def test_gif_without_flicker(brush, tmp_path):
    log = some_log(brush, 6)
    export(log, tmp_path / "a.gif", 128, seconds=2, fps=10)
    frames, times = read_gif(tmp_path / "a.gif")
    wanted = [frame.astype(int) for frame in film(log, 128, 2, 10)]
    assert sum(times) == 3000
    assert times[:20] == [100] * 20
    for k in range(20):
        assert np.abs(frames[k] - wanted[k]).mean() < 1.5
        assert np.abs(frames[k] - wanted[k]).max() < 40
        if k:
            unchanged = (wanted[k] == wanted[k - 1]).all(-1)
            np.testing.assert_array_equal(frames[k][unchanged], frames[k - 1][unchanged])
    assert (frames[-1][0, 0] == 255).all()  # the paper


@pytest.mark.parametrize("fps", [1, 7, 12, 24, 30, 50, 60])
def test_delays_add_up_at_any_fps(fps, tmp_path):
    export(some_log(count=2), tmp_path / "a.gif", 32, seconds=2, fps=fps)
    _, times = read_gif(tmp_path / "a.gif")
    assert sum(times) == pytest.approx(3000, abs=10)
    assert min(times) >= 20  # browsers slow down what is faster


def test_gifs_are_small(tmp_path):
    """A fifth of one whose frames have palettes of their own, as Pillow writes them."""
    log = some_log(count=10)
    export(log, tmp_path / "a.gif", 256)
    frames = [Image.fromarray(frame) for frame in film(log, 256)]
    frames[0].save(tmp_path / "b.gif", save_all=True, append_images=frames[1:], duration=40)
    assert os.path.getsize(tmp_path / "a.gif") < os.path.getsize(tmp_path / "b.gif") / 5


def test_length_of_films():
    log = some_log(count=30)
    assert len(list(film(log, 16))) == 15 * 25 + 25
    assert len(list(film(log, 16, seconds=1))) == 25 + 25  # faster than a stroke a frame
    log.strokes *= 40
    assert len(list(film(log, 16))) == 20 * 25 + 25
    frames = list(film(log, 16, seconds=0.4, fps=5))
    assert len(frames) == 2 + 5
    np.testing.assert_array_equal(frames[1], frames[-1])
    log.strokes = []
    assert len(list(film(log, 16))) == 25
    for seconds in (0, -1, float("nan"), 1e9):
        with pytest.raises(ValueError, match="seconds must be"):
            film(log, 16, seconds)
    for fps in (0, 12.5, 1000, True):
        with pytest.raises(ValueError, match="fps must be"):
            film(log, 16, 1, fps)


def test_a_thousand_strokes_are_twenty_seconds(tmp_path):
    log = some_log(count=1000)
    export(log, tmp_path / "a.mp4", 64)
    video = cv2.VideoCapture(str(tmp_path / "a.mp4"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 20 * 25 + 25
    video.release()


_EXPORT = """
import resource, sys
from test_stroke_log import some_log
from strokenet_gym import export
log = some_log("watercolour", count=8)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
for file in sys.argv[1:]:
    try:
        export(log, file, 400)
        print("whole", file)
    except OSError as error:
        pass
"""


def check_kept(folder, suffixes, limit):
    """An export that cannot be whole is an error, and the file that was there before stays."""
    files = [folder / f"a{suffix}" for suffix in suffixes]
    for file in files:
        file.write_bytes(b"old")
    command = [sys.executable, "-c", _EXPORT.format(limit=limit), *map(str, files)]
    path = os.pathsep.join([os.path.dirname(__file__), *sys.path])
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, env=os.environ | {"PYTHONPATH": path}
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert {file.read_bytes() for file in files} == {b"old"}
    assert sorted(folder.iterdir()) == sorted(files)


def test_files_that_may_not_grow(tmp_path):
    suffixes = [".png", ".jpg", ".webp", ".svg", ".gif", ".mp4", ".csv", ".json"]
    check_kept(tmp_path, suffixes, 5000)


def test_a_full_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("no small disk can be mounted here")
    try:
        check_kept(folder, [".png", ".gif", ".mp4", ".svg"], resource.RLIM_INFINITY)
    finally:
        subprocess.run(["umount", str(folder)], check=True)
