"""Digits and letters from OpenCV's built-in Hershey fonts: endless, offline targets.

A character is what a round pen leaves along a path. Its path is drawn once, and what is kept is how
far each pixel of a patch is from it: then any pen's width, slant, turn, size and place is a matter
of looking up distances (``draw_glyphs`` in raster.py), and no pixel is drawn twice.
"""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from functools import cache

import numpy as np
from gymnasium.error import DependencyNotInstalled

from strokenet_gym.checks import whole
from strokenet_gym.interrupts import shielded
from strokenet_gym.kernels.canvas import Size, sides
from strokenet_gym.targets.fitting import fit_images

with shielded():
    import cv2

__all__ = ["Glyphs"]

_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
)  # fmt: skip
_FIRST, _LAST = "!", "~"  # of the characters that they have
_PATCH = 256  # pixels that a character is drawn in
_SCALE = 5.0  # of the fonts
_WIDTHS = range(8, 21)  # of pens
_FINER = 2  # the path is drawn that much larger
_STEP = 2  # distances are kept for squares of so many pixels
_UNIT = 16  # to a sixteenth of a pixel
_REACH = 255 / _UNIT  # and up to this many


class Glyphs:
    """White characters on black, with random font, pen width, slant, turn, size and place.

    Args:
        size: width and height of the images in pixels.
        characters: what to draw.

    Raises:
        ValueError: if there are no characters, or some that the fonts do not have.
        DependencyNotInstalled: under OpenCV 5, which has other fonts. (Gymnasium's extra "other"
            installs it over ours if it is installed later.)
    """

    channels = 1

    def __init__(
        self, size: int = 128, characters: str = string.digits + string.ascii_letters
    ) -> None:
        unknown = [c for c in characters if not _FIRST <= c <= _LAST]
        if unknown or not characters:
            raise ValueError(f"glyphs need printable ASCII characters, got {characters!r}")
        if not cv2.__version__.startswith("4."):
            raise DependencyNotInstalled(
                f"glyphs are drawn in the fonts of OpenCV 4, got OpenCV {cv2.__version__}: run "
                '`pip install --force-reinstall "opencv-python-headless<5"`'
            )
        self.size = whole(size, "size", 1, 2**16)
        self.characters = characters

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """Draw a random character, float32 ``[size, size]`` in 0 … 1."""
        return self._draw([rng])[0].astype(np.float32) / 255

    def sample_fitted(
        self, rngs: Sequence[np.random.Generator], size: Size, channels: int, background: np.ndarray
    ) -> np.ndarray:
        """A random character for each generator, see :class:`strokenet_gym.targets.Targets`."""
        if sides(size) != (self.size, self.size):
            return fit_images(map(self.sample, rngs), size, channels, background)
        return self._draw(rngs)[:, None]

    def _draw(self, rngs: Sequence[np.random.Generator]) -> np.ndarray:
        """A random character for each generator, uint8 ``[N, size, size]``."""
        from strokenet_gym.targets.filling import draw  # compiled kernels

        chances = np.empty((len(rngs), 10))
        for row, rng in zip(chances, rngs, strict=True):
            rng.random(out=row)
        choices = np.array([len(self.characters), len(_FONTS), len(_WIDTHS)])
        which, font, pen = (chances[:, :3] * choices).astype(np.int64).T
        chosen = zip(which.tolist(), font.tolist(), strict=True)
        fields = np.array([_field(self.characters[character], f) for character, f in chosen])
        width = pen + _WIDTHS.start
        # OpenCV's lines have about these widths: a little wider if they are odd.
        half = width / 2 + 0.64 + 0.4 * (width % 2)

        angle, slant, aspect_x, aspect_y, shift_x, shift_y = (2 * chances[:, 4:] - 1).T
        angle, slant = 0.2 * angle, 0.25 * slant
        size = 0.65 + 0.35 * chances[:, 3]
        scale_x, scale_y = size * np.exp(0.15 * aspect_x), size * np.exp(0.15 * aspect_y)
        shift = 0.08 * _PATCH * np.stack([shift_x, shift_y], 1)
        # From the canvas' pixels to the patch': the inverse of scale, then slant, then turn about
        # the centre, then shift.
        cos, sin = np.cos(angle), np.sin(angle)
        matrix = np.empty((len(rngs), 2, 2))
        matrix[:, 0, 0], matrix[:, 0, 1] = cos + slant * sin, sin - slant * cos
        matrix[:, 1, 0], matrix[:, 1, 1] = -sin, cos
        matrix /= np.stack([scale_x, scale_y], 1)[:, :, None]
        centre = (_PATCH - 1) / 2
        zoom = _PATCH / self.size
        corner = zoom / 2 - 0.5 - centre - shift  # the canvas' first pixel
        # Half a pixel of the path as it was drawn is less than half of the patch's.
        offset = (matrix @ corner[:, :, None] + centre + 0.5 / _FINER) / _STEP - 0.5
        inverse = np.concatenate([matrix * zoom / _STEP, offset], 2)
        samples = max(1, round(zoom / _STEP))
        pens = fields, half / _STEP, inverse
        return draw(_BANK, _BOXES, _UNIT * _STEP, *pens, self.size, samples)


# Room for all characters in all fonts, which `_field` fills; unused pages take no memory. Made when
# this file is imported: two threads at their first characters would make one each.
_COUNT, _SIDE = (ord(_LAST) - ord(_FIRST) + 1) * len(_FONTS), _PATCH // _STEP
_BANK = np.zeros((_COUNT, _SIDE, _SIDE), np.uint8)  # distances, as `draw_glyphs` takes them
_BOXES = np.zeros((_COUNT, 4), np.int64)


@cache
def _field(character: str, font: int) -> int:
    """The index of a character in the bank, where it is made when first asked for."""
    index = (ord(character) - ord(_FIRST)) * len(_FONTS) + font
    # Placed as if with a pen of middle width.
    pen = (_WIDTHS.start + _WIDTHS.stop) // 2
    (width, height), baseline = cv2.getTextSize(character, _FONTS[font], _SCALE, pen)
    left = (_PATCH - width) // 2
    bottom = (_PATCH + height) // 2 - (baseline // 3 if character in "gjpqy" else 0)
    large = _PATCH * _FINER
    path = np.full((large, large), 255, np.uint8)
    origin = left * _FINER, bottom * _FINER
    cv2.putText(path, character, origin, _FONTS[font], _SCALE * _FINER, 0)
    # Only where it is near, in whole squares.
    x, y, width, height = cv2.boundingRect(255 - path)
    margin, square = math.ceil((_REACH + _STEP) * _FINER), _STEP * _FINER
    x0, y0 = (max(0, low - margin) // square for low in (x, y))
    x1, y1 = (min(large, high + margin) // square for high in (x + width, y + height))
    part = path[y0 * square : y1 * square, x0 * square : x1 * square]
    far = cv2.distanceTransform(part, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    far = cv2.resize(far, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA) / _FINER
    np.rint(np.minimum(far, _REACH) * _UNIT, out=_BANK[index, y0:y1, x0:x1], casting="unsafe")
    _BOXES[index] = x0, x1, y0, y1
    return index
