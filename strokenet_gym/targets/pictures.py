"""Pictures as targets: arrays, files, lists and folders of them; each is fitted but once."""

from __future__ import annotations

import glob
import hashlib
import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from strokenet_gym.checks import array_of
from strokenet_gym.files import user_path
from strokenet_gym.kernels.canvas import Size, sides
from strokenet_gym.reading import shown
from strokenet_gym.stroke import is_tensor
from strokenet_gym.targets.cache import cache_folder, keep, kept
from strokenet_gym.targets.fitting import fit_image
from strokenet_gym.targets.images import (
    check_path,
    is_pil,
    load_image,
    look_at,
    read_image,
    suffixes,
)

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["ArrayTargets", "ImageFiles", "Pictures", "channels_of", "find_pictures"]

_VERSION = 3  # of how pictures are fitted; a new one leaves old files aside
_KEPT = 2**26  # bytes of fitted pictures that a source keeps in memory: the first that come
_LOOKS = 16  # images of a source that does not say whether it has colour
_READ = 2**25  # pixels of a folder's pictures that are read at once; of others the first bytes
_ASIDE = "@eaDir", "__MACOSX", "lost+found"  # folders of a system's own; others begin with a dot
_NAMED = 5  # of the files that cannot be read


class Pictures(ABC):
    """A number of pictures that do not change, sampled uniformly."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> np.ndarray:
        """The picture of that index, in a shape that :func:`fit_image` takes."""

    def __deepcopy__(self, memo: Any) -> Self:
        """Nothing in it changes: a copy is the same, so that specs do not copy the pictures."""
        return self

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """One of the pictures, uniformly at random."""
        return self[int(rng.integers(len(self)))]


class _FittedPictures(Pictures):
    """Pictures in sizes of their own, each of which is fitted to a canvas but once."""

    def __init__(self) -> None:
        self._fitted: dict[tuple, np.ndarray] = {}
        self._swept = False  # what killed processes left in the cache

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_fitted": {}}

    def sample_fitted(
        self, rngs: Sequence[np.random.Generator], size: Size, channels: int, background: np.ndarray
    ) -> np.ndarray:
        """A picture for each generator, see :class:`strokenet_gym.targets.Targets`."""
        fit = size, channels, background
        return np.stack([self._fitted_one(int(rng.integers(len(self))), *fit) for rng in rngs])

    def _fitted_one(
        self, index: int, size: Size, channels: int, background: np.ndarray
    ) -> np.ndarray:
        key = index, size, channels, background.tobytes()
        fitted = self._fitted.get(key)
        if fitted is None:
            fitted, lasting = self._fit(index, size, channels, background)
            if lasting and self._has_room(fitted):
                self._fitted[key] = fitted
        return fitted

    def _has_room(self, fitted: np.ndarray) -> bool:
        return fitted.nbytes * (len(self._fitted) + 1) <= _KEPT

    def _fit(self, index: int, *fit: Any) -> tuple[np.ndarray, bool]:
        """A fitted picture, and whether it may be kept as that one."""
        return fit_image(self[index], *fit), True


class ArrayTargets(_FittedPictures):
    """Targets from arrays: one image, or several sampled uniformly.

    Args:
        images: one image as :func:`fit_image` takes it (an array, a tensor, a PIL image), a list
            of such, or one array or tensor of several: ``[N, H, W]`` (grey), ``[N, H, W, 1 … 4]``
            or ``[N, 1 … 4, H, W]``.

    Raises:
        ValueError: if it is not one of these, or could be two of them: an array ``[3, H, W]`` may
            be an RGB image or three grey ones.

    Attributes:
        channels: 1 if all images are grey, 3 if one is in colour.
    """

    def __init__(self, images: Any) -> None:
        super().__init__()
        if is_pil(images):
            images = load_image(images)[None]
        elif is_tensor(images) or isinstance(images, np.ndarray):
            images = _one_or_several(array_of(images, "targets"))
        self.images = images
        if len(images) == 0:
            raise ValueError("expected an image, or several, got none")
        several = isinstance(images, (list, tuple))
        colours = [_is_colour(image) for image in (images if several else images[:1])]
        self.channels = 3 if any(colours) else 1
        if not several and images.dtype.kind == "f":
            low, high = float(images.min()), float(images.max())
            if not (low >= 0 and high <= 1):  # nor NaN
                raise ValueError(f"float pictures must be in 0 … 1, got {low:g} … {high:g}")

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> np.ndarray:
        image = self.images[index]
        return image if isinstance(image, np.ndarray) else load_image(image)


def _one_or_several(images: Any) -> Any:
    """An array of several images, from one of them or of several."""
    shape = tuple(images.shape)
    if len(shape) == 3 and shape[2] not in range(1, 5) and shape[0] in (2, 3, 4):
        count, height, width = shape
        kind = ("grey and opacity", "RGB", "RGBA")[count - 2]
        raise ValueError(
            f"an array of the shape {shape} may be one image ({kind}) or {count} grey ones: give "
            f"the one as [{height}, {width}, {count}] or [1, {count}, {height}, {width}], the "
            f"others as [{count}, {height}, {width}, 1]"
        )
    if len(shape) not in (2, 3, 4) or 0 in shape:
        raise ValueError(f"expected an image or a stack of images, got the shape {shape}")
    one = len(shape) == 2 or (len(shape) == 3 and (shape[2] in range(1, 5) or shape[0] == 1))
    return images[None] if one else images


class ImageFiles(_FittedPictures):
    """Targets from image files, which are looked at now and read when they are sampled.

    Fitted to a canvas they are kept in memory, 64 MB of them, and beyond that in the folder of
    prepared images, see :func:`strokenet_gym.targets.cache.cache_folder`.

    Args:
        files: a file; a folder, for all images in it and in its subfolders, but for hidden ones;
            or a list of files. Of several those that cannot be read are left out, with a warning.

    Attributes:
        files: those that are read.
        channels: 1 if all of them are grey, 3 if one is in colour.

    Raises:
        FileNotFoundError: if there is nothing there, or no image in the folder.
        ValueError: if nothing can be read.
    """

    def __init__(self, files: str | os.PathLike | Sequence[str | os.PathLike]) -> None:
        super().__init__()
        found, alone = _listed(files)
        self.files: list[Path] = []
        self._stats: list[tuple[int, int]] = []
        self.channels = 1
        unread, left = [], _READ
        for file in found:
            try:
                channels, count = look_at(file)
                left -= count
                if left > 0:
                    channels = 3 if _is_colour(file) else 1
                stat = file.stat()
            except (OSError, ValueError) as error:
                if alone:
                    raise
                unread.append(str(error))
                continue
            self.files.append(file)
            self._stats.append((stat.st_size, stat.st_mtime_ns))
            self.channels = max(self.channels, channels)
        if unread:
            listed = "; ".join(unread[:_NAMED]) + ("; …" if len(unread) > _NAMED else "")
            text = f"{len(unread)} of {len(found)} images cannot be read: {listed}"
            if not self.files:
                raise ValueError(text)
            warnings.warn(f"{text}. They are left out", stacklevel=2)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> np.ndarray:
        return read_image(self.files[index])

    def _fit(self, index: int, *fit: Any) -> tuple[np.ndarray, bool]:
        """A fitted picture in uint8, from the cache if it is there."""
        size, channels, background = fit
        file, stat = str(self.files[index].resolve()), self._stats[index]
        made_from = _VERSION, file, stat, channels, sides(size), *background
        key = hashlib.sha256(repr(made_from).encode()).hexdigest()[:32]
        path = cache_folder() / "pictures" / f"{key}.pixels"
        if found := kept(path):
            return found[0].copy(), True  # each that is mapped would keep its file open
        picture, own = self._read_or_next(index)
        pixels = np.rint(fit_image(picture, *fit) * 255).astype(np.uint8)
        if own and not self._has_room(pixels):
            keep(path, [pixels], self._swept)
            self._swept = True
        return pixels, own

    def _read_or_next(self, index: int) -> tuple[np.ndarray, bool]:
        """A picture and True, or the next one that can be read and False: training goes on."""
        for k in range(len(self)):
            try:
                return self[(index + k) % len(self)], k == 0
            except (OSError, ValueError) as error:
                if k + 1 == len(self):
                    raise
                warnings.warn(f"{error}. The next image takes its place", stacklevel=2)
        raise AssertionError


def find_pictures(pattern: str) -> list[str]:
    """The image files, but for hidden ones, that a pattern such as ``photos/*.jpg`` means."""
    known, names = suffixes(), glob.glob(str(user_path(pattern)), recursive=True)
    names = [n for n in names if os.path.splitext(n)[1].lower() in known and os.path.isfile(n)]
    if not names:
        raise FileNotFoundError(f"no image files match {shown(pattern)}")
    return sorted(names)


def _listed(files: Any) -> tuple[list[Path], bool]:
    """The files of a file, a folder or a list, and whether it is one file."""
    if not isinstance(files, (str, os.PathLike)):
        found = [check_path(file) for file in files]
        if not found:
            raise ValueError("expected paths of images, got none")
        return found, False
    path = check_path(files)
    if not path.exists():
        raise FileNotFoundError(f"no such file or folder: {shown(path)}")
    if not path.is_dir():
        return [path], True
    known, found = suffixes(), []
    for folder, inner, names in os.walk(path):
        inner[:] = [name for name in inner if name[0] != "." and name not in _ASIDE]
        plain = [Path(folder, name) for name in names if name[0] != "."]
        found += [file for file in plain if file.suffix.lower() in known]
    # A broken link is named; a folder or a pipe is not a picture file.
    found = sorted(file for file in found if file.is_file() or not file.exists())
    if not found:
        raise FileNotFoundError(f"no images ({', '.join(sorted(known))}) in {path}")
    return found, False


def channels_of(source: Any) -> int:
    """Colour channels of a source of targets, 1 or 3.

    That is what its attribute ``channels`` says, or else 3 if one of several random images is in
    colour.
    """
    if hasattr(source, "channels"):
        return int(source.channels)
    rng = np.random.default_rng(0)
    return 3 if any(_is_colour(source.sample(rng)) for _ in range(_LOOKS)) else 1


def _is_colour(image: Any) -> bool:
    return load_image(image).shape[2] > 2
