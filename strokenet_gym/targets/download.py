"""Fetches the published data sets, for people who have nothing yet."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from strokenet_gym.extras import require

__all__ = ["download"]

_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_OMNIGLOT = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python/"
_QUICKDRAW = "https://storage.googleapis.com/quickdraw_dataset/full/simplified/"
_KANJIVG = "https://github.com/KanjiVG/kanjivg/releases/download/r20240807/"

# Address and checksum, which is None where the publisher's files change or have none.
_FILES: dict[str, dict[str, str | None]] = {
    "mnist": {
        _MNIST + "train-images-idx3-ubyte.gz":
            "sha256:440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        _MNIST + "train-labels-idx1-ubyte.gz":
            "sha256:3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        _MNIST + "t10k-images-idx3-ubyte.gz":
            "sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        _MNIST + "t10k-labels-idx1-ubyte.gz":
            "sha256:f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
    "omniglot": {
        _OMNIGLOT + "images_background_small1.zip":
            "sha256:f38eb80f801274ac2b4dff5b24289016bfaba4a7d5bb50deebf27104ad6cb8a4",
    },
    "quickdraw": {},  # a file for each category
    "kanjivg": {_KANJIVG + "kanjivg-20240807-main.zip": None},
}  # fmt: skip
_TIMEOUT = 30  # seconds without a byte
_PIECE = 2**16  # bytes that are written at a time


def download(name: str, folder: Path, categories: Sequence[str] = ()) -> list[Path]:
    """Fetch a data set's published files; those that are there and whole are kept.

    A broken download goes on where it stopped when it is called again. Needs the extra "data".

    Args:
        name: "mnist", "omniglot", "quickdraw" or "kanjivg".
        folder: the data directory; the files go to its subfolder of that name.
        categories: of Quick, Draw!, which has a file for each.

    Returns:
        The files.

    Raises:
        ValueError: if the name is unknown, a checksum is wrong, or categories are missing.
        OSError: if the connection fails, or a file cannot be written.
    """
    require("data", "pooch", "tqdm")
    import pooch

    if name not in _FILES:
        raise ValueError(f"unknown data set {name!r}; known: {', '.join(_FILES)}")
    if (name == "quickdraw") != bool(categories):
        raise ValueError(
            "quickdraw needs categories, such as cat: each is a file of its own"
            if name == "quickdraw"
            else f"{name} has no categories, got {', '.join(categories)}"
        )
    files = _FILES[name] | {f"{_QUICKDRAW}{quote(c)}.ndjson": None for c in categories}
    results = []
    for address, checksum in files.items():
        target = folder / name / Path(address.replace("%20", " ")).name
        results.append(target)
        pooch.retrieve(
            address,
            known_hash=checksum,
            fname=target.name,
            path=target.parent,
            downloader=_Resuming(target.with_name(target.name + ".part")),
        )
    return results


class _Resuming:
    """A downloader for pooch that keeps what it has when the connection breaks.

    Args:
        part: file for what has come so far.
    """

    def __init__(self, part: Path) -> None:
        self._part = part

    def __call__(self, url: str, output_file: str, _: Any) -> None:
        import requests
        from tqdm import tqdm

        have = self._part.stat().st_size if self._part.exists() else 0
        headers = {"Accept-Encoding": "identity"}  # so that lengths are those of the file
        if have:
            headers["Range"] = f"bytes={have}-"
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as answer:
            if answer.status_code == 416:  # nothing is left to come
                if answer.headers.get("Content-Range") != f"bytes */{have}":
                    self._part.unlink()
                    raise OSError(f"{url} is another file now: try again")
            else:
                answer.raise_for_status()
                if answer.status_code != 206:  # the server sends all of it again
                    have = 0
                length = answer.headers.get("Content-Length")
                total = have + int(length) if length else None
                with (
                    self._part.open("ab" if have else "wb") as file,
                    tqdm(total=total, initial=have, unit="B", unit_scale=True,
                         desc=self._part.stem) as bar,
                ):  # fmt: skip
                    for piece in answer.iter_content(_PIECE):
                        file.write(piece)
                        bar.update(len(piece))
                if total is not None and self._part.stat().st_size < total:
                    raise OSError(
                        f"{url} broke off at {self._part.stat().st_size} of {total} bytes"
                    )
        os.replace(self._part, output_file)
