"""`strokenet-gym paint`, from the command to the file: seconds and memory, on all cores.

    make bench

The photograph is one that scikit-image ships, enlarged. The second time of each counts: the first
compiles. Writes runs/bench/painter.json.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import tyro
from PIL import Image
from skimage import data

WORKS = {  # pixels of the photograph, and the command's arguments
    "300 strokes of gouache, 12 MP": ((4000, 3000), ("--strokes", "300")),
    "50 strokes, 256 px": ((256, 256), ("--strokes", "50")),
    "50 strokes of photo, 256 px": ((256, 256), ("--strokes", "50", "--style", "photo")),
    "1,000 strokes, 2048 px": ((2048, 2048), ("--strokes", "1000")),
}


@dataclasses.dataclass
class Args:
    """Measure the command that paints pictures."""

    out: Path = Path("runs/bench/painter.json")
    """Where to write the numbers."""


def run(command: list[str]) -> tuple[float, float]:
    """Seconds that a process takes, and MB of memory that it had at most."""
    start = time.perf_counter()
    process = os.posix_spawn(sys.executable, command, os.environ)
    _, status, usage = os.wait4(process, 0)
    if status != 0:
        raise SystemExit(f"{' '.join(command)} ended with status {status}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main(args: Args) -> None:
    found = {}
    print("| `strokenet-gym paint` | seconds | MB |\n|---|---|---|")
    for name, (size, arguments) in WORKS.items():
        with tempfile.TemporaryDirectory() as folder:
            photograph = str(Path(folder) / "photograph.png")
            Image.fromarray(data.astronaut()).resize(size, Image.Resampling.LANCZOS).save(
                photograph
            )
            code = "from strokenet_gym.cli import main; main()"
            command = [sys.executable, "-c", code, "paint", photograph, *arguments]
            seconds, memory = [run(command) for _ in range(2)][1]
        found[name] = {"seconds": seconds, "MB": memory}
        print(f"| {name} | {seconds:.1f} | {memory:.0f} |", flush=True)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Args))
