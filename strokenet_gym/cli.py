"""The command ``strokenet-gym``: what people do without writing Python.

What takes its time to load is loaded inside the commands, where Ctrl-C ends with one line.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from strokenet_gym.command import one_line_errors, run_command

__all__ = ["main"]


def export_log(
    log: Annotated[Path, tyro.conf.Positional],
    to: Path,
    size: int = 512,
    seconds: float | None = None,
    fps: int = 25,
    detail: float = 1.0,
    lines: bool = False,
    pen_mm: float | None = None,
    paper_mm: tuple[float, float] = (210.0, 297.0),
    brush: str | None = None,
) -> None:
    """Turn a stroke log into a picture, a film, or lines or points for a plotter.

    Args:
        log: The log, as RecordStrokes writes it.
        to: File to write; its suffix says what kind: .png, .jpg, .webp, .svg, .gif, .mp4, .csv or
            .json.
        size: Width and height in pixels; any size is as sharp.
        seconds: How long all strokes take in a GIF or MP4; by default half a second for each, but
            at most 20 in all.
        fps: Frames a second.
        detail: Of an SVG; 2 has outlines twice as close, for more bytes.
        lines: Draw in SVG where the pen goes, in mm, instead of what it leaves.
        pen_mm: Width of the pen for these; by default each is as wide as its stroke.
        paper_mm: Width and height of the paper, for lines and CSV.
        brush: Paint with this instead of what the log says: a name, a JSON file of a brush's
            numbers, mypaint:NAME, or module:name of a program.
    """
    from strokenet_gym.exports import export
    from strokenet_gym.files import check_distinct
    from strokenet_gym.stroke_log import StrokeLog

    check_distinct({"--to": to}, {"the log": log, "--brush": brush})
    paper = {"paper_mm": paper_mm}
    options: dict[str, dict[str, Any]] = {
        ".gif": {"seconds": seconds, "fps": fps},
        ".mp4": {"seconds": seconds, "fps": fps},
        ".svg": {"detail": detail, "lines": lines, "pen_mm": pen_mm, **paper},
        ".csv": paper,
    }
    export(StrokeLog.load(log, brush), to, size, **options.get(to.suffix.lower(), {}))
    print(f"Wrote {to}")


def download_data(
    name: Annotated[str, tyro.conf.Positional], to: Path, categories: tuple[str, ...] = ()
) -> None:
    """Fetch a published data set; files that are there and whole are kept.

    Args:
        name: The data set: mnist, omniglot, quickdraw or kanjivg.
        to: The data directory; the files go to a subfolder of the data set's name.
        categories: Categories of quickdraw, such as cat; each is a file of its own.
    """
    from strokenet_gym.targets.download import download

    for file in download(name, to, categories):
        print(file)


def cache(clear: tuple[str, ...] = (), clear_all: bool = False) -> None:
    """Show what data sets and pictures have left in the cache, or clear it.

    Args:
        clear: Remove what these have left: the names that are shown. What is needed again is
            prepared again.
        clear_all: Remove all.
    """
    from strokenet_gym.targets.cache import cache_folder, cached_files, clear_cache

    if clear or clear_all:
        print(f"Freed {clear_cache(() if clear_all else clear) / 1e6:.1f} MB")
        return
    print(cache_folder())
    for name, files in cached_files().items():
        size = sum(file.stat().st_size for file in files)
        print(f"{name:12} {len(files):6} files {size / 1e6:10.1f} MB")


def train(
    method: Annotated[
        Literal["strokenet", "shac", "ppo", "sac", "generator"], tyro.conf.Positional
    ],
) -> None:
    """Train an agent by one of four methods, or a generator.

    Args:
        method: What; `strokenet-gym train ppo --help` has its options.
    """


# Commands that are modules of baselines/ and examples/, and take their arguments themselves.
_MODULES = {
    "demo": ("baselines.demo", "Paint characters with the shipped agent, and a photograph."),
    "play": ("examples.play", "Paint against the agent: one stroke of the mouse."),
    "watch": ("examples.watch_agent", "Watch the shipped agent paint characters, live."),
    "evaluate": ("baselines.evaluate", "Measure an agent or a generator on unseen data."),
    "benchmark": ("baselines.benchmark", "Train methods on the benchmark's tasks, and compare."),
    "benchmark report": ("baselines.benchmark_report", ""),
    "train strokenet": ("baselines.train_strokenet", ""),
    "train shac": ("baselines.train_shac", ""),
    "train ppo": ("baselines.train_ppo", ""),
    "train sac": ("baselines.train_sac", ""),
    "train generator": ("baselines.train_generator", ""),
}


def main() -> None:
    """Run the command."""
    with one_line_errors():
        given = sys.argv[1:]
        for count in (2, 1):
            command = " ".join(given[:count])
            if command in _MODULES:
                sys.argv = [f"strokenet-gym {command}", *given[count:]]
                # The wheel has them in the package, a checkout beside it.
                place = "strokenet_gym." if find_spec("strokenet_gym.baselines") else ""
                return run_command(importlib.import_module(place + _MODULES[command][0]).main)
        from strokenet_gym.brush_sheet import brushes
        from strokenet_gym.painter.command import paint

        commands: dict[str, Callable[..., None]] = {}
        for command, (_, text) in _MODULES.items():  # for the help
            if text:
                commands[command] = lambda: None
                commands[command].__doc__ = text
        commands |= {
            "train": train, "paint": paint, "export": export_log, "brushes": brushes,
            "download": download_data, "cache": cache,
        }  # fmt: skip
        about = "Paint with strokes: what people do without writing Python."
        tyro.extras.subcommand_cli_from_dict(commands, prog="strokenet-gym", description=about)
