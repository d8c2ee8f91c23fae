"""An agent for drawings of many thin strokes: looks where most is missing, and draws from there."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from strokenet_gym.agents.base import Agent, convolutions, look, resize
from strokenet_gym.stroke import NUM_ANCHORS, RADIUS_MAX, RADIUS_MIN, Stroke, pack

__all__ = ["TracingAgent"]


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
        if glimpse % 8:
            raise ValueError(f"glimpse must be a multiple of 8, got {glimpse}")
        self.input_size = input_size
        self.scales = math.ceil(math.log2(2 * input_size / glimpse)) + 1  # the last shows it all
        self.see = convolutions([2 * channels * self.scales, width, 2 * width, 3 * width])
        features = 3 * width * (glimpse // 8) ** 2 + 3
        self.think = nn.Sequential(
            nn.Linear(features, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU()
        )
        self.position = nn.Linear(hidden, 2 * NUM_ANCHORS)
        self.pressure = nn.Linear(hidden, NUM_ANCHORS)
        self.radius = nn.Linear(hidden, 1)
        pixels = torch.arange(glimpse, dtype=torch.float32)
        offsets = (pixels + 0.5 - glimpse / 2) * 2 / input_size
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
        """Choose strokes, see :class:`Agent`."""
        glimpses, place, colour = self.glimpse(observation)
        features = look(self.see, glimpses, self.fast)
        thought = self.think(torch.cat([features, observation["strokes_left"], place], 1))
        return self.draw(
            place, colour, self.position(thought), self.pressure(thought), self.radius(thought)
        )

    def glimpse(self, observation: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """What it looks at.

        Returns:
            Glimpses of target and canvas, ``[B, 2 C scales, glimpse, glimpse]``; their place, x and
            y in [-1, 1], ``[B, 2]``; the target's colour there, ``[B, C]``.
        """
        target = resize(observation["target"], self.input_size)
        canvas = resize(observation["canvas"], self.input_size)
        place = self.place(target, canvas)
        flip = place.new_tensor([1.0, -1.0])  # images have y down, strokes have it up
        centre = (place * flip)[:, None, None]
        glimpses, image = [], torch.cat([target, canvas], 1)
        for scale in range(self.scales):
            where = centre + self.grid * 2**scale
            glimpses.append(F.grid_sample(image, where, align_corners=False))
            image = F.avg_pool2d(image, 2)
        colour = F.grid_sample(target, centre, align_corners=False)[:, :, 0, 0]
        return torch.cat(glimpses, 1), place, colour

    def draw(
        self, place: Tensor, colour: Tensor, position: Tensor, pressure: Tensor, radius: Tensor
    ) -> Tensor:
        """Actions ``[B, C + 49]`` of this colour, about this place, from what the heads say."""
        offsets = 1.5 * torch.tanh(position).unflatten(1, (NUM_ANCHORS, 2))
        return pack(
            Stroke(
                colour=colour,
                radius=RADIUS_MIN * (RADIUS_MAX / RADIUS_MIN) ** torch.sigmoid(radius)[:, 0],
                position=(place[:, None] + offsets).clamp(-1, 1),
                pressure=torch.sigmoid(pressure),
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
        x, y = (index % side).to(target.dtype), (index // side).to(target.dtype)
        return torch.stack([(x + 0.5) / side * 2 - 1, 1 - (y + 0.5) / side * 2], -1)
