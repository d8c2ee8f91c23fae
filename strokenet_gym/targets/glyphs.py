"""Digits and letters from OpenCV's built-in Hershey fonts: endless, offline targets."""

from __future__ import annotations

import string

import cv2
import numpy as np

__all__ = ["Glyphs"]

_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
)
_PATCH = 256  # the character is drawn this large, then warped down


class Glyphs:
    """White characters on black, with random font, pen width, slant, turn, size and place.

    Args:
        size: width and height of the images in pixels.
        characters: what to draw.

    Raises:
        ValueError: if there are no characters, or some that the fonts do not have.
    """

    channels = 1

    def __init__(
        self, size: int = 128, characters: str = string.digits + string.ascii_letters
    ) -> None:
        unknown = [c for c in characters if not "!" <= c <= "~"]
        if unknown or not characters:
            raise ValueError(f"glyphs need printable ASCII characters, got {characters!r}")
        self.size = size
        self.characters = characters

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """Draw a random character, float32 ``[size, size]`` in 0 … 1."""
        character = self.characters[rng.integers(len(self.characters))]
        font = _FONTS[rng.integers(len(_FONTS))]
        thickness = int(rng.integers(8, 21))
        (width, height), baseline = cv2.getTextSize(character, font, 5.0, thickness)
        patch = np.zeros((_PATCH, _PATCH), np.uint8)
        left = (_PATCH - width) // 2
        bottom = (_PATCH + height) // 2 - (baseline // 3 if character in "gjpqy" else 0)
        cv2.putText(patch, character, (left, bottom), font, 5.0, 255, thickness, cv2.LINE_AA)

        angle, slant = rng.uniform(-0.2, 0.2), rng.uniform(-0.25, 0.25)
        scale = rng.uniform(0.65, 1.0) * np.exp(rng.uniform(-0.15, 0.15, 2))
        shift = rng.uniform(-0.08, 0.08, 2) * _PATCH
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = turn @ np.array([[1, slant], [0, 1]]) @ np.diag(scale)
        centre = np.full(2, (_PATCH - 1) / 2)
        offset = centre + shift - matrix @ centre
        warped = cv2.warpAffine(patch, np.column_stack([matrix, offset]), (_PATCH, _PATCH))
        method = cv2.INTER_AREA if self.size < _PATCH else cv2.INTER_LINEAR
        image = cv2.resize(warped, (self.size, self.size), interpolation=method)
        return image.astype(np.float32) / 255
