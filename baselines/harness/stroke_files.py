"""Strokes and their pictures on disk: the data set that the original's generator learned from.

A folder of files with 1,000 strokes each (NumPy's .npz, compressed, without pickles): ``radius``,
``position``, ``pressure``, ``colour`` as in :class:`strokenet_gym.stroke.Stroke`, and ``opacity``,
uint8 ``[1000, size, size]``. Beside them, strokes.json says how they were made.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from strokenet_gym import load_program
from strokenet_gym.files import replace_file
from strokenet_gym.programs.three_body import three_body_strokes
from strokenet_gym.reading import shown
from strokenet_gym.stroke import Stroke

from .own_files import keep_settings, read_arrays, read_own

__all__ = ["StrokeFiles", "write_strokes"]

SHARD = 1000  # strokes in a file
_ABOUT = "strokes.json"


def write_strokes(folder: Path, count: int, size: int, brush: str, seed: int) -> None:
    """Write three-body strokes and their pictures; what is there already is kept.

    Args:
        folder: where to; is made.
        count: strokes, rounded up to whole files.
        size: width and height of the pictures.
        brush: name of the brush.
        seed: each file's strokes follow from it and the file's number.

    Raises:
        ValueError: if the count is not positive, or the folder holds other strokes.
    """
    if count < 1:
        raise ValueError(f"--count must be at least 1, got {count}")
    folder.mkdir(parents=True, exist_ok=True)
    about = {"brush": brush, "seed": seed, "size": size}
    keep_settings(folder / _ABOUT, "strokes", about)
    files = [folder / f"strokes-{k:05}.npz" for k in range(-(-count // SHARD))]
    missing = [k for k, file in enumerate(files) if not file.exists()]
    if missing:
        start = time.monotonic()
        trial = folder / "trial.npz"
        _write(trial, 100, about)
        seconds, size_gb = (time.monotonic() - start) / 100, trial.stat().st_size / 100 / 1e9
        trial.unlink()
        print(
            f"{len(missing) * SHARD:,} strokes to write in {len(missing):,} files: "
            f"about {len(missing) * SHARD * size_gb:.2g} GB and "
            f"{len(missing) * SHARD * seconds / 60:.1f} minutes"
        )
    for k in tqdm(missing, unit="file"):
        _write(files[k], SHARD, {**about, "seed": [seed, k]})
    print(f"{len(files) * SHARD:,} strokes in {folder}")


def _write(file: Path, count: int, about: dict) -> None:
    """Write one file, whole or not at all."""
    brush = load_program(about["brush"])
    stroke = three_body_strokes(np.random.default_rng(about["seed"]), count, radii=brush.radii)
    opacity = brush.draw(stroke, about["size"])
    arrays = stroke._asdict() | {"opacity": np.rint(opacity * 255).astype(np.uint8)}
    with replace_file(file) as new, new.open("wb") as stream:
        np.savez_compressed(stream, **arrays)


class StrokeFiles:
    """Reads batches from a folder that :func:`write_strokes` filled, in random order.

    Args:
        folder: the folder.
        brush: name of the brush that the strokes must have been drawn with.

    Raises:
        ValueError: if there are no strokes, or they are of another brush.
    """

    def __init__(self, folder: Path, brush: str) -> None:
        self.files = sorted(folder.glob("strokes-*.npz"))
        if not self.files or not (folder / _ABOUT).exists():
            raise ValueError(f"{folder} holds no strokes: write some with --write {folder}")
        drawn = read_own(folder / _ABOUT).get("brush")
        if drawn != brush:
            raise ValueError(f"{folder} holds strokes of the brush {shown(drawn)!r}, not {brush!r}")
        self._order = np.empty(0, int)

    def sample(self, rng: np.random.Generator, batch: int) -> tuple[Stroke, np.ndarray]:
        """A batch of strokes and their opacity, float32 ``[B, size, size]`` in 0 … 1.

        Each file that is opened is used up before the next one.

        Raises:
            ValueError: if a file is damaged.
        """
        if len(self._order) < batch:
            file = self.files[rng.integers(len(self.files))]
            *fields, self._opacity = read_arrays(file, *Stroke._fields, "opacity")
            self._stroke = Stroke(*fields)
            self._order = rng.permutation(len(self._opacity))
        chosen, self._order = self._order[:batch], self._order[batch:]
        stroke = Stroke(*(field[chosen] for field in self._stroke))
        return stroke, self._opacity[chosen].astype(np.float32) / 255
