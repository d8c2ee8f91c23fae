"""MNIST digits, and sets in its format, from the published IDX files, placed as in the paper."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from strokenet_gym.targets.archives import damaged, find_data, folders_of, read_file
from strokenet_gym.targets.image_set import ImageSet, Item

__all__ = ["MNIST", "read_idx"]

_ADDRESS = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_SPLITS = {"train": "train", "test": "(?:t10k|test)"}


def read_idx(path: Path) -> np.ndarray:
    """Read an IDX file of unsigned bytes, plain or gzipped; ValueError if it is damaged or none."""
    data = read_file(path)
    if len(data) < 4 or data[:3] != b"\0\0\x08" or not 1 <= data[3] <= 4:
        raise ValueError(f"{path} is not an IDX file of bytes: it starts with {data[:4]!r}")
    header = 4 + 4 * data[3]
    shape = tuple(np.frombuffer(data[4:header], ">u4").astype(int).tolist())
    expected = header + int(np.prod(shape)) if len(data) >= header else header
    if len(data) != expected:
        raise ValueError(
            f"{path} holds {len(data)} bytes, but its header announces {expected}: damaged"
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


class MNIST(ImageSet):
    """Handwritten digits, white on black.

    Made from the published files ``train-images-idx3-ubyte`` and so on, with or without ``.gz``,
    also as torchvision keeps them; those of Fashion-MNIST and KMNIST have the same names, and
    EMNIST's, of which there may be one kind in the folder, are read too. The digits are enlarged
    with cubic interpolation to 120/256 of the canvas and centred. Labels are "0" to "9"; of EMNIST
    those that its mapping says.
    """

    name = "mnist"
    patterns = ("train-images-idx3-ubyte.gz",)
    share = 120 / 256  # the paper enlarges the digits to 120 px and pads them to 256
    addresses: ClassVar = {
        _ADDRESS + "train-images-idx3-ubyte.gz":
            "sha256:440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        _ADDRESS + "train-labels-idx1-ubyte.gz":
            "sha256:3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        _ADDRESS + "t10k-images-idx3-ubyte.gz":
            "sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        _ADDRESS + "t10k-labels-idx1-ubyte.gz":
            "sha256:f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    }  # fmt: skip

    def _find(self, data_dir: Path, split: str, select: Sequence[str]) -> list[Path]:
        folders = folders_of(data_dir, self.name)
        for other in ("fashionmnist", "kmnist", "emnist"):  # torchvision's folders
            folders += [f for f in folders_of(data_dir, other) if f not in folders]
        for prefix, folder in itertools.product(("", r"emnist-\w+-"), folders):
            names = sorted(f.name for f in folder.iterdir() if f.is_file())
            found = [_matching(names, prefix, split, kind) for kind in ("images", "labels")]
            if all(found):
                if len(found[0]) > 1 and prefix:
                    raise ValueError(
                        f"{folder} has several kinds of EMNIST ({', '.join(found[0])}): leave "
                        "one in a folder of its own"
                    )
                files = [folder / names[0] for names in found]
                # The text beside an EMNIST that says what its numbers mean.
                text = "-".join(files[0].name.split("-")[:2]) + "-mapping.txt"
                return files + [f for f in [folder / text] if f.is_file()]
        first = {"train": "train", "test": "t10k"}[split]
        missing = [f"{first}-images-idx3-ubyte.gz", f"{first}-images-idx3-ubyte"]
        found_one = find_data(type(self), data_dir, *missing)
        raise FileNotFoundError(f"{found_one[0]} has no {first}-labels-idx1-ubyte beside it")

    def _prepare(self, files: list[Path], split: str, select: Sequence[str]) -> Iterator[Item]:
        digits, numbers = (read_idx(file) for file in files[:2])
        if digits.shape[1:] != (28, 28) or numbers.shape != digits.shape[:1]:
            raise ValueError(
                f"{files[0]} has the shape {digits.shape} and {files[1]} {numbers.shape}: "
                "expected [N, 28, 28] and [N]"
            )
        emnist = files[0].name.lower().startswith("emnist-")
        names = _mapping(files[2]) if emnist and len(files) > 2 else {}
        for digit, number in zip(digits, numbers.tolist(), strict=True):
            label = names.get(number, str(number))
            if self.is_selected(label, select):
                yield label, digit.T if emnist else digit  # which is published on its side


def _matching(names: list[str], prefix: str, split: str, kind: str) -> list[str]:
    """Of names of files those that have a split's images or labels; gzipped ones come last."""
    pattern = rf"{prefix}{_SPLITS[split]}-{kind}[-.]idx\d-ubyte(\.gz)?"
    found = [name for name in names if re.fullmatch(pattern, name, re.IGNORECASE)]
    kept = {name.lower().removesuffix(".gz"): name for name in reversed(found)}
    return list(kept.values())


def _mapping(text: Path) -> dict[int, str]:
    lines = [line.split() for line in read_file(text).decode(errors="replace").splitlines()]
    with damaged(text):
        return {int(line[0]): chr(int(line[1])) for line in lines if len(line) >= 2}
