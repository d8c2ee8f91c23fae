"""MNIST digits from the published IDX files, placed on the canvas as in the paper."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from strokenet_gym.targets.image_set import ImageSet, Item, find_data

__all__ = ["MNIST", "read_idx"]

_ADDRESS = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


def read_idx(path: Path) -> np.ndarray:
    """Read an IDX file of unsigned bytes, plain or gzipped.

    Raises:
        ValueError: if it is damaged, cut short, or not such a file.
    """
    try:
        raw = path.read_bytes()
        data = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is damaged or cut short: {error}") from error
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

    Made from the published files ``train-images-idx3-ubyte`` and so on, with or without ``.gz``.
    The digits are enlarged with cubic interpolation to 120/256 of the canvas and centred. Labels
    are "0" to "9".
    """

    name = "mnist"
    kept_size = 28
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

    def _find(self, data_dir: Path, split: str) -> list[Path]:
        return [find_data(type(self), data_dir, f"{f}.gz", f)[0] for f in _FILES[split]]

    def _prepare(
        self, files: list[Path], split: str, size: int, select: Sequence[str]
    ) -> Iterator[Item]:
        digits, numbers = (read_idx(file) for file in files)
        if digits.shape[1:] != (28, 28) or numbers.shape != digits.shape[:1]:
            raise ValueError(
                f"{files[0]} has the shape {digits.shape} and {files[1]} {numbers.shape}: "
                "expected [N, 28, 28] and [N]"
            )
        for digit, number in zip(digits, numbers, strict=True):
            if self.is_selected(str(number), select):
                yield str(number), digit
