"""What a picture may be: a file, an array, a tensor, PIL's."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import struct
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np

from strokenet_gym.checks import array_of
from strokenet_gym.files import allowed_memory, check_memory, user_path
from strokenet_gym.reading import shown
from strokenet_gym.targets import tiff
from strokenet_gym.targets.pixels import pixels_of

__all__ = [
    "LUMA", "check_path", "decode", "is_pil", "load_image", "look_at", "plane", "read_image",
    "suffixes",
]  # fmt: skip

# What is read of Pillow's formats: pictures, and nothing that runs another program. HEIF is there
# if somebody has registered pillow-heif.
_FORMATS = (
    "AVIF", "BMP", "DIB", "GIF", "HEIF", "ICO", "JPEG", "JPEG2000", "MPO", "PCX", "PNG", "PPM",
    "PSD", "QOI", "SGI", "TGA", "TIFF", "WEBP",
)  # fmt: skip
_BYTES = 20  # of memory for a pixel, while a picture is read and fitted
_TEXT = 2**26  # bytes of one, or of a colour profile, in a PNG
_PNG = b"\x89PNG\r\n\x1a\n"
_NEEDED = b"IHDR", b"PLTE", b"IDAT", b"IEND"
# What else is seen in a PNG, and its size where that is fixed.
_SEEN = {b"tRNS": None, b"iCCP": None, b"eXIf": None, b"sRGB": 1, b"gAMA": 4, b"cHRM": 32}
LUMA = 0.299, 0.587, 0.114  # of red, green and blue in grey
_LIMIT = threading.Lock()
_T = TypeVar("_T")
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


def read_image(path: str | os.PathLike) -> np.ndarray:
    """Read an image file, turned as the camera says, in sRGB.

    The colours are those that the file's profile means; one that cannot be used is left out, with
    a warning. Of a film this is the first picture, of a TIFF the largest page.

    Returns:
        uint8 ``[H, W]`` (grey), ``[H, W, 2]`` (grey and opacity), ``[H, W, 3]`` (RGB) or
        ``[H, W, 4]`` (RGBA).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is a URL, not an image that Pillow or tifffile can read, or too large: see
            :func:`strokenet_gym.files.check_memory`.
    """
    return _read_file(path, pixels_of)


def look_at(path: str | os.PathLike) -> tuple[int, int]:
    """Colour channels (1 or 3) and pixels of an image file, from its first bytes.

    What is damaged further on is not seen; else errors are those of :func:`read_image`.
    """

    def look(image: Any, name: str) -> tuple[int, int]:
        grey = image.mode in ("1", "L", "LA", "La", "F") or image.mode.startswith("I")
        return 1 if grey else 3, image.size[0] * image.size[1]

    return _read_file(path, look)


def decode(data: bytes, name: str, shape: tuple[int, int] | None = None) -> np.ndarray:
    """Read an image file's contents as :func:`read_image` does, if it has this height and width.

    ``name`` is what messages call it.
    """

    def look(image: Any, name: str) -> np.ndarray:
        if shape is not None and image.size[::-1] != shape:
            width, height = image.size
            raise ValueError(f"it has {width}x{height} px, not {shape[1]}x{shape[0]}")
        return pixels_of(image, name)

    return _read(io.BytesIO(data), name, look)


def _read_file(path: str | os.PathLike, look: Callable[[Any, str], _T]) -> _T:
    """What a function says of an image file and its name."""
    file = check_path(path)
    name = shown(file)
    try:
        if not file.is_file() and file.exists():  # a pipe would have us wait
            raise ValueError(f"cannot read {name} as an image: it is not a file")
        source = file.open("rb")
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENAMETOOLONG):
            raise
        raise FileNotFoundError(f"no such file: {name}") from None
    with source:
        return _read(source, name, look)


def _read(source: IO[bytes], name: str, look: Callable[[Any, str], _T]) -> _T:
    """The same of what is opened; of a PNG that cannot be read, of what is essential in it."""
    if source.read(len(_PNG)) != _PNG:
        return _look(source, name, look)
    with contextlib.suppress(ValueError):
        return _look(source, name, look)
    check_memory(name, 2 * source.seek(0, os.SEEK_END))
    source.seek(0)
    return _look(io.BytesIO(_essential(source.read())), name, look)


def _look(source: IO[bytes], name: str, look: Callable[[Any, str], _T]) -> _T:
    """The same, which takes no more memory than is allowed."""
    from PIL import Image

    with contextlib.ExitStack() as stack:
        image: Any
        page: tiff.Page | None = None
        try:
            with _our_limit():
                image = page = tiff.find_page(source)
                if page is None or not page.left:
                    opened = stack.enter_context(Image.open(source, formats=_formats()))
                    opened.seek(0 if page is None else page.number)
                    image = opened
        except Image.DecompressionBombError as error:
            check_memory(name, int(re.findall(r"(\d+) pixels", str(error))[0]) * _BYTES)
        except Exception as error:  # decoders raise whatever comes
            if page is None:
                unknown = type(error).__name__ == "UnidentifiedImageError"
                why = "damaged, or an unknown format" if unknown else _one_line(error)
                raise ValueError(f"cannot read {name} as an image: {why}") from error
        check_memory(name, image.size[0] * image.size[1] * _BYTES)
        try:
            return look(image, name)
        except Exception as error:
            raise ValueError(f"cannot read {name} as an image: {_one_line(error)}") from error


def _essential(data: bytes) -> bytes:
    """A PNG file without chunks that are not seen, or damaged and not needed: Pillow reads no
    picture with a text of more than 64 MB, or with a wrong checksum anywhere.
    """
    parts, at = [_PNG], len(_PNG)
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        intact = zlib.crc32(data[at + 4 : end - 4]).to_bytes(4, "big") == data[end - 4 : end]
        if kind in _NEEDED or (kind in _SEEN and intact and _SEEN[kind] in (None, length)):
            parts.append(data[at:end])
        at = end
    return b"".join(parts)


@contextlib.contextmanager
def _our_limit() -> Iterator[None]:
    """Pillow has our limit for its own: of an ICO it reads before anybody can ask for its size.

    And colour profiles of a PNG count as texts, which are to have 1 MB at most.
    """
    from PIL import Image, PngImagePlugin

    ours = allowed_memory() * 2**20 // _BYTES
    with _LIMIT, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of bombs, and of damages that do not matter
        theirs = Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK
        Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK = ours, _TEXT
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK = theirs


def _one_line(error: Exception) -> str:
    return shown(" ".join(str(error).split()) or type(error).__name__)


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


def is_pil(image: Any) -> bool:
    """Whether something is a PIL image; without importing that."""
    return any(base.__module__ == "PIL.Image" for base in type(image).__mro__)


@np.errstate(under="ignore")
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
        TypeError: if it is a tensor without plain values.
    """
    if isinstance(image, (str, os.PathLike)):
        image = read_image(image)
    elif is_pil(image):
        check_memory("the picture", image.size[0] * image.size[1] * _BYTES)
        try:
            image = pixels_of(image, "the picture")
        except Exception as error:  # of a file that it has not read yet
            raise ValueError(f"cannot read the picture: {_one_line(error)}") from error
    pixels = array_of(image, "a picture")
    shape = pixels.shape
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    elif pixels.ndim == 3 and shape[2] not in _COLOURS and shape[0] in _COLOURS:
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.ndim != 3 or pixels.size == 0 or pixels.shape[2] not in _COLOURS:
        raise ValueError(
            "a target must be a picture [H, W], [H, W, 1 … 4] or [1 … 4, H, W], got the shape "
            f"{shape}"
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
