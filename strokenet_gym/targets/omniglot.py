"""Omniglot's handwritten characters from the published zips of images, or their folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import ClassVar

from strokenet_gym.targets.archives import find_data, members, streams
from strokenet_gym.targets.image_set import ImageSet, Item, in_split
from strokenet_gym.targets.images import decode

__all__ = ["Omniglot"]

_SIDE = 105  # pixels


class Omniglot(ImageSet):
    """Characters of many alphabets, each drawn by 20 people; white on black.

    Made from ``images_background*.zip``, or the folder of that name. If ``images_evaluation`` is
    there too, that is the test split. Else a tenth of the drawings are for tests, by a hash of
    their names. Labels are such as "Greek/character03"; an alphabet such as "Greek" selects all of
    its characters.
    """

    name = "omniglot"
    patterns = "images_background.zip", "images_background", "images_background*"
    share = 0.75
    addresses: ClassVar = {
        "https://raw.githubusercontent.com/brendenlake/omniglot/master/python/"
        "images_background_small1.zip":
            "sha256:f38eb80f801274ac2b4dff5b24289016bfaba4a7d5bb50deebf27104ad6cb8a4",
    }  # fmt: skip

    def _find(self, data_dir: Path, split: str, select: Sequence[str]) -> list[Path]:
        files = super()._find(data_dir, split, select)
        try:
            evaluation = find_data(type(self), files[0].parent, "images_evaluation*")[:1]
        except FileNotFoundError:
            return files
        return evaluation if split == "test" else [*files, *evaluation]

    def _prepare(self, files: list[Path], split: str, select: Sequence[str]) -> Iterator[Item]:
        published = any(map(_is_evaluation, files))
        seen = set()
        for file in files:
            if published and _is_evaluation(file) != (split == "test"):
                continue
            for name, data in members(file, ".png"):
                label, _, drawing = "/".join(PurePosixPath(name).parts[-3:]).rpartition("/")
                key = f"{label}/{drawing}"
                if "/" not in label or key in seen or not self.is_selected(label, select):
                    continue
                if published or in_split(key, split):
                    seen.add(key)
                    image = decode(data, f"{name} in {file}", (_SIDE, _SIDE))
                    yield label, 255 - (image if image.ndim == 2 else image[:, :, 0])

    def _known(self, files: list[Path]) -> set[str]:
        paths = [PurePosixPath(name).parts for file in files for name, _ in streams(file, ".png")]
        labels = {parts[-3:-1] for parts in paths if len(parts) > 2}
        return {alphabet for alphabet, _ in labels} | {"/".join(label) for label in labels}

    @staticmethod
    def is_a(label: str, selected: str) -> bool:
        """Whether a character, or its alphabet, was selected."""
        wanted = selected.casefold()
        return wanted in (label.casefold(), label.partition("/")[0].casefold())


def _is_evaluation(file: Path) -> bool:
    return file.name.lower().startswith("images_evaluation")
