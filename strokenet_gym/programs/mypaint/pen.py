"""A pen of libmypaint that keeps its state from stroke to stroke, with its own sheet of paper."""

from __future__ import annotations

import numpy as np

from strokenet_gym.programs.mypaint.drawing import ONE
from strokenet_gym.programs.mypaint.library import load_library
from strokenet_gym.programs.mypaint.settings import find_brush, number_of, read_settings
from strokenet_gym.programs.mypaint.surface import Surface

__all__ = ["Pen"]


class Pen:
    """A brush and what it paints on.

    Args:
        source: of the brush; it and the errors are those of :class:`MyPaintBrush`.
        size: width and height of the paper in pixels.
    """

    def __init__(self, source: str, size: int) -> None:
        settings = read_settings(find_brush(source))
        self.size, self._surface = size, Surface(size, size)
        self._memory = self._surface.memory
        self._library = library = load_library()
        self._brush = library.mypaint_brush_new()
        for number, value in zip(settings.numbers.tolist(), settings.base, strict=True):
            library.mypaint_brush_set_base_value(self._brush, number, value)
        points = iter(settings.points.tolist())
        for *line, count in settings.lines.tolist():
            library.mypaint_brush_set_mapping_n(self._brush, *line, count)
            for k in range(count):
                library.mypaint_brush_set_mapping_point(self._brush, *line, k, *next(points))

    def set(self, setting: str, value: float) -> None:
        """Change a setting's base value."""
        number = number_of("setting", setting)
        self._library.mypaint_brush_set_base_value(self._brush, number, value)

    def clear(self) -> None:
        """Start on white paper."""
        self._memory.tiles[:] = ONE

    def lift(self) -> None:
        """Forget where the pen is: the next point begins a stroke."""
        self._library.mypaint_brush_reset(self._brush)

    def draw(self, points: np.ndarray, pressure: np.ndarray, seconds: float) -> None:
        """Go through points.

        Args:
            points: ``[N, 2]``, x and y in pixels, y down; on the paper.
            pressure: ``[N]``, 0 … 1.
            seconds: from each to the next.
        """
        library, brush, surface = self._library, self._brush, self._memory.address
        self._memory.budget[0] = self._memory.full
        library.mypaint_surface_begin_atomic(surface)
        for (x, y), p in zip(points.tolist(), pressure.tolist(), strict=True):
            library.mypaint_brush_stroke_to(brush, surface, x, y, p, 0.0, 0.0, seconds)
        library.mypaint_surface_end_atomic(surface, self._memory.box.ctypes)

    def picture(self) -> np.ndarray:
        """The paper, uint8 ``[3, size, size]``."""
        rows, columns, side = self._memory.tiles.shape[:3]
        pixels = self._memory.tiles.swapaxes(1, 2).reshape(rows * side, columns * side, 4)
        pixels = pixels[: self.size, : self.size].astype(np.uint32)
        alpha = np.maximum(pixels[..., 3:], 1)
        colour = ((pixels[..., :3] << 15) + alpha // 2) // alpha
        return ((255 * colour + ONE // 2) // ONE).astype(np.uint8).transpose(2, 0, 1)

    def __del__(self) -> None:
        if hasattr(self, "_brush"):
            self._library.mypaint_brush_unref(self._brush)
