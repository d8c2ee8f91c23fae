"""Draw every brush: the same stroke on the same paper.

python examples/draw_brushes.py --out brushes.png
"""

from pathlib import Path

import cv2
import numpy as np
import tyro
from PIL import Image

from strokenet_gym import BRUSHES, Program, Stroke
from strokenet_gym.command import one_line_errors

WHITE = np.ones(3)


def put(canvas: np.ndarray, brush: Program, colour: tuple, radius: float, points, pressure) -> None:
    """Paint one stroke on a canvas ``[3, H, W]``, in place."""
    stroke = Stroke(np.array(colour), np.array(radius), points, pressure)
    brush.composite(canvas[None], canvas[None], Stroke(*(field[None] for field in stroke)), WHITE)


def main(out: Path = Path("runs/brushes.png"), size: int = 256) -> None:
    """Draw every brush across two bars, from light to full pressure."""
    t = np.linspace(-1, 1, 16)
    wave = np.stack([0.7 * t, 0.7 * np.sin(5 * t)], 1)
    tiles = []
    for name, brush in BRUSHES.items():
        canvas = np.ones((3, size, size), np.float32)
        for y, colour in ((0.35, (0.2, 0.3, 0.7)), (-0.35, (0.8, 0.6, 0.1))):
            bar = np.stack([0.9 * t, np.full(16, y)], 1)
            put(canvas, BRUSHES["marker"], colour, 0.1, bar, np.ones(16))
        put(canvas, brush, (0.8, 0.15, 0.1), 0.12, wave, np.linspace(0.15, 1, 16))
        tile = np.ascontiguousarray((canvas * 255).astype(np.uint8).transpose(1, 2, 0))
        cv2.putText(tile, name, (8, size - 10), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 0), 1, 16)
        tiles.append(tile)
    rows = [np.concatenate(tiles[k : k + 3], 1) for k in range(0, len(tiles), 3)]
    out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(rows)).save(out)
    print(f"Wrote {out}")


if __name__ == "__main__":
    with one_line_errors():
        tyro.cli(main)
