"""What a picture may be (a file, an array, a tensor, PIL's), and how any fits on a canvas."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import threading
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np

from strokenet_gym.files import allowed_memory, check_memory, user_path
from strokenet_gym.programs.base import Size, sides
from strokenet_gym.stroke import is_tensor

__all__ = [
    "LUMA",
    "check_path",
    "decode",
    "fit_image",
    "fit_images",
    "is_pil",
    "load_image",
    "look_at",
    "plane",
    "read_image",
    "shown",
    "suffixes",
]

# What is read of Pillow's formats: pictures, and nothing that runs another program. HEIF is there
# if somebody has registered pillow-heif.
_FORMATS = (
    "AVIF", "BMP", "DIB", "GIF", "HEIF", "ICO", "JPEG", "JPEG2000", "MPO", "PCX", "PNG", "PPM",
    "PSD", "QOI", "SGI", "TGA", "TIFF", "WEBP",
)  # fmt: skip
_BYTES = 20  # of memory for a pixel, while a picture is read and fitted
_LONGEST = 300  # characters of a path in a message
LUMA = 0.299, 0.587, 0.114  # of red, green and blue in grey
_LIMIT = threading.Lock()
_COLOURS = range(1, 5)  # numbers of a pixel: grey, grey and opacity, RGB, RGBA


def check_path(path: str | os.PathLike) -> Path:
    """A path as people write it, with ``~`` for their home, if it can be one.

    Raises:
        ValueError: if it is a URL.
    """
    text = os.fspath(path)
    if re.match(r"[a-z][a-z0-9+.-]+://", text, re.IGNORECASE):
        raise ValueError(f"URLs are not read: download the picture first, got {shown(text)}")
    return user_path(text)


def shown(path: str | os.PathLike) -> str:
    """A path for a message, of a length that can be read."""
    text = os.fspath(path)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}…{text[-_LONGEST // 2 :]}"


def read_image(path: str | os.PathLike) -> np.ndarray:
    """Read an image file, turned as the camera says; of a film the first picture.

    Returns:
        uint8 ``[H, W]`` (grey), ``[H, W, 2]`` (grey and opacity), ``[H, W, 3]`` (RGB) or
        ``[H, W, 4]`` (RGBA).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is a URL, not an image that Pillow can read, or too large: see
            :func:`strokenet_gym.files.check_memory`.
    """
    with _opened(check_path(path)) as image:
        return _pixels(image)


def look_at(path: str | os.PathLike) -> tuple[int, int]:
    """Colour channels (1 or 3) and pixels of an image file, from its first bytes.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: as :func:`read_image`, but for damages further on.
    """
    with _opened(check_path(path)) as image:
        grey = image.mode in ("1", "L", "LA", "La", "F") or image.mode.startswith("I")
        return 1 if grey else 3, image.size[0] * image.size[1]


def decode(data: bytes, name: str, shape: tuple[int, int] | None = None) -> np.ndarray:
    """Read an image file's contents, as :func:`read_image` does.

    Args:
        data: the contents.
        name: what to call it in messages.
        shape: height and width that it must have, if any are wanted.

    Raises:
        ValueError: if it is not such an image.
    """
    with _opened(io.BytesIO(data), name) as image:
        if shape is not None and image.size[::-1] != shape:
            width, height = image.size
            raise ValueError(f"it has {width}x{height} px, not {shape[1]}x{shape[0]}")
        return _pixels(image)


@contextlib.contextmanager
def _opened(source: Path | IO[bytes], name: str = "") -> Iterator[Any]:
    """A PIL image that has read its size, and takes no more memory than is allowed."""
    from PIL import Image

    with contextlib.ExitStack() as stack:
        if isinstance(source, Path):
            name = shown(source)
            source = stack.enter_context(_open_file(source, name))
        try:
            with _our_limit():
                image = stack.enter_context(Image.open(source, formats=_formats()))
            needed = image.size[0] * image.size[1] * _BYTES
        except Image.DecompressionBombError as error:
            needed = int(re.findall(r"(\d+) pixels", str(error))[0]) * _BYTES
        except Exception as error:  # decoders raise whatever comes
            unknown = type(error).__name__ == "UnidentifiedImageError"
            why = "damaged, or an unknown format" if unknown else _one_line(error)
            raise ValueError(f"cannot read {name} as an image: {why}") from error
        check_memory(name, needed)
        try:
            yield image
        except Exception as error:
            raise ValueError(f"cannot read {name} as an image: {_one_line(error)}") from error


@contextlib.contextmanager
def _our_limit() -> Iterator[None]:
    """Pillow has our limit for its own: of an ICO it reads before anybody can ask for its size."""
    from PIL import Image

    ours = allowed_memory() * 2**20 // _BYTES
    with _LIMIT, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        theirs, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, ours
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = theirs


def _open_file(file: Path, name: str) -> IO[bytes]:
    try:
        if not file.is_file() and file.exists():  # a pipe would have us wait
            raise ValueError(f"cannot read {name} as an image: it is not a file")
        return file.open("rb")
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENAMETOOLONG):
            raise
        raise FileNotFoundError(f"no such file: {name}") from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _formats() -> list[str]:
    """The formats that Pillow can read here."""
    from PIL import Image

    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]


def suffixes() -> set[str]:
    """The suffixes of image files, in small letters."""
    from PIL import Image

    known = _formats()
    return {suffix for suffix, name in Image.registered_extensions().items() if name in known}


def _pixels(image: Any) -> np.ndarray:
    """A PIL image as uint8 ``[H, W]`` or ``[H, W, 2 … 4]``, with opacity where it has any."""
    from PIL import ImageOps

    image = ImageOps.exif_transpose(image)
    mode, clear = image.mode, "transparency" in image.info
    if mode.startswith("I") or mode == "F":  # grey in 16 bits, or in floats
        levels, most = np.asarray(image).astype(np.float64), 1 if mode == "F" else 65535
        if not ((levels >= 0) & (levels <= most)).all():
            raise ValueError(f"its values are not from 0 to {most}")
        return np.rint(levels * (255 / most)).astype(np.uint8)
    if mode in ("1", "L", "LA", "La"):
        image = image.convert("LA" if clear or "a" in mode.lower() else "L")
    else:
        image = image.convert("RGBA" if clear or mode in ("RGBA", "RGBa", "PA") else "RGB")
    pixels = np.asarray(image)
    if image.mode in ("LA", "RGBA") and (pixels[:, :, -1] == 255).all():
        pixels = pixels[:, :, :-1]
    if mode == "P" and pixels.shape[2] == 3 and not np.ptp(pixels, axis=2).any():
        pixels = pixels[:, :, :1]
    return pixels[:, :, 0] if pixels.shape[2:] == (1,) else pixels


def is_pil(image: Any) -> bool:
    """Whether something is a PIL image; without importing that."""
    return any(base.__module__ == "PIL.Image" for base in type(image).__mro__)


def load_image(image: Any) -> np.ndarray:
    """A picture in one form, whatever it comes in.

    Args:
        image: a file's path; a PIL image; or an array or a tensor ``[H, W]``, ``[H, W, 1 … 4]`` or
            ``[1 … 4, H, W]``: grey, grey and opacity, RGB, or RGBA. Where both ends may be
            channels, they come last. Bool, uint8 or uint16, of which the largest is 1 in a
            picture; or floats in 0 … 1.

    Returns:
        ``[H, W, 1 … 4]``: uint8, uint16, or float32 in 0 … 1. :func:`plane` takes it apart.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the shape or a value is not one of these, or the file is not an image.
    """
    if isinstance(image, (str, os.PathLike)):
        image = read_image(image)
    elif is_pil(image):
        check_memory("the picture", image.size[0] * image.size[1] * _BYTES)
        try:
            image = _pixels(image)
        except Exception as error:  # of a file that it has not read yet
            raise ValueError(f"cannot read the picture: {_one_line(error)}") from error
    elif is_tensor(image):
        image = image.detach().cpu()
        image = (image.float() if image.is_floating_point() else image).numpy()
    pixels = np.asarray(image)
    shape = pixels.shape
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    elif pixels.ndim == 3 and shape[2] not in _COLOURS and shape[0] in _COLOURS:
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.ndim != 3 or pixels.size == 0 or pixels.shape[2] not in _COLOURS:
        raise ValueError(
            f"a picture must have the shape [H, W], [H, W, 1 … 4] or [1 … 4, H, W], got {shape}"
        )
    if pixels.dtype == bool:
        return pixels.view(np.uint8) * np.uint8(255)
    if pixels.dtype.kind == "u" and pixels.itemsize <= 2:
        return pixels
    if pixels.dtype.kind != "f":
        raise ValueError(
            f"a picture must be bool, uint8, uint16, or float in 0 … 1, got dtype {pixels.dtype}"
        )
    pixels = pixels.astype(np.float32, copy=False)
    if not (pixels.min() >= 0 and pixels.max() <= 1):  # nor NaN
        raise ValueError(
            f"a float picture must be in 0 … 1, got {pixels.min():g} … {pixels.max():g}"
        )
    return pixels


def plane(pixels: np.ndarray, channel: int) -> np.ndarray:
    """One channel of what :func:`load_image` gives, float32 ``[H, W]`` in 0 … 1."""
    values = pixels[:, :, channel]
    if values.dtype == np.float32:
        return np.ascontiguousarray(values)
    return values / np.float32(np.iinfo(values.dtype).max)


def fit_image(image: Any, size: Size, channels: int, background: np.ndarray) -> np.ndarray:
    """Bring an image to the canvas: laid on the background, resized, centred, padded.

    Args:
        image: as :func:`load_image` takes it.
        size: side of the canvas in pixels, or height and width.
        channels: 1 (grey) or 3 (RGB); the image is converted.
        background: ``[channels]``, seen where the image is transparent, and fills what it leaves
            free.

    Returns:
        float32 ``[channels, H, W]`` in 0 … 1.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not an image.
    """
    pixels = load_image(image)
    height, width, numbers = pixels.shape
    rows, columns = sides(size)
    scale = min(rows / height, columns / width)
    if scale != 1:
        height, width = max(1, round(height * scale)), max(1, round(width * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    opacity = plane(pixels, -1) if numbers in (2, 4) else None
    fitted = np.empty((channels, rows, columns), np.float32)
    fitted[:] = background[:, None, None]
    top, left = (rows - height) // 2, (columns - width) // 2
    place = np.s_[top : top + height, left : left + width]
    values: np.ndarray
    for c in range(channels):  # one after the other, which takes the least memory
        if c > 0 and numbers == 1:
            fitted[c][place] = fitted[0][place]
            continue
        if channels == 1 and numbers > 2:
            values = plane(pixels, 0) * np.float32(LUMA[0])
            for k in (1, 2):
                values += plane(pixels, k) * np.float32(LUMA[k])
        else:
            values = plane(pixels, c if numbers > 2 else 0)
        if opacity is not None:
            own = None if pixels.dtype == np.float32 else values  # not somebody's array
            values = np.subtract(values, background[c], out=own)
            values *= opacity
            values += background[c]
        if scale != 1:
            values = cv2.resize(values, (width, height), interpolation=method)
        np.clip(values, 0, 1, out=fitted[c][place])
    return fitted


def fit_images(
    images: Iterable[Any], size: Size, channels: int, background: np.ndarray
) -> np.ndarray:
    """A batch of images brought to the canvas by :func:`fit_image`."""
    return np.stack([fit_image(image, size, channels, background) for image in images])
