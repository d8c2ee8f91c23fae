"""The stroke log, and the wrappers that write it."""

import dataclasses
import json
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import RecordEpisodeStatistics

from strokenet_gym.files import replace_file
from strokenet_gym.programs.stamped import BRUSHES
from strokenet_gym.programs.three_body import three_body_strokes
from strokenet_gym.recording import RecordStrokes, VectorRecordStrokes
from strokenet_gym.stroke import Stroke
from strokenet_gym.stroke_log import StrokeLog


def play(env, strokes=None, seed=None):
    """Paint an episode, or only some strokes of it; return the last canvas, as floats."""
    env.reset(seed=seed)
    done = False
    while not done and strokes != 0:
        done = env.step(env.action_space.sample())[2]
        strokes = None if strokes is None else strokes - 1
    return env.unwrapped.task.engine.host(env.unwrapped.task.engine.canvas[0])


def logs(folder):
    return [StrokeLog.load(file) for file in sorted(Path(folder).glob("*.json"))]


def some_log(brush="pencil", count=4, channels=3, seed=0):
    strokes = three_body_strokes(np.random.default_rng(seed), count, channels)
    strokes = strokes._replace(radius=np.maximum(strokes.radius, 0.03))
    background, brush = (1.0,) * channels, BRUSHES[brush]
    strokes = brush.deposits(strokes, np.array(background))
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


class Emptying(gym.vector.VectorWrapper):
    """Takes all options for itself, and leaves the caller's dictionary empty."""

    def reset(self, *, seed=None, options=None):
        result = self.env.reset(seed=seed, options=dict(options or {}))
        if options is not None:
            options.clear()
        return result


@pytest.mark.parametrize("wrapper", [RecordEpisodeStatistics, Emptying])
def test_a_wrapper_that_changes_the_options(tmp_path, wrapper):
    """Only the episode that ended begins anew; the caller's options stay as they were."""
    envs = gym.make_vec(
        "Painting-v0", num_envs=2, canvas_size=16, max_strokes=4,
        autoreset_mode=AutoresetMode.DISABLED,
    )  # fmt: skip
    envs = VectorRecordStrokes(wrapper(envs), tmp_path)
    envs.reset(seed=0)
    for _ in range(2):
        envs.step(envs.action_space.sample())
    options = {"reset_mask": np.array([True, False])}
    envs.reset(options=options)
    assert list(options) == ["reset_mask"]
    for _ in range(2):
        envs.step(envs.action_space.sample())
    envs.close()
    lengths = {log.name: len(StrokeLog.load(log).strokes) for log in tmp_path.iterdir()}
    assert lengths == {
        "strokes-000-00000.json": 2, "strokes-000-00001.json": 2, "strokes-001-00000.json": 4
    }  # fmt: skip


def test_tensor_actions_are_recorded(tmp_path):
    env = RecordStrokes(
        gym.make("DifferentiablePainting-v0", canvas_size=32, as_tensor=True), tmp_path
    )
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
        ({"brush": 3}, r"log\.json: brush must be a name"),
        ({"brush": {"wet": 7}}, r"log\.json: a brush has the numbers.*wet"),
        ({"strokes": [{"colour": [1]}]}, "lacks the field 'radius'"),
        (
            {"strokes": [{"colour": [1], "radius": 0.1, "position": [[0, 0]], "pressure": [1]}]},
            r"colour must have the shape \(3\), got \(1,\)",
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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "is not JSON"),
        ("1" * 5000, "is not JSON"),
        ("\0" * 10, "is not JSON"),
        ('{"a": "\ud800"', "is not JSON"),
    ],
)
def test_what_is_hardly_json(tmp_path, text, message):
    path = tmp_path / "log.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ValueError, match=rf"log\.json {message}"):
        StrokeLog.load(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("radius", 10**400), ("radius", None), ("colour", [[1, 2], [3]]), ("position", "here"),
        ("pressure", {}), ("colour", [2, 0, 0]), ("radius", float("nan")),
    ],
)  # fmt: skip
def test_which_of_the_strokes_is_damaged(tmp_path, field, value):
    path = tmp_path / "log.json"
    some_log(count=9).save(path)
    document = json.loads(path.read_text())
    document["strokes"][6][field] = value
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match=r"log\.json is damaged: stroke 6"):
        StrokeLog.load(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("target", 5), ("seed", -1), ("seed", "x"), ("seed", 1.5), ("episode", -1),
        ("episode", []), ("strokes", {}), ("strokes", "none"), ("canvas", []),
    ],
)  # fmt: skip
def test_damaged_fields(tmp_path, name, value):
    path = tmp_path / "log.json"
    some_log().save(path)
    damage(path, **{name: value})
    with pytest.raises(ValueError, match=r"log\.json is damaged"):
        StrokeLog.load(path)


def test_what_a_log_need_not_say(tmp_path):
    path = tmp_path / "log.json"
    some_log().save(path)
    damage(path, target=None, seed=None, episode=None)
    log = StrokeLog.load(path)
    assert (log.target, log.seed, log.episode) == ("", None, 0)


def test_a_folder_is_no_log(tmp_path):
    with pytest.raises(ValueError, match="cannot be read: it is not a regular file"):
        StrokeLog.load(tmp_path)
    with pytest.raises(ValueError, match="cannot be read"):
        StrokeLog.load("x" * 5000)


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


def test_log_is_lossless(tmp_path):
    log = some_log()
    log.save(tmp_path / "a.json")
    again = StrokeLog.load(tmp_path / "a.json")
    for a, b in zip(log.strokes, again.strokes, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)
    log.strokes = again.strokes = []
    assert dataclasses.asdict(log) == dataclasses.asdict(again)


def test_seeds_of_numpy_are_recorded(tmp_path):
    env = RecordStrokes(gym.make("Painting-v0", canvas_size=16), tmp_path / "one")
    env.reset(seed=np.int64(3))
    env.step(env.action_space.sample())
    assert [log.seed for log in logs(tmp_path / "one")] == [3]
    envs = gym.make_vec("Painting-v0", num_envs=2, canvas_size=16)
    envs = VectorRecordStrokes(envs, tmp_path / "two")
    for seed in (np.int32(7), np.array([5, 9]), [4, None], None):
        envs.reset(seed=seed)
        envs.step(envs.action_space.sample())
    assert [log.seed for log in logs(tmp_path / "two")] == [7, 5, 4, 4, 8, 9, 9, 9]  # the last one


def test_a_recording_environment_can_be_made_again(tmp_path):
    env = RecordStrokes(gym.make("Painting-v0", canvas_size=16), tmp_path)
    again = gym.make(gym.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    assert isinstance(again, RecordStrokes)
    again.reset(seed=0)
    again.step(again.action_space.sample())
    assert len(logs(tmp_path)) == 1


def test_a_log_imports_nothing(tmp_path, capsys):
    some_log().save(tmp_path / "log.json")
    document = json.loads((tmp_path / "log.json").read_text())
    (tmp_path / "log.json").write_text(json.dumps(document | {"brush": "this:x"}))
    with pytest.raises(ValueError, match=r"'this:x' is not at hand, .* pass brush='this:x'"):
        StrokeLog.load(tmp_path / "log.json")
    assert capsys.readouterr().out == ""  # nor does it print its poem
    assert StrokeLog.load(tmp_path / "log.json", "pencil").brush == BRUSHES["pencil"]


def test_what_an_exact_generator_painted_is_recorded(tmp_path):
    """It is no imitation of the default brush, but itself."""
    env = gym.make("NeuralPainting-v0", generator=BRUSHES["marker"], canvas_size=32)
    env = RecordStrokes(env, tmp_path)
    env.reset(seed=0)
    observation, *_ = env.step(np.ones(50, np.float32))
    (log,) = logs(tmp_path)
    np.testing.assert_array_equal(np.uint8(log.replay() * 255 + 0.5), observation["canvas"])


@pytest.mark.parametrize("size", [0, -1, 2.5, 10**6])
def test_replay_refuses_sizes(size):
    with pytest.raises(ValueError, match="size must be"):
        some_log().replay(size)


def test_a_disk_that_is_full_for_one_of_them(tmp_path, monkeypatch):
    """The others' strokes are all kept, and what comes next is recorded as it should be."""
    envs = gym.make_vec("Painting-v0", num_envs=3, canvas_size=16, max_strokes=2,
                        autoreset_mode=AutoresetMode.SAME_STEP)  # fmt: skip
    envs = VectorRecordStrokes(envs, tmp_path)
    envs.reset(seed=0)
    write, calls = StrokeLog.write, []

    def full_at_first(log, path):
        calls.append(path)
        if len(calls) == 1:
            raise OSError(28, "No space left on device")
        write(log, path)

    monkeypatch.setattr(StrokeLog, "write", full_at_first)
    envs.step(envs.action_space.sample())
    with pytest.raises(OSError, match="No space left"):
        envs.step(envs.action_space.sample())
    for _ in range(3):
        envs.step(envs.action_space.sample())
    envs.close()
    lengths = {path.stem: len(StrokeLog.load(path).strokes) for path in tmp_path.glob("*.json")}
    assert sorted(lengths.values()) == [1, 1, 1, 2, 2, 2, 2, 2]
