"""What the networks share that imitate a painting program: they are programs themselves."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from strokenet_gym.checks import background_of, canvas_tensor, canvases, real_tensor, strokes
from strokenet_gym.kernels.canvas import Size
from strokenet_gym.programs.base import Program
from strokenet_gym.programs.stamped import BLENDS
from strokenet_gym.reading import shown
from strokenet_gym.stroke import MOST_PRESSURE, RADIUS_MAX, RADIUS_MIN, Stroke

__all__ = ["Imitated", "LearnedGenerator"]


class Imitated(Program):
    """What the file of a network says of a program from outside the package, which is not here."""

    def __init__(self, name: str, blend: str, radii: tuple[float, float]) -> None:
        if blend not in BLENDS:
            raise ValueError(f"unknown blend mode {shown(blend)!r}; known: {', '.join(BLENDS)}")
        self.name, self.blend = shown(name), blend
        self.radius_min, self.radius_max = map(float, radii)
        if not 0 < self.radius_min < self.radius_max <= 1:
            raise ValueError(f"radii must be numbers in 0 … 1, the smaller first, got {radii}")

    def paint(self, canvas: np.ndarray, stroke: Stroke, background: np.ndarray) -> np.ndarray:
        """Not here.

        Raises:
            ValueError: always.
        """
        raise ValueError(f"the program {self.name!r} is not at hand: pass it as brush=")


class LearnedGenerator(nn.Module, Program):
    """A network that imitates one program: strokes as opacity maps, with gradients.

    A subclass has ``forward(stroke, size)``: from a batch of B strokes (tensors; the colour is not
    used) and a canvas' side in pixels, or its height and width, to opacity ``[B, H, W]`` in 0 … 1.

    Attributes:
        architecture: name of the kind of network, one for each subclass.
        on_disk: precision of the weights in a file.
        sizes: the constructor's arguments.
        imitates: the program that it was trained on; its blend mode and radii are the network's.
    """

    architecture: str
    on_disk = torch.float32
    sizes: dict[str, int]
    imitates: Program | None = None

    gradient = "learned"
    devices = ("cpu", "cuda")

    @property
    def blend(self) -> str:  # type: ignore[override]
        """The blend mode of what it imitates."""
        return "normal" if self.imitates is None else self.imitates.blend

    @property
    def radius_min(self) -> float:  # type: ignore[override]
        """The smallest radius of what it imitates."""
        return RADIUS_MIN if self.imitates is None else self.imitates.radius_min

    @property
    def radius_max(self) -> float:  # type: ignore[override]
        """The largest radius of what it imitates."""
        return RADIUS_MAX if self.imitates is None else self.imitates.radius_max

    def __call__(self, stroke: Stroke, size: Size) -> Tensor:
        """Draw strokes as ``forward`` does, whatever precision they and the weights are in.

        That is done in single precision: in half precision, positions would be off by parts of a
        pixel. Strokes in double precision are drawn in it: they are for gradient checks.

        Returns:
            Opacity in the strokes' precision.
        """
        given = stroke.position.dtype
        kind = torch.float64 if given == torch.float64 else torch.float32
        if given == kind and all(weights.dtype == kind for weights in self.parameters()):
            return super().__call__(stroke, size)
        state = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        other = {k: v for k, v in state.items() if v.is_floating_point() and v.dtype != kind}
        stroke = stroke._replace(
            radius=stroke.radius.to(kind),
            position=stroke.position.to(kind),
            pressure=stroke.pressure.to(kind),
        )
        cast = {key: value.to(kind) for key, value in other.items()}
        return torch.func.functional_call(self, cast, (stroke, size)).to(given)

    def paint(
        self, canvas: np.ndarray, stroke: Stroke, background: np.ndarray | float = 0.0
    ) -> np.ndarray:
        """Return the canvases with a stroke painted on each, see :meth:`Program.paint`."""
        device = next(self.parameters()).device
        copy = canvases(canvas)
        fields = strokes(stroke, copy.shape[:1], copy.shape[1])
        colour = background_of(background, copy.shape[1])

        def tensor(values: np.ndarray) -> Tensor:
            return torch.from_numpy(values).to(device, torch.float32)

        with torch.no_grad():
            below, on = tensor(copy), tensor(colour)
            painted, _ = self.paint_tensors(below, below, Stroke(*map(tensor, fields)), on)
        return painted.cpu().numpy()

    def paint_tensors(
        self, canvas: Tensor, target: Tensor, stroke: Stroke, background: Tensor | float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """Paint with the network's gradient, see :meth:`Program.paint_tensors`."""
        canvas = canvas_tensor(canvas)
        target = real_tensor(target, "the target", tuple(canvas.shape))
        stroke = strokes(stroke, tuple(canvas.shape[:1]), canvas.shape[1], real_tensor)
        double = stroke.position.dtype == torch.float64
        stroke = Stroke(*(field.to(torch.float64 if double else torch.float32) for field in stroke))
        if len(canvas) == 0:
            return canvas, stroke.radius.new_zeros(0, 2)
        # What has diverged paints nothing.
        sums = sum(field.flatten(1).sum(1) for field in (*stroke[2:], stroke.radius[:, None]))
        sums = sums + stroke.colour.sum(1)
        drawn = sums.isfinite() & (stroke.pressure.abs().amax(1) <= MOST_PRESSURE)
        stroke = Stroke(
            *(
                torch.where(drawn.reshape(-1, *[1] * (field.ndim - 1)), field, 0.0)
                for field in stroke._replace(radius=stroke.radius.clamp(min=self.radius_min))
            )
        )
        size = canvas.shape[2], canvas.shape[3]
        if size[0] != size[1] and not self.any_shape:
            raise ValueError(f"canvases must be square, got {tuple(canvas.shape)}")
        opacity = torch.where(drawn.reshape(-1, 1, 1, 1), self(stroke, size)[:, None], 0.0)
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
