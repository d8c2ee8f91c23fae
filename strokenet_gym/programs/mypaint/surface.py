"""What libmypaint paints on: its pixels as an array, and a budget of dabs."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

import numpy as np

from strokenet_gym.programs.mypaint.drawing import BUDGET, COVERS, TILE, guard
from strokenet_gym.programs.mypaint.library import TileRequest, load_library

__all__ = ["Surface"]

_SMALL = 512**2  # pixels; smaller canvases have the budget of this one


class Memory(NamedTuple):
    """What the kernel sees of a surface.

    Attributes:
        address: of the library's object.
        tiles: uint16 ``[rows, columns, 64, 64, 4]``, its pixels: RGBA, premultiplied, 1 is 32768.
        budget: float32 ``[2]``, the pixels that dabs may still cover, and those of the canvas.
        full: what a stroke's budget is at first.
        box: int32 ``[4]``, where the library has painted: x, y, width, height.
    """

    address: int
    tiles: np.ndarray
    budget: np.ndarray
    full: float
    box: np.ndarray


class Surface:
    """A canvas of the library, for one thread; ``memory`` is its :class:`Memory`."""

    def __init__(self, height: int, width: int) -> None:
        library = load_library()
        self._unref = library.mypaint_surface_unref
        self._address = address = library.mypaint_fixed_tiled_surface_new(width, height)
        rows, columns = -(-height // TILE), -(-width // TILE)
        addresses = []
        for ty, tx in np.ndindex(rows, columns):
            request = TileRequest()
            asked = ctypes.byref(request)
            library.mypaint_tile_request_init(asked, 0, tx, ty, 0)
            library.mypaint_tiled_surface_tile_request_start(address, asked)
            addresses.append(request.buffer or 0)
            library.mypaint_tiled_surface_tile_request_end(address, asked)
        size = TILE * TILE * 4 * 2  # bytes of a tile
        if addresses != [addresses[0] + size * k for k in range(len(addresses))]:
            raise RuntimeError("this libmypaint keeps its tiles apart: use version 1.5 or 1.6")
        buffer = (ctypes.c_uint16 * (rows * columns * size // 2)).from_address(addresses[0])
        tiles = np.ctypeslib.as_array(buffer).reshape(rows, columns, TILE, TILE, 4)
        guard(library, address)
        budget = np.ctypeslib.as_array((ctypes.c_float * 2).from_address(address + 4 * BUDGET))
        budget[:] = 0.0, height * width
        full = COVERS * max(height * width, _SMALL)
        self.memory = Memory(address, tiles, budget, full, np.zeros(4, np.int32))

    def __del__(self) -> None:
        if getattr(self, "_address", 0):
            self._unref(self._address)
