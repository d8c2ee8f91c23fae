"""What agents share: acting on NumPy observations, files, and their convolutions."""

from __future__ import annotations

import functools
import itertools
import json
import os
from typing import Any, ClassVar

import numpy as np

from strokenet_gym.extras import require

require("torch", "safetensors")

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from strokenet_gym.painter import PlannerAgent
from strokenet_gym.pretrained import SHIPPED, build, check_finite, read_weights, write_weights
from strokenet_gym.stroke import action_size, unpack

__all__ = [
    "AGENTS",
    "ARCHITECTURES",
    "Agent",
    "convolutions",
    "load_agent",
    "look",
    "neighbour_penalty",
    "resize",
]

AGENTS = {
    file.stem.removeprefix("agent_"): file
    for file in sorted(SHIPPED.glob("agent_*.safetensors"), key=lambda file: file.stem)
}
ARCHITECTURES: dict[str, type[Agent]] = {}  # a class enters itself


class Agent(nn.Module):
    """What agents share. A subclass has ``architecture``, and a ``forward`` of its own.

    It is entered in :data:`ARCHITECTURES`, so that :func:`load_agent` knows it once its module is
    imported.

    Args:
        sizes: what to call the subclass with to get a network like this one.

    Attributes:
        architecture: its name in files, one for each subclass.
        sizes: as given.
        channels: colour channels of the environments that it paints in.
        max_strokes: strokes in the episodes that it is trained for.
        task: what it is trained for, by the names of the environments' arguments; kept in files.
        fast: whether to run the convolutions in bfloat16 while in training mode, where the
            processor has it: twice as fast.
    """

    architecture: ClassVar[str]
    fast = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        name = cls.__dict__.get("architecture")
        if not isinstance(name, str):
            raise TypeError(f"the agent {cls.__name__} needs an attribute architecture, a name")
        taken = ARCHITECTURES.get(name)
        if taken is not None and (taken.__module__, taken.__qualname__) != (
            cls.__module__,
            cls.__qualname__,
        ):
            raise TypeError(
                f"the architecture {name!r} of {cls.__name__} is {taken.__name__}'s already"
            )
        ARCHITECTURES[name] = cls

    def __init__(self, sizes: dict[str, int]) -> None:
        super().__init__()
        if not all(isinstance(size, int) and size >= 1 for size in sizes.values()):
            raise ValueError(f"an agent's sizes must be whole numbers from 1, got {sizes}")
        self.sizes = sizes
        self.channels = sizes.get("channels", 1)
        self.max_strokes = sizes.get("max_strokes", 1)
        self.task: dict[str, Any] = {}

    def prepare(self, env: Any) -> None:
        """Look at an environment of this package, single or batched, before acting in it.

        Raises:
            ValueError: if it has other colour channels than the agent.
        """
        self._check_channels(env.unwrapped._episodes.channels)

    def _check_channels(self, channels: int) -> None:
        if channels != self.channels:
            raise ValueError(
                f"the agent paints with {self.channels} colour channel(s), but the observation has "
                f"{channels}: make the environment with channels={self.channels}"
            )

    @torch.no_grad()
    def act(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        """Choose strokes for the NumPy observations of any environment, single or batched.

        Args:
            observation: ``canvas`` and ``target`` uint8 ``[C, H, W]``, ``strokes_left`` ``[1]``,
                or batches of them.

        Returns:
            Actions float32 ``[C + 49]``, or a batch of them.

        Raises:
            ValueError: if the observation has other colour channels than the agent.
        """
        single = observation["canvas"].ndim == 3
        self._check_channels(observation["canvas"].shape[-3])
        device = next(self.parameters()).device
        tensors = {}
        for key, value in observation.items():
            tensor = torch.from_numpy(np.asarray(value)).to(device)
            tensor = tensor.float() / (255 if value.dtype == np.uint8 else 1)
            tensors[key] = tensor[None] if single else tensor
        action = self(tensors).cpu().numpy()
        return action[0] if single else action

    def save(self, path: str | os.PathLike) -> None:
        """Write weights (in half precision), sizes and task; the file appears whole or not at all.

        Raises:
            ValueError: if a weight is NaN or infinite.
            OSError: if it cannot be written.
        """
        weights = {
            key: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
            for key, tensor in self.state_dict().items()
        }
        check_finite("the agent", weights)
        metadata = {k: str(v) for k, v in self.sizes.items()}
        metadata |= {"architecture": self.architecture, "task": json.dumps(self.task)}
        write_weights(path, weights, metadata)


def load_agent(name: str | os.PathLike, device: str | torch.device = "cpu") -> Agent | PlannerAgent:
    """Load a trained agent, in eval mode, or the planner.

    Args:
        name: one of :data:`AGENTS`, or the path of a file that :meth:`Agent.save` wrote. The module
            that defines its class must have been imported. Or "planner", which needs no training.
        device: where to put it; the planner is always on the CPU.

    Raises:
        ValueError: if there is no agent of that name, or the file is not one.

    Example:
        >>> import gymnasium as gym
        >>> from strokenet_gym import load_agent
        >>> env, agent = gym.make("Painting-v0"), load_agent("glyphs")
        >>> observation, info = env.reset(seed=0)
        >>> observation, reward, terminated, truncated, info = env.step(agent.act(observation))
        >>> info["residual"] < 0.2
        True
    """
    if name == "planner":
        return PlannerAgent()
    path, metadata, weights = read_weights("agent", name, AGENTS, ARCHITECTURES)
    try:
        cls, task = ARCHITECTURES[metadata.pop("architecture")], metadata.pop("task", "{}")
        agent = build(cls, metadata, weights)
        agent.task = json.loads(task)
        if not isinstance(agent.task, dict):
            raise ValueError(f"task must be a dictionary, got {type(agent.task).__name__}")
    except (RuntimeError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"{path} is of another version: {error}") from error
    return agent.to(device).eval()


def neighbour_penalty(action: Tensor) -> Tensor:
    """Mean squared distance between neighbouring anchors (StrokeNet, section 4.3), ``[B]``.

    Args:
        action: ``[B, C + 49]``.
    """
    anchors = unpack(action, action.shape[1] - action_size(0)).position
    return (anchors[:, 1:] - anchors[:, :-1]).square().sum(-1).mean(1)


def convolutions(widths: list[int]) -> nn.Sequential:
    """VGG-like stages that halve the picture each, and flatten the last."""
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.SiLU(), nn.AvgPool2d(2)]
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            # Torch's own first weights fade the pictures, more with each layer.
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    network = nn.Sequential(*layers, nn.Flatten())
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def look(network: nn.Module, image: Tensor, fast: bool) -> Tensor:
    """Features of an image, see :attr:`Agent.fast`."""
    fast = fast and network.training and _has_bfloat16(image.device.type)
    image = image.contiguous(memory_format=torch.channels_last)
    with torch.autocast(image.device.type, torch.bfloat16, enabled=fast):
        return network(image).float()


@functools.cache
def _has_bfloat16(kind: str) -> bool:
    if kind == "cuda":
        return torch.cuda.is_bf16_supported()
    if kind != "cpu" or not hasattr(torch.cpu, "get_capabilities"):  # older versions lack it
        return False
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def resize(image: Tensor, size: int) -> Tensor:
    """Images ``[B, C, size, size]``."""
    if image.shape[-1] > size:
        return F.interpolate(image, (size, size), mode="area")
    if image.shape[-1] < size:
        return F.interpolate(image, (size, size), mode="bilinear")
    return image
