"""Files of trained weights: where the shipped ones are, how any is read, and how it is written."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from strokenet_gym.files import check_memory, replace_file, user_path
from strokenet_gym.reading import open_regular, shown

__all__ = ["SHIPPED", "Network", "load_network", "save_network", "write_weights"]

SHIPPED = Path(__file__).parent / "weights"
_HEADER = 2**20  # bytes, at most: some 10,000 tensors
_GROWTH = 10  # bytes of memory that one of a file becomes: four bits of a number, in 32, and copied


class Network(nn.Module):
    """A network whose weights are kept in files.

    Attributes:
        architecture: its name in files, one for each subclass.
        on_disk: precision of the weights in a file.
        sizes: what to call the class with to get a network like this one, whole numbers from 1.
    """

    architecture: ClassVar[str]
    on_disk: ClassVar[torch.dtype] = torch.float16
    sizes: dict[str, int]


_Network = TypeVar("_Network", bound=Network)


def load_network(
    kind: str,
    name: str | os.PathLike,
    known: Mapping[str, Path],
    architectures: Mapping[str, type[_Network]],
    texts: Collection[str],
    describe: Callable[[_Network, dict[str, str]], Any],
) -> _Network:
    """Load a network in single precision on the CPU, in eval mode.

    Args:
        kind: what it is for, for messages.
        name: one of the known names, or a path.
        known: the shipped files by name.
        architectures: the classes that the file may name.
        texts: keys of the metadata that are not the network's sizes.
        describe: applies those to the network; may raise ValueError, LookupError or TypeError.

    Raises:
        ValueError: if there is no file of that name, or it is damaged, or holds something else.
    """
    try:
        path = known.get(str(name), user_path(name))
        found = path.is_file()
    except (OSError, ValueError, TypeError):  # no name of a file: too long, say
        found = False
    if not found:
        choices = f"neither one of {', '.join(known)} nor a file"
        raise ValueError(f"unknown {kind} {shown(name)!r}: {choices}")
    metadata, weights = _read(path)
    holds = metadata.pop("architecture", None)
    if holds is None or holds not in architectures:
        hint = f", but {shown(holds)!r}: import the module that defines that first"
        raise ValueError(
            f"{path} does not hold {'an' if kind[0] in 'aeiou' else 'a'} {kind}'s weights (one of "
            f"{', '.join(architectures)}){hint if holds is not None else ''}"
        )
    _check_finite(str(path), weights)
    try:
        about = {key: metadata.pop(key) for key in texts if key in metadata}
        sizes = {key: int(value) for key, value in metadata.items()}
        if any(size < 1 for size in sizes.values()):
            raise ValueError(f"sizes must be whole numbers from 1, got {sizes}")
        with torch.device("meta"):  # other weights are refused before the network takes memory
            architectures[holds](**sizes).load_state_dict(weights, assign=True)
        with torch.device("cpu"), torch.inference_mode(False):
            network = architectures[holds](**sizes).float()  # whatever torch's default is
            network.load_state_dict(weights)
        describe(network, about)
    except (RuntimeError, LookupError, TypeError, ValueError, ArithmeticError) as error:
        why = " ".join(str(error).split())  # torch's have several lines
        raise ValueError(f"{path} is of another version: {shown(why)}") from None
    return network.eval()


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The metadata and, in single precision, the weights of a file; ValueError if it is damaged."""
    check_memory(str(path), _GROWTH * path.stat().st_size)
    try:
        with open_regular(path) as stream:
            header = int.from_bytes(stream.read(8), "little")
        if header > _HEADER:
            raise ValueError(f"its header claims {header:,} bytes, at most {_HEADER:,} are read")
        # On no other device, and such that gradients go through them.
        with torch.device("cpu"), torch.inference_mode(False), safe_open(path, "pt") as file:
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            if any(tensor.is_complex() for tensor in weights.values()):
                raise ValueError("weights must be real numbers")
            return dict(file.metadata() or {}), {k: v.float() for k, v in weights.items()}
    except (SafetensorError, OSError, RuntimeError, ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged: {shown(error)}") from None


def save_network(
    network: Network, path: str | os.PathLike, what: str, texts: Mapping[str, str]
) -> None:
    """Write a network's weights and sizes, and texts; the file appears whole or not at all.

    Args:
        network: what to write.
        path: where to.
        what: its name in messages.
        texts: further metadata.

    Raises:
        ValueError: if a weight is NaN or infinite.
        OSError: if the file cannot be written.
    """
    weights = {
        key: (tensor.to(network.on_disk) if tensor.is_floating_point() else tensor).contiguous()
        for key, tensor in network.state_dict().items()
    }
    _check_finite(what, weights)
    sizes = {key: str(size) for key, size in network.sizes.items()}
    write_weights(path, weights, sizes | {"architecture": network.architecture} | dict(texts))


def write_weights(
    path: str | os.PathLike, weights: dict[str, Tensor], metadata: dict[str, str] | None = None
) -> None:
    """Write a file of weights, whole or not at all; OSError if it cannot be written."""
    with replace_file(path) as new:
        new.write_bytes(save(weights, metadata))


def _check_finite(what: str, tensors: Mapping[str, Tensor]) -> None:
    wrong = ", ".join(key for key, tensor in tensors.items() if not tensor.isfinite().all())
    if wrong:
        raise ValueError(f"{what} holds weights that are NaN or infinite: {shown(wrong)}")
