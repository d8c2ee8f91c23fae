"""The original's generator: convolutions over maps of dots (StrokeNet, section 4.2).

1. A *position encoder* turns each anchor into a bright dot on a 64 x 64 map. It is trained alone,
   against :func:`gaussian_dots`, before anything else, and then frozen.
2. Each map is multiplied by its anchor's pressure. Single dots are too sparse for convolutions, so
   neighbours are added: 15 segment maps.
3. A *brush encoder* makes one more map of the radius. (The original's sees the brightness too,
   since it predicts a picture. Ours predicts opacity, and the colour is composited.)
4. A *decoder* with two stride-2 deconvolutions makes an opacity map of 256 x 256 pixels.

The layers are those of the authors' published program. Other canvas sizes are served by resizing
the opacity, so that strokes on a larger canvas are as blurred as 256 pixels make them.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from strokenet_gym.kernels.canvas import Size, sides
from strokenet_gym.programs.learned.base import LearnedGenerator
from strokenet_gym.stroke import NUM_ANCHORS, Stroke

__all__ = ["DRAWN_SIZE", "MAP_SIZE", "PaperGenerator", "gaussian_dots"]

MAP_SIZE = 64
DRAWN_SIZE = 4 * MAP_SIZE  # pixels
_SEGMENTS = NUM_ANCHORS - 1


def gaussian_dots(position: Tensor) -> Tensor:
    """What the position encoder imitates: exp(-((x - xi)² + (y - yi)²) / 2), in map pixels.

    Args:
        position: ``[..., 2]``, half-widths, y up.

    Returns:
        ``[..., 64, 64]``, rows from the top.
    """
    grid = torch.arange(MAP_SIZE, dtype=position.dtype, device=position.device) + 0.5
    x, y = (1 + position[..., :1]) * (MAP_SIZE / 2), (1 - position[..., 1:]) * (MAP_SIZE / 2)
    rows, columns = ((grid - centre).square().div(-2).exp() for centre in (y, x))
    return rows[..., :, None] * columns[..., None, :]


def _map_encoder(*widths: int) -> nn.Sequential:
    """Fully connected layers from a few numbers to a map ``[B, 64, 64]``."""
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise((*widths, MAP_SIZE**2)):
        layers += [nn.Linear(before, after), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Unflatten(1, (MAP_SIZE, MAP_SIZE)))


class PaperGenerator(LearnedGenerator):
    """Opacity maps of strokes, differentiable in position, pressure and radius.

    Args:
        width: channels of the decoder's first block; 256 in the original. The next blocks have a
            half and a quarter of it.
        hidden: units of the position encoder's last hidden layer; 1024 in the original. The other
            hidden layers have a quarter of it.
    """

    architecture = "paper"
    any_shape = False
    on_disk = torch.float16

    def __init__(self, width: int = 256, hidden: int = 1024) -> None:
        super().__init__()
        self.sizes = {"width": width, "hidden": hidden}
        self.dots = _map_encoder(2, hidden // 4, hidden)
        self.brush = _map_encoder(1, hidden // 4)
        self.each = nn.Sequential(  # every segment by itself
            nn.Conv2d(_SEGMENTS, _SEGMENTS, 7, padding=3, groups=_SEGMENTS),
            nn.BatchNorm2d(_SEGMENTS),
        )
        self.mixed = nn.Sequential(
            nn.Conv2d(_SEGMENTS + 1, _SEGMENTS, 7, padding=3), nn.BatchNorm2d(_SEGMENTS)
        )
        half, quarter = width // 2, width // 4
        self.decoder = nn.Sequential(
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * _SEGMENTS, width, 5, padding=2), nn.LeakyReLU(0.2),
            nn.Conv2d(width, width, 5, padding=2), nn.LeakyReLU(0.2), nn.BatchNorm2d(width),
            nn.ConvTranspose2d(width, half, 5, 2, 2, output_padding=1), nn.LeakyReLU(0.2),
            nn.Conv2d(half, half, 5, padding=2), nn.LeakyReLU(0.2), nn.BatchNorm2d(half),
            nn.ConvTranspose2d(half, quarter, 5, 2, 2, output_padding=1), nn.LeakyReLU(0.2),
            nn.Conv2d(quarter, 1, 3, padding=1), nn.Tanh(),
        )  # fmt: skip
        with torch.no_grad():  # dots are narrow: start with steep units
            for parameter in self.dots[0].parameters():
                parameter.mul_(16)
        # Twice as fast on a CPU.
        for part in (self.mixed, self.decoder):
            part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, stroke: Stroke, size: Size) -> Tensor:
        """Draw strokes on square canvases, see :class:`LearnedGenerator`.

        In training mode, opacity may be slightly negative: its gradient leads back to 0.
        """
        maps = self.dots(stroke.position.flatten(0, 1)).unflatten(0, (-1, NUM_ANCHORS))
        maps = maps * stroke.pressure[..., None, None]
        segments = maps[:, :-1] + maps[:, 1:]
        brush = self.brush(stroke.radius[:, None])[:, None]
        mixed = self.mixed(torch.cat([segments, brush], 1))
        opacity = self.decoder(torch.cat([self.each(segments), mixed], 1))
        shape = sides(size)
        if shape != (DRAWN_SIZE, DRAWN_SIZE):
            mode = "area" if max(shape) < DRAWN_SIZE else "bilinear"
            opacity = F.interpolate(opacity, shape, mode=mode)
        return opacity[:, 0] if self.training else opacity[:, 0].clamp(min=0)
