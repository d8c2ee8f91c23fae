"""Fetches the published data sets, for people who have nothing yet."""

from __future__ import annotations

import base64
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from tqdm import tqdm

from strokenet_gym.extras import require
from strokenet_gym.files import replace_file, user_path
from strokenet_gym.messages import stderr
from strokenet_gym.targets.image_set import DATA_SETS

__all__ = ["download"]

_TIMEOUT = 30  # seconds without a byte
_PLAIN = {"Accept-Encoding": "identity"}  # so that lengths are those of the file


def download(name: str, folder: Path, categories: Sequence[str] = ()) -> list[Path]:
    """Fetch a data set's published files; those that are there and whole are kept.

    What comes is compared with the checksum that is known here, or that the server says, or that is
    in a zip; a file appears whole or not at all. Needs the extra "all".

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
        if target.exists() and (checksum is None or _hash(target, checksum) == checksum):
            continue
        try:
            checksum = checksum or _said_by_server(source)
            with (
                replace_file(target) as new,
                tqdm(total=0, unit="B", unit_scale=True, desc=target.name, file=stderr()) as bar,
            ):
                fetch = pooch.HTTPDownloader(bar, timeout=_TIMEOUT, headers=_PLAIN)
                fetch(source, new, None)
                if checksum is not None and _hash(new, checksum) != checksum:
                    raise ValueError(f"{source} came with another hash than {checksum}: try again")
                if checksum is None and target.suffix == ".zip":
                    _check_zip(new)
        except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
            raise OSError(
                f"cannot reach {urlsplit(source).netloc}: fetch {source} by hand and put it into "
                f"{target.parent}, or try again"
            ) from error
    return results


def _hash(file: Path, like: str) -> str:
    """The checksum of a file, of the same kind as another one."""
    import pooch

    kind = like.partition(":")[0]
    return f"{kind}:{pooch.file_hash(str(file), kind)}"


def _said_by_server(source: str) -> str | None:
    """The checksum that Google's servers say of a file, as pooch writes it."""
    import requests

    headers = requests.head(source, timeout=_TIMEOUT, allow_redirects=True).headers
    said = re.search(r"md5=([^,\s]+)", headers.get("x-goog-hash", ""))
    return said and f"md5:{base64.b64decode(said[1]).hex()}"


def _check_zip(file: Path) -> None:
    """Compare a zip with the checksums in it, and raise ValueError if one is wrong."""
    try:
        with zipfile.ZipFile(file) as archive:
            wrong = archive.testzip()
    except Exception as error:  # whatever unpacking raises
        wrong = str(error)
    if wrong is not None:
        raise ValueError(f"{file} came damaged ({wrong}): try again")
