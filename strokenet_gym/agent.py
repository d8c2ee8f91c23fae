"""Agents: convolutional networks that look and then draw a stroke.

Both follow StrokeNet, section 4.3: VGG-like convolutions with average pooling (its gradients are
better than max pooling's) and parallel heads for positions, pressures and the brush. Their inputs
are smaller than the paper's 256 px, so that they train and ship on a CPU.

:class:`StrokeNetAgent` is the paper's: it sees the whole picture and draws anywhere in it.
:class:`TracingAgent` is for drawings of many thin strokes: it looks at the place where most is
missing, sharply there and ever more coarsely around it, and draws from there.
"""

from __future__ import annotations

import functools
import itertools
import math
import os
from pathlib import Path
from typing import ClassVar

import numpy as np

from strokenet_gym.extras import require

require("neural", "torch", "safetensors")

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from strokenet_gym.pretrained import SHIPPED, read_weights
from strokenet_gym.stroke import (
    NUM_ANCHORS,
    RADIUS_MAX,
    RADIUS_MIN,
    Stroke,
    action_size,
    pack,
    unpack,
)

__all__ = ["AGENTS", "Agent", "StrokeNetAgent", "TracingAgent", "load_agent", "neighbour_penalty"]

AGENTS = {
    name: SHIPPED / f"agent_{name}.safetensors"
    for name in (
        "glyphs",
        "mnist",
        "mnist-3",
        "mnist-neural",
        "omniglot",
        "omniglot-4",
        "quickdraw",
        "kanjivg",
    )
}


class Agent(nn.Module):
    """What agents share: acting on NumPy observations, and files.

    Attributes:
        sizes: what to call the class with to get a network like this one.
        max_strokes: strokes in the episodes that it is trained for.
        fast: whether to run the convolutions in bfloat16 while in training mode, where the
            processor has it: twice as fast.
    """

    architecture: ClassVar[str]  # its name in files
    fast = False

    def __init__(self, sizes: dict[str, int]) -> None:
        super().__init__()
        self.sizes = sizes
        self.max_strokes = sizes["max_strokes"]

    @torch.no_grad()
    def act(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        """Choose strokes for the NumPy observations of either environment, single or batched.

        Args:
            observation: ``canvas`` and ``target`` uint8 ``[C, H, W]``, ``strokes_left`` ``[1]``,
                or batches of them.

        Returns:
            Actions float32 ``[C + 49]``, or a batch of them.
        """
        single = observation["canvas"].ndim == 3
        device = next(self.parameters()).device
        tensors = {}
        for key, value in observation.items():
            tensor = torch.from_numpy(np.asarray(value)).to(device)
            tensor = tensor.float() / (255 if value.dtype == np.uint8 else 1)
            tensors[key] = tensor[None] if single else tensor
        action = self(tensors).cpu().numpy()
        return action[0] if single else action

    def save(self, path: str | Path) -> None:
        """Write weights (in half precision) and sizes."""
        metadata = {"architecture": self.architecture} | {k: str(v) for k, v in self.sizes.items()}
        save_file({k: v.half().contiguous() for k, v in self.state_dict().items()}, path, metadata)


class StrokeNetAgent(Agent):
    """Sees the whole picture and draws anywhere in it; works on any canvas size.

    Args:
        channels: colour channels of the environment, 1 or 3.
        input_size: width and height to which canvas and target are resized, a multiple of 16.
        width: channels of the first convolution; doubled in each of the next two stages.
        hidden: units of the layer that the heads share.
        max_strokes: strokes in the episodes that it is trained for.
    """

    architecture = "strokenet"

    def __init__(
        self,
        channels: int = 1,
        input_size: int = 64,
        width: int = 24,
        hidden: int = 512,
        max_strokes: int = 1,
    ) -> None:
        super().__init__(
            {
                "channels": channels, "input_size": input_size, "width": width, "hidden": hidden,
                "max_strokes": max_strokes,
            }
        )  # fmt: skip
        self.input_size = input_size
        self.see = _convolutions([2 * channels, width, 2 * width, 4 * width, 4 * width])
        features = 4 * width * (input_size // 16) ** 2 + 1
        self.think = nn.Sequential(nn.Linear(features, hidden), nn.SiLU())
        self.position = nn.Linear(hidden, 2 * NUM_ANCHORS)
        self.pressure = nn.Linear(hidden, NUM_ANCHORS)
        self.brush = nn.Linear(hidden, channels + 1)
        # Begin with one visible curve, from the top to the bottom, that the weights hardly bend:
        # anchors that start on one spot would have no order to learn from.
        with torch.no_grad():
            for head in (self.position, self.pressure, self.brush):
                head.weight.mul_(0.1)
            t = torch.linspace(0, 1, NUM_ANCHORS)
            curve = torch.stack([0.1 * torch.sin(2 * torch.pi * t), 0.4 - 0.8 * t], -1)
            self.position.bias.copy_(torch.atanh(curve).flatten())
            self.pressure.bias.fill_(1.0)
            self.brush.bias.fill_(1.0)

    def forward(self, observation: dict[str, Tensor]) -> Tensor:
        """Choose strokes.

        Args:
            observation: tensors in [0, 1] as the neural environment gives them: ``canvas`` and
                ``target`` ``[B, C, H, W]``, ``strokes_left`` ``[B, 1]``.

        Returns:
            Actions ``[B, C + 49]`` in [-1, 1].
        """
        return self.decode(self.encode(observation))

    def encode(self, observation: dict[str, Tensor]) -> Tensor:
        """What the heads see of an observation, ``[B, hidden]``: the strokes' latent space."""
        seen = _resize(
            torch.cat([observation["target"], observation["canvas"]], 1), self.input_size
        )
        return self.think(
            torch.cat([_look(self.see, seen, self.fast), observation["strokes_left"]], 1)
        )

    def decode(self, thought: Tensor) -> Tensor:
        """Strokes for points of the latent space: actions ``[B, C + 49]`` in [-1, 1]."""
        brush = torch.sigmoid(self.brush(thought))
        return pack(
            Stroke(
                colour=brush[:, :-1],
                radius=RADIUS_MIN * (RADIUS_MAX / RADIUS_MIN) ** brush[:, -1],
                position=torch.tanh(self.position(thought)).unflatten(1, (NUM_ANCHORS, 2)),
                pressure=torch.sigmoid(self.pressure(thought)),
            )
        )


class TracingAgent(Agent):
    """Looks where most is missing and draws from there, in the colour that the target has there.

    The place to look at is where target and canvas differ most, averaged over a few pixels. The
    network sees it in glimpses, each half as sharp and twice as wide as the one before, after
    the retina of Mnih et al. (2014), and places its anchors relative to it. So a line looks the
    same wherever it is, a new agent's first dab lies on ink, and a stroke's gradient has a slope
    to climb: it grows along the line. An agent that draws anywhere in the picture has none where a
    thin stroke lies beside a thin line, and smears instead.

    Args:
        channels: colour channels of the environment, 1 or 3.
        input_size: width and height to which canvas and target are resized.
        glimpse: width and height of a glimpse in pixels, a multiple of 8.
        width: channels of the first convolution; twice and three times as many in the next two.
        hidden: units of the layer that the heads share.
        max_strokes: strokes in the episodes that it is trained for.
    """

    architecture = "tracing"

    def __init__(
        self,
        channels: int = 1,
        input_size: int = 128,
        glimpse: int = 32,
        width: int = 32,
        hidden: int = 512,
        max_strokes: int = 16,
    ) -> None:
        super().__init__(
            {
                "channels": channels, "input_size": input_size, "glimpse": glimpse, "width": width,
                "hidden": hidden, "max_strokes": max_strokes,
            }
        )  # fmt: skip
        self.input_size = input_size
        self.scales = math.ceil(math.log2(2 * input_size / glimpse)) + 1  # the last shows it all
        self.see = _convolutions([2 * channels * self.scales, width, 2 * width, 3 * width])
        features = 3 * width * (glimpse // 8) ** 2 + 3
        self.think = nn.Sequential(
            nn.Linear(features, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU()
        )
        self.position = nn.Linear(hidden, 2 * NUM_ANCHORS)
        self.pressure = nn.Linear(hidden, NUM_ANCHORS)
        self.radius = nn.Linear(hidden, 1)
        offsets = (torch.arange(glimpse) + 0.5 - glimpse / 2) * 2 / input_size
        rows, columns = torch.meshgrid(offsets, offsets, indexing="ij")
        self.register_buffer("grid", torch.stack([columns, rows], -1), persistent=False)
        # Begin with a dab of a pen's width, from its top to its bottom: it gains something at once.
        with torch.no_grad():
            for head in (self.position, self.pressure, self.radius):
                head.weight.mul_(0.1)
            t = torch.linspace(0, 1, NUM_ANCHORS)
            dab = torch.stack([0.01 * torch.sin(2 * torch.pi * t), 0.03 - 0.06 * t], -1)
            self.position.bias.copy_(dab.flatten())
            self.pressure.bias.fill_(1.0)
            self.radius.bias.fill_(0.7)

    def forward(self, observation: dict[str, Tensor]) -> Tensor:
        """Choose strokes, as :meth:`StrokeNetAgent.forward` does."""
        target = _resize(observation["target"], self.input_size)
        canvas = _resize(observation["canvas"], self.input_size)
        place = self.place(target, canvas)
        # Images have y down, strokes have it up.
        flip = place.new_tensor([1.0, -1.0])
        centre = (place * flip)[:, None, None]
        glimpses, image = [], torch.cat([target, canvas], 1)
        for scale in range(self.scales):
            where = centre + self.grid * 2**scale
            glimpses.append(F.grid_sample(image, where, align_corners=False))
            image = F.avg_pool2d(image, 2)
        seen = [
            _look(self.see, torch.cat(glimpses, 1), self.fast),
            observation["strokes_left"],
            place,
        ]
        thought = self.think(torch.cat(seen, 1))
        offsets = 1.5 * torch.tanh(self.position(thought)).unflatten(1, (NUM_ANCHORS, 2))
        radius = torch.sigmoid(self.radius(thought))[:, 0]
        return pack(
            Stroke(
                colour=F.grid_sample(target, centre, align_corners=False)[:, :, 0, 0],
                radius=RADIUS_MIN * (RADIUS_MAX / RADIUS_MIN) ** radius,
                position=(place[:, None] + offsets).clamp(-1, 1),
                pressure=torch.sigmoid(self.pressure(thought)),
            )
        )

    @torch.no_grad()
    def place(self, target: Tensor, canvas: Tensor) -> Tensor:
        """Where most is missing: x and y in [-1, 1], ``[B, 2]``.

        Args:
            target: ``[B, C, S, S]``, where S is ``input_size``.
            canvas: the same shape.
        """
        missing = F.avg_pool2d(target - canvas, 2).abs().mean(1, keepdim=True)
        missing = F.avg_pool2d(missing, 3, stride=1, padding=1)
        side = missing.shape[-1]
        index = missing.flatten(1).argmax(1)
        x, y = index % side, index // side
        return torch.stack([(x + 0.5) / side * 2 - 1, 1 - (y + 0.5) / side * 2], -1)


def load_agent(name: str | os.PathLike, device: str | torch.device = "cpu") -> Agent:
    """Load a trained agent, in eval mode.

    Args:
        name: one of :data:`AGENTS`, or the path of a file that :meth:`Agent.save` wrote.
        device: where to put it.

    Raises:
        ValueError: if there is no agent of that name, or the file is not one.
    """
    classes = {cls.architecture: cls for cls in (StrokeNetAgent, TracingAgent)}
    path, sizes, weights = read_weights("agent", name, AGENTS, classes)
    try:
        cls = classes[sizes.pop("architecture")]
        agent = cls(**{key: int(value) for key, value in sizes.items()})
        agent.load_state_dict(weights)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"{path} is of another version: {error}") from error
    return agent.to(device).eval()


def neighbour_penalty(action: Tensor) -> Tensor:
    """Mean squared distance between neighbouring anchors (StrokeNet, section 4.3), ``[B]``.

    Args:
        action: ``[B, C + 49]``.
    """
    anchors = unpack(action, action.shape[1] - action_size(0)).position
    return (anchors[:, 1:] - anchors[:, :-1]).square().sum(-1).mean(1)


def _convolutions(widths: list[int]) -> nn.Sequential:
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


def _look(network: nn.Module, image: Tensor, fast: bool) -> Tensor:
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


def _resize(image: Tensor, size: int) -> Tensor:
    """Images ``[B, C, size, size]``."""
    if image.shape[-1] > size:
        return F.interpolate(image, (size, size), mode="area")
    if image.shape[-1] < size:
        return F.interpolate(image, (size, size), mode="bilinear")
    return image
