"""KanjiVG: Japanese characters as the strokes of a pen, from the published SVG files."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np

from strokenet_gym.extras import require
from strokenet_gym.targets.archives import check_fold, damaged, members, read_file
from strokenet_gym.targets.drawings import as_points
from strokenet_gym.targets.image_set import ImageSet, Item, in_split

__all__ = ["KanjiVG"]

_VIEW = 109.0  # width and height of the published view box, and of files that say nothing
_WIDTH = 3.0  # of its strokes
_SHARE = 0.9  # of the canvas that the view box fills
_STEPS = 12  # points on a curve
_LETTERS = 2**14  # of a character's paths, at most; published ones have up to 2,300
_BYTES = 2**17  # of a character in the single file; published ones have up to 7,800
_ASIDE = "defs", "clipPath", "mask", "symbol", "pattern", "marker"  # what is not drawn where it is

Curve = tuple[str, np.ndarray]  # a path's data, and the matrix that brings it to its place


class KanjiVG(ImageSet):
    """Kanji, kana, letters and signs, white on black, in lines of one width.

    The file's view box fills 0.9 of the canvas, whatever its numbers are.

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
        from defusedxml import ElementTree

        seen = set()
        for file in reversed(files):
            xml = ".xml" in [suffix.lower() for suffix in file.suffixes]
            for code, data, name in _of_one_file(file) if xml else _of_many(file):
                if code in seen or not in_split(code, split):
                    continue
                seen.add(code)
                character = chr(int(code, 16))
                if self.is_selected(character, select):
                    with damaged(name, file):
                        points = as_points(_lines(ElementTree.fromstring(data)))
                    yield character, points


def _of_many(file: Path) -> Iterator[tuple[str, bytes, str]]:
    """Code, contents and name of each SVG in a zip or a folder."""
    for name, data in members(file, ".svg"):
        code = PurePosixPath(name).stem.lower()
        if re.fullmatch("[0-9a-f]{5}", code):
            yield code, data, name


def _of_one_file(file: Path) -> Iterator[tuple[str, bytes, str]]:
    """Code, contents and name of each character in KanjiVG's single file."""
    data = read_file(file)
    check_fold(str(file), file.stat().st_size, len(data))
    *parts, rest = data.split(b"</kanji>")
    with damaged(file):
        if b"</kanjivg>" not in rest:
            raise ValueError("it is cut short")
        if any(len(part) > _BYTES for part in parts):
            raise ValueError(f"a character has more than {_BYTES:,} bytes")
    for part in parts:
        if begin := re.search(rb"<kanji\s[^<>]*\bid=.kvg:kanji_([0-9a-f]{5})\W", part):
            name = begin[1].decode()
            element = part[begin.start() :] + b"</kanji>"
            yield name, b'<kanjivg xmlns:kvg="kvg">' + element + b"</kanjivg>", name


def _view(root: Any) -> np.ndarray:
    """From a file's units to the canvas, which is 1 wide: a matrix ``[3, 3]``."""
    number = r"[-+.\deE]+"
    box = [float(n) for n in re.findall(number, root.get("viewBox") or "")]
    if not box:
        sides = [
            re.fullmatch(rf"({number})(px)?", root.get(key) or "") for key in ("width", "height")
        ]
        box = [0, 0, *(float(side[1]) for side in sides if side)]
    if len(box) == 2:
        box += [_VIEW, _VIEW]
    left, top, width, height = box
    if not (width > 0 and height > 0):
        raise ValueError(f"its view box must be larger than 0, got {width:g} x {height:g}")
    scale = _SHARE / max(width, height)
    x, y = 0.5 - scale * (left + width / 2), 0.5 - scale * (top + height / 2)
    return np.array([[scale, 0, x], [0, scale, y], [0, 0, 1]])


def _paths(element: Any, place: np.ndarray) -> Iterator[Curve]:
    """The paths in an element, each with the matrix ``[3, 3]`` that brings it to its place."""
    from svgpathtools.parser import parse_transform

    for child in element:
        kind = str(child.tag).rpartition("}")[2]
        if kind not in _ASIDE:
            inner = place
            if own := child.get("transform"):
                with warnings.catch_warnings():
                    warnings.simplefilter("error")  # what it cannot read it would leave out
                    inner = place @ parse_transform(own)
            if kind == "path":
                yield child.get("d", ""), inner
            yield from _paths(child, inner)


def _lines(root: Any) -> list[np.ndarray]:
    """Points along each stroke of a character, where the canvas is 1 wide."""
    from svgpathtools import parse_path

    curves = list(_paths(root, _view(root)))
    if (count := sum(len(curve) for curve, _ in curves)) > _LETTERS:
        raise ValueError(f"its paths have {count:,} letters, at most {_LETTERS:,} are read")
    t, lines = np.linspace(0, 1, _STEPS), []
    for curve, place in curves:
        if pieces := parse_path(curve) if curve else []:
            points = [np.atleast_1d(_points(piece, t)) for piece in pieces]
            line = np.concatenate(points)
            lines.append(np.stack([line.real, line.imag], 1) @ place[:2, :2].T + place[:2, 2])
    return lines


def _points(piece: Any, t: np.ndarray) -> Any:
    if hasattr(piece, "poly"):
        return piece.poly()(t)
    return [piece.point(place) for place in t]  # an arc
