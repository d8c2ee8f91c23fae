"""MNIST digits from the published IDX files, placed on the canvas as in the paper."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import cv2
import numpy as np

__all__ = ["MNIST", "read_idx"]

# The paper enlarges the 28 px digits to 120 px and pads them to 256.
_DIGIT_SHARE = 120 / 256
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


class MNIST:
    """Handwritten digits, white on black.

    The images are enlarged with cubic interpolation to 120/256 of the canvas and centred.

    Args:
        data_dir: folder with the published files (``train-images-idx3-ubyte`` and so on, with
            or without ``.gz``), or one that has them in a subfolder ``mnist``.
        split: "train" or "test".
        size: width and height of the images in pixels.

    Attributes:
        digits: uint8 ``[N, 28, 28]``, the original images.
        labels: uint8 ``[N]``.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if a file is damaged, or the split is unknown.
    """

    channels = 1

    def __init__(self, data_dir: str | Path, split: str = "train", size: int = 128) -> None:
        if split not in _FILES:
            raise ValueError(f"unknown split {split!r} of MNIST; known: {', '.join(_FILES)}")
        images, labels = (_find(Path(data_dir), name) for name in _FILES[split])
        self.digits = read_idx(images)
        self.labels = read_idx(labels)
        self.size = size
        if self.digits.ndim != 3 or self.labels.shape != self.digits.shape[:1]:
            raise ValueError(
                f"{images} has the shape {self.digits.shape} and {labels} {self.labels.shape}: "
                "expected [N, 28, 28] and [N]"
            )
        if len(self.digits) == 0:
            raise ValueError(f"{images} holds no image")

    def __len__(self) -> int:
        return len(self.digits)

    def __getitem__(self, index: int) -> np.ndarray:
        """The image of that index on a canvas, float32 ``[size, size]`` in 0 … 1."""
        extent = max(1, round(self.size * _DIGIT_SHARE))
        method = cv2.INTER_CUBIC if extent > self.digits.shape[1] else cv2.INTER_AREA
        digit = self.digits[index].astype(np.float32) / 255
        digit = np.clip(cv2.resize(digit, (extent, extent), interpolation=method), 0, 1)
        image = np.zeros((self.size, self.size), np.float32)
        start = (self.size - extent) // 2
        image[start : start + extent, start : start + extent] = digit
        return image

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """One of the images, uniformly at random."""
        return self[int(rng.integers(len(self)))]


def _find(data_dir: Path, name: str) -> Path:
    for folder in (data_dir, data_dir / "mnist"):
        for file in (folder / f"{name}.gz", folder / name):
            if file.is_file():
                return file
    raise FileNotFoundError(
        f"MNIST needs the file {name}.gz (or {name}) in {data_dir} or {data_dir / 'mnist'}; "
        "pass data_dir=… or set STROKENET_DATA to the folder that has it"
    )
