"""Paths by one rule: ``~``, long names, links, devices, modes, and what killed processes leave."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file
from test_stroke_log import some_log

from strokenet_gym import RecordStrokes, StrokeLog, export, load_program
from strokenet_gym.agents import StrokeNetAgent, load_agent
from strokenet_gym.files import add_file, check_distinct, replace_file, sweep, try_file, write_text
from strokenet_gym.programs.learned import CompactGenerator, load_generator, save_generator


def size_of(path):
    with Image.open(path) as image:
        return image.size


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home of the test's own; the working directory is another folder."""
    (tmp_path / "home").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "elsewhere")
    yield tmp_path / "home"
    assert list((tmp_path / "elsewhere").iterdir()) == []  # no folder "~"


def test_home_in_what_is_written_and_read(home):
    import gymnasium as gym

    some_log(count=1).save("~/a.json")
    assert len(StrokeLog.load("~/a.json").strokes) == 1
    export(some_log(count=1), "~/new/a.png", 16)
    StrokeNetAgent(width=8).save("~/agent.safetensors")
    assert load_agent("~/agent.safetensors").sizes["width"] == 8
    save_generator(CompactGenerator(), "~/generator.safetensors", "pencil")
    assert load_generator("~/generator.safetensors").architecture == "compact"
    write_text("~/brush.json", '{"edge": 0.25}')
    assert load_program("~/brush.json").edge == 0.25
    env = RecordStrokes(gym.make("Painting-v0", canvas_size=16), "~/logs")
    env.reset(seed=0)
    env.step(env.action_space.sample())
    env.close()
    made = sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())
    assert made == [
        "a.json", "agent.safetensors", "brush.json", "generator.safetensors",
        "logs/strokes-00000.json", "new/a.png",
    ]  # fmt: skip


def test_home_in_arguments_of_commands(home, monkeypatch, capsys):
    from strokenet_gym.cli import main

    some_log(count=1).save("~/a.json")
    arguments = ["export", "~/a.json", "--to=~/a.png", "--size", "16"]
    monkeypatch.setattr(sys, "argv", ["strokenet-gym", *arguments])
    main()
    assert size_of(home / "a.png") == (16, 16)
    assert capsys.readouterr().out == f"Wrote {home / 'a.png'}\n"


@pytest.mark.parametrize("length", [225, 255])
def test_the_longest_names(length, tmp_path):
    name = "ü" + "a" * (length - 6) + ".png"
    assert len(os.fsencode(name)) == length
    export(some_log(count=1), tmp_path / name, 16)
    write_text(tmp_path / ("b." + "c" * (length - 2)), "")  # all of it a suffix
    with add_file([tmp_path / ("d" * length)]) as new:
        new.write_text("")
    assert len(list(tmp_path.iterdir())) == 3


def test_temporary_names_cannot_be_foretold(tmp_path):
    names = []
    for _ in range(3):
        with replace_file(tmp_path / "a.png") as new:
            names.append(new.name)
            assert new.is_file()  # made at once, so that it is no link of somebody's
            assert new.suffix == ".png"
    assert len(set(names)) == 3
    assert not any(str(os.getpid()) in name for name in names)


def test_links_stay_and_what_they_lead_to_is_replaced(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "a.json").write_text("old")
    for name in ("a.json", "new.json"):  # of the second the file is not there yet
        link = tmp_path / name
        link.symlink_to(Path("there") / name)
        some_log(count=1).save(link)
        assert link.is_symlink()
        assert len(StrokeLog.load(tmp_path / "there" / name).strokes) == 1
    assert sorted(p.name for p in (tmp_path / "there").iterdir()) == ["a.json", "new.json"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs on this system")
def test_pipes_and_devices_are_written_to(tmp_path):
    fifo = tmp_path / "a.json"
    os.mkfifo(fifo)
    came = []
    reader = threading.Thread(target=lambda: came.append(fifo.read_text()), daemon=True)
    reader.start()
    some_log(count=1).save(fifo)
    reader.join(30)
    assert came[0].startswith('{"format"')
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    write_text(os.devnull, "gone")
    assert not os.path.isfile(os.devnull)
    with pytest.raises(OSError, match="No space left on device"):
        write_text("/dev/full", "text")


@pytest.mark.parametrize("to_file", [False, True])
def test_our_own_output(to_file, tmp_path):
    """Between what is printed before and after, whether it goes to a pipe or to a file."""
    code = (
        "from strokenet_gym.files import write_text\n"
        "print('before'); write_text('/dev/stdout', 'within\\n'); print('after')"
    )
    with (tmp_path / "out").open("w+") as out:
        stream = out if to_file else subprocess.PIPE
        done = subprocess.run([sys.executable, "-c", code], stdout=stream, text=True, check=True)
        out.seek(0)
        assert (out.read() if to_file else done.stdout) == "before\nwithin\nafter\n"


def test_modes(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "new", "a")
        with add_file([tmp_path / "added"]) as new:
            new.write_text("a")
        assert mode_of(tmp_path / "new") == mode_of(tmp_path / "added") == 0o640
        for mode in (0o600, 0o644, 0o666, 0o755):
            (tmp_path / "new").chmod(mode)
            with replace_file(tmp_path / "new") as new:
                assert mode_of(new) & ~mode == 0  # at no time may others read more
            assert mode_of(tmp_path / "new") == mode
    finally:
        os.umask(before)


def test_folders_and_read_only_files_are_refused_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError, match="folder"), replace_file(tmp_path / "folder"):
        pytest.fail("it worked")
    (tmp_path / "a").write_text("mine")
    (tmp_path / "a").chmod(0o444)
    monkeypatch.setattr(os, "access", lambda path, kind: False)  # root may do anything
    with pytest.raises(PermissionError, match=r"'.*a'"), replace_file(tmp_path / "a"):
        pytest.fail("it worked")
    assert (tmp_path / "a").read_text() == "mine"


KILLED = """
import os, signal, sys
import safetensors.torch, torch
from pathlib import Path
from strokenet_gym.agents import StrokeNetAgent

def killed(self, data):
    self.open("wb").write(data[:100])
    os.kill(os.getpid(), signal.SIGKILL)

Path.write_bytes = killed
StrokeNetAgent(width=8).save(sys.argv[1])
"""


@pytest.mark.slow
def test_what_a_killed_save_left_is_swept(tmp_path):
    file = tmp_path / "a.safetensors"
    agent = StrokeNetAgent(width=8)
    agent.save(file)
    subprocess.run([sys.executable, "-c", KILLED, str(file)])
    assert len(list(tmp_path.iterdir())) == 2
    agent.save(file)
    assert list(tmp_path.iterdir()) == [file]
    assert load_file(file)


def test_only_what_nobody_writes_is_swept(tmp_path):
    """Whoever writes it: another process on another machine has no number that is known here."""
    with replace_file(tmp_path / "a.png") as mine, add_file([tmp_path / "b"]) as other:
        left = tmp_path / mine.name.replace(".new", "0.new")
        left.write_bytes(b"part")
        (tmp_path / ".strokenet-link.new").symlink_to(tmp_path / "theirs")
        (tmp_path / "theirs").write_text("theirs")
        export(some_log(count=1), tmp_path / "c.png", 16)
        assert not left.exists()
        assert mine.exists()
        assert other.exists()
        mine.write_text("a")
    assert (tmp_path / "a.png").read_text() == "a"
    assert (tmp_path / "theirs").read_text() == "theirs"


HELD = """
import sys
from strokenet_gym.files import replace_file
with replace_file(sys.argv[1]) as new:
    print(new, flush=True)
    sys.stdin.read()
    new.write_text("whole")
"""


def test_a_file_that_another_process_writes_is_left_alone(tmp_path, monkeypatch):
    """Even if it is in another container, where processes have the same numbers and names."""
    file = tmp_path / "film.mp4"
    command = [sys.executable, "-c", HELD, str(file)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        new = Path(process.stdout.readline().strip())
        sweep(tmp_path)
        assert new.exists()
        process.communicate("")
    assert file.read_text() == "whole"


def test_a_file_is_kept_if_another_cannot_be_written(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(ValueError, match=r"^a\.txt is wrong$"), replace_file(tmp_path / "a.txt"):
        raise ValueError("a.txt is wrong")
    try_file(tmp_path / "a.txt", lambda new: new.write_text("tried"))
    assert (tmp_path / "a.txt").read_text() == "old"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.txt"]


def test_errors_name_the_file_not_its_temporary_one(tmp_path):
    def fail(new):
        raise OSError(28, "No space left on device", str(new))

    with pytest.raises(OSError, match=r"on device: '.*a\.png'$") as caught:
        try_file(tmp_path / "a.png", fail)
    assert caught.value.filename == str(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"a\.png is bad$"), replace_file(tmp_path / "a.png") as n:
        raise ValueError(f"{n} is bad")


def test_errors_of_what_cannot_be_begun_name_the_file(tmp_path):
    (tmp_path / "full").symlink_to("/dev/full")
    for path in ("/proc/x.png", tmp_path / "full"):
        with pytest.raises(OSError, match=r"(x\.png|full)'$") as caught:
            write_text(path, "text")
        assert caught.value.filename == str(path)


def test_two_outputs_are_two_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("link").symlink_to("a")
    check_distinct({"--out": "a", "--figure": "b", "--samples": None}, {"picture": "c"})
    check_distinct({"--out": os.devnull, "--figure": Path(os.devnull)})
    for outputs, inputs in (
        ({"--out": "a", "--figure": tmp_path / "a"}, {}),
        ({"--out": "link", "--figure": "a"}, {}),
        ({"--out": "x/../a"}, {"the picture": "a"}),
    ):
        with pytest.raises(ValueError, match="are the same file"):
            check_distinct(outputs, inputs)


def test_the_cache_folder_may_be_in_the_home(home, monkeypatch):
    from strokenet_gym.targets.cache import cache_folder

    monkeypatch.setenv("STROKENET_CACHE", "~/cache")
    assert cache_folder() == home / "cache"


def test_pictures_of_the_window_and_grids(tmp_path):
    """What baselines write goes the same way."""
    from baselines.harness.measures import picture_grid

    (tmp_path / "grid.png").symlink_to("real.png")
    picture_grid([[np.zeros((1, 4, 4), np.uint8)]], tmp_path / "grid.png", 1)
    assert (tmp_path / "grid.png").is_symlink()
    assert size_of(tmp_path / "real.png") == (8, 8)
