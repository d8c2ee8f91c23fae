"""The StrokeNet agent: a convolutional network that looks and then draws a stroke.

After StrokeNet, section 4.3: VGG-like convolutions with average pooling (its gradients are better
than max pooling's) and three parallel heads, for positions, pressures and the brush. The input is
smaller than the paper's 256 px, so that it trains and ships on a CPU.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path

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

__all__ = ["AGENTS", "StrokeNetAgent", "neighbour_penalty"]

AGENTS = {name: SHIPPED / f"agent_{name}.safetensors" for name in ("glyphs", "mnist")}


class StrokeNetAgent(nn.Module):
    """Maps observations to actions; works on any canvas size.

    Args:
        channels: colour channels of the environment, 1 or 3.
        input_size: width and height to which canvas and target are resized, a multiple of 16.
        width: channels of the first convolution; doubled in each of the next two stages.
        hidden: units of the layer that the heads share.
        max_strokes: strokes in the episodes that it is trained for.
    """

    def __init__(
        self,
        channels: int = 1,
        input_size: int = 64,
        width: int = 24,
        hidden: int = 512,
        max_strokes: int = 1,
    ) -> None:
        super().__init__()
        self.max_strokes = max_strokes
        self.sizes = {
            "channels": channels, "input_size": input_size, "width": width, "hidden": hidden,
            "max_strokes": max_strokes,
        }  # fmt: skip
        self.channels, self.input_size = channels, input_size
        widths = [2 * channels, width, 2 * width, 4 * width, 4 * width]
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.SiLU(), nn.AvgPool2d(2)]
        self.see = nn.Sequential(*layers, nn.Flatten())
        self.see = self.see.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        features = widths[-1] * (input_size // 16) ** 2 + 1
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
        seen = torch.cat([observation["target"], observation["canvas"]], 1)
        side = (self.input_size, self.input_size)
        if seen.shape[-1] > self.input_size:
            seen = F.interpolate(seen, side, mode="area")
        elif seen.shape[-1] < self.input_size:
            seen = F.interpolate(seen, side, mode="bilinear")
        features = torch.cat([self.see(seen), observation["strokes_left"]], 1)
        return self.think(features)

    def decode(self, thought: Tensor) -> Tensor:
        """Strokes for points of the latent space: actions ``[B, C + 49]`` in [-1, 1]."""
        brush = torch.sigmoid(self.brush(thought))
        colour, radius = brush[:, :-1], brush[:, -1]
        return pack(
            Stroke(
                colour=colour,
                radius=RADIUS_MIN * (RADIUS_MAX / RADIUS_MIN) ** radius,
                position=torch.tanh(self.position(thought)).unflatten(1, (NUM_ANCHORS, 2)),
                pressure=torch.sigmoid(self.pressure(thought)),
            )
        )

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
        tensors = {}
        for key, value in observation.items():
            tensor = torch.from_numpy(np.asarray(value)).to(self.position.weight.device)
            tensor = tensor.float() / (255 if value.dtype == np.uint8 else 1)
            tensors[key] = tensor[None] if single else tensor
        action = self(tensors).cpu().numpy()
        return action[0] if single else action

    def save(self, path: str | Path) -> None:
        """Write weights (in half precision) and sizes."""
        metadata = {"architecture": "strokenet"} | {k: str(v) for k, v in self.sizes.items()}
        save_file({k: v.half().contiguous() for k, v in self.state_dict().items()}, path, metadata)

    @classmethod
    def from_pretrained(
        cls, name: str | os.PathLike, device: str | torch.device = "cpu"
    ) -> StrokeNetAgent:
        """Load a trained agent, in eval mode.

        Args:
            name: "glyphs" or "mnist", or the path of a file that :meth:`save` wrote.
            device: where to put it.

        Raises:
            ValueError: if there is no agent of that name, or the file is not one.
        """
        path, sizes, weights = read_weights("agent", name, AGENTS, ["strokenet"])
        del sizes["architecture"]
        try:
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
