"""KanjiVG: Japanese characters as the strokes of a pen, from the published SVG files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from strokenet_gym.extras import require
from strokenet_gym.targets.image_set import (
    ImageSet,
    Item,
    in_split,
    members,
    rasterise,
)

__all__ = ["KanjiVG"]

_VIEW = 109.0  # width and height of the published view box
_WIDTH = 3.0  # of its strokes
_SHARE = 0.9  # of the canvas that the view box fills
_STEPS = 12  # points on a curve


class KanjiVG(ImageSet):
    """Kanji, kana, letters and signs, white on black, in lines of one width.

    Made from ``kanjivg*.zip`` or a folder ``kanji`` of SVG files, without variants; needs the extra
    "data". A tenth of the characters are for tests, by a hash of their code. Labels are characters.
    """

    name = "kanjivg"
    patterns = "kanjivg*.zip", "kanji/?????.svg"
    addresses: ClassVar = {
        "https://github.com/KanjiVG/kanjivg/releases/download/r20240807/kanjivg-20240807-main.zip":
            None,
    }  # fmt: skip

    def _prepare(
        self, files: list[Path], split: str, size: int, select: Sequence[str]
    ) -> Iterator[Item]:
        require("data", "svgpathtools", "defusedxml")
        for file in files:
            packed = file.suffix == ".zip"
            for name, data in members(file, ".svg") if packed else [(str(file), file.read_bytes())]:
                code = Path(name).stem
                if len(code) != 5 or not in_split(code, split):
                    continue
                character = chr(int(code, 16))
                if self.is_selected(character, select):
                    margin = (1 - _SHARE) / 2
                    lines = [margin + _SHARE * line / _VIEW for line in _lines(data, name)]
                    yield character, rasterise(lines, size, _WIDTH / _VIEW * _SHARE)


def _lines(data: bytes, name: str) -> list[np.ndarray]:
    """Points along each stroke of an SVG, in its view box."""
    from defusedxml import DefusedXmlException, ElementTree
    from svgpathtools import parse_path

    t = np.linspace(0, 1, _STEPS)
    try:
        root = ElementTree.fromstring(data)
        curves = [parse_path(path.get("d")) for path in root.iterfind(".//{*}path")]
    except (ElementTree.ParseError, DefusedXmlException, ValueError, TypeError) as error:
        raise ValueError(f"{name} is damaged: {error}") from error
    points = [np.concatenate([np.atleast_1d(piece.poly()(t)) for piece in c]) for c in curves if c]
    return [np.stack([p.real, p.imag], 1) for p in points]
