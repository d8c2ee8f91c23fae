"""Where target images come from: :func:`make_targets` turns what the user names into a source."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np

from strokenet_gym.reading import shown
from strokenet_gym.stroke import is_tensor
from strokenet_gym.targets.characters import Characters
from strokenet_gym.targets.fitting import fit_image
from strokenet_gym.targets.glyphs import Glyphs
from strokenet_gym.targets.image_set import DATA_SETS, ImageSet
from strokenet_gym.targets.images import check_path, is_pil, load_image, read_image
from strokenet_gym.targets.kanjivg import KanjiVG
from strokenet_gym.targets.mnist import MNIST
from strokenet_gym.targets.omniglot import Omniglot
from strokenet_gym.targets.painted import PaintedStrokes
from strokenet_gym.targets.pictures import ArrayTargets, ImageFiles, channels_of, find_pictures
from strokenet_gym.targets.quickdraw import QuickDraw
from strokenet_gym.targets.scenes import Scenes

__all__ = [
    "DATA_SETS",
    "ENDLESS",
    "MNIST",
    "ArrayTargets",
    "Characters",
    "Glyphs",
    "ImageFiles",
    "ImageSet",
    "KanjiVG",
    "Omniglot",
    "PaintedStrokes",
    "QuickDraw",
    "Scenes",
    "Targets",
    "channels_of",
    "fit_image",
    "held_out",
    "is_named",
    "load_image",
    "make_targets",
    "read_image",
]


@runtime_checkable
class Targets(Protocol):
    """Anything that has target images to give.

    An attribute ``channels`` (1 or 3), if there is one, says whether they are grey or RGB. A source
    that is fast at many at once may also have a method ``sample_fitted(rngs, size, channels,
    background)``, which environments then call: for each generator of a sequence it draws what
    ``sample`` would, and returns all of them as :func:`fit_image` would fit them, in one array
    ``[N, 1 or channels, H, W]``, uint8, or float32 in 0 … 1; ``size`` is (H, W).
    """

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """Return a random image in one of the shapes that :func:`fit_image` takes."""
        ...


# Sources without an end, which need no files, by their names; they are made for a size in pixels.
ENDLESS: dict[str, Callable[[int], Targets]] = {
    "glyphs": Glyphs,
    "characters": Characters,
    "scenes": Scenes,
    "strokes": PaintedStrokes,
}


def make_targets(
    targets: Any, size: int, data_dir: str | os.PathLike | None = None, split: str = "train"
) -> Targets:
    """Return the source of targets that the argument names.

    Args:
        targets: a name in :data:`strokenet_gym.targets.ENDLESS` ("glyphs", …); a data set in
            :data:`DATA_SETS` ("mnist", …), or the name and a selection of labels
            ("quickdraw:cat,house"), in any case; the path of an image or
            of a folder of images, or a pattern (``photos/*.jpg``), with ``~`` for the home; an
            array, a tensor or a PIL image; a list of paths or of such images; or an object with
            ``sample(rng)``, which is returned as it is.
        size: the canvas' shorter side in pixels; data sets prepare their images for it.
        data_dir: folder with the data sets; by default the environment variable STROKENET_DATA.
        split: "train" or "test", for data sets that have one.

    Raises:
        ValueError: if the name is unknown or a file is damaged.
        FileNotFoundError: if a file is missing.
        TypeError: if the argument is none of these.
    """
    if isinstance(targets, Targets):
        return targets
    several = targets if isinstance(targets, (list, tuple)) and targets else [targets]
    if all(map(_is_image, several)):
        return ArrayTargets(targets)
    if several is targets and all(isinstance(entry, (str, os.PathLike)) for entry in targets):
        return ImageFiles(targets)
    if not isinstance(targets, (str, os.PathLike)):
        raise TypeError(
            "targets must be a name, a path, an array, a tensor, a PIL image, a list of paths or "
            f"of images, or an object with sample(rng), got {type(targets).__name__}"
        )
    text = os.fspath(targets)
    name, _, labels = text.partition(":")
    name = name.lower()
    if text.lower() in ENDLESS:
        return ENDLESS[name](size)
    if name in DATA_SETS:
        folder = data_dir or os.environ.get("STROKENET_DATA")
        if folder is None:
            raise FileNotFoundError(
                f'targets="{name}" needs the data set: pass data_dir=… or set STROKENET_DATA to '
                f"the folder that has it, or run `strokenet-gym download {name} --to FOLDER` first"
            )
        select = [label.strip() for label in labels.split(",") if label.strip()]
        return DATA_SETS[name](folder, split, size, select)
    path = check_path(text)
    try:
        there = path.exists()
    except (OSError, ValueError):  # longer than a path can be, or with a null character
        there = False
    if there:
        return ImageFiles(path)
    if any(c in text for c in "*?["):
        return ImageFiles(find_pictures(text))
    if len(path.parts) > 1 or path.suffix:
        raise FileNotFoundError(f"no such file or folder: {shown(text)!r}")
    known = [*ENDLESS, *DATA_SETS]
    near = difflib.get_close_matches(name, known, 1)
    raise ValueError(
        f"unknown targets {shown(text)!r}: neither one of {', '.join(known)} nor the path "
        f"of an image or a folder{f'; did you mean {near[0]!r}?' if near else ''}"
    )


def held_out(
    targets: str,
    size: int,
    data_dir: str | os.PathLike | None = None,
    split: str = "test",
    limit: int | None = None,
) -> tuple[list[np.ndarray], np.ndarray | None]:
    """The images to score with, always the same, and their labels if there are any.

    Args:
        targets: as :func:`make_targets` takes it.
        size: the same.
        data_dir: the same.
        split: "test" or "train". Sources without an end have seeds of their own for test targets.
        limit: only so many, at random; of sources without an end 1000 by default.

    Raises what :func:`make_targets` does.
    """
    try:
        source = make_targets(targets, size, data_dir, split)
    except ValueError:
        name, selection, _ = targets.partition(":")
        if not selection:
            raise
        # Some sets are split by label: then all test items stand for the selected ones.
        source = make_targets(name, size, data_dir, split)
    if not isinstance(source, (ImageSet, ImageFiles)):
        rng = np.random.default_rng({"train": 0, "test": 10**6}[split])
        return [source.sample(rng) for _ in range(limit or 1000)], None
    # In random order, since they are sorted.
    chosen = np.random.default_rng(0).permutation(len(source))[:limit].tolist()
    labels = source.labels[chosen] if isinstance(source, ImageSet) else None
    return [source[i] for i in chosen], labels


def is_named(targets: Any) -> bool:
    """Whether targets are in :data:`ENDLESS` or :data:`DATA_SETS`, and so no path."""
    name = targets.lower() if isinstance(targets, str) else ""
    return name in ENDLESS or name.partition(":")[0] in DATA_SETS


def _is_image(value: Any) -> bool:
    return isinstance(value, np.ndarray) or is_tensor(value) or is_pil(value)
