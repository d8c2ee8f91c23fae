"""What agents share: acting on NumPy observations, files, and their convolutions."""

from __future__ import annotations

import functools
import itertools
import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from strokenet_gym.checks import background_of, whole
from strokenet_gym.envs.arguments import canvas_sides, check_observation
from strokenet_gym.painter import PlannerAgent
from strokenet_gym.pretrained import SHIPPED, Network, load_network, save_network
from strokenet_gym.programs import load_program
from strokenet_gym.programs.transforms import dense
from strokenet_gym.reading import shown
from strokenet_gym.stroke import action_size, unpack
from strokenet_gym.targets import is_named

__all__ = [
    "AGENTS", "ARCHITECTURES", "Agent", "arguments_of", "convolutions", "load_agent", "look",
    "neighbour_penalty", "resize",
]  # fmt: skip

AGENTS = {
    file.stem.removeprefix("agent_"): file
    for file in sorted(SHIPPED.glob("agent_*.safetensors"), key=lambda file: file.stem)
}
ARCHITECTURES: dict[str, type[Agent]] = {}  # each class adds itself
_SIDES, _STROKES = (16, 512), (1, 1000)  # of a task that a file may ask for by itself


class Agent(Network):
    """What agents share.

    A subclass has ``architecture``, and ``forward(observation)``: from tensors in [0, 1]
    (``canvas`` and ``target`` ``[B, C, H, W]``, ``strokes_left`` ``[B, 1]``) to actions
    ``[B, C + 49]`` in [-1, 1]. It adds itself to :data:`ARCHITECTURES`, so that
    :func:`load_agent` knows it once its module is imported.

    Args:
        sizes: what to call the subclass with to get a network like this one.

    Attributes:
        architecture: its name in files, one for each subclass.
        channels: colour channels of the environments that it paints in.
        max_strokes: strokes in the episodes that it is trained for.
        task: what it is trained for, by the names of the environments' arguments; kept in files,
            and as anybody wrote it there: :func:`strokenet_gym.agents.arguments_of` checks it.
        fast: whether to run the convolutions in bfloat16 while in training mode, where the
            processor has it: twice as fast.
    """

    fast = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        name = cls.__dict__.get("architecture")
        if not isinstance(name, str):
            raise TypeError(f"the agent {cls.__name__} needs an attribute architecture, a name")
        other = ARCHITECTURES.get(name, cls)
        if (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
            taken = f"is {other.__name__}'s already"
            raise TypeError(f"the architecture {name!r} of {cls.__name__} {taken}")
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
        self._check_channels(env.unwrapped.task.channels)

    def _check_channels(self, channels: int) -> None:
        if channels != self.channels:
            raise ValueError(
                f"the agent paints with {self.channels} colour channel(s), but the observation has "
                f"{channels}: make the environment with channels={self.channels}"
            )

    def __call__(self, observation: dict[str, Tensor]) -> Tensor:
        """Choose strokes, whatever precision the weights and the observation are in."""
        seen = {key: self.as_weights(value) for key, value in observation.items()}
        action, kind = super().__call__(seen), observation["target"].dtype
        return action.to(kind) if kind.is_floating_point else action

    def as_weights(self, value: Tensor) -> Tensor:
        """Floating-point numbers in the weights' precision."""
        weights = next(self.parameters(), value)
        return value.to(weights.dtype) if value.is_floating_point() else value

    @torch.no_grad()
    def act(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        """Choose strokes for the NumPy observations of any environment, single or batched.

        Args:
            observation: ``canvas`` and ``target`` uint8 ``[C, H, W]``, ``strokes_left`` ``[1]``,
                or batches of them.

        Returns:
            Actions float32 ``[C + 49]``, or a batch of them.

        Raises:
            ValueError: if the observation has other colour channels than the agent, lacks a part,
                or one has another shape.
            TypeError: if a part does not hold real numbers.
        """
        arrays, single = check_observation(observation)
        self._check_channels(arrays["canvas"].shape[-3])
        device = next(self.parameters()).device
        seen = {}
        for key, value in arrays.items():
            batch = dense(value[None] if single else value, key).to(device).float()
            seen[key] = batch / (255 if value.dtype == np.uint8 else 1)
        action = self(seen).cpu().numpy()
        return action[0] if single else action

    def save(self, path: str | os.PathLike) -> None:
        """Write weights (in half precision), sizes and task; the file appears whole or not at all.

        Raises:
            ValueError: if a weight is NaN or infinite.
            OSError: if it cannot be written.
        """
        save_network(self, path, "the agent", {"task": json.dumps(self.task)})


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
    return load_network("agent", name, AGENTS, ARCHITECTURES, ["task"], _describe).to(device)


def _describe(agent: Agent, texts: Mapping[str, str]) -> None:
    agent.task = json.loads(texts.get("task", "{}"))
    if not isinstance(agent.task, dict):
        raise ValueError(f"task must be a dictionary, got {type(agent.task).__name__}")


def arguments_of(agent: Agent | PlannerAgent, **given: Any) -> dict[str, Any]:
    """The environments' arguments that an agent is trained for.

    Its file may be anybody's. So its brush and targets are only names of what is built in or has
    been entered in the tables, or a brush's numbers; what is a path or in a module has to be given.
    The reward is not among them, since an agent paints without.

    Args:
        agent: the agent.
        given: arguments that take the place of the agent's, unless they are None.

    Raises:
        ValueError: if the agent's file says anything else; the message says what to give.

    Example:
        >>> import gymnasium as gym
        >>> from strokenet_gym.agents import arguments_of, load_agent
        >>> agent = load_agent("glyphs")
        >>> env = gym.make("Painting-v0", **arguments_of(agent, canvas_size=64))
        >>> env.unwrapped.spec.kwargs["targets"], env.observation_space["canvas"].shape
        ('glyphs', (1, 64, 64))
    """
    own = {} if agent.channels is None else {"channels": agent.channels}
    own |= {name: agent.task[name] for name in _ARGUMENTS if name in agent.task}
    chosen = {name: value for name, value in given.items() if value is not None}
    for name in (name for name in own if name not in chosen):
        try:
            _ARGUMENTS[name](own[name])
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(
                f"the agent's file says {name} {shown(own[name])!r}: {shown(error)}. Give {name}= "
                f"(--{name.replace('_', '-')}) yourself"
            ) from None
    return own | chosen


def _check_targets(value: Any) -> None:
    if not is_named(value):
        raise ValueError("it names no data set, and data open no files")


_ARGUMENTS: dict[str, Callable[[Any], object]] = {
    "targets": _check_targets,
    "canvas_size": lambda value: canvas_sides(value, "canvas_size", *_SIDES),
    "max_strokes": lambda value: whole(value, "max_strokes", *_STROKES),
    "channels": lambda value: whole(value, "channels", 1, 3),
    "brush": lambda value: load_program(value, trusted=False),
    "background": lambda value: background_of(value, 3 if np.size(value) == 3 else 1),
}


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
    stages = [nn.Conv2d(*channels, 3, padding=1) for channels in itertools.pairwise(widths)]
    for stage in stages:
        # Torch's own first weights fade the pictures, more with each layer.
        nn.init.kaiming_normal_(stage.weight, nonlinearity="relu")
        nn.init.zeros_(stage.bias)  # type: ignore[arg-type]
        layers += [stage, nn.SiLU(), nn.AvgPool2d(2)]
    network = nn.Sequential(*layers, nn.Flatten())
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def look(network: nn.Module, image: Tensor, fast: bool) -> Tensor:
    """Features of an image, see :attr:`Agent.fast`."""
    fast = fast and network.training and _has_bfloat16(image.device.type)
    image = image.contiguous(memory_format=torch.channels_last)
    with torch.autocast(image.device.type, torch.bfloat16, enabled=fast):
        return network(image).to(image.dtype)


@functools.cache
def _has_bfloat16(kind: str) -> bool:
    if kind == "cuda":
        return torch.cuda.is_bf16_supported()
    found: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # older ones lack it
    return kind == "cpu" and bool(found.get("avx512_bf16") or found.get("amx_bf16"))


def resize(image: Tensor, size: int) -> Tensor:
    """Images ``[B, C, size, size]``."""
    if image.shape[-2:] == (size, size):
        return image
    return F.interpolate(image, (size, size), mode="area" if image.shape[-1] > size else "bilinear")
