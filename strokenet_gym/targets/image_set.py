"""Data sets as images and drawings that are prepared once: splits, selections, and a cache."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import json
import os
import warnings
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from strokenet_gym.checks import whole
from strokenet_gym.files import check_memory, replace_file, user_path
from strokenet_gym.interrupts import shielded
from strokenet_gym.kernels.canvas import Size, sides
from strokenet_gym.messages import stderr
from strokenet_gym.targets.archives import find_data
from strokenet_gym.targets.cache import cache_folder
from strokenet_gym.targets.drawings import UNIT
from strokenet_gym.targets.fitting import fit_images
from strokenet_gym.targets.pictures import Pictures

__all__ = ["DATA_SETS", "ImageSet", "Item", "in_split"]

_VERSION = 3  # of what is kept; a new one leaves old files aside
_ITEM = 500  # bytes of memory for an item, beside what it shows: its key, its entries in tables
_TEST_SHARE = 26  # of 256
_BANK = 2**27  # bytes that the items of a set may take in the canvas' size, to be kept so
_BATCH = 8  # items wanted at once: for fewer, as in single environments, it is not worth memory
# What is kept, and of what type; the widest first, so that all of them are aligned.
_ARRAYS = {"lines": "<i8", "drawings": "<i8", "codes": "<u4", "points": "<i2", "images": "|u1"}

# A label, and an image uint8 [S, S], or lines as drawings.as_points() gives them.
Item = tuple[str, "np.ndarray | list[np.ndarray]"]
DATA_SETS: dict[str, type[ImageSet]] = {}  # a class enters itself


class ImageSet(Pictures):
    """Grey images or drawings of a data set, prepared once for all canvas sizes.

    A subclass says what its published files are (``name``, ``patterns``, ``addresses``), which
    labels a selection means (``is_a``), and prepares the items (``_prepare``): images in a size of
    their own, or drawings as lines. Both get the canvas' size when they are sampled; those sampled
    in batches are kept so, if the whole set takes at most 128 MiB. This class keeps them as they
    are on disk, see :func:`strokenet_gym.targets.cache.cache_folder`. The subclass is entered in
    :data:`DATA_SETS`, and ``targets="NAME"`` means it.

    Args:
        data_dir: folder with the published files, or one that has them in a subfolder of the data
            set's name.
        split: "train" or "test".
        size: width and height of the images in pixels.
        select: labels of the images to take, in any case; all if empty.
        limit: take at most so many of each label, the first ones.

    Attributes:
        images: uint8 ``[N, S, S]``, white on black, as they are kept. Not to be changed.
        labels: what each item shows, str ``[N]``: those of the images, then those of the drawings.
        name: of the set; of a subclass, as all that follows.
        patterns: of its files, in any case: those of the first pattern that matches any are taken.
        addresses: of its files, with their checksums, None where they change or have none.
        category_address: of a file with ``{category}`` in it, for a set that has one for each.
        share: of the canvas' width that an image fills.
        line_width: of drawings, where the canvas is 1 wide.
        version: of how they are prepared: another one has them prepared anew.

    Raises:
        FileNotFoundError: if the published files are missing; the message names the command that
            fetches them.
        ValueError: if a file is damaged, the split unknown, or nothing is selected.
    """

    name: ClassVar[str]
    patterns: ClassVar[tuple[str, ...]] = ()
    addresses: ClassVar[dict[str, str | None]] = {}
    category_address: ClassVar[str | None] = None
    share: ClassVar[float] = 1.0
    line_width: ClassVar[float] = 0.03
    version: ClassVar[int] = 1
    channels = 1

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        name = cls.__dict__.get("name")
        if not isinstance(name, str):
            raise TypeError(f"the data set {cls.__name__} needs an attribute name")
        taken = DATA_SETS.get(name, cls)
        if (taken.__module__, taken.__qualname__) != (cls.__module__, cls.__qualname__):
            raise TypeError(f"the name {name!r} of {cls.__name__} is {taken.__name__}'s already")
        if not 0 < cls.share <= 1:
            raise ValueError(f"share must be above 0 and at most 1, got {cls.share}")
        DATA_SETS[name] = cls

    def __init__(
        self,
        data_dir: str | os.PathLike,
        split: str = "train",
        size: int = 128,
        select: Sequence[str] = (),
        limit: int | None = None,
    ) -> None:
        self._arguments = data_dir, split, size, tuple(select), limit
        self.size = size = whole(size, "size", 1, 2**16)
        self.limit = limit = None if limit is None else whole(limit, "limit", 1, 2**40)
        if split not in ("train", "test"):
            raise ValueError(f"unknown split {split!r} of {self.name}; known: train, test")
        folder = user_path(data_dir)
        files = self._find(folder, split, select)
        stats = [(str(file), *_stat(file)) for file in files]
        wanted = sorted(label.casefold() for label in select)
        key = json.dumps([_VERSION, self.version, split, wanted, limit, stats])
        path = (
            cache_folder() / f"{self.name}-{hashlib.sha256(key.encode()).hexdigest()[:20]}.prepared"
        )
        if not self._open(path):
            print(
                f"strokenet_gym: preparing {self.name}, {split} (once; kept in {path.parent})",
                file=stderr(),
            )
            self._make(_counted(self._prepare(files, split, select), limit), path)
        self._warn_of_unknown(folder, split, select)
        if len(self.labels) == 0:
            what = f" of {', '.join(select)}" if select else ""
            raise ValueError(f"{self.name} has no {split} images{what} in {data_dir}")
        # In the canvas' size, as they come; memory is taken for those that have come.
        kept = len(self) if len(self) * size**2 <= _BANK else 0
        self._bank, self._banked = np.empty((kept, size, size), np.uint8), np.zeros(kept, bool)

    def _warn_of_unknown(self, folder: Path, split: str, select: Sequence[str]) -> None:
        names = np.unique(self.labels).tolist()
        for label in select:
            if any(self.is_a(name, label) for name in names):
                continue
            known_ones = [*self._known(self._find(folder, split, ())), *names]
            known = {name.casefold(): name for name in known_ones}
            near = difflib.get_close_matches(label.casefold(), known, 3)
            meant = " or ".join(repr(known[name]) for name in near)
            text = f"{self.name} has no {split} images of {label!r}"
            warnings.warn(f"{text}; did you mean {meant}?" if near else text, stacklevel=3)

    def _known(self, files: list[Path]) -> Iterable[str]:
        """Labels that somebody may have meant, as far as names of files say them."""
        return ()

    def _open(self, path: Path) -> bool:
        """Open what was prepared earlier, if it is there, whole and what it was."""
        try:
            with path.open("rb") as file:
                header = json.loads(file.readline(2**24))
                begin = file.tell()
            data = np.memmap(path, np.uint8, "r", offset=begin).view(np.ndarray)
            if header.pop("crc") != _checksum(header, [data]):
                return False
            self._take(data, header)
        except Exception:  # not there, empty, or damaged in any way: it is prepared again
            return False
        return True

    def _take(self, data: np.ndarray, header: dict[str, Any]) -> None:
        """Take what was prepared from its bytes."""
        found, start = {}, 0
        for name, kind in _ARRAYS.items():
            stop = start + header["bytes"][name]
            found[name], start = data[start:stop].view(kind), stop
        side = header["side"]
        self._names: list[str] = [str(name) for name in header["names"]]
        self.labels = (
            np.array(self._names, str)[found["codes"]] if self._names else np.array([], str)
        )
        self.images = found["images"].reshape(-1, side, side)
        self._points = found["points"].reshape(-1, 2)
        self._lines, self._drawings = found["lines"], found["drawings"]
        if len(self.labels) != len(self.images) + len(self._drawings) - 1:
            raise ValueError("labels and items differ in number")

    def _make(self, items: Iterable[Item], path: Path) -> None:
        """Prepare the items, and keep them in a file, or in memory where no file can be kept.

        The file appears whole, so that two processes may prepare the same.
        """
        names: dict[str, int] = {}
        codes: tuple[array, array] = array("I"), array("I")  # of images, of drawings
        images, points, side = bytearray(), bytearray(), 1
        lines, drawings = array("q", [0]), array("q", [0])
        longest = 0
        for count, (label, item) in enumerate(items):
            longest = max(longest, len(label))
            needed = (_ITEM + 4 * longest) * count + 16 * len(lines)
            what = f"preparing {self.name} (less with fewer labels, or limit=)"
            check_memory(what, needed + 3 * (len(points) + len(images)))
            code = names.setdefault(label, len(names))
            if isinstance(item, list):
                codes[1].append(code)
                for line in item:
                    points += line.astype("<i2").tobytes()
                    lines.append(len(points) // 4)
                drawings.append(len(lines) - 1)
                continue
            codes[0].append(code)
            side = len(item) if not images else side
            if item.shape != (side, side) or item.dtype != np.uint8:
                raise ValueError(
                    f"images of {self.name} must be uint8 of one size, got {item.dtype} of "
                    f"{item.shape} after {side}"
                )
            images += item.tobytes()
        found: dict[str, Any] = {
            "lines": np.array(lines, "<i8").tobytes(),
            "drawings": np.array(drawings, "<i8").tobytes(),
            "codes": np.array(codes[0] + codes[1], "<u4").tobytes(),
            "points": points,
            "images": images,
        }
        parts = [found[name] for name in _ARRAYS]
        header: dict[str, Any] = {"side": side, "names": list(names)}
        header["bytes"] = {name: len(part) for name, part in found.items()}
        text = json.dumps(header | {"crc": _checksum(header, parts)})
        text += " " * (-(len(text) + 1) % 8) + "\n"
        with contextlib.suppress(OSError):  # no folder, or a full disk
            if names:
                with replace_file(path) as new, new.open("wb") as file:
                    file.writelines([text.encode(), *parts])
                if self._open(path):
                    return
        self._take(np.frombuffer(b"".join(parts), np.uint8), header)

    def _find(self, data_dir: Path, split: str, select: Sequence[str]) -> list[Path]:
        """The published files that a split, or a selection of it, is made of."""
        return find_data(type(self), data_dir, *self.patterns)

    def _prepare(self, files: list[Path], split: str, select: Sequence[str]) -> Iterator[Item]:
        """The items of a split, or of those labels of it; more than ``limit`` may come."""
        raise NotImplementedError

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy in another process opens the same files."""
        return type(self), self._arguments

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> np.ndarray:
        """The item of that index, float32 ``[size, size]`` in 0 … 1."""
        (image,) = self._placed(np.array([range(len(self))[index]]))
        return image.astype(np.float32) / 255

    def _placed(self, indices: np.ndarray) -> np.ndarray:
        """The items of these indices in the canvas' size, uint8 ``[N, size, size]``."""
        if len(self._bank) == 0 or len(indices) < _BATCH:
            return self._drawn(indices)
        missing = np.unique(indices[~self._banked[indices]])
        if len(missing) > 0:
            self._bank[missing] = self._drawn(missing)
            self._banked[missing] = True
        return self._bank[indices]

    def _drawn(self, indices: np.ndarray) -> np.ndarray:
        """The same, made anew."""
        from strokenet_gym.targets.filling import place, trace  # compiled kernels

        drawn = indices >= len(self.images)
        extent = max(1, round(self.size * self.share))
        kept = self._points, self._lines, self._drawings, indices[drawn] - len(self.images)
        if drawn.all():
            return trace(*kept, self.size / UNIT, self.size * self.line_width, self.size)
        if not drawn.any():
            return place(self.images, indices, extent, self.size)
        placed = np.empty((len(indices), self.size, self.size), np.uint8)
        placed[drawn] = trace(*kept, self.size / UNIT, self.size * self.line_width, self.size)
        placed[~drawn] = place(self.images, indices[~drawn], extent, self.size)
        return placed

    @staticmethod
    def is_a(label: str, selected: str) -> bool:
        """Whether a label is what somebody selected."""
        return label.casefold() == selected.casefold()

    @classmethod
    def is_selected(cls, label: str, select: Sequence[str]) -> bool:
        """Whether a label is among those that somebody selected; all are if it is empty."""
        return not select or any(cls.is_a(label, one) for one in select)

    def sample_fitted(
        self,
        rngs: Sequence[np.random.Generator],
        size: Size,
        channels: int,
        background: np.ndarray,
    ) -> np.ndarray:
        """A random image for each generator, see :class:`strokenet_gym.targets.Targets`."""
        if sides(size) != (self.size, self.size):
            return fit_images(map(self.sample, rngs), size, channels, background)
        count = len(self)
        return self._placed(np.array([rng.integers(count) for rng in rngs]))[:, None]


def _stat(file: Path) -> tuple[int, int, int]:
    """Number, size and newest time of a file, or of those in a folder: what a change changes."""
    files = [file, *(file.rglob("*") if file.is_dir() else ())]
    stats = [one.stat() for one in files if one.exists()]  # no broken links
    return len(files), sum(s.st_size for s in stats), max(s.st_mtime_ns for s in stats)


def _checksum(header: dict[str, Any], parts: Iterable[Any]) -> int:
    """Of all that is kept: the header without it, and what follows."""
    crc = zlib.crc32(json.dumps(header).encode())
    for part in parts:
        crc = zlib.crc32(part, crc)
    return crc


def _counted(items: Iterator[Item], limit: int | None) -> Iterator[Item]:
    """The items up to the limit of each label, with a bar that says how many there are."""
    counts: dict[str, int] = {}
    with shielded():
        from tqdm import tqdm  # takes its time

    with tqdm(unit=" items", disable=None, leave=False, file=stderr()) as bar:
        for label, item in items:
            counts[label] = counts.get(label, 0) + 1
            if limit is None or counts[label] <= limit:
                yield label, item
            bar.update()


def in_split(key: str, split: str) -> bool:
    """Whether an item belongs to a split, by a hash of its key: a tenth of them to "test"."""
    return (hashlib.sha256(key.encode()).digest()[0] < _TEST_SHARE) == (split == "test")
