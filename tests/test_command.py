"""How commands end: interrupts at any moment, and streams that nobody reads."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from gymnasium.error import DependencyNotInstalled
from PIL import Image
from test_stroke_log import some_log

from strokenet_gym import STYLES, Planner, StrokeLog, exports
from strokenet_gym.cli import main
from strokenet_gym.command import Interrupts, one_line_errors
from strokenet_gym.extras import require
from strokenet_gym.messages import Messages
from strokenet_gym.painter import command as painting

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def _signals():
    """A command that was told to end leaves them ignored."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def picture(tmp_path, rng, monkeypatch):
    """A folder with a picture, which is the working directory; plans are short."""
    style = STYLES["gouache"]
    monkeypatch.setitem(STYLES, "gouache", style.__class__(style.brush, iterations=2, finish=2))
    monkeypatch.chdir(tmp_path)
    pixels = rng.integers(0, 255, (4, 4, 3)).astype(np.uint8)
    Image.fromarray(pixels).resize((24, 24)).save("a.png")
    return tmp_path


def run(monkeypatch, *args):
    monkeypatch.setattr(sys, "argv", ["strokenet-gym", *map(str, args)])
    main()


def paint(monkeypatch, *files, strokes=4):
    to = [text for file in files for text in ("--to", file)]
    run(monkeypatch, "paint", "a.png", "--strokes", strokes, *to)


def come(*numbers):
    for number in numbers:
        os.kill(os.getpid(), number)
        time.sleep(0)  # it is heard between two lines


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def interrupt_plan(monkeypatch, *numbers):
    step, came = Planner.step, []

    def interrupted(planner):
        step(planner)
        if planner.strokes >= 2 and not came:
            came.append(True)
            come(*numbers)

    monkeypatch.setattr(Planner, "step", interrupted)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_interrupt_ends_the_search(number, picture, monkeypatch, capsys):
    interrupt_plan(monkeypatch, number)
    paint(monkeypatch, "b.png", "b.json", "b.gif", strokes=40)
    assert names(picture) == ["a.png", "b.gif", "b.json", "b.png"]
    assert 2 <= len(StrokeLog.load("b.json").strokes) < 40
    assert "Ctrl-C again ends that" in capsys.readouterr().err


@pytest.mark.parametrize("numbers", [(2, 2), (2, 15), (15, 15), (2, 2, 2)])
def test_two_interrupts_leave_the_strokes(numbers, picture, monkeypatch, capsys):
    """Films and pictures are left out, strokes are not."""
    interrupt_plan(monkeypatch, *numbers)
    with pytest.raises(SystemExit, match=r"^stopped: b\.png, b\.gif are not written$"):
        paint(monkeypatch, "b.png", "b.json", "b.gif", strokes=40)
    assert names(picture) == ["a.png", "b.json"]
    assert StrokeLog.load("b.json").strokes
    assert "Traceback" not in capsys.readouterr().err


def test_strokes_that_nobody_asked_for_are_kept_rather_than_lost(picture, monkeypatch, capsys):
    (picture / "b.json").write_text("mine")
    interrupt_plan(monkeypatch, 2, 2)
    with pytest.raises(SystemExit, match="is not written"):
        paint(monkeypatch, "b.png", strokes=40)
    assert "The strokes are in b1.json" in capsys.readouterr().out
    assert StrokeLog.load("b1.json").strokes
    assert (picture / "b.json").read_text() == "mine"


@pytest.mark.parametrize("count", [1, 2])
def test_interrupts_when_all_is_planned(count, picture, monkeypatch):
    """At 100 %: one costs nothing, two what is not written yet."""
    write, files = painting._write, []

    def interrupted(log, file, size):
        if not files:
            come(*[signal.SIGINT] * count)
        files.append(file.name)
        write(log, file, size)

    monkeypatch.setattr(painting, "_write", interrupted)
    left = pytest.raises(SystemExit, match=r"stopped: b\.png, c\.gif") if count == 2 else None
    with left or contextlib.nullcontext():
        paint(monkeypatch, "b.png", "c.gif", "b.json")
    assert files == (["b.json", "b.png", "c.gif"] if count == 1 else ["b.json"])
    assert len(StrokeLog.load("b.json").strokes) <= 4
    assert names(picture) == ["a.png", *sorted(files)]


@pytest.mark.parametrize("count", [2, 3, 5])
def test_interrupts_at_the_message_leave_the_strokes(count, picture, monkeypatch):
    """However often, and at whatever moment: here while what comes is told."""
    told = []

    def interrupted():
        told.append(1)
        if len(told) == 2:  # the first is the bar
            come(*[signal.SIGINT] * (count - 1))
        return sys.stderr

    step = Planner.step
    monkeypatch.setattr(Planner, "step", lambda planner: (step(planner), come(signal.SIGINT)))
    monkeypatch.setattr(painting, "stderr", interrupted)
    with pytest.raises(SystemExit, match=r"stopped: b\.png is not written"):
        paint(monkeypatch, "b.png")
    assert names(picture) == ["a.png", "b.json"]
    StrokeLog.load("b.json")


def test_a_file_that_cannot_be_written_costs_no_other(picture, monkeypatch, capsys):
    write = painting._write

    def fail(log, file, size):
        if file.suffix == ".png":
            raise ValueError("no")
        write(log, file, size)

    monkeypatch.setattr(painting, "_write", fail)
    with pytest.raises(SystemExit, match="1"):
        paint(monkeypatch, "b.png", "b.gif", "b.svg")
    assert names(picture) == ["a.png", "b.gif", "b.json", "b.svg"]
    assert "strokenet-gym: no" in capsys.readouterr().err


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("command", ["export", "brushes"])
def test_other_commands_end_with_one_line(command, number, tmp_path, monkeypatch, capsys):
    def interrupted(*args, **options):
        come(number)

    some_log(count=1).save(tmp_path / "a.json")
    monkeypatch.setitem(exports.FORMATS, ".gif", interrupted)
    monkeypatch.setattr("strokenet_gym.brush_sheet.draw_sheet", interrupted)
    arguments = {
        "export": [tmp_path / "a.json", "--to", tmp_path / "a.gif"],
        "brushes": ["pencil", "--sheet", tmp_path / "a.png"],
    }
    with pytest.raises(SystemExit, match=str(128 + number)):
        run(monkeypatch, command, *arguments[command])
    assert capsys.readouterr().err == "strokenet-gym: stopped\n"
    assert names(tmp_path) == ["a.json"]


@pytest.mark.parametrize("number", SIGNALS)
def test_commands_in_commands_end_as_they_do_alone(number, capsys):
    with pytest.raises(SystemExit, match=str(128 + number)):  # noqa: SIM117
        with one_line_errors(), one_line_errors():
            come(number)
    assert capsys.readouterr().err.count("stopped") == 1


def test_signals_that_are_ignored_still_are():
    """As under nohup, or of what a shell runs in the background."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Interrupts() as interrupts:
        come(signal.SIGHUP, signal.SIGHUP)
    assert interrupts.asked == 0
    with one_line_errors():
        come(signal.SIGHUP)


def test_what_is_held_is_done_whole():
    done, interrupts = [], Interrupts()

    def work():
        come(signal.SIGINT)
        done.append(1)
        with interrupts.held():
            come(signal.SIGTERM)
            done.append(2)
        done.append(3)

    with interrupts, pytest.raises(KeyboardInterrupt):
        work()
    assert done == [1, 2]
    assert interrupts.asked == 2


class Unread:
    """A pipe that is full already, and that nobody reads."""

    def __enter__(self):
        self.ends = os.pipe()
        os.set_blocking(self.ends[1], False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(self.ends[1], b"x" * 4096)
        os.set_blocking(self.ends[1], True)
        return open(self.ends[1], "w", closefd=False)

    def __exit__(self, *_):
        for end in self.ends:
            os.close(end)


@contextlib.contextmanager
def without_reader():
    ends = os.pipe()
    os.close(ends[0])
    with contextlib.suppress(BrokenPipeError), open(ends[1], "w", closefd=False) as stream:
        yield stream
    os.close(ends[1])


@contextlib.contextmanager
def full():
    with contextlib.suppress(OSError), open("/dev/full", "w", buffering=1) as stream:
        yield stream


def narrow():
    return contextlib.nullcontext(io.TextIOWrapper(io.BytesIO(), "ascii"))


STREAMS = {
    "closed": lambda: contextlib.nullcontext(None),
    "without a reader": without_reader,
    "full": full,
    "unread": Unread,
    "narrow": narrow,
}


@pytest.mark.parametrize("kind", STREAMS)
def test_messages_that_cannot_be_told(kind, picture, monkeypatch):
    """They cost none of the files; names may be of bytes that are no text."""
    monkeypatch.setattr("strokenet_gym.messages._TIMEOUT", 0.01)
    odd = os.fsdecode(b"\xff\xfe-\xc3\xa4")
    files = f"{odd}.png", f"{odd}.json", f"{odd}.gif"
    with STREAMS[kind]() as stream, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        paint(patch, *files)
    assert len(names(picture)) == 4
    with (
        STREAMS["narrow" if kind == "unread" else kind]() as stream,
        monkeypatch.context() as patch,
    ):
        patch.setattr(sys, "stdout", stream)
        told = kind in ("closed", "narrow", "unread")
        with contextlib.nullcontext() if told else pytest.raises(SystemExit, match="1"):
            paint(patch, *(f"2{file}" for file in files))
    assert len(names(picture)) == 7


def test_what_is_told_of_what_cannot_be_printed(capsys, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), "ascii")
    print("ä\udcff", file=Messages(stream, wait=True), flush=True)
    assert stream.buffer.getvalue() == b"\\xe4\\udcff\n"
    messages = Messages(None, wait=False)
    print("text", file=messages)
    assert not messages.isatty()
    with full() as stream, monkeypatch.context() as patch, contextlib.suppress(SystemExit):
        patch.setattr(sys, "stdout", stream)
        with one_line_errors():
            print("the work's result")
    assert "cannot print: [Errno 28] No space left on device" in capsys.readouterr().err


def test_data_sets_prepare_without_stderr(tiny_mnist, monkeypatch):
    from strokenet_gym import MNIST

    with full() as stream, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        patch.setenv("STROKENET_CACHE", str(tiny_mnist / "cache"))
        assert len(MNIST(tiny_mnist)) == 64


@pytest.mark.parametrize("columns", [0, 3, 10**7])
def test_help_on_terminals_of_odd_widths(columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(columns))
    with pytest.raises(SystemExit, match="0"):
        run(monkeypatch, "export", "--help")
    lines = capsys.readouterr().out.splitlines()
    assert "--paper-mm" in "".join(lines)
    assert max(map(len, lines)) <= 500


def test_missing_packages_are_named_one_by_one(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(DependencyNotInstalled) as missing:
        require("numpy", "skimage")
    assert str(missing.value) == "scikit-image is not installed, run `pip install scikit-image`"
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(DependencyNotInstalled) as missing:
        require()  # what scripts do
    assert str(missing.value) == (
        "imageio-ffmpeg, scikit-image are not installed, "
        "run `pip install imageio-ffmpeg scikit-image`"
    )


REAL = """
import sys
from strokenet_gym.cli import main
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("times", [(0.8,), (3, 3.05), (4,), (5,), (5, 5.3), (6,)])
def test_real_interrupts(times, tmp_path, rng):
    """At any moment: the strokes are there once there are some, and there is no traceback."""
    Image.fromarray(rng.integers(0, 255, (64, 64, 3)).astype(np.uint8)).save(tmp_path / "a.png")
    command = [sys.executable, "-c", REAL, "paint", "a.png", "--strokes", "40", "--to", "b.json"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    begun = time.monotonic()
    with subprocess.Popen([*command, "--to", "b.gif"], cwd=tmp_path, **pipes) as process:
        for when in times:
            time.sleep(max(0.0, begun + when - time.monotonic()))
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=300)
    assert "Traceback" not in told
    if "strokes" in told:
        assert json.loads((tmp_path / "b.json").read_text())["strokes"]
