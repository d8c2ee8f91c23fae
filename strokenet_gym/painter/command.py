"""The command ``strokenet-gym paint``: a picture in, a painted one out."""

from __future__ import annotations

import contextlib
import json
import math
import re
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from tqdm import tqdm

from strokenet_gym.display import Scene, Window
from strokenet_gym.exports import export
from strokenet_gym.extras import require
from strokenet_gym.files import replace_file
from strokenet_gym.painter.planner import Planner
from strokenet_gym.reading import read_bytes, shown
from strokenet_gym.stroke_log import StrokeLog

__all__ = ["measures", "paint", "read_palette"]

_FILM_SIDE = 640  # pixels, at most
_SHOW_SECONDS = 0.05  # between two pictures of the window


def paint(
    picture: Annotated[str, tyro.conf.Positional],
    strokes: int = 300,
    style: str = "gouache",
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
    """Paint a picture in strokes. Ctrl-C ends the search and keeps what there is.

    Args:
        picture: The picture: a file.
        strokes: How many strokes.
        style: How: photo, gouache, marker, pencil or watercolour.
        size: Longer side of the painting in pixels, up to 4096; by default the picture's, up to
            2048.
        seed: The same seed gives the same strokes.
        background: Of the canvas: mean (of the picture), white, black or #rrggbb; by default the
            style's. Transparent pictures lie on it, by default on one that they differ from.
        palette: How many colours the strokes may have, or a text file with the colours, #rrggbb.
        weight: A picture that is bright where the error counts more.
        seconds: Time to search in; by default as long as the style takes.
        to: A file to write: .png, .svg, .gif, .mp4 (up to 640 px), .csv (points for a plotter)
            or .json (the strokes); may be said several times. By default PICTURE-painted.png.
        report: A JSON file for mse, psnr, ssim, strokes, seconds and size.
        watch: Show in a window how the picture forms, and then its strokes.
    """
    begun = time.monotonic()
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
    files = to or (Path(f"{Path(picture).with_suffix('')}-painted.png"),)
    _check_files(files, report, planner.log())
    window = Window(f"{Path(picture).name}, {style}", _SHOW_SECONDS) if watch else None
    with contextlib.suppress(KeyboardInterrupt):
        _plan(planner, strokes, window)
    seconds = time.monotonic() - begun
    log = planner.log()
    longer = max(planner.picture.shape)
    # Films last: what took its time to plan is safe before they take theirs.
    films = [file for file in files if _is_film(file)]
    errors = _write_all(log, [file for file in files if file not in films], longer)
    if report is not None:
        found: dict[str, Any] = measures(log.replay(), planner.picture)
        found |= {"strokes": len(log.strokes), "seconds": round(seconds, 3), "size": log.size}
        with replace_file(report) as new:
            new.write_text(json.dumps(found, indent=2) + "\n")
        print(f"Wrote {report}")
    errors += _write_all(log, films, longer)
    if errors:
        raise errors[0]
    if window is not None:
        with contextlib.suppress(KeyboardInterrupt):
            _show_strokes(window, planner)
        window.close()


def _write_all(log: StrokeLog, files: Iterable[Path], size: int) -> list[OSError]:
    """Write files; return what went wrong, so that one costs none of the others."""
    errors = []
    for file in files:
        try:
            _write(log, file, size)
            print(f"Wrote {file}")
        except OSError as error:
            errors.append(error)
        except KeyboardInterrupt:
            raise SystemExit(f"stopped: {file} is not written") from None
    return errors


def _plan(planner: Planner, budget: int, window: Window | None) -> None:
    """Plan to the end, with a line that tells how far it has come."""
    shown = 0.0
    line = "{percentage:3.0f}%|{bar}| {elapsed}<{remaining} {postfix}"
    with tqdm(total=1.0, bar_format=line) as bar:
        while not planner.done:
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


def _check_files(files: Iterable[Path], report: Path | None, blank: StrokeLog) -> None:
    """Write a log without strokes beside each file first, so that no work is lost.

    Raises:
        OSError: if a file cannot be written.
        ValueError: if its suffix is unknown.
        DependencyNotInstalled: if it needs something that is not there.
    """
    if report is not None:
        require("skimage")
    for file in (*files, *([report] if report else [])):
        if file.is_dir():
            raise IsADirectoryError(f"cannot write {file}: it is a folder")
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with tempfile.TemporaryDirectory(dir=file.parent, prefix=".strokenet-") as folder:
                if file != report:
                    _write(blank, Path(folder) / file.name, 16)
        except (OSError, ValueError) as error:
            kind = OSError if isinstance(error, OSError) else ValueError
            why = getattr(error, "strerror", None) or error
            raise kind(f"cannot write {file}: {why}") from None


def _write(log: StrokeLog, file: Path, size: int) -> None:
    export(log, file, min(size, _FILM_SIDE) if _is_film(file) else size)


def _is_film(file: Path) -> bool:
    return file.suffix.lower() in (".gif", ".mp4")


def read_palette(palette: str) -> int | np.ndarray:
    """How many colours, or those that a text file names as #rrggbb, ``[K, 3]`` in 0 … 1.

    Raises:
        FileNotFoundError: if it is neither a number nor a file.
        ValueError: if the file is no text, or names no colour, or one in another way.
    """
    if re.fullmatch(r"-?\d+", palette):
        return int(palette)
    try:
        names = re.findall(r"#(\w+)", read_bytes(Path(palette)).decode())
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
