"""Paint the pictures of docs/gallery.md, and the film at the README's top.

    python docs/gallery.py

The photographs are those that scikit-image ships. It takes about ten minutes of one core.
"""

from __future__ import annotations

from pathlib import Path

import tyro
from skimage import data
from tqdm import tqdm

from strokenet_gym import STYLES, export, paint_picture
from strokenet_gym.command import one_line_errors

HERE = Path(__file__).parent
PICTURES = "astronaut", "chelsea", "coffee", "rocket"
STROKES = {"photo": 300, "gouache": 300, "marker": 300, "pencil": 1500, "watercolour": 300}
FILM = "chelsea", "gouache"


def main(out: Path = HERE / "gallery", size: int = 400, film: Path = HERE / "painting.gif") -> None:
    """Paint each of four photographs in each style."""
    for picture in tqdm(PICTURES, unit="picture", disable=None):
        for style in STYLES:
            log = paint_picture(getattr(data, picture)(), STROKES[style], style, size=size)
            export(log, out / f"{picture}-{style}.jpg", size)
            if (picture, style) == FILM:
                export(log, film, 360, seconds=10)


if __name__ == "__main__":
    with one_line_errors():
        tyro.cli(main)
