"""Data sets as images that are prepared once: splits, selections, and a cache on disk."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import os
import sys
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, ClassVar

import cv2
import numpy as np

from strokenet_gym.programs.base import Size, sides
from strokenet_gym.targets.images import fit_images
from strokenet_gym.targets.pictures import Pictures

__all__ = [
    "DATA_SETS",
    "ImageSet",
    "Item",
    "find_data",
    "in_split",
    "members",
    "normalised",
    "on_canvas",
    "rasterise",
]

_VERSION = 1  # of the prepared images; a new one leaves old files aside
_TEST_SHARE = 26  # of 256
_OVERSAMPLING = 2

Item = tuple[str, np.ndarray]  # a label, and an image uint8 [size, size]
DATA_SETS: dict[str, type[ImageSet]] = {}  # a class enters itself


class ImageSet(Pictures):
    """Grey images of a data set, prepared for one canvas size.

    A subclass says what its published files are (``name``, ``patterns``, ``addresses``), which
    labels a selection means (``is_a``), and prepares the images (``_prepare``); this class keeps
    them on disk, in the folder that the environment variable STROKENET_CACHE names, or in the
    user's cache. The subclass is entered in :data:`DATA_SETS`, and ``targets="NAME"`` means it.

    Args:
        data_dir: folder with the published files, or one that has them in a subfolder of the data
            set's name.
        split: "train" or "test".
        size: width and height of the images in pixels.
        select: labels of the images to take; all if empty.

    Attributes:
        images: uint8 ``[N, S, S]``, white on black, as they are kept: in the canvas' size, or in
            their own where that is small; indexing gives them in the canvas' size. Not to be
            changed.
        labels: what each image shows, str ``[N]``.
        name: of the set; of a subclass, as all that follows.
        patterns: of its files: those of the first pattern that matches any are taken.
        addresses: of its files, with their checksums, None where they change or have none.
        category_address: of a file with ``{category}`` in it, for a set that has one for each.
        kept_size: of the images on disk in pixels; None for the canvas'.
        share: of the canvas' width that they fill, if they have a size of their own.
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
    kept_size: ClassVar[int | None] = None
    share: ClassVar[float] = 1.0
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
        DATA_SETS[name] = cls

    def __init__(
        self,
        data_dir: str | os.PathLike,
        split: str = "train",
        size: int = 128,
        select: Sequence[str] = (),
    ) -> None:
        self._arguments = data_dir, split, size, tuple(select)
        self.size = size
        if split not in ("train", "test"):
            raise ValueError(f"unknown split {split!r} of {self.name}; known: train, test")
        files = self._find(Path(data_dir), split)
        stats = [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
        kept = self.kept_size or size
        key = hashlib.sha256(
            json.dumps([_VERSION, self.version, split, kept, *select, stats]).encode()
        )
        folder = _cache_folder()
        path = folder / f"{self.name}-{key.hexdigest()[:20]}"
        if not self._open(path, kept):
            print(
                f"strokenet_gym: preparing {self.name}, {split} (once; kept in {folder})",
                file=sys.stderr,
            )
            self._make(self._prepare(files, split, kept, select), path, kept)
        for label in select:
            if not any(self.is_a(found, label) for found in np.unique(self.labels)):
                warnings.warn(f"{self.name} has no {split} images of {label!r}", stacklevel=2)
        if len(self.labels) == 0:
            what = f" of {', '.join(select)}" if select else ""
            raise ValueError(f"{self.name} has no {split} images{what} in {data_dir}")

    def _open(self, path: Path, kept: int) -> bool:
        """Open what was prepared earlier, if it is there and whole."""
        try:
            self.labels = np.array(json.loads(path.with_suffix(".json").read_text()), str)
            shape = len(self.labels), kept, kept
            if path.with_suffix(".images").stat().st_size != math.prod(shape):
                return False
            images = np.memmap(path.with_suffix(".images"), np.uint8, "r", shape=shape)
            self.images = images.view(np.ndarray)  # which is faster to index
        except (OSError, ValueError):  # not there, damaged, or empty
            return False
        return True

    def _make(self, items: Iterator[Item], path: Path, kept: int) -> None:
        """Prepare the images, in a file as they come, or in memory where no file can be kept.

        A file appears whole, so that two processes may prepare the same.
        """
        new = path.with_name(f"{path.name}-{os.getpid()}.new")
        labels: list[str] = []
        with contextlib.ExitStack() as stack:
            stack.callback(new.unlink, missing_ok=True)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                file: IO[bytes] = stack.enter_context(new.open("w+b"))
                kept_on_disk = True
            except OSError:
                file, kept_on_disk = io.BytesIO(), False
                stack.pop_all()
            for label, image in items:
                labels.append(label)
                file.write(image.tobytes())
            file.flush()
            if kept_on_disk and labels:
                os.replace(new, path.with_suffix(".images"))
                new.write_text(json.dumps(labels))
                os.replace(new, path.with_suffix(".json"))
                if self._open(path, kept):
                    return
            file.seek(0)
            self.labels = np.array(labels, str)
            self.images = np.frombuffer(file.read(), np.uint8).reshape(-1, kept, kept)

    def _find(self, data_dir: Path, split: str) -> list[Path]:
        """The published files that a split is made of."""
        return find_data(type(self), data_dir, *self.patterns)

    def _prepare(
        self, files: list[Path], split: str, size: int, select: Sequence[str]
    ) -> Iterator[Item]:
        """The images of a split, or of those labels of it."""
        raise NotImplementedError

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy in another process opens the same files."""
        return type(self), self._arguments

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> np.ndarray:
        """The image of that index, float32 ``[size, size]`` in 0 … 1."""
        (image,) = self._placed(np.array([range(len(self))[index]]))
        return image.astype(np.float32) / 255

    def _placed(self, indices: np.ndarray) -> np.ndarray:
        """The images of these indices in the canvas' size, uint8 ``[N, size, size]``."""
        if self.kept_size is None:
            return self.images[indices]
        from strokenet_gym.targets.filling import place  # compiled kernels

        return place(self.images, indices, max(1, round(self.size * self.share)), self.size)

    @staticmethod
    def is_a(label: str, selected: str) -> bool:
        """Whether a label is what somebody selected."""
        return label == selected

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
        return self._placed(np.array([rng.integers(len(self)) for rng in rngs]))[:, None]


def _cache_folder() -> Path:
    """The folder in the environment variable STROKENET_CACHE, or one in the user's cache."""
    for variable, rest in (("STROKENET_CACHE", ""), ("XDG_CACHE_HOME", "strokenet_gym/targets")):
        if os.environ.get(variable):
            return Path(os.environ[variable]) / rest
    return Path(os.path.expanduser("~")) / ".cache" / "strokenet_gym" / "targets"


def find_data(data_set: type[ImageSet], data_dir: Path, *patterns: str) -> list[Path]:
    """Files of a data set in a folder, or in its subfolder of the data set's name.

    Args:
        data_set: the data set.
        data_dir: the folder.
        patterns: the files of the first one that matches any are taken.

    Raises:
        FileNotFoundError: if there are none; the message names the command that fetches them.
    """
    name = data_set.name
    for pattern in patterns:
        for folder in (data_dir / name, data_dir):
            files = sorted(folder.glob(pattern))
            if files:
                return files
    fetch = ""
    if data_set.addresses or data_set.category_address:
        more = " with the --categories that you want" if data_set.category_address else ""
        fetch = f"run `strokenet-gym download {name} --to {data_dir}`{more}, or "
    raise FileNotFoundError(
        f"{name} needs {' or '.join(patterns)} in {data_dir} or {data_dir / name}: {fetch}"
        "pass data_dir=… or set STROKENET_DATA to the folder that has it"
    )


def in_split(key: str, split: str) -> bool:
    """Whether an item belongs to a split, by a hash of its key: a tenth of them to "test"."""
    return (hashlib.sha256(key.encode()).digest()[0] < _TEST_SHARE) == (split == "test")


def rasterise(lines: Iterable[np.ndarray], size: int, width: float) -> np.ndarray:
    """Draw lines with round ends, white on black, with anti-aliasing.

    Args:
        lines: ``[K, 2]`` each: x, y in 0 … 1, y down. A single point is a dot.
        size: width and height of the image in pixels.
        width: of the lines, where the image has 1.

    Returns:
        uint8 ``[size, size]``.
    """
    large, bits = size * _OVERSAMPLING, 4
    image = np.zeros((large, large), np.uint8)
    thickness = max(1, round(width * large))
    for line in lines:
        points = np.rint((line * large - 0.5) * 2**bits).astype(np.int32)
        if len(np.unique(points, axis=0)) == 1:
            radius = thickness * 2**bits // 2
            cv2.circle(image, points[0].tolist(), radius, 255, -1, cv2.LINE_AA, bits)
        else:
            cv2.polylines(image, [points], False, 255, thickness, cv2.LINE_AA, bits)
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)


def members(file: Path, suffix: str) -> Iterator[tuple[str, bytes]]:
    """Names and contents of a zip's files with that suffix, by name.

    Raises:
        ValueError: if the zip is damaged.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            for name in sorted(archive.namelist()):
                if name.endswith(suffix):
                    yield name, archive.read(name)
    except (zipfile.BadZipFile, EOFError) as error:
        raise ValueError(f"{file} is damaged: {error}") from error


def on_canvas(picture: np.ndarray, size: int, share: float) -> np.ndarray:
    """Resize a square picture to a share of the canvas, with anti-aliasing, and centre it.

    Args:
        picture: uint8 ``[S, S]``.
        size: width and height of the canvas in pixels.
        share: of the canvas' width.

    Returns:
        uint8 ``[size, size]``.
    """
    extent = max(1, round(size * share))
    method = cv2.INTER_CUBIC if extent > picture.shape[0] else cv2.INTER_AREA
    image = np.zeros((size, size), np.uint8)
    start = (size - extent) // 2
    resized = cv2.resize(picture, (extent, extent), interpolation=method)
    image[start : start + extent, start : start + extent] = resized
    return image


def normalised(lines: Sequence[np.ndarray], share: float) -> Iterator[np.ndarray]:
    """Lines moved and scaled so that they are centred and their longer side is ``share``."""
    points = np.concatenate(lines)
    low, high = points.min(0), points.max(0)
    extent = max(float((high - low).max()), 1e-9)
    for line in lines:
        yield (line - (low + high) / 2) * (share / extent) + 0.5
