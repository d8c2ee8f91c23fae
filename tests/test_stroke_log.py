"""The stroke log, its wrappers, what is exported from it, and the command."""

import csv
import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import cv2
import gymnasium as gym
import imageio.v3 as imageio
import numpy as np
import pytest
import torch
from defusedxml import ElementTree
from gymnasium.error import DependencyNotInstalled
from gymnasium.vector import AutoresetMode

from strokenet_gym.exports import export, to_rgb
from strokenet_gym.programs.learned.three_body import three_body_strokes
from strokenet_gym.programs.stamped import BRUSHES
from strokenet_gym.stroke import Stroke
from strokenet_gym.stroke_log import RecordStrokes, StrokeLog, VectorRecordStrokes, replace_file


def play(env, strokes=None, seed=None):
    """Paint an episode, or only some strokes of it; return the last canvas, as floats."""
    env.reset(seed=seed)
    done = False
    while not done and strokes != 0:
        done = env.step(env.action_space.sample())[2]
        strokes = None if strokes is None else strokes - 1
    return env.unwrapped._episodes.float_canvas(0)


def logs(folder):
    return [StrokeLog.load(file) for file in sorted(Path(folder).glob("*.json"))]


def some_log(brush="pencil", count=4, channels=3, seed=0):
    strokes = three_body_strokes(np.random.default_rng(seed), count, channels)
    strokes = strokes._replace(radius=np.maximum(strokes.radius, 0.03))
    background, brush = (1.0,) * channels, BRUSHES[brush]
    strokes = brush.lays_down(strokes, np.array(background))
    log = StrokeLog(128, background, brush)
    log.strokes = [Stroke(*(np.float64(f[k]) for f in strokes)) for k in range(count)]
    return log


@pytest.mark.parametrize("channels", [1, 3])
def test_replay_is_the_same_bit_for_bit(tmp_path, channels):
    env = gym.make("Painting-v0", canvas_size=48, max_strokes=3, channels=channels)
    env = RecordStrokes(env, tmp_path)
    env.action_space.seed(0)
    canvases = [play(env, seed=5), *(play(env) for _ in range(499))]
    kept = logs(tmp_path)
    assert len(kept) == 500
    for log, canvas in zip(kept, canvases, strict=True):
        np.testing.assert_array_equal(log.replay(), canvas)
    assert [(log.seed, log.episode) for log in kept[:3]] == [(5, 0), (5, 1), (5, 2)]
    assert kept[0].target == "glyphs"
    assert kept[0].brush == BRUSHES["pencil"]


@pytest.mark.parametrize("brush", [name for name in BRUSHES if name != "pencil"])
def test_replay_with_other_brushes_and_backgrounds(tmp_path, brush):
    settings = {"canvas_size": 32, "max_strokes": 4, "brush": brush, "background": 0.7}
    env = RecordStrokes(gym.make("Painting-v0", channels=3, **settings), tmp_path)
    canvas = play(env)
    np.testing.assert_array_equal(logs(tmp_path)[0].replay(), canvas)


def test_replay_at_another_size_is_the_same_picture():
    log = some_log()
    large = log.replay(1024).reshape(3, 256, 4, 256, 4).mean((2, 4))
    assert np.abs(large - log.replay(256)).mean() * 255 < 1


def test_unfinished_episodes_are_kept(tmp_path):
    env = RecordStrokes(gym.make("Painting-v0", max_strokes=5, canvas_size=32), tmp_path)
    play(env, strokes=2)
    assert len(env.log.strokes) == 2
    play(env, strokes=0)
    play(env, strokes=1)
    env.close()
    assert [len(log.strokes) for log in logs(tmp_path)] == [2, 1]


def test_a_second_session_adds_to_the_first(tmp_path):
    for strokes in (1, 2):
        env = RecordStrokes(gym.make("Painting-v0", max_strokes=strokes, canvas_size=32), tmp_path)
        play(env)
    assert [len(log.strokes) for log in logs(tmp_path)] == [1, 2]


@pytest.mark.parametrize("mode", AutoresetMode)
def test_batches_are_recorded(tmp_path, mode):
    plain = gym.make_vec(
        "Painting-v0", num_envs=3, canvas_size=32, max_strokes=2, autoreset_mode=mode
    )
    envs = VectorRecordStrokes(plain, tmp_path)
    envs.action_space.seed(0)
    envs.reset(seed=[7, 8, 9])
    canvases = []
    for k in range(6):
        observation, _, ended, _, info = envs.step(envs.action_space.sample())
        for i in np.flatnonzero(ended):
            final = info["final_obs"][i] if mode is AutoresetMode.SAME_STEP else None
            canvas = observation["canvas"][i] if final is None else final["canvas"]
            canvases.append((i, canvas.copy()))
        if mode is AutoresetMode.DISABLED and k % 2:
            envs.reset(options={"reset_mask": np.ones(3, bool)})
    envs.close()
    episodes = 3 if mode is not AutoresetMode.NEXT_STEP else 2
    kept = [
        StrokeLog.load(tmp_path / f"strokes-{i:03}-{e:05}.json")
        for e in range(episodes)
        for i in range(3)
    ]
    assert len(canvases) == len(kept) == len(list(tmp_path.glob("*.json")))
    for log, (i, canvas) in zip(kept, canvases, strict=True):
        assert len(log.strokes) == 2
        assert log.seed == 7 + i
        np.testing.assert_array_equal(np.rint(log.replay() * 255), canvas)


def test_tensor_actions_are_recorded(tmp_path):
    env = RecordStrokes(gym.make("DifferentiablePainting-v0", canvas_size=32), tmp_path)
    env.reset(seed=0)
    action = torch.zeros(50, requires_grad=True)
    observation, reward, *_ = env.step(action)
    reward.backward()
    np.testing.assert_allclose(
        logs(tmp_path)[0].replay(), observation["canvas"].detach(), atol=1e-5
    )


def test_recording_changes_nothing(tmp_path):
    envs = [gym.make_vec("Painting-v0", num_envs=4, max_strokes=2) for _ in range(2)]
    envs[1] = VectorRecordStrokes(envs[1], tmp_path)
    for env in envs:
        env.reset(seed=0)
    for _ in range(5):
        action = envs[0].action_space.sample()
        (a, r, *_), (b, s, *_) = (env.step(action) for env in envs)
        np.testing.assert_array_equal(r, s)
        np.testing.assert_array_equal(a["canvas"], b["canvas"])
    with pytest.raises(ValueError, match="one of this package's environments"):
        RecordStrokes(gym.make("CartPole-v1"), tmp_path)


def test_record_video_works(tmp_path):
    pytest.importorskip("moviepy", reason="Gymnasium's RecordVideo needs moviepy")
    env = gym.make("Painting-v0", render_mode="rgb_array", max_strokes=3, canvas_size=64)
    env = gym.wrappers.RecordVideo(env, str(tmp_path / "films"))
    play(env, seed=0)
    env.close()
    assert list(tmp_path.glob("films/*.mp4"))


def damage(path, **changes):
    document = json.loads(path.read_text())
    for key, value in changes.items():
        document[key] = value
        if value is None:
            del document[key]
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 2}, "has version 2 of the format; this package reads version 1"),
        ({"format": "cake"}, "is not a stroke log"),
        ({"strokes": None}, "lacks the field 'strokes'"),
        ({"canvas": {"size": 64}}, "lacks the field 'background'"),
        ({"canvas": {"size": 5, "background": [0]}}, "canvas size must be"),
        ({"canvas": {"size": 64, "background": [0, 0]}}, "background must have 1 or 3"),
        ({"brush": {"edge": 7}}, "brush edge must be"),
        ({"brush": {"wet": 7}}, "is damaged.*wet"),
        ({"strokes": [{"colour": [1]}]}, "lacks the field 'radius'"),
        (
            {"strokes": [{"colour": [1], "radius": 0.1, "position": [[0, 0]], "pressure": [1]}]},
            r"colour must have the shape \(3,\), got \(1,\)",
        ),
        ({"canvas": {"size": 64, "background": [5]}}, "background must be from 0 to 1, got"),
        (
            {"strokes": [{"colour": [1, 1, float("nan")], "radius": 0.1,
                          "position": [[0, 0]] * 16, "pressure": [1] * 16}]},
            "colour must be from 0 to 1",
        ),
    ],
)  # fmt: skip
def test_damaged_logs(tmp_path, changes, message):
    path = tmp_path / "log.json"
    some_log().save(path)
    damage(path, **changes)
    with pytest.raises(ValueError, match=message):
        StrokeLog.load(path)


def test_unreadable_logs(tmp_path):
    (tmp_path / "log.json").write_text('{"format": ')
    with pytest.raises(ValueError, match=r"log\.json is not JSON"):
        StrokeLog.load(tmp_path / "log.json")
    with pytest.raises(FileNotFoundError):
        StrokeLog.load(tmp_path / "nothing.json")


def test_nothing_half_written(tmp_path):
    def fail():
        with replace_file(tmp_path / "file.txt") as new:
            new.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a file").write_text("")
    with pytest.raises(OSError, match="a file"):
        some_log().save(tmp_path / "a file" / "log.json")


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


def test_log_is_lossless(tmp_path):
    log = some_log()
    log.save(tmp_path / "a.json")
    again = StrokeLog.load(tmp_path / "a.json")
    for a, b in zip(log.strokes, again.strokes, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)
    log.strokes = again.strokes = []
    assert dataclasses.asdict(log) == dataclasses.asdict(again)
