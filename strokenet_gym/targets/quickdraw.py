"""Quick, Draw! sketches: the published raw or simplified drawings (ndjson) or bitmaps (npy)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from strokenet_gym.targets.image_set import (
    ImageSet,
    Item,
    in_split,
    members,
    normalised,
    on_canvas,
    rasterise,
)

__all__ = ["QuickDraw"]

_SHARE = 0.8  # of the canvas that a drawing's longer side fills
_WIDTH = 0.03  # of its lines, canvas widths


class QuickDraw(ImageSet):
    """Sketches of things, white on black, those that the game recognised.

    Made from ``CATEGORY.ndjson`` files (raw or simplified), a zip of them, or ``CATEGORY.npy``
    bitmaps. A tenth are for tests, by a hash of their category and key. Labels are categories.
    """

    name = "quickdraw"
    patterns = "*.ndjson", "*quickdraw*.zip", "*.npy"
    category_address = (
        "https://storage.googleapis.com/quickdraw_dataset/full/simplified/{category}.ndjson"
    )

    def _prepare(
        self, files: list[Path], split: str, size: int, select: Sequence[str]
    ) -> Iterator[Item]:
        for file in files:
            if file.suffix == ".npy":
                if self.is_selected(file.stem, select):
                    yield from _bitmaps(file, split, size)
                continue
            packed = file.suffix == ".zip"
            texts = members(file, ".ndjson") if packed else [(file.name, file.read_bytes())]
            for name, text in texts:
                category = Path(name).stem
                if self.is_selected(category, select):
                    yield from _drawings(text, category, split, size, f"{name} in {file}")


def _drawings(text: bytes, category: str, split: str, size: int, where: str) -> Iterator[Item]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            if not entry["recognized"] or not in_split(f"{category}/{entry['key_id']}", split):
                continue
            lines = [np.array(stroke[:2], float).T for stroke in entry["drawing"]]
            image = rasterise(normalised(lines, _SHARE), size, _WIDTH)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise ValueError(f"line {number} of {where} is damaged: {error!r}") from error
        yield category, image


def _bitmaps(file: Path, split: str, size: int) -> Iterator[Item]:
    try:
        pictures = np.load(file, mmap_mode="r", allow_pickle=False).reshape(-1, 28, 28)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{file} is damaged: {error}") from error
    for index, picture in enumerate(pictures):
        if in_split(f"{file.stem}/{index}", split):
            yield file.stem, on_canvas(np.asarray(picture), size, _SHARE)
