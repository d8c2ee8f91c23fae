"""TIFF: which page is the picture; and the kinds that Pillow misreads, by tifffile."""

from __future__ import annotations

import contextlib
import importlib.util
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from strokenet_gym.extras import require
from strokenet_gym.files import check_memory

__all__ = ["TURN", "Page", "find_page", "grey_range"]

_PAGES = 100  # that are looked at
_KIND, _WIDTH, _HEIGHT, _BITS, _PACKED, _MEANING, TURN = 254, 256, 257, 258, 259, 262, 274
_SAMPLES, _PLANES, _EXTRA, _PROFILE = 277, 284, 338, 34675
_TAGS = (_KIND, _WIDTH, _HEIGHT, _BITS, _PACKED, _MEANING, TURN, _SAMPLES, _PLANES, _EXTRA)
_REDUCED, _MASK = 1, 4  # bits of _KIND: a thumbnail, or what is transparent
_PLAIN = 1, 8, 32946  # how what tifffile unpacks alone is packed: not at all, or deflated


@dataclass(frozen=True)
class Page:
    """A page of a TIFF and its tags that are whole numbers; ``size`` and ``mode`` as PIL's."""

    file: IO[bytes]
    number: int
    tags: dict[int, tuple[int, ...]]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.first(_WIDTH, 0), self.first(_HEIGHT, 0)

    @property
    def mode(self) -> str:
        """Grey or not."""
        return "L" if self.first(_MEANING, 1) < 2 else "RGB"

    @property
    def left(self) -> bool:
        """Whether Pillow would misread it: it has 8 of 16 bits, or none of planes of them."""
        deep = max(self.tags.get(_BITS, (1,))) > 8 and self.first(_SAMPLES, 1) > 1
        if not deep or self.first(_MEANING, 1) > 2:
            return False
        packed, planes = self.first(_PACKED, 1), self.first(_PLANES, 1)
        if planes == 2 and packed == 1:
            return True
        return packed in _PLAIN and importlib.util.find_spec("tifffile") is not None

    def first(self, tag: int, default: int) -> int:
        """The first number of a tag."""
        return self.tags.get(tag, (default,))[0]

    def read(self, name: str) -> tuple[np.ndarray, bytes | None]:
        """Read it by tifffile: uint16 ``[H, W, 1 … 4]`` (grey, grey and opacity, RGB, or RGBA), and
        the colour profile. ``name`` is what messages call the file.
        """
        require("tifffile")
        import tifffile

        self.file.seek(0)
        with tifffile.TiffFile(self.file) as tiff:
            page: Any = tiff.pages[self.number]
            meaning, wanted = self.first(_MEANING, 1), 3 if self.mode == "RGB" else 1
            if meaning > 2 or page.dtype is None or page.dtype.kind not in "uf":
                raise ValueError(f"a TIFF of {page.photometric.name}, {page.dtype}, is not read")
            check_memory(name, 2 * page.nbytes + 20 * self.size[0] * self.size[1])
            values = page.asarray()
            if page.axes == "SYX":
                values = np.moveaxis(values, 0, -1)
            values = values.reshape(*self.size[::-1], -1)
            profile = page.tags.valueof(_PROFILE)
        levels = _levels(values, max(self.tags.get(_BITS, (1,))))
        extra = self.first(_EXTRA, 0) if levels.shape[2] > wanted else 0
        levels = levels[:, :, : wanted + (extra in (1, 2))]
        if meaning == 0:
            levels[:, :, 0] = 65535 - levels[:, :, 0]
        if extra == 1:  # the colours are multiplied by the opacity
            share = levels[:, :, :wanted] / np.maximum(levels[:, :, -1:], 1).astype(np.float32)
            np.minimum(share, 1, out=share)
            levels[:, :, :wanted] = np.rint(np.multiply(share, np.float32(65535), out=share))
        return levels, profile


def _levels(values: np.ndarray, bits: int) -> np.ndarray:
    """Numbers of a TIFF in 16 bits; ValueError if floats are not in 0 … 1."""
    if values.dtype.kind == "f":
        if not (values.min() >= 0 and values.max() <= 1):  # nor NaN
            raise ValueError("its values are not from 0 to 1")
        if values.itemsize < 4:
            values = values.astype(np.float32)
        values *= 65535
        return np.rint(values, out=values).astype(np.uint16)
    if bits >= 16:
        return (values >> (bits - 16)).astype(np.uint16)
    most = 2**bits - 1
    return ((values.astype(np.uint32) * 65535 + most // 2) // most).astype(np.uint16)


def grey_range(image: Any) -> tuple[int, int]:
    """The numbers that are black and white in a PIL image of more than 8 bits, or in floats."""
    if image.format != "TIFF":
        return 0, 1 if image.mode == "F" else 65535
    bits = image.tag_v2.get(_BITS, (16,))[0]
    most = 1 if image.mode == "F" else 4095 if bits == 12 else 65535
    return (most, 0) if image.tag_v2.get(_MEANING) == 0 else (0, most)


def find_page(file: IO[bytes]) -> Page | None:
    """The largest page of a TIFF that is a whole picture; None if it is damaged, or no TIFF."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    pages: list[Page] = []
    seen = {0}
    with contextlib.suppress(Exception):  # whatever Pillow raises
        file.seek(0)
        head = file.read(8)
        if head[2:4] in (b"+\0", b"\0+"):  # larger than 4 GB; Pillow knows its head in one order
            tags = ImageFileDirectory_v2(b"II+\0" + head[4:] + file.read(8), head[:2])
        else:
            tags = ImageFileDirectory_v2(head)
        while tags.next not in seen and len(pages) < _PAGES:
            seen.add(tags.next)
            file.seek(tags.next)
            tags.load(file)
            numbers = {tag: _numbers(tags[tag]) for tag in _TAGS if tag in tags}
            pages.append(Page(file, len(pages), {tag: n for tag, n in numbers.items() if n}))
    file.seek(0)

    def worth(page: Page) -> tuple[bool, int]:
        part = bool(page.first(_KIND, 0) & (_REDUCED | _MASK))
        return not part, page.size[0] * page.size[1]

    return max(pages, key=worth, default=None)


def _numbers(value: Any) -> tuple[int, ...]:
    """The whole numbers of a tag; none if it has others."""
    values = value if isinstance(value, tuple) else (value,)
    return values if all(isinstance(v, int) and v >= 0 for v in values) else ()
