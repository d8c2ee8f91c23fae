"""Paint the same pictures in so many strokes by our planner and by older ways, and compare them.

    python -m baselines.compare_painters --data-dir DIR
    python -m baselines.compare_painters photo.jpg --painters photo gouache --crop 0

All but fogleman's primitive (which runs if its binary is on the path) paint with our program. Each
picture is cropped to a square in its centre. PSNR and SSIM are of the paintings in 8 bits, seconds
are those of one core. Interrupted, the same command goes on. Writes results.jsonl, report.md,
curves.png and all paintings to the output folder.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from tqdm import tqdm

from strokenet_gym import paint_picture
from strokenet_gym.command import run_command
from strokenet_gym.exports.pictures import encode, to_rgb
from strokenet_gym.files import replace_file, write_text
from strokenet_gym.painter.command import measures
from strokenet_gym.painter.picture import load_picture

from .harness.measures import psnr, write_figure
from .harness.own_files import keep_settings, read_lines
from .harness.painters import PAINTERS, PRIMITIVE
from .harness.run import lock
from .harness.task import check_seed

PHOTOGRAPHS = (
    "photos/*.png",
    *(f"images/{n}.png" for n in ("astronaut", "chelsea", "china", "rocket")),
)
RUN_PRIMITIVE = "triangles", "ellipses"
SQUARE = "hill-climbing", "hertzmann-1998", "hertzmann-2001"  # what paints square pictures only


@dataclasses.dataclass
class Args:
    """Compare painters of pictures."""

    pictures: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    """Pictures; by default the photographs of the data folder."""
    data_dir: Path | None = None
    """Folder with the data sets; by default the environment variable STROKENET_DATA."""
    painters: tuple[str, ...] | None = None
    """Which; by default all that can be had: photo, photo-12 (in twelve colours), gouache,
    hill-climbing, hertzmann-1998, hertzmann-2001, and, with primitive's binary, triangles and
    ellipses."""
    strokes: tuple[int, ...] = (50, 100, 200, 500, 1000)
    """In how many strokes, or other marks."""
    crop: int = 256
    """Side of the centre that is painted, in pixels; 0: the whole picture."""
    seed: int = 0
    """Seed of all painters."""
    out: Path = Path("runs/compare-painters")
    """Output folder; one that is half done is gone on with."""


def find_pictures(args: Args) -> list[Path]:
    """The pictures that were named, or those of the data folder."""
    folder = args.data_dir or os.environ.get("STROKENET_DATA", "")
    if not args.pictures and not folder:
        raise ValueError("name pictures, or give --data-dir, the folder with the data sets")
    found = args.pictures or [p for part in PHOTOGRAPHS for p in sorted(Path(folder).glob(part))]
    if not found:
        raise ValueError(f"there are no pictures in {folder}: expected photos/ and images/")
    names = [path.stem for path in found]
    if len(set(names)) < len(names):
        raise ValueError(f"pictures must have names of their own, got {', '.join(names)}")
    return list(found)


def find_painters(args: Args) -> list[str]:
    """The painters that were named, or all that can be had."""
    no_primitive = shutil.which(PRIMITIVE) is None
    names = [
        name
        for name in PAINTERS
        if not (no_primitive and name in RUN_PRIMITIVE) and not (args.crop == 0 and name in SQUARE)
    ]
    wrong = set(args.painters or ()) - set(names)
    if wrong:
        raise ValueError(
            f"--painters must be of {', '.join(names)} (triangles and ellipses need the binary "
            f"of primitive on the path, others a --crop), got {', '.join(sorted(wrong))}"
        )
    return list(args.painters or names)


def read(path: Path, crop: int) -> np.ndarray:
    """A picture's centre, or all of it: float32 ``[3, H, W]`` in 0 … 1."""
    picture, opacity = load_picture(path, grey=False)
    picture = picture * opacity + (1 - opacity)  # on white
    height, width = picture.shape[1:]
    if min(height, width) < max(crop, 16) or max(crop or height, crop or width) > 4096:
        raise ValueError(f"{path} has {width}x{height} px, expected {max(crop, 16)} … 4096")
    top, left = ((height - crop) // 2, (width - crop) // 2) if crop else (0, 0)
    part = picture[:, top : top + (crop or height), left : left + (crop or width)]
    return np.ascontiguousarray(np.broadcast_to(part, (3, *part.shape[1:])))


def paint_all(args: Args, pictures: list[Path], painters: list[str]) -> Iterator[dict[str, Any]]:
    """Whatever is not there yet; yields a row for each painting."""
    file = args.out / "results.jsonl"
    rows = read_lines(
        file, "marks", "used", "seconds", "psnr", "ssim", texts=("painter", "picture", "path")
    )
    done = {(row["painter"], row["path"], row["marks"]) for row in rows}
    with replace_file(file) as new:  # without the half of a line that a killed one may leave
        new.write_text("".join(json.dumps(row) + "\n" for row in rows))
    yield from (row for row in rows if row["painter"] in painters)
    work = [(name, path) for name in painters for path in pictures]
    for name, path in tqdm(work, unit="picture", disable=None):
        where = str(path.resolve())
        rest = [n for n in sorted(args.strokes) if (name, where, n) not in done]
        if not rest:
            continue
        picture = read(path, args.crop)
        for painted in PAINTERS[name].paint(picture, rest, args.seed):
            found = measures(painted.canvas, picture)
            row = {
                "painter": name, "picture": path.stem, "path": where, "marks": painted.marks,
                "used": painted.used, "seconds": round(painted.seconds, 2),
                "psnr": psnr(found["mse"] or 0.0), "ssim": found["ssim"],
            }  # fmt: skip
            image = args.out / name / f"{path.stem}-{painted.marks}.png"
            with replace_file(image) as new:
                new.write_bytes(encode(to_rgb(painted.canvas)))
            with file.open("a") as lines:
                lines.write(json.dumps(row) + "\n")
            yield row


def means(rows: list[dict[str, Any]]) -> dict[str, dict[int, dict[str, float]]]:
    """Of each painter and number of marks, the means over the pictures."""
    groups = defaultdict(list)
    for row in rows:
        groups[row["painter"], row["marks"]].append(row)
    found: dict[str, dict[int, dict[str, float]]] = defaultdict(dict)
    for (name, marks), group in sorted(groups.items(), key=lambda item: item[0][1]):
        found[name][marks] = {
            key: float(np.mean([row[key] for row in group]))
            for key in ("psnr", "ssim", "seconds", "used")
        }
    return found


def table(found: dict[str, dict[int, dict[str, float]]]) -> str:
    """PSNR, SSIM and seconds of each painter at each number of marks."""
    counts = sorted({count for row in found.values() for count in row})
    lines = [
        "| painter: PSNR in dB / SSIM / seconds of one core at | "
        + " | ".join(f"{count} marks" for count in counts) + " |",
        "|---|" + "---|" * len(counts),
    ]  # fmt: skip
    for name in (name for name in PAINTERS if name in found):
        cells = []
        for count in counts:
            at = found[name].get(count)
            text = at and f"{at['psnr']:.2f} / {at['ssim']:.3f} / {at['seconds']:.1f}"
            cells.append(text or "")
        lines.append(f"| {PAINTERS[name].label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def draw_curves(found: dict[str, dict[int, dict[str, float]]], path: Path) -> None:
    """PSNR and SSIM against marks, PSNR against their numbers and against time."""
    figure = Figure((18, 4.5), layout="constrained")
    plots = figure.subplots(1, 4)
    for name in (name for name in PAINTERS if name in found):
        rows = found[name]
        counts = np.array(list(rows))
        psnr, ssim, seconds = (
            [row[key] for row in rows.values()] for key in ("psnr", "ssim", "seconds")
        )
        numbers = counts * PAINTERS[name].numbers
        lines = ((counts, psnr), (counts, ssim), (numbers, psnr), (seconds, psnr))
        for axes, (x, y) in zip(plots, lines, strict=True):
            axes.plot(x, y, marker="o", label=PAINTERS[name].label)
    names = ("marks", "PSNR, dB"), ("marks", "SSIM"), ("numbers", "PSNR, dB")
    for axes, label in zip(plots, (*names, ("seconds of one core", "PSNR, dB")), strict=True):
        axes.set(xscale="log", xlabel=label[0], ylabel=label[1])
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(alpha=0.3)
    plots[0].legend(fontsize="small")
    write_figure(figure, path)


def main(args: Args) -> None:
    check_seed(args)
    if not args.strokes or min(args.strokes) < 1:
        raise ValueError(f"--strokes must be at least 1, got {args.strokes}")
    if args.crop != 0 and not 16 <= args.crop <= 4096:
        raise ValueError(f"--crop must be 0 or 16 … 4096, got {args.crop}")
    pictures, painters = find_pictures(args), find_painters(args)
    args.out.mkdir(parents=True, exist_ok=True)
    with lock(args.out):
        settings = {"crop": args.crop, "seed": args.seed}
        keep_settings(args.out / "settings.json", "a comparison", settings)
        paint_picture(np.eye(32), 2)  # so that nobody's time is that of the compiler
        paths, counts = {str(path.resolve()) for path in pictures}, set(args.strokes)
        rows = [
            row
            for row in paint_all(args, pictures, painters)
            if row["path"] in paths and row["marks"] in counts
        ]
        found = means(rows)
        write_text(args.out / "report.md", table(found) + "\n")
        draw_curves(found, args.out / "curves.png")
    print(table(found))
    print(f"\nWrote results.jsonl, report.md, curves.png and the paintings to {args.out}")


if __name__ == "__main__":
    run_command(main)
