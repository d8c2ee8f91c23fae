"""Where target images come from: :func:`make_targets` turns what the user names into a source."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from strokenet_gym.targets.glyphs import Glyphs
from strokenet_gym.targets.images import ArrayTargets, ImageFolder, fit_image, read_image
from strokenet_gym.targets.mnist import MNIST

__all__ = [
    "MNIST",
    "ArrayTargets",
    "Glyphs",
    "ImageFolder",
    "Targets",
    "fit_image",
    "make_targets",
    "read_image",
]

_NAMES = ("glyphs", "mnist")


@runtime_checkable
class Targets(Protocol):
    """Anything that has target images to give.

    An attribute ``channels`` (1 or 3), if there is one, says whether they are grey or RGB.
    """

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """Return a random image in one of the shapes that :func:`fit_image` takes."""
        ...


def make_targets(
    targets: Any, size: int, data_dir: str | os.PathLike | None = None, split: str = "train"
) -> Targets:
    """Return the source of targets that the argument names.

    Args:
        targets: "glyphs", "mnist", the path of an image or of a folder of images, an array, or
            an object with ``sample(rng)``, which is returned as it is.
        size: width and height of the canvas; data sets prepare their images for it.
        data_dir: folder with the data sets; by default the environment variable STROKENET_DATA.
        split: "train" or "test", for data sets that have one.

    Raises:
        ValueError: if the name is unknown or a file is damaged.
        FileNotFoundError: if a file is missing.
        TypeError: if the argument is none of these.
    """
    if isinstance(targets, Targets):
        return targets
    if isinstance(targets, np.ndarray):
        return ArrayTargets(targets)
    if not isinstance(targets, (str, os.PathLike)):
        raise TypeError(
            "targets must be a name, a path, an array or an object with sample(rng), "
            f"got {type(targets).__name__}"
        )
    if targets == "glyphs":
        return Glyphs(size)
    if targets == "mnist":
        folder = data_dir or os.environ.get("STROKENET_DATA")
        if folder is None:
            raise FileNotFoundError(
                'targets="mnist" needs the data set: pass data_dir=… or set STROKENET_DATA to the '
                "folder that has train-images-idx3-ubyte.gz, or that has it in a subfolder mnist"
            )
        return MNIST(Path(folder), split, size)
    if Path(targets).exists():
        return ImageFolder(Path(targets))
    raise ValueError(
        f"unknown targets {os.fspath(targets)!r}: neither one of {', '.join(_NAMES)} nor the path "
        "of an image or a folder"
    )
