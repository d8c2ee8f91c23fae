"""KanjiVG: Japanese characters as the strokes of a pen, from the published SVG files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np

from strokenet_gym.extras import require
from strokenet_gym.targets.archives import members, open_file
from strokenet_gym.targets.drawings import as_points
from strokenet_gym.targets.image_set import ImageSet, Item, in_split

__all__ = ["KanjiVG"]

_VIEW = 109.0  # width and height of the published view box
_WIDTH = 3.0  # of its strokes
_SHARE = 0.9  # of the canvas that the view box fills
_STEPS = 12  # points on a curve


class KanjiVG(ImageSet):
    """Kanji, kana, letters and signs, white on black, in lines of one width.

    Made from ``kanjivg*.zip``, a folder ``kanji`` of SVG files, or ``kanjivg*.xml`` (plain or
    gzipped), without variants; needs the extra "all". Of several files the last by name says what
    a character is. A tenth of the characters are for tests, by a hash of their code. Labels are
    characters.
    """

    name = "kanjivg"
    patterns = "kanjivg*.zip", "kanji", "kanjivg*.xml*", "?????.svg"
    line_width = _WIDTH / _VIEW * _SHARE
    addresses: ClassVar = {
        "https://github.com/KanjiVG/kanjivg/releases/download/r20240807/kanjivg-20240807-main.zip":
            None,
    }  # fmt: skip

    def _prepare(self, files: list[Path], split: str, select: Sequence[str]) -> Iterator[Item]:
        require("svgpathtools", "defusedxml")
        seen = set()
        for file in reversed(files):
            xml = ".xml" in [suffix.lower() for suffix in file.suffixes]
            for code, curves, name in _of_one_file(file) if xml else _of_many(file):
                if code in seen or not in_split(code, split):
                    continue
                seen.add(code)
                character = chr(int(code, 16))
                if self.is_selected(character, select):
                    try:
                        yield character, as_points(_lines(curves()))
                    except Exception as error:  # whatever parsers of paths raise
                        raise ValueError(f"{name} is damaged: {error} (in {file})") from error


def _of_many(file: Path) -> Iterator[tuple[str, Any, str]]:
    """Code, paths and name of each SVG in a zip or a folder."""
    from defusedxml import ElementTree

    for name, data in members(file, ".svg"):
        code = PurePosixPath(name).stem.lower()
        if re.fullmatch("[0-9a-f]{5}", code) and int(code, 16) <= 0x10FFFF:

            def curves(data: bytes = data) -> list[str]:
                root = ElementTree.fromstring(data)
                return [path.get("d", "") for path in root.iterfind(".//{*}path")]

            yield code, curves, name


def _of_one_file(file: Path) -> Iterator[tuple[str, Any, str]]:
    """The same of each character in KanjiVG's single file."""
    from defusedxml import ElementTree

    try:
        with open_file(file) as stream:
            for _, element in ElementTree.iterparse(stream, events=("end",)):
                found = re.fullmatch("kvg:kanji_([0-9a-f]{5})", element.get("id") or "")
                if found and element.tag == "kanji":
                    data = [path.get("d", "") for path in element.iterfind(".//path")]
                    yield found[1], lambda data=data: data, found[1]
                    element.clear()
    except Exception as error:
        if isinstance(error, ValueError) and str(file) in str(error):
            raise
        raise ValueError(f"{file} is damaged: {error}") from error


def _lines(curves: list[str]) -> list[np.ndarray]:
    """Points along each stroke, where the canvas is 1 wide."""
    from svgpathtools import parse_path

    t, lines = np.linspace(0, 1, _STEPS), []
    for curve in curves:
        pieces = parse_path(curve) if curve else []
        if pieces:
            points = [np.atleast_1d(_points(piece, t)) for piece in pieces]
            line = np.concatenate(points) * (_SHARE / _VIEW)
            lines.append(np.stack([line.real, line.imag], 1) + (1 - _SHARE) / 2)
    return lines


def _points(piece: Any, t: np.ndarray) -> Any:
    if hasattr(piece, "poly"):
        return piece.poly()(t)
    return [piece.point(place) for place in t]  # an arc
