"""The command ``strokenet-gym``: what people do with files, without writing Python."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from strokenet_gym.command import one_line_errors
from strokenet_gym.exports import export
from strokenet_gym.stroke_log import StrokeLog
from strokenet_gym.targets.download import download

try:
    import tyro
except ImportError:
    raise SystemExit(
        'strokenet-gym needs tyro, run `pip install "strokenet-gym[export]"`'
    ) from None

from strokenet_gym.brush_sheet import brushes
from strokenet_gym.painter.command import paint

__all__ = ["main"]


def export_log(
    log: Annotated[Path, tyro.conf.Positional],
    to: Path,
    size: int = 512,
    stroke_seconds: float = 0.5,
    paper_mm: tuple[float, float] = (210.0, 297.0),
    brush: str | None = None,
) -> None:
    """Turn a stroke log into a picture, a film, or points for a plotter.

    Args:
        log: The log, as RecordStrokes writes it.
        to: File to write; its suffix says what kind: .png, .svg, .gif, .mp4, .csv or .json.
        size: Width and height in pixels; any size is as sharp.
        stroke_seconds: How long a stroke takes in a GIF or MP4.
        paper_mm: Width and height of the paper, for CSV.
        brush: Paint with this instead of what the log says: a name, a JSON file of a brush's
            numbers, mypaint:NAME, or module:name of a program.
    """
    options: dict[str, object] = {}
    if to.suffix in (".gif", ".mp4"):
        options["stroke_seconds"] = stroke_seconds
    if to.suffix == ".csv":
        options["paper_mm"] = paper_mm
    export(StrokeLog.load(log, brush), to, size, **options)
    print(f"Wrote {to}")


def download_data(
    name: Annotated[str, tyro.conf.Positional],
    to: Path,
    categories: tuple[str, ...] = (),
) -> None:
    """Fetch a published data set; a broken download goes on where it stopped.

    Args:
        name: The data set: mnist, omniglot, quickdraw or kanjivg.
        to: The data directory; the files go to a subfolder of the data set's name.
        categories: Categories of quickdraw, such as cat; each is a file of its own.
    """
    for file in download(name, to, categories):
        print(file)


def main() -> None:
    """Run the command."""
    app = tyro.extras.SubcommandApp()
    app.command(name="paint")(paint)
    app.command(name="export")(export_log)
    app.command(name="brushes")(brushes)
    app.command(name="download")(download_data)
    with one_line_errors():
        app.cli(prog="strokenet-gym", description=__doc__)
