"""Quick, Draw! sketches: the published drawings (ndjson or bin, raw or simplified) or bitmaps."""

from __future__ import annotations

import json
import re
import struct
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np

from strokenet_gym.targets.archives import damaged, find_data, streams
from strokenet_gym.targets.drawings import MOST_POINTS, as_points, normalised
from strokenet_gym.targets.image_set import ImageSet, Item, in_split

__all__ = ["QuickDraw"]

_SHARE = 0.8  # of the canvas that a drawing's longer side fills
_LONGEST = 2**20  # bytes of a drawing
_LETTERS = 100  # of a word, or of what identifies a drawing, at most
# What a cloud's console and a browser make of a file's name.
_PREFIX = re.compile(r"^(full[_ -])?(simplified|raw|numpy_bitmap|numpy bitmap|binary)[_ -]")
_KINDS = ".ndjson", ".bin", ".npy"  # of a category that has several the first counts

Read = Callable[[IO[bytes], str], Iterator["tuple[str, str, Any] | None"]]


class QuickDraw(ImageSet):
    """Sketches of things, white on black, those that the game recognised.

    Made from files ``cat.ndjson`` or ``cat.bin`` (raw or simplified drawings), zips of them, and
    bitmaps ``cat.npy`` of categories that have no drawings; names may have the prefixes that the
    console of the published bucket gives. Labels are categories: what the drawings say they are,
    else their file's name. A tenth are for tests, by a hash of what identifies a drawing. Drawings
    that cannot be read are left out.
    """

    name = "quickdraw"
    patterns = "*.ndjson", "*.bin", "*.npy", "*quick*draw*.zip"
    share = _SHARE
    line_width = 0.038
    category_address = (
        "https://storage.googleapis.com/quickdraw_dataset/full/simplified/{category}.ndjson"
    )

    def _find(self, data_dir: Path, split: str, select: Sequence[str]) -> list[Path]:
        """The files of the selected categories, by their names where these say so."""
        found = find_data(type(self), data_dir, self.patterns)
        zips = [file for file in found if file.suffix.lower() == ".zip"]
        plain = [file for file in found if file not in zips]
        named = [file for file in plain if self.is_selected(_category(file.name), select)]
        unnamed = [s for s in select if not any(self.is_a(_category(f.name), s) for f in plain)]
        files = plain if unnamed and not zips else named
        best: dict[str, str] = {}
        for file in sorted(files, key=lambda file: _KINDS.index(file.suffix.lower())):
            best.setdefault(_category(file.name).casefold(), file.suffix.lower())
        kept = [f for f in files if best[_category(f.name).casefold()] == f.suffix.lower()]
        return sorted([*kept, *(zips if unnamed or not select else [])])

    def _prepare(self, files: list[Path], split: str, select: Sequence[str]) -> Iterator[Item]:
        seen: set[tuple[str, str]] = set()
        bad: Counter[str] = Counter()
        for file in files:
            packed = file.suffix.lower() == ".zip"
            for kind in _READERS if packed else (file.suffix.lower(),):
                for name, stream in streams(file, kind):
                    category = _category(PurePosixPath(name).name)
                    if packed and not self.is_selected(category, select):
                        continue
                    count = 0
                    for entry in _checked(_READERS[kind](stream, category), f"{name} in {file}"):
                        if entry is None:
                            where = f"{name} in {file.parent if name == file.name else file}"
                            bad[where] += 1
                            continue
                        label, key, item = entry
                        # The key is the drawing's own and its word: no matter where it lies.
                        if (label, key) in seen or not in_split(f"{label}/{key}", split):
                            continue
                        if self.is_selected(label, select):
                            seen.add((label, key))
                            yield label, item
                            count += 1
                            if kind != ".ndjson" and count == self.limit:  # all of one label
                                break
        if bad:
            where = "; ".join([*list(bad)[:3], *(["…"] if len(bad) > 3 else [])])
            text = f"{bad.total()} drawings of quickdraw cannot be read and are left out: {where}"
            warnings.warn(text, stacklevel=2)

    def _known(self, files: list[Path]) -> set[str]:
        packed = [f for f in files if f.suffix.lower() == ".zip"]
        inner = [name for file in packed for kind in _KINDS for name, _ in streams(file, kind)]
        plain = [file.name for file in files if file not in packed]
        return {_category(PurePosixPath(name).name) for name in [*plain, *inner]}


def _category(name: str) -> str:
    """The category that a file's name says."""
    stem = re.sub(r"\.\w+$", "", name).replace("%20", " ").replace("+", " ")
    return _PREFIX.sub("", stem, count=1)


def _checked(entries: Iterator[Any], where: str) -> Iterator[Any]:
    """The same entries; whatever a damaged file raises becomes a ValueError."""
    with damaged(where):
        yield from entries


def _drawings(stream: IO[bytes], category: str) -> Iterator[tuple[str, str, Any] | None]:
    """Label, key and lines of each recognised drawing; None for a line that is none."""
    while line := stream.readline(_LONGEST):
        if len(line) == _LONGEST and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):  # the rest of it
                line = stream.readline(_LONGEST)
            yield None
            continue
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            if entry["recognized"]:
                lines = [np.array(stroke[:2], float).T for stroke in entry["drawing"]]
                item = as_points(list(normalised(lines, _SHARE)))
                word, key = str(entry.get("word") or category), str(entry["key_id"])
                yield (word, key, item) if max(len(word), len(key)) <= _LETTERS else None
        except Exception:  # whatever a line of nobody's makes
            yield None


def _packed(stream: IO[bytes], category: str) -> Iterator[tuple[str, str, Any] | None]:
    """The same of the published binary files."""
    while head := stream.read(17):
        try:
            key, _, recognised, _, count = struct.unpack("<Q2sBIH", head)
            lines, left = [], MOST_POINTS
            for _ in range(count):
                (number,) = struct.unpack("<H", stream.read(2))
                left -= number
                if left < 0:
                    raise ValueError("no drawing has as many points")
                data = stream.read(2 * number)
                lines.append(np.frombuffer(data, np.uint8).reshape(2, number).T.astype(float))
            if recognised:
                yield category, str(key), as_points(list(normalised(lines, _SHARE)))
        except (ValueError, struct.error):
            yield None
            return  # nobody knows where the next one begins


def _bitmaps(stream: IO[bytes], category: str) -> Iterator[tuple[str, str, Any] | None]:
    """Label, number and picture of each bitmap."""
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):  # others are for more than plain bytes, and may have headers without end
        raise ValueError(f"it is of version {version} of NumPy's format, not (1, 0)")
    shape, fortran, kind = np.lib.format.read_array_header_1_0(stream)
    if fortran or kind != np.uint8 or len(shape) != 2 or shape[1] != 28 * 28:
        raise ValueError(f"its shape is {shape} and its type {kind}, not [N, 784] of bytes")
    for index in range(shape[0]):
        data = stream.read(28 * 28)
        if len(data) < 28 * 28:
            yield None
            return
        yield category, str(index), np.frombuffer(data, np.uint8).reshape(28, 28)


_READERS: dict[str, Read] = {".ndjson": _drawings, ".bin": _packed, ".npy": _bitmaps}
