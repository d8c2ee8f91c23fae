"""Paint characters with the shipped agent, and a photograph: what `make demo` runs.

Of 16 characters in both environments it prints a table (blank canvas, random agent, StrokeNet
agent) and writes a picture grid (target above neural above real) and a GIF of the strokes. Then it
plans a photograph that scikit-image ships in 200 strokes, to PNG, SVG and GIF.
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from strokenet_gym import BRUSHES
from strokenet_gym.agents import load_agent
from strokenet_gym.command import run_command
from strokenet_gym.files import replace_file
from strokenet_gym.painter.command import paint
from strokenet_gym.stroke import NUM_ANCHORS, part_way, unpack
from strokenet_gym.targets import Glyphs

from .harness.measures import picture_grid
from .harness.scoring import random_policy, rollout
from .harness.task import Task, check_positive, check_seed


@dataclasses.dataclass
class Args:
    """Paint characters with the shipped agent, and a photograph with the planner."""

    out: Path = Path("runs/demo")
    """Folder for the pictures."""
    count: int = 16
    """How many characters."""
    seed: int = 2026
    """Seed of the characters, and of the painting."""
    strokes: int = 200
    """Strokes of the photograph."""
    quick: bool = False
    """In 20 seconds: four characters, 50 strokes and no films."""


def growing(action: np.ndarray, size: int) -> np.ndarray:
    """Frames of a white stroke as the pen moves on, uint8 ``[16, size, size]``."""
    stroke = unpack(action[None], channels=1)
    parts = [part_way(stroke, k / NUM_ANCHORS) for k in range(1, NUM_ANCHORS + 1)]
    opacity = np.concatenate([BRUSHES["pencil"].draw(part, size) for part in parts])
    return (opacity * stroke.colour[:, :1, None] * 255 + 0.5).astype(np.uint8)


def paint_characters(args: Args) -> None:
    """The agent's: a table, a grid of pictures and a film."""
    agent = load_agent("glyphs")
    source, rng = Glyphs(128), np.random.default_rng(args.seed)
    targets = [source.sample(rng) for _ in range(args.count)]

    runs = {}
    for name, policy in (("random agent", random_policy()), ("StrokeNet agent", agent.act)):
        runs[name] = {
            kind: rollout(Task(), policy, targets, f"{kind}Painting-v0") for kind in ("", "Neural")
        }
    print(f"{'':16}{'real program':>26}{'learned network':>26}")
    print(f"{'':16}{'L2':>13}{'residual':>13}{'L2':>13}{'residual':>13}")
    blank = np.mean([np.mean(target**2) for target in targets])
    print(f"{'blank canvas':16}" + f"{blank:13.4f}{1:13.3f}" * 2)
    for name, kinds in runs.items():
        cells = [
            f"{run['l2'].mean():13.4f}{run['residual'].mean():13.3f}" for run in kinds.values()
        ]
        print(f"{name:16}" + "".join(cells))

    exact, neural = runs["StrokeNet agent"].values()
    grid, gif = args.out / "grid.png", args.out / "strokes.gif"
    picture_grid([exact["target"], neural["canvas"], exact["canvas"]], grid)
    print(f"\nTarget above neural above real: {grid}")
    if args.quick:
        return
    films = np.stack([growing(action, 128) for action in exact["actions"][:, 0]])  # [N, 16, H, W]
    films = np.concatenate([films, np.zeros((-len(films) % 4, *films.shape[1:]), np.uint8)])
    frames = films.reshape(-1, 4, *films.shape[1:]).transpose(2, 0, 3, 1, 4)
    frames = frames.reshape(NUM_ANCHORS, len(films) // 4 * 128, 4 * 128)
    frames = np.concatenate([frames, np.repeat(frames[-1:], 10, 0)])
    film = [Image.fromarray(frame) for frame in frames]
    with replace_file(gif) as new:
        film[0].save(new, save_all=True, append_images=film[1:], duration=80, loop=0)
    print(f"The strokes as they are painted: {gif}")


def paint_photograph(args: Args) -> None:
    """The planner's, by the command `strokenet-gym paint`."""
    photograph = args.out / "photograph.png"
    with replace_file(photograph) as new:
        Image.fromarray(data.astronaut()).save(new)
    suffixes = (".png", ".svg") if args.quick else (".png", ".svg", ".gif")
    files = tuple(args.out / f"painting{suffix}" for suffix in suffixes)
    print(f"\nPainting {photograph} in {args.strokes} strokes, as `strokenet-gym paint` does:")
    paint(str(photograph), args.strokes, seed=args.seed, to=files)


def main(args: Args) -> None:
    start = time.monotonic()
    check_seed(args)
    check_positive(args, "count", "strokes")
    if args.quick:
        args.count, args.strokes = min(args.count, 4), min(args.strokes, 50)
    paint_characters(args)
    paint_photograph(args)
    print(f"({time.monotonic() - start:.0f} s)")


if __name__ == "__main__":
    run_command(main)
