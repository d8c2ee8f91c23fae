"""The paper's agent: it sees the whole picture and draws anywhere in it (StrokeNet, section 4.3).

VGG-like convolutions with average pooling (its gradients are better than max pooling's) and
parallel heads for positions, pressures and the brush. The input is smaller than the paper's 256 px,
so that it trains and ships on a CPU.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from strokenet_gym.agents.base import Agent, convolutions, look, resize
from strokenet_gym.stroke import NUM_ANCHORS, RADIUS_MAX, RADIUS_MIN, Stroke, pack

__all__ = ["StrokeNetAgent"]


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
        self.see = convolutions([2 * channels, width, 2 * width, 4 * width, 4 * width])
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
        """Choose strokes, see :class:`Agent`."""
        return self.decode(self.encode(observation))

    def encode(self, observation: dict[str, Tensor]) -> Tensor:
        """What the heads see of an observation, ``[B, hidden]``: the strokes' latent space."""
        names = "target", "canvas", "strokes_left"
        target, canvas, left = (self.as_weights(observation[name]) for name in names)
        seen = resize(torch.cat([target, canvas], 1), self.input_size)
        return self.think(torch.cat([look(self.see, seen, self.fast), left], 1))

    def decode(self, thought: Tensor) -> Tensor:
        """Strokes for points of the latent space: actions ``[B, C + 49]`` in [-1, 1]."""
        thought = self.as_weights(thought)
        brush = torch.sigmoid(self.brush(thought))
        return pack(
            Stroke(
                colour=brush[:, :-1],
                radius=RADIUS_MIN * (RADIUS_MAX / RADIUS_MIN) ** brush[:, -1],
                position=torch.tanh(self.position(thought)).unflatten(1, (NUM_ANCHORS, 2)),
                pressure=torch.sigmoid(self.pressure(thought)),
            )
        )
