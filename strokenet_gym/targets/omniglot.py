"""Omniglot's handwritten characters from the published zips of images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np

from strokenet_gym.targets.image_set import ImageSet, Item, in_split, members

__all__ = ["Omniglot"]


class Omniglot(ImageSet):
    """Characters of many alphabets, each drawn by 20 people; white on black.

    Made from ``images_background*.zip``. If ``images_evaluation.zip`` is there too, that is the
    test split. Else a tenth of the drawings are for tests, by a hash of their names. Labels are
    such as "Greek/character03"; an alphabet such as "Greek" selects all of its characters.
    """

    name = "omniglot"
    patterns = "images_background.zip", "images_background*.zip"
    kept_size = 105
    share = 0.75
    addresses: ClassVar = {
        "https://raw.githubusercontent.com/brendenlake/omniglot/master/python/"
        "images_background_small1.zip":
            "sha256:f38eb80f801274ac2b4dff5b24289016bfaba4a7d5bb50deebf27104ad6cb8a4",
    }  # fmt: skip

    def _find(self, data_dir: Path, split: str) -> list[Path]:
        files = super()._find(data_dir, split)
        evaluation = files[0].with_name("images_evaluation.zip")
        if not evaluation.exists():
            return files
        return [evaluation] if split == "test" else [*files, evaluation]

    def _prepare(
        self, files: list[Path], split: str, size: int, select: Sequence[str]
    ) -> Iterator[Item]:
        published = any(file.name == "images_evaluation.zip" for file in files)
        for file in files:
            if published and (file.name == "images_evaluation.zip") != (split == "test"):
                continue
            for name, data in members(file, ".png"):
                _, alphabet, character, drawing = name.split("/")
                label = f"{alphabet}/{character}"
                if not self.is_selected(label, select):
                    continue
                if published or in_split(f"{label}/{drawing}", split):
                    ink = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
                    if ink is None or ink.shape != (size, size):
                        raise ValueError(f"{name} in {file} is not an image of {size} px")
                    yield label, 255 - ink

    @staticmethod
    def is_a(label: str, selected: str) -> bool:
        """Whether a character, or its alphabet, was selected."""
        return selected in (label, label.partition("/")[0])
