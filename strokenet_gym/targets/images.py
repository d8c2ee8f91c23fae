"""Images as targets: one, a folder of them, or an array; and how any image fits on the canvas."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from strokenet_gym.programs.base import Size, sides

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "ArrayTargets",
    "ImageFolder",
    "Pictures",
    "channels_of",
    "fit_image",
    "fit_images",
    "read_image",
]

_KEPT = 2**26  # bytes of fitted pictures that a source keeps: the first that come
_LOOKS = 16  # images of a source that does not say whether it has colour
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


def read_image(path: str | Path) -> np.ndarray:
    """Read an image file.

    Returns:
        uint8 ``[H, W]`` (grey) or ``[H, W, 3]`` (RGB).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not an image that OpenCV can read.
    """
    path = Path(path)
    data = np.frombuffer(path.read_bytes(), np.uint8)
    # 8 bits, grey or colour, without the alpha channel
    image = cv2.imdecode(data, cv2.IMREAD_ANYCOLOR) if data.size else None
    if image is None:
        raise ValueError(f"cannot read {path} as an image: damaged, or an unknown format")
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def fit_image(image: np.ndarray, size: Size, channels: int, background: np.ndarray) -> np.ndarray:
    """Bring an image to the canvas: resized with anti-aliasing, centred, padded.

    Args:
        image: ``[H, W]``, ``[H, W, 1 or 3]`` or ``[1 or 3, H, W]``; uint8, or float in 0 … 1.
        size: side of the canvas in pixels, or height and width.
        channels: 1 (grey) or 3 (RGB); the image is converted.
        background: ``[channels]``, fills what the image leaves free.

    Returns:
        float32 ``[channels, H, W]`` in 0 … 1.

    Raises:
        ValueError: if the shape or a value is not one of these.
    """
    image = np.asarray(image)
    if image.ndim == 3 and image.shape[0] in (1, 3) and image.shape[-1] not in (1, 3):
        image = np.moveaxis(image, 0, -1)
    if image.ndim not in (2, 3) or image.size == 0 or image.shape[2:] not in ((), (1,), (3,)):
        raise ValueError(
            "a target must have the shape [H, W], [H, W, 1 or 3] or [1 or 3, H, W], "
            f"got {image.shape}"
        )
    if image.dtype == np.uint8:
        image = image.astype(np.float32) / 255
    elif image.dtype.kind == "f":
        image = image.astype(np.float32)
        if not (np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1):
            raise ValueError(
                f"a float target must be in 0 … 1, got {image.min():g} … {image.max():g}"
            )
    else:
        raise ValueError(f"a target must be uint8 or float, got dtype {image.dtype}")
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if image.ndim == 3 and channels == 1:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)

    height, width = image.shape[:2]
    rows, columns = sides(size)
    scale = min(rows / height, columns / width)
    if scale != 1:
        extent = (max(1, round(width * scale)), max(1, round(height * scale)))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        image = np.clip(cv2.resize(image, extent, interpolation=method), 0, 1)
        height, width = image.shape[:2]
    if image.ndim == 2:
        image = image[:, :, None]  # grey fills all channels
    fitted = np.empty((channels, rows, columns), np.float32)
    fitted[:] = background[:, None, None]
    top, left = (rows - height) // 2, (columns - width) // 2
    fitted[:, top : top + height, left : left + width] = np.moveaxis(image, -1, 0)
    return fitted


def fit_images(
    images: Iterable[np.ndarray], size: Size, channels: int, background: np.ndarray
) -> np.ndarray:
    """A batch of images brought to the canvas by :func:`fit_image`."""
    return np.stack([fit_image(image, size, channels, background) for image in images])


def channels_of(source: Any) -> int:
    """Colour channels of a source of targets: what it says, or else what its images have.

    Args:
        source: an object with ``sample(rng)``, and perhaps ``channels``.

    Returns:
        1 or 3: of several random images 3 if one is in colour, for a source that does not say.
    """
    if hasattr(source, "channels"):
        return int(source.channels)
    rng = np.random.default_rng(0)
    return 3 if any(_is_colour(source.sample(rng)) for _ in range(_LOOKS)) else 1


def _is_colour(image: np.ndarray) -> bool:
    shape = np.shape(image)
    return len(shape) == 3 and 3 in (shape[0], shape[-1])


class Pictures(ABC):
    """A number of pictures that do not change, sampled uniformly."""

    @abstractmethod
    def __len__(self) -> int:
        """How many there are."""

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

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_fitted": {}}

    def sample_fitted(
        self,
        rngs: Sequence[np.random.Generator],
        size: Size,
        channels: int,
        background: np.ndarray,
    ) -> np.ndarray:
        """A picture for each generator, see :class:`strokenet_gym.targets.Targets`."""
        batch = np.empty((len(rngs), channels, *sides(size)), np.float32)
        for target, rng in zip(batch, rngs, strict=True):
            index = int(rng.integers(len(self)))
            key = index, size, channels, background.tobytes()
            fitted = self._fitted.get(key)
            if fitted is None:
                fitted = fit_image(self[index], size, channels, background)
                if fitted.nbytes * (len(self._fitted) + 1) <= _KEPT:
                    self._fitted[key] = fitted
            target[:] = fitted
        return batch


class ArrayTargets(_FittedPictures):
    """Targets from an array: one image, or a stack of them sampled uniformly.

    Args:
        array: one image in a shape that :func:`fit_image` takes, or ``[N, …]`` of them. Three
            dimensions with 1 or 3 at an end are one image, otherwise a stack of grey ones.
    """

    def __init__(self, array: np.ndarray) -> None:
        super().__init__()
        array = np.asarray(array)
        one = array.ndim == 2 or (
            array.ndim == 3 and (array.shape[-1] in (1, 3) or array.shape[0] in (1, 3))
        )
        self.images = array[None] if one else array
        if self.images.ndim not in (3, 4) or self.images.size == 0:
            raise ValueError(f"expected an image or a stack of images, got shape {array.shape}")

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.images[index]

    @property
    def channels(self) -> int:
        """1 if the images are grey, 3 if they are RGB."""
        return 3 if _is_colour(self.images[0]) else 1


class ImageFolder(_FittedPictures):
    """Targets from an image file, or from all images in a folder and its subfolders.

    Args:
        path: the file or the folder.

    Raises:
        FileNotFoundError: if there is nothing there, or no image in the folder.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        path = Path(path)
        if not path.exists():
            raise FileNotFoundError(f"no such image or folder: {path}")
        if path.is_dir():
            self.files = sorted(f for f in path.rglob("*") if f.suffix.lower() in IMAGE_SUFFIXES)
            if not self.files:
                raise FileNotFoundError(f"no images ({', '.join(IMAGE_SUFFIXES)}) in {path}")
        else:
            self.files = [path]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> np.ndarray:
        return read_image(self.files[index])

    @cached_property
    def channels(self) -> int:
        """3 if any of the images is in colour, else 1; looks at them until one is."""
        return 3 if any(_is_colour(read_image(file)) for file in self.files) else 1
