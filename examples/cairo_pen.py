"""A black box in twenty lines: strokes by cairo, whose lines are as wide as the pressure.

PYTHONPATH=examples strokenet-gym train generator --brush cairo_pen:CairoPen --out runs/cairo
"""

import cairocffi as cairo
import numpy as np

from strokenet_gym import Program, Stroke


class CairoPen(Program):
    """Straight lines from anchor to anchor, with round ends."""

    name = "cairo_pen"

    def paint(self, canvas: np.ndarray, stroke: Stroke, background: np.ndarray) -> np.ndarray:
        """Return the canvases ``[B, C, H, W]`` with a stroke painted on each."""
        painted = canvas.copy()
        height, width = canvas.shape[2:]
        for picture, colour, radius, position, pressure in zip(painted, *stroke, strict=True):
            surface = cairo.ImageSurface(cairo.FORMAT_A8, width, height)  # an opacity a pixel
            context = cairo.Context(surface)
            context.set_line_cap(cairo.LINE_CAP_ROUND)
            x, y = width / 2 * (1 + position[:, 0]), height / 2 * (1 - position[:, 1])  # y is up
            for k in np.flatnonzero((pressure[1:] > 0) & (pressure[:-1] > 0)):
                mean = (pressure[k] + pressure[k + 1]) / 2
                context.set_line_width(max(1.0, radius * min(height, width) * mean))
                context.move_to(x[k], y[k])
                context.line_to(x[k + 1], y[k + 1])
                context.stroke()
            opacity = np.frombuffer(surface.get_data(), np.uint8).reshape(height, -1)[:, :width]
            picture += (colour[:, None, None] - picture) * (opacity / np.float32(255))
        return painted
