"""Fetches the published data sets, for people who have nothing yet."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from tqdm import tqdm

from strokenet_gym.extras import require
from strokenet_gym.files import user_path
from strokenet_gym.messages import stderr
from strokenet_gym.targets.image_set import DATA_SETS

__all__ = ["download"]

_TIMEOUT = 30  # seconds without a byte
_PIECE = 2**16  # bytes that are written at a time


def download(name: str, folder: Path, categories: Sequence[str] = ()) -> list[Path]:
    """Fetch a data set's published files; those that are there and whole are kept.

    What comes is compared with the checksum that is known here, or that the server says, or that is
    in a zip. A broken download goes on where it stopped when it is called again. Needs the extra
    "all".

    Args:
        name: of the set, in :data:`DATA_SETS`.
        folder: the data directory; the files go to its subfolder of that name.
        categories: of a set that has a file for each, as Quick, Draw! has.

    Returns:
        The files.

    Raises:
        ValueError: if the name is unknown, a checksum is wrong, or categories are missing.
        OSError: if the connection fails, or a file cannot be written.
    """
    require("pooch")
    import pooch
    import requests

    name = name.lower()
    if name not in DATA_SETS:
        raise ValueError(f"unknown data set {name!r}; known: {', '.join(DATA_SETS)}")
    address = DATA_SETS[name].category_address
    if (address is not None) != bool(categories):
        raise ValueError(
            f"{name} has no categories, got {', '.join(categories)}"
            if address is None
            else f"{name} needs categories, such as cat: each is a file of its own"
        )
    files = dict(DATA_SETS[name].addresses)
    if address is not None:
        files |= {address.format(category=quote(c)): None for c in categories}
    results = []
    for source, checksum in files.items():
        target = user_path(folder) / name / Path(unquote(source)).name
        results.append(target)
        try:
            pooch.retrieve(
                source,
                known_hash=checksum,
                fname=target.name,
                path=target.parent,
                downloader=_Resuming(target.with_name(target.name + ".part")),
            )
        except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
            raise OSError(
                f"cannot reach {urlsplit(source).netloc}: fetch {source} by hand and put it into "
                f"{target.parent}, or try again"
            ) from error
        if checksum is None and target.suffix == ".zip":
            _check_zip(target)
    return results


def _check_zip(file: Path) -> None:
    """Compare a zip with the checksums in it.

    Raises:
        ValueError: if one is wrong; the file is removed.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            wrong = archive.testzip()
    except Exception as error:  # whatever unpacking raises
        wrong = str(error)
    if wrong is not None:
        file.unlink()
        raise ValueError(f"{file} came damaged ({wrong}) and was removed: try again")


class _Resuming:
    """A downloader for pooch that keeps what it has when the connection breaks.

    Args:
        part: file for what has come so far.
    """

    def __init__(self, part: Path) -> None:
        self._part = part

    def __call__(self, url: str, output_file: str, _: Any) -> None:
        import requests

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
                    open(self._part, "ab" if have else "wb", opener=_no_link) as file,
                    tqdm(total=total, initial=have, unit="B", unit_scale=True,
                         desc=self._part.stem, file=stderr()) as bar,
                ):  # fmt: skip
                    for piece in answer.iter_content(_PIECE):
                        file.write(piece)
                        bar.update(len(piece))
                if total is not None and self._part.stat().st_size < total:
                    raise OSError(
                        f"{url} broke off at {self._part.stat().st_size} of {total} bytes"
                    )
        said = re.search(r"md5=([^,\s]+)", answer.headers.get("x-goog-hash", ""))
        if said and said[1] != _md5(self._part):
            self._part.unlink()
            raise ValueError(f"{url} came with another hash than its server says: try again")
        os.replace(self._part, output_file)


def _no_link(name: str, flags: int) -> int:
    """Open a file, but not where somebody else's link of a name that is known leads to."""
    return os.open(name, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _md5(file: Path) -> str:
    """The checksum in the form in which Google's servers say it."""
    digest = hashlib.md5(usedforsecurity=False)
    with file.open("rb") as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
    return base64.b64encode(digest.digest()).decode()
