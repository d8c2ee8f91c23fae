"""Files of trained weights: where the shipped ones are, how any is read, and how it is written."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TypeVar

from strokenet_gym.extras import require

require("torch", "safetensors")

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from strokenet_gym.files import check_memory, replace_file, user_path
from strokenet_gym.reading import open_regular, shown

__all__ = ["SHIPPED", "build", "check_finite", "read_weights", "write_weights"]

_Network = TypeVar("_Network", bound=nn.Module)

SHIPPED = Path(__file__).parent / "weights"
_HEADER = 2**20  # bytes, at most: some 10,000 tensors
_GROWTH = 10  # bytes of memory that one of a file becomes: four bits of a number, in 32, and copied


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
    try:
        path = known.get(str(name), user_path(name))
        found = path.is_file()
    except (OSError, ValueError, TypeError):  # no name of a file: too long, say
        found = False
    if not found:
        raise ValueError(
            f"unknown {kind} {shown(name)!r}: neither one of {', '.join(known)} nor a file"
        )
    try:
        with open_regular(path) as stream:
            header = int.from_bytes(stream.read(8), "little")
        if header > _HEADER:
            raise ValueError(f"its header claims {header:,} bytes, at most {_HEADER:,} are read")
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {shown(error)}") from None
    check_memory(str(path), _GROWTH * path.stat().st_size)
    try:
        # On no other device, and such that gradients go through them.
        with torch.device("cpu"), torch.inference_mode(False), safe_open(path, "pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {key: _real(file.get_tensor(key)) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, RuntimeError, ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged: {shown(error)}") from None
    holds = metadata.get("architecture")
    if holds not in architectures:
        about = (
            ""
            if holds is None
            else f", but {shown(holds)!r}: import the module that defines that first"
        )
        raise ValueError(
            f"{path} does not hold {'an' if kind[0] in 'aeiou' else 'a'} {kind}'s weights (one of "
            f"{', '.join(architectures)}){about}"
        )
    check_finite(str(path), tensors)
    return path, metadata, tensors


def write_weights(
    path: str | os.PathLike, weights: dict[str, Tensor], metadata: dict[str, str] | None = None
) -> None:
    """Write a file of weights; it appears whole or not at all.

    Raises:
        OSError: if it cannot be written.
    """
    with replace_file(path) as new:
        new.write_bytes(save(weights, metadata))


def _real(tensor: Tensor) -> Tensor:
    if tensor.is_complex():
        raise ValueError("weights must be real numbers")
    return tensor.float()


def build(
    network: Callable[..., _Network], metadata: Mapping[str, str], weights: Mapping[str, Tensor]
) -> _Network:
    """A network with the weights from a file, in single precision on the CPU.

    Args:
        network: its class.
        metadata: what the file says of its sizes.
        weights: the tensors.

    Raises:
        RuntimeError: if the sizes are not those of the weights: before the network takes memory.
        ValueError: if one is no whole number from 1, or of no network.
        TypeError: if one is of another network.
    """
    sizes = {key: int(value) for key, value in metadata.items()}
    if any(size < 1 for size in sizes.values()):
        raise ValueError(f"sizes must be whole numbers from 1, got {sizes}")
    with torch.device("meta"):  # shapes alone
        claimed = {key: tensor.shape for key, tensor in network(**sizes).state_dict().items()}
    wrong = [
        key
        for key in sorted({*claimed, *weights})
        if key not in claimed or key not in weights or claimed[key] != weights[key].shape
    ]
    if wrong:
        raise RuntimeError(f"the weights {shown(', '.join(wrong))} are not of the sizes {sizes}")
    with torch.device("cpu"), torch.inference_mode(False):
        built = network(**sizes).float()  # whatever torch's default is
        built.load_state_dict(weights)
    return built


def check_finite(what: str, tensors: Mapping[str, Tensor]) -> None:
    """Refuse weights that are no numbers.

    Raises:
        ValueError: if one is NaN or infinite.
    """
    wrong = [key for key, tensor in tensors.items() if not tensor.isfinite().all()]
    if wrong:
        names = shown(", ".join(wrong))
        raise ValueError(f"{what} holds weights that are NaN or infinite: {names}")
