"""What the differentiable environment asks of a generator."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from strokenet_gym.stroke import Stroke

__all__ = ["Generator", "LearnedGenerator"]


class Generator(nn.Module):
    """Draws strokes as opacity maps, with gradients.

    A subclass has ``forward(stroke, size)``: from a batch of B strokes (tensors; the colour is not
    used) and a canvas size in pixels to opacity ``[B, size, size]`` in 0 … 1.

    Attributes:
        multiplies: whether its brush's blend mode is "multiply".
    """

    multiplies = False

    def paint(self, canvas: Tensor, target: Tensor, stroke: Stroke) -> tuple[Tensor, Tensor]:
        """Paint one stroke on each canvas.

        Args:
            canvas: ``[B, C, H, W]`` in 0 … 1.
            target: the same shape.
            stroke: a batch of B strokes with C colour channels.

        Returns:
            The painted canvases, and ``[B, 2]``: by how much their mean squared and their mean
            absolute difference to the target changed.
        """
        opacity = self(stroke, canvas.shape[-1])[:, None]
        colour = stroke.colour[:, :, None, None]
        if self.multiplies:
            colour = colour * canvas
        painted = canvas + (colour - canvas) * opacity
        after, before = painted - target, canvas - target
        # a² - b² = (a - b)(a + b), exact for small changes too.
        squared = ((after - before) * (after + before)).mean((1, 2, 3))
        absolute = (after.abs() - before.abs()).mean((1, 2, 3))
        return painted, torch.stack([squared, absolute], 1)


class LearnedGenerator(Generator):
    """A network that imitates one brush.

    Attributes:
        architecture: name of the kind of network, one for each subclass.
        on_disk: precision of the weights in a file.
        sizes: the constructor's arguments.
        imitates: name of the brush, once trained.
    """

    architecture: str
    on_disk = torch.float32
    sizes: dict[str, int]
    imitates = ""
