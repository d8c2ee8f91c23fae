"""Files of trained weights: where the shipped ones are, and how any of them is read."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from strokenet_gym.extras import require

require("neural", "torch", "safetensors")

from safetensors import SafetensorError, safe_open
from torch import Tensor

__all__ = ["SHIPPED", "check_finite", "read_weights"]

SHIPPED = Path(__file__).parent / "weights"


def read_weights(
    kind: str, name: str | os.PathLike, known: Mapping[str, Path], architectures: Collection[str]
) -> tuple[Path, dict[str, str], dict[str, Tensor]]:
    """Read a file of weights, in single precision.

    Args:
        kind: what it is for, for messages.
        name: one of the known names, or a path.
        known: the shipped files by name.
        architectures: the file must say that it holds one of these.

    Returns:
        The path, the file's metadata, and the tensors.

    Raises:
        ValueError: if there is no file of that name, or it is damaged, or holds something else.
    """
    path = known.get(str(name), Path(name))
    if not path.is_file():
        raise ValueError(
            f"unknown {kind} {os.fspath(name)!r}: neither one of {', '.join(known)} nor a file"
        )
    try:
        with safe_open(path, "pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    holds = metadata.get("architecture")
    if holds not in architectures:
        about = (
            "" if holds is None else f", but {holds!r}: import the module that defines that first"
        )
        raise ValueError(
            f"{path} does not hold {'an' if kind[0] in 'aeiou' else 'a'} {kind}'s weights (one of "
            f"{', '.join(architectures)}){about}"
        )
    check_finite(str(path), tensors)
    return path, metadata, tensors


def check_finite(what: str, tensors: Mapping[str, Tensor]) -> None:
    """Refuse weights that are no numbers.

    Raises:
        ValueError: if one is NaN or infinite.
    """
    wrong = [key for key, tensor in tensors.items() if not tensor.isfinite().all()]
    if wrong:
        raise ValueError(f"{what} holds weights that are NaN or infinite: {', '.join(wrong)}")
