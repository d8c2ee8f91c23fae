"""Data sets as images and drawings that are prepared once: splits, selections, and a cache."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import warnings
from abc import ABC, abstractmethod
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from strokenet_gym.checks import whole
from strokenet_gym.files import check_memory, user_path
from strokenet_gym.interrupts import shielded
from strokenet_gym.kernels.canvas import Size, sides
from strokenet_gym.messages import stderr
from strokenet_gym.targets.archives import find_data
from strokenet_gym.targets.cache import cache_folder, keep, kept
from strokenet_gym.targets.drawings import UNIT
from strokenet_gym.targets.fitting import fit_images
from strokenet_gym.targets.pictures import Pictures

__all__ = ["DATA_SETS", "ImageSet", "Item", "in_split"]

_VERSION = 4  # of what is kept; a new one leaves old files aside
_ITEM = 500  # bytes of memory for an item, beside what it shows: its key, its entries in tables
_TEST_SHARE = 26  # of 256
_BANK = 2**27  # bytes that the items of a set may take in the canvas' size, to be kept so
_BATCH = 8  # items wanted at once: for fewer, as in single environments, it is not worth memory

# A label, and an image uint8 [S, S], or lines as drawings.as_points() gives them.
Item = tuple[str, "np.ndarray | list[np.ndarray]"]
DATA_SETS: dict[str, type[ImageSet]] = {}  # a class enters itself


class ImageSet(Pictures, ABC):
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
        if not isinstance(name := cls.__dict__.get("name"), str):
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
        digest = hashlib.sha256(key.encode()).hexdigest()[:20]
        path = cache_folder() / f"{self.name}-{digest}.prepared"
        found = kept(path)
        if found is None:
            text = f"preparing {self.name}, {split} (once; kept in {path.parent})"
            print(f"strokenet_gym: {text}", file=stderr())
            found = self._made(_counted(self._prepare(files, split, select), limit))
            if len(found[2]) > 0:
                keep(path, found)
                found = kept(path) or found  # mapped, so that processes share them
        self._lines, self._drawings, self.labels, self._points, self.images = found
        self._warn_of_unknown(folder, split, select)
        if len(self) == 0:
            what = f" of {', '.join(select)}" if select else ""
            raise ValueError(f"{self.name} has no {split} images{what} in {data_dir}")
        # In the canvas' size, as they come; memory is taken for those that have come.
        count = len(self) if len(self) * size**2 <= _BANK else 0
        self._bank, self._banked = np.empty((count, size, size), np.uint8), np.zeros(count, bool)

    def _find(self, data_dir: Path, split: str, select: Sequence[str]) -> list[Path]:
        """The published files that a split, or a selection of it, is made of."""
        return find_data(type(self), data_dir, *self.patterns)

    @abstractmethod
    def _prepare(self, files: list[Path], split: str, select: Sequence[str]) -> Iterator[Item]:
        """The items of a split, or of those labels of it; more than ``limit`` may come."""

    def _known(self, files: list[Path]) -> Iterable[str]:
        """Labels that somebody may have meant, as far as names of files say them."""
        return ()

    @staticmethod
    def is_a(label: str, selected: str) -> bool:
        """Whether a label is what somebody selected."""
        return label.casefold() == selected.casefold()

    @classmethod
    def is_selected(cls, label: str, select: Sequence[str]) -> bool:
        """Whether a label is among those that somebody selected; all are if it is empty."""
        return not select or any(cls.is_a(label, one) for one in select)

    def _made(self, items: Iterable[Item]) -> list[np.ndarray]:
        """What is kept of the items: where lines begin among the points, and drawings among the
        lines, with the end; labels; points int16 ``[P, 2]``; images uint8 ``[N, S, S]``.
        """
        names: dict[str, str] = {}
        labels: tuple[list[str], list[str]] = [], []  # of images, of drawings
        images, points, side = bytearray(), bytearray(), 1
        lines, drawings = array("q", [0]), array("q", [0])
        longest = 0
        for count, (label, item) in enumerate(items):
            longest = max(longest, len(label))
            needed = (_ITEM + 4 * longest) * count + 16 * len(lines)
            what = f"preparing {self.name} (less with fewer labels, or limit=)"
            check_memory(what, needed + 3 * (len(points) + len(images)))
            labels[isinstance(item, list)].append(names.setdefault(label, label))
            if isinstance(item, list):
                for line in item:
                    points += line.astype("<i2").tobytes()
                    lines.append(len(points) // 4)
                drawings.append(len(lines) - 1)
                continue
            side = len(item) if not images else side
            if item.shape != (side, side) or item.dtype != np.uint8:
                raise ValueError(
                    f"images of {self.name} must be uint8 of one size, got {item.dtype} of "
                    f"{item.shape} after {side}"
                )
            images += item.tobytes()
        made = [
            np.array(lines, np.int64),
            np.array(drawings, np.int64),
            np.array(labels[0] + labels[1], str),
            np.frombuffer(points, "<i2").reshape(-1, 2),
            np.frombuffer(images, np.uint8).reshape(-1, side, side),
        ]
        for part in made:
            part.flags.writeable = False  # as what is mapped: else kernels are compiled once more
        return made

    def _warn_of_unknown(self, folder: Path, split: str, select: Sequence[str]) -> None:
        names = np.unique(self.labels).tolist()
        for label in select:
            if not any(self.is_a(name, label) for name in names):
                known = [*self._known(self._find(folder, split, ())), *names]
                plain = {name.casefold(): repr(name) for name in known}
                near = [plain[n] for n in difflib.get_close_matches(label.casefold(), plain, 3)]
                meant = f"; did you mean {' or '.join(near)}?" if near else ""
                text = f"{self.name} has no {split} images of {label!r}{meant}"
                warnings.warn(text, stacklevel=3)

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy in another process opens the same files."""
        return type(self), self._arguments

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> np.ndarray:
        """The item of that index, float32 ``[size, size]`` in 0 … 1."""
        (image,) = self._placed(np.array([range(len(self))[index]]))
        return image.astype(np.float32) / 255

    def sample_fitted(
        self, rngs: Sequence[np.random.Generator], size: Size, channels: int, background: np.ndarray
    ) -> np.ndarray:
        """A random image for each generator, see :class:`strokenet_gym.targets.Targets`."""
        if sides(size) != (self.size, self.size):
            return fit_images(map(self.sample, rngs), size, channels, background)
        count = len(self)
        return self._placed(np.array([rng.integers(count) for rng in rngs]))[:, None]

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
        if drawn.all():
            which, width = indices - len(self.images), self.size * self.line_width
            drawings = self._points, self._lines, self._drawings, which
            return trace(*drawings, self.size / UNIT, width, self.size)
        if not drawn.any():
            return place(self.images, indices, max(1, round(self.size * self.share)), self.size)
        placed = np.empty((len(indices), self.size, self.size), np.uint8)
        placed[drawn], placed[~drawn] = self._drawn(indices[drawn]), self._drawn(indices[~drawn])
        return placed


def _stat(file: Path) -> tuple[int, int, int]:
    """Number, size and newest time of a file, or of those in a folder: what a change changes."""
    files = [file, *(file.rglob("*") if file.is_dir() else ())]
    stats = [one.stat() for one in files if one.exists()]  # no broken links
    return len(files), sum(s.st_size for s in stats), max(s.st_mtime_ns for s in stats)


def _counted(items: Iterator[Item], limit: int | None) -> Iterator[Item]:
    """The items up to the limit of each label, with a bar that says how many there are."""
    counts: Counter[str] = Counter()
    with shielded():
        from tqdm import tqdm  # takes its time

    with tqdm(unit=" items", disable=None, leave=False, file=stderr()) as bar:
        for label, item in items:
            counts[label] += 1
            if limit is None or counts[label] <= limit:
                yield label, item
            bar.update()


def in_split(key: str, split: str) -> bool:
    """Whether an item belongs to a split, by a hash of its key: a tenth of them to "test"."""
    return (hashlib.sha256(key.encode()).digest()[0] < _TEST_SHARE) == (split == "test")
