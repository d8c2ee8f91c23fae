"""A pen of libmypaint that keeps its state from stroke to stroke, with its own sheet of paper."""

from __future__ import annotations

import ctypes

import numpy as np

from strokenet_gym.programs.mypaint import drawing
from strokenet_gym.programs.mypaint.library import Surface, load_library
from strokenet_gym.programs.mypaint.settings import find_brush, number_of, read_settings

__all__ = ["Pen"]

_ONE = 32768  # in a surface's numbers


class Pen:
    """A brush and what it paints on.

    Args:
        source: name of an installed brush, or the path of a .myb file.
        size: width and height of the paper in pixels.

    Raises:
        ValueError: if there is no brush of that name, or its file is damaged.
        FileNotFoundError: if there is no such file.
        DependencyNotInstalled: if libmypaint, or its brushes, are not installed.
    """

    def __init__(self, source: str, size: int) -> None:
        self._library = load_library()
        settings = read_settings(find_brush(source))
        drawing.connect(self._library)
        self.size = size
        self._surface = Surface(size, size)
        drawing.guard(self._surface)
        self._brush = self._library.mypaint_brush_new()
        for number, value in zip(settings.numbers.tolist(), settings.base, strict=True):
            self._library.mypaint_brush_set_base_value(self._brush, number, value)
        first = 0
        for number, source_number, count in settings.lines.tolist():
            line = number, source_number
            self._library.mypaint_brush_set_mapping_n(self._brush, *line, count)
            for k in range(count):
                point = settings.points[first + k].tolist()
                self._library.mypaint_brush_set_mapping_point(self._brush, *line, k, *point)
            first += count

    def set(self, setting: str, value: float) -> None:
        """Change a setting's base value."""
        self._library.mypaint_brush_set_base_value(
            self._brush, number_of("setting", setting), value
        )

    def clear(self) -> None:
        """Have white paper."""
        self._surface.tiles[:] = _ONE

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
        box = (ctypes.c_int * 4)()
        self._surface.budget[0] = drawing.COVERS * max(self.size**2, drawing.SMALL)
        self._library.mypaint_surface_begin_atomic(self._surface.address)
        for (x, y), p in zip(points.tolist(), pressure.tolist(), strict=True):
            self._library.mypaint_brush_stroke_to(
                self._brush, self._surface.address, x, y, p, 0.0, 0.0, seconds
            )
        self._library.mypaint_surface_end_atomic(self._surface.address, ctypes.byref(box))

    def picture(self) -> np.ndarray:
        """The paper, uint8 ``[3, size, size]``."""
        rows, columns, side = self._surface.tiles.shape[:3]
        pixels = self._surface.tiles.transpose(0, 2, 1, 3, 4).reshape(
            rows * side, columns * side, 4
        )
        pixels = pixels[: self.size, : self.size].astype(np.uint32)
        alpha = np.maximum(pixels[..., 3:], 1)
        colour = ((pixels[..., :3] << 15) + alpha // 2) // alpha
        return ((255 * colour + _ONE // 2) // _ONE).astype(np.uint8).transpose(2, 0, 1)

    def __del__(self) -> None:
        if hasattr(self, "_brush"):
            self._library.mypaint_brush_unref(self._brush)
