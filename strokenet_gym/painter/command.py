"""The command ``strokenet-gym paint``: a picture in, a painted one out."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import math
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from tqdm import tqdm

from strokenet_gym.command import Interrupts
from strokenet_gym.display import Scene, Window
from strokenet_gym.exports import export, writer_of
from strokenet_gym.extras import require
from strokenet_gym.files import add_file, check_distinct, try_file, user_path, write_text
from strokenet_gym.messages import stderr
from strokenet_gym.painter.picture import named_colour
from strokenet_gym.painter.planner import Planner
from strokenet_gym.reading import read_bytes, shown
from strokenet_gym.stroke_log import StrokeLog

__all__ = ["measures", "paint", "read_palette"]

_FILM_SIDE = 640  # pixels, at most
_SHOW_SECONDS = 0.05  # between two pictures of the window
_STEM = 200  # bytes of a name are left for more


def paint(
    picture: Annotated[str, tyro.conf.Positional],
    strokes: int = 300,
    style: str = "gouache",
    *,
    size: int | None = None,
    seed: int = 0,
    background: str | None = None,
    palette: str | None = None,
    weight: Path | None = None,
    seconds: float | None = None,
    to: Annotated[tuple[Path, ...], tyro.conf.UseAppendAction] = (),
    report: Path | None = None,
    watch: bool = False,
) -> None:
    """Paint a picture in strokes.

    Ctrl-C ends the search and keeps what there is. A second one ends the writing, too; if the
    strokes are in no file yet, they go to a .json beside the first.

    Args:
        picture: The picture: a file.
        strokes: How many strokes.
        style: How: photo, gouache, marker, pencil or watercolour.
        size: Longer side of the painting in pixels, up to 4096; by default the picture's, up to
            2048.
        seed: The same seed gives the same strokes.
        background: Of the canvas: mean (of the picture), a colour's name or #rrggbb; by default the
            style's. Transparent pictures lie on it, by default on one that they differ from.
        palette: How many colours the strokes may have; or which, such as red,blue,#00ff80; or a
            text file with colours, #rrggbb.
        weight: A picture that is bright where the error counts more.
        seconds: Time to search in; by default as long as the style takes.
        to: A file to write: .png, .svg, .gif, .mp4 (up to 640 px), .csv (points for a plotter)
            or .json (the strokes); repeatable. By default PICTURE-painted.png
            (of photo.jpg photo.jpg-painted.png).
        report: A JSON file for mse, psnr, ssim, strokes, seconds and size.
        watch: Show in a window how the picture forms, and then its strokes.
    """
    begun = time.monotonic()
    files = to or (Path(f"{picture}-painted.png"),)
    _check_names(files, report, {"the picture": picture, "--weight": weight, "--palette": palette})
    planner = Planner(
        picture,
        strokes,
        style,
        size=size,
        seed=seed,
        background=background,
        palette=None if palette is None else read_palette(palette),
        weight=weight,
        seconds=seconds,
    )
    _check_files(files, report, planner.log())
    title = f"{Path(picture).name}, {style}".encode(errors="replace").decode()
    window = Window(title, _SHOW_SECONDS) if watch else None
    with Interrupts() as interrupts:

        def plan() -> float:
            _plan(planner, strokes, window, interrupts)
            if interrupts.asked == 1:
                print("Writing what there is; Ctrl-C again ends that", file=stderr())
            return time.monotonic() - begun

        _write_all(planner, files, report, plan, interrupts)
    if window is not None:
        with contextlib.suppress(KeyboardInterrupt):
            _show_strokes(window, planner)
        window.close()


def _write_all(
    planner: Planner,
    files: Iterable[Path],
    report: Path | None,
    plan: Callable[[], float],
    interrupts: Interrupts,
) -> None:
    """Plan, and write files, so that none costs the others: the strokes first, films last.

    ``plan`` ends at an interrupt, and returns the seconds that it took. A second interrupt leaves
    out what is not written yet. If a file is missing then and the strokes are in none, they are
    kept beside it.

    Raises:
        Exception: the first that a file raised.
        SystemExit: if files were left out.
    """
    done: list[Path] = []
    errors: list[Exception] = []

    def write(file: Path, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            errors.append(error)
        else:
            done.append(file)
            print(f"Wrote {file}")

    logs, pictures, films = ([f for f in files if _haste(f) == haste] for haste in range(3))
    stopped = False
    try:
        with interrupts.held():  # whoever asks twice is heard when the strokes are kept
            seconds = 0.0
            with contextlib.suppress(KeyboardInterrupt):
                seconds = plan()
            log, longer = planner.log(), max(planner.picture.shape)
            for file in logs:
                write(file, functools.partial(_write, log, file, longer))
        for file in pictures:
            write(file, functools.partial(_write, log, file, longer))
        if report is not None:
            write(report, functools.partial(_report, log, planner.picture, seconds, report))
        for file in films:
            write(file, functools.partial(_write, log, file, longer))
    except KeyboardInterrupt:
        stopped = True
    left = [file for file in (*files, *([report] if report else [])) if file not in done]
    if left and not set(logs) & set(done):
        with contextlib.suppress(KeyboardInterrupt), interrupts.held():
            _keep(log, left[0])
    if errors:
        raise errors[0]
    if stopped and left:
        names = ", ".join(map(str, left))
        raise SystemExit(f"stopped: {names} {'is' if len(left) == 1 else 'are'} not written")


def _keep(log: StrokeLog, beside: Path) -> None:
    """Write the strokes of what could not be written, wherever that is possible."""
    stem = os.fsdecode(os.fsencode(beside.stem)[:_STEM])
    for folder in (user_path(beside).parent, Path(), Path(tempfile.gettempdir())):
        tried: list[Path] = []
        names = (folder / f"{stem}{k or ''}.json" for k in itertools.count())
        with contextlib.suppress(OSError):
            with add_file(tried.append(name) or name for name in names) as new:  # type: ignore
                log.write(new)
            print(f"The strokes are in {tried[-1]}")
            return


def _report(log: StrokeLog, picture: np.ndarray, seconds: float, file: Path) -> None:
    found: dict[str, Any] = measures(log.replay(), picture)
    found |= {"strokes": len(log.strokes), "seconds": round(seconds, 3), "size": log.size}
    write_text(file, json.dumps(found, indent=2) + "\n")


def _plan(planner: Planner, budget: int, window: Window | None, interrupts: Interrupts) -> None:
    """Plan to the end, with a line that tells how far it has come."""
    shown = 0.0
    line = "{percentage:3.0f}%|{bar}| {elapsed}<{remaining} {postfix}"
    with tqdm(total=1.0, bar_format=line, file=stderr()) as bar:
        while not (planner.done or interrupts.asked):
            planner.step()
            bar.set_postfix_str(f"{planner.strokes} strokes, {planner.psnr:.2f} dB", refresh=False)
            bar.update(planner.share - bar.n)
            if window is not None and time.monotonic() - shown > _SHOW_SECONDS:
                window.show(_scene(planner, planner.canvas, planner.strokes, budget))
                shown = time.monotonic()


def _scene(planner: Planner, canvas: np.ndarray, number: int, budget: int, **rest: Any) -> Scene:
    target, painted = (np.rint(c * 255).astype(np.uint8) for c in (planner.target, canvas))
    error, blank = (((c - planner.target) ** 2).mean() for c in (canvas, planner.blank()))
    return Scene(target, painted, number, budget, float(error / max(blank, 1e-9)), **rest)


def _show_strokes(window: Window, planner: Planner) -> None:
    """Paint the picture again, stroke by stroke."""
    log, canvas = planner.log(), planner.blank()
    background = np.asarray(log.background, np.float32)
    for number, stroke in enumerate(log.strokes, 1):
        before, canvas = canvas, log.paint(canvas, stroke)
        scene = _scene(planner, canvas, number, len(log.strokes), stroke=stroke)
        window.animate(before, scene, log.brush, background)
        if window.closed:
            break


def _check_names(
    files: Sequence[Path], report: Path | None, read: Mapping[str, str | Path | None]
) -> None:
    """Refuse files of which one would take another's place.

    Raises:
        ValueError: if two are the same.
    """
    named = {f"--to {file}": file for file in files}
    if len(named) < len(files):
        raise ValueError(f"a file is given twice: {', '.join(named)}")
    check_distinct({**named, "--report": report}, read)


def _check_files(files: Iterable[Path], report: Path | None, blank: StrokeLog) -> None:
    """Write a log without strokes in each file's way first, so that no work is lost.

    Raises:
        OSError: if a file cannot be written.
        ValueError: if its suffix is unknown.
        DependencyNotInstalled: if it needs something that is not there.
    """
    work: dict[Path, Callable[[Path], object]] = {}
    for file in files:
        writer = writer_of(file)
        work[file] = lambda new, writer=writer: writer(blank, new, blank.sides(16))  # type: ignore
    if report is not None:
        require("skimage")
        work[report] = lambda new: new.write_text("{}")
    for file, write in work.items():
        try:
            try_file(file, write)
        except OSError as error:
            raise OSError(f"cannot write {file}: {error.strerror or error}") from None


def _write(log: StrokeLog, file: Path, size: int) -> None:
    export(log, file, min(size, _FILM_SIDE) if _is_film(file) else size)


def _haste(file: Path) -> int:
    """0 of strokes, which are written first, 2 of films, which take their time."""
    return 2 if _is_film(file) else int(file.suffix.lower() != ".json")


def _is_film(file: Path) -> bool:
    return file.suffix.lower() in (".gif", ".mp4")


def read_palette(palette: str) -> int | np.ndarray:
    """How many colours, or which, ``[K, 3]`` in 0 … 1.

    Args:
        palette: a number; colours with commas between them, each #rrggbb or a name that CSS has;
            or a text file with colours, as #rrggbb.

    Raises:
        FileNotFoundError: if it is none of these, nor the name of a file.
        ValueError: if the file is no text, or names no colour, or one in another way.
    """
    if re.fullmatch(r"-?\d+", palette):
        return int(palette)
    try:
        return np.array([named_colour(name.strip()) for name in palette.split(",")])
    except ValueError as error:  # a file, perhaps
        if "," in palette and not user_path(palette).exists():
            raise ValueError(f"palette {shown(palette)}: {error}") from None
    try:
        names = re.findall(r"#(\w+)", read_bytes(user_path(palette)).decode())
    except FileNotFoundError:
        raise FileNotFoundError(
            f"palette {palette} is neither a number nor colours (red,#00ff80) nor a file"
        ) from None
    except UnicodeDecodeError:
        raise ValueError(f"{palette} is not a text; a palette is one with #rrggbb in it") from None
    for name in names:
        if not re.fullmatch("[0-9a-fA-F]{6}", name):
            raise ValueError(f"{palette}: a colour is written as #rrggbb, got #{shown(name)}")
    if not names:
        raise ValueError(f"{palette} names no colour; a palette is a text with #rrggbb in it")
    return np.array([list(bytes.fromhex(name)) for name in names]) / 255


def measures(painted: np.ndarray, picture: np.ndarray) -> dict[str, float | None]:
    """How close a painting is to its picture, both ``[C, H, W]`` in 0 … 1.

    Returns:
        ``mse``, ``psnr`` in dB (None where they are the same) and ``ssim`` (None under 7 px), of
        the painting in 8 bits, by scikit-image.

    Raises:
        DependencyNotInstalled: if that is missing.
    """
    require("skimage")
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    seen = np.rint(painted * 255).astype(np.float64) / 255
    goal = picture.astype(np.float64)
    mse = float(((seen - goal) ** 2).mean())
    psnr = float(peak_signal_noise_ratio(goal, seen, data_range=1)) if mse > 0 else math.inf
    large = min(goal.shape[1:]) >= 7  # the window
    ssim = structural_similarity(goal, seen, data_range=1, channel_axis=0) if large else None
    return {
        "mse": mse,
        "psnr": psnr if math.isfinite(psnr) else None,
        "ssim": None if ssim is None else float(ssim),
    }
