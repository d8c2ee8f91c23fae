"""A stroke's stamps on pixels, run by run, and back.

What a stroke costs, measured with the pencil on one core, exact and in float32: one of length L and
radius r pixels has about 22 L / r stamps where it is opaque, and 8 L / r at half the pressure. Each
takes 10 ns to trace. A run of eight takes 46 ns to gather, and then 14 to 22 ns for each cell of
LANES pixels that its stamps reach. So on a straight opaque line each inked pixel is visited 12
times at r = 4 and 6 times at r = 32 (at half the pressure 5 and 3 times, with these radii),
whatever the length, and the cost follows the inked area, 2 r L, not the canvas. Where r is below a
pixel, there are 7 stamps to a pixel of length, and a run takes 85 ns for its two or three rows.
"""

from typing import NamedTuple

import numpy as np

from strokenet_gym.kernels.cache import njit
from strokenet_gym.kernels.canvas import LANES
from strokenet_gym.programs.stamped.numbers import Stamp
from strokenet_gym.programs.stamped.path import (
    Curve,
    new_curve,
    trace_on,
    trace_run_back,
    trace_stroke_back,
)
from strokenet_gym.programs.stamped.runs import (
    SMALL,
    fill_run,
    new_pixels,
    new_run,
    next_run,
    run_back,
)
from strokenet_gym.programs.stamped.stamping import add_blocks, add_up, cells_of, stamp_run

__all__ = ["new_room", "stamp_stroke", "stamp_stroke_back"]


class Room(NamedTuple):
    """Scratch of :func:`stamp_stroke_back`."""

    run: np.ndarray
    pixels: np.ndarray
    grad_stamps: np.ndarray
    grad_curve: Curve
    blocks: np.ndarray


@njit()
def new_room(logs, n, broad):
    """Scratch for strokes of n anchors on such ink; ``broad``: with room for blocks of it."""
    rows = (logs.shape[0] + 1) // 2 if broad else 0
    blocks, stamps = np.empty((rows, logs.shape[1] // 2), logs.dtype), np.empty(LANES, Stamp)
    return Room(new_run(logs), new_pixels(logs), stamps, new_curve(n), blocks)


@njit()
def stamp_stroke(logs, marks, path, count, brush, accuracy, shape, run):
    """Add a stroke's stamps to the ink.

    Args:
        logs: log-transmittance, see stamping.py.
        marks: which cells have ink, see stamping.py.
        path: from :func:`strokenet_gym.programs.stamped.path.trace_stroke`.
        count: of the stamps that it has in its table.
        brush: a :class:`BrushNumbers`.
        accuracy: an :class:`Accuracy`.
        shape: height and width of the canvas.
        run: scratch, see runs.py.

    Returns:
        Visits of cells that it took, about.
    """
    stamps, box, total = path.stamps, path.box, 0
    while count > 0:
        total += count
        start = 0
        while start < count:
            stop = next_run(stamps, start, count, accuracy.weight_ratio)
            extent = fill_run(run, stamps, start, stop, brush.edge, box)
            if extent.weight > 0.0:
                # Only where many stamps meet is it worth a look whether they change anything.
                look = extent.radius > SMALL and stamps[start].strength > 0.25
                stamp_run(logs, marks, box, run, extent, look)
            start = stop
        count = trace_on(path, brush, accuracy, shape)
    return _visits(path, total)


@njit()
def _visits(path, total):
    """Visits of cells that so many stamps of a stroke take, about."""
    box, side = path.box, 4 * int(min(max(path.curve.radius[0], 1.0), 1e4))  # of a run
    first, end = cells_of(box)
    most = min(max(1, (box[3] - box[2]) * (end - first)), side * (side // LANES + 2))
    return total // LANES * most


@njit(error_model="numpy")
def stamp_stroke_back(grads, k, grad_logs, path, count, brush, accuracy, shape, room):
    """The adjoint of :func:`stamp_stroke` and of tracing: the gradient with respect to a stroke.

    Args:
        grads: a :class:`strokenet_gym.Stroke`; all but the colour of stroke k is filled.
        k: the stroke.
        grad_logs: like ``logs``, the gradient; zero afterwards.
        path: as it was traced anew.
        count: of the stamps in its table.
        brush: a :class:`BrushNumbers`.
        accuracy: an :class:`Accuracy`.
        shape: height and width of the canvas.
        room: scratch, a :class:`Room`.

    Returns:
        Visits of cells that it took, about.
    """
    curve, box, stamps, edge = path.curve, path.box, path.stamps, brush.edge
    run, pixels, grad_stamps, grad_curve, blocks = room
    grad_curve.points[:], grad_curve.tangents[:] = 0.0, 0.0
    grad_curve.pressure[:], grad_curve.radius[:] = 0.0, 0.0
    total = 0
    if count > 0 and curve.radius[0] * edge >= accuracy.broad:
        add_blocks(blocks, grad_logs, box)
    while count > 0:
        total += count
        start = 0
        while start < count:
            stop = next_run(stamps, start, count, accuracy.weight_ratio)
            extent = fill_run(run, stamps, start, stop, edge, box)
            if extent.weight > 0.0:
                shift = 1 if extent.radius * edge >= accuracy.broad else 0
                part = blocks if shift == 1 else grad_logs
                add_up(run, extent, pixels, part, box, shift, edge)
                run_back(grad_stamps, run, stamps, start, stop, extent.weight, edge)
                trace_run_back(grad_curve, grad_stamps, stamps, start, stop, curve, brush)
            start = stop
        count = trace_on(path, brush, accuracy, shape)
    trace_stroke_back(grads, k, grad_curve, curve, shape)
    first, end = cells_of(box)
    for row in range(box[2], box[3]):
        grad_logs[row, first * LANES : end * LANES] = grad_logs.dtype.type(0.0)
    return _visits(path, total)
