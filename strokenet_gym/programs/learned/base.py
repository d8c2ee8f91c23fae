"""What the networks share that imitate a painting program: they are programs themselves."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from strokenet_gym.checks import background_of, canvas_tensor, canvases, real_tensor, strokes
from strokenet_gym.kernels.canvas import Size
from strokenet_gym.pretrained import Network
from strokenet_gym.programs.base import Program
from strokenet_gym.programs.stamped import BLENDS
from strokenet_gym.reading import shown
from strokenet_gym.stroke import MOST_PRESSURE, Stroke

__all__ = ["Imitated", "LearnedGenerator"]


class Imitated(Program):
    """The properties, from a network's file, of a program that is not part of the package."""

    def __init__(self, name: str, blend: str, radii: tuple[float, float]) -> None:
        if blend not in BLENDS:
            raise ValueError(f"unknown blend mode {shown(blend)!r}; known: {', '.join(BLENDS)}")
        self.name, self.blend = shown(name), blend
        self.radius_min, self.radius_max = map(float, radii)
        if not 0 < self.radius_min < self.radius_max <= 1:
            raise ValueError(f"radii must be numbers in 0 … 1, the smaller first, got {radii}")

    def paint(self, canvas: np.ndarray, stroke: Stroke, background: np.ndarray) -> np.ndarray:
        """Raise ValueError: the program is not here."""
        raise ValueError(f"the program {self.name!r} is not at hand: pass it as brush=")


def _precision(stroke: Stroke) -> torch.dtype:
    return torch.float64 if stroke.position.dtype == torch.float64 else torch.float32


class LearnedGenerator(Network, Program):
    """A network that imitates one program: strokes as opacity maps, with gradients.

    A subclass has ``forward(stroke, size)``: from a batch of B strokes (tensors; the colour is not
    used) and a canvas' side in pixels, or its height and width, to opacity ``[B, H, W]`` in 0 … 1.

    Attributes:
        imitates: the program that it was trained on; its blend mode and radii are the network's.
    """

    on_disk = torch.float32
    imitates: Program | None = None

    gradient = "learned"
    devices = ("cpu", "cuda")
    blend = property(lambda self: (self.imitates or Program).blend)  # type: ignore[assignment]
    radius_min = property(lambda self: (self.imitates or Program).radius_min)  # type: ignore[assignment]
    radius_max = property(lambda self: (self.imitates or Program).radius_max)  # type: ignore[assignment]

    def __call__(self, stroke: Stroke, size: Size) -> Tensor:
        """Draw strokes as ``forward`` does, whatever precision they and the weights are in.

        That is done in single precision: in half precision, positions would be off by parts of a
        pixel. Strokes in double precision are drawn in it: they are for gradient checks.

        Returns:
            Opacity in the strokes' precision.
        """
        given, kind = stroke.position.dtype, _precision(stroke)
        if given == kind and all(weights.dtype == kind for weights in self.parameters()):
            return super().__call__(stroke, size)
        state = *self.named_parameters(), *self.named_buffers()
        cast = {key: value.to(kind) for key, value in state if value.is_floating_point()}
        stroke = Stroke(stroke.colour, *(field.to(kind) for field in stroke[1:]))
        return torch.func.functional_call(self, cast, (stroke, size)).to(given)

    def paint(
        self, canvas: np.ndarray, stroke: Stroke, background: np.ndarray | float = 0.0
    ) -> np.ndarray:
        """Return the canvases with a stroke painted on each, see :meth:`Program.paint`."""
        copy = canvases(canvas)
        fields = strokes(stroke, copy.shape[:1], copy.shape[1])
        arrays = copy, background_of(background, copy.shape[1]), *fields
        device = next(self.parameters()).device
        below, on, *sent = (torch.from_numpy(a).to(device, torch.float32) for a in arrays)
        with torch.no_grad():
            return self.paint_tensors(below, below, Stroke(*sent), on)[0].cpu().numpy()

    def paint_tensors(
        self, canvas: Tensor, target: Tensor, stroke: Stroke, background: Tensor | float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """Paint with the network's gradient, see :meth:`Program.paint_tensors`."""
        canvas = canvas_tensor(canvas)
        target = real_tensor(target, "the target", tuple(canvas.shape))
        stroke = strokes(stroke, tuple(canvas.shape[:1]), canvas.shape[1], real_tensor)
        kind = _precision(stroke)
        stroke = Stroke(*(field.to(kind) for field in stroke))
        if len(canvas) == 0:
            return canvas, stroke.radius.new_zeros(0, 2)
        size = canvas.shape[2], canvas.shape[3]
        if size[0] != size[1] and not self.any_shape:
            raise ValueError(f"canvases must be square, got {tuple(canvas.shape)}")
        # A stroke that has diverged paints nothing, nor do numbers whose sum is beyond the type's.
        numbers = torch.cat([field.reshape(len(canvas), -1) for field in stroke], 1)
        drawn = numbers.sum(1).isfinite() & (stroke.pressure.abs().amax(1) <= MOST_PRESSURE)
        stroke = stroke._replace(radius=stroke.radius.clamp(min=self.radius_min))
        stroke = Stroke(*(torch.where(drawn.view(-1, *[1] * (f.ndim - 1)), f, 0.0) for f in stroke))
        opacity = torch.where(drawn[:, None, None], self(stroke, size), 0.0)[:, None]
        blend, colour = BLENDS[self.blend], stroke.colour
        if blend.erases:
            colour = colour * 0 + background
        shade = blend.shade(colour[:, :, None, None], canvas)
        painted = canvas + (shade - canvas) * opacity
        after, before = painted - target, canvas - target
        # a² - b² = (a - b)(a + b), exact for small changes too.
        squared = ((after - before) * (after + before)).mean((1, 2, 3))
        absolute = (after.abs() - before.abs()).mean((1, 2, 3))
        return painted, torch.stack([squared, absolute], 1)
