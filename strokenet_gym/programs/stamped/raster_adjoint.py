"""The derivative of the painting program: compiled kernels that run raster.py back.

Given the derivative of a loss by the painted canvases, they find the one by every number of the
strokes and by the canvases beneath. Nothing is stored on the way forward but the opacity map: the
runs of stamps are traced again, and each visits its pixels once more, a broad one in a draft
blocks of them (run_adjoint.py). From the runs to the anchors it goes on in path_adjoint.py.

Where the program has a kink, the derivative is a one-sided one: on the rim of a stamp (d = r) that
from outside, on its plateau's edge and where coverage reaches 0.999 that from the opaque side, at
a radius of one pixel that of the thicker stamp. The absolute difference has the derivative 0 where
canvas and target are equal, and so has the distance of two anchors on one spot. Ink that adds
nothing (pressure 0, or a pixel that is opaque already) has the derivative 0.
"""

import numpy as np

from strokenet_gym.kernels.cache import njit
from strokenet_gym.kernels.canvas import LANES
from strokenet_gym.kernels.fastmath import FAST
from strokenet_gym.programs.blend import by_canvas, by_colour, shade
from strokenet_gym.programs.stamped.numbers import EXACT, PATIENCE, RUN, brush_of
from strokenet_gym.programs.stamped.path import new_path, trace_on, trace_stroke
from strokenet_gym.programs.stamped.path_adjoint import spline_tangents_back, trace_run_back
from strokenet_gym.programs.stamped.run_adjoint import MANY, add_blocks, add_up, run_back
from strokenet_gym.programs.stamped.stamping import (
    cells_of,
    fill_run,
    new_run,
    next_run,
    next_span,
    visits,
)

__all__ = ["composite_strokes_back", "opacity_row_back", "stroke_back"]


@njit(fastmath=FAST, error_model="numpy")
def _blend_row_back(
    by_before, by_painted, by_squared, by_absolute,
    canvas, target, alpha, colour, mix, seed, x0, x1,
):  # fmt: skip
    """Pass the derivative of one row of one channel back through the blending.

    Args:
        by_before: filled, unless empty: by the canvas.
        by_painted: the row of the painted canvas; or empty: 0.
        by_squared: by the change of the summed squared difference to the target.
        by_absolute: by that of the absolute one.
        canvas: before the stroke.
        target: the row.
        alpha: opacity.
        colour: of the stroke.
        mix: of the blend mode.
        seed: the derivative by the opacity is added to it.
        x0: first column.
        x1: one past the last column.

    Returns:
        The derivative by the colour.
    """
    real = canvas.dtype.type
    one, zero = real(1.0), real(0.0)
    by_own = zero
    for x in range(x0, x1):
        before = canvas[x] - target[x]
        contrast = shade(mix, colour, canvas[x]) - canvas[x]
        after = before + contrast * alpha[x]
        sign = (one if after > zero else zero) - (one if after < zero else zero)
        g = by_squared * (after + after) + by_absolute * sign
        if by_painted.size > 0:
            g += by_painted[x]
        seed[x] += g * contrast
        by_own += g * alpha[x] * by_colour(mix, canvas[x])
        if by_before.size > 0:
            sign = (one if before > zero else zero) - (one if before < zero else zero)
            own = by_squared * (before + before) + by_absolute * sign
            by_before[x] = g * (one + (by_canvas(mix, colour) - one) * alpha[x]) - own
    return by_own


@njit(fastmath=FAST, error_model="numpy")
def opacity_row_back(seed, alpha, paper, row, x0):
    """From the derivative by the opacity to the one by the log-transmittance.

    Args:
        seed: a part of a row that begins at column ``x0``; changed.
        alpha: the same part.
        paper: ``(H, W)``, or empty.
        row: the row.
        x0: the column.
    """
    one, zero = alpha.dtype.type(1.0), alpha.dtype.type(0.0)
    for i in range(seed.shape[0]):
        most = paper[row, x0 + i] if paper.size > 0 else one
        seed[i] = seed[i] * (alpha[i] - most) if alpha[i] > zero else zero


@njit(error_model="numpy")
def stroke_back(
    by_position, by_pressure, seed, blocks, path, count, by_tangents, brush, accuracy, shape,
    run, extent, touched, by_stamps,
):  # fmt: skip
    """From the derivative by a stroke's log-transmittance to the one by its numbers.

    Args:
        by_position: float64 ``(n, 2)``, all zero, filled.
        by_pressure: float64 ``(n,)``, all zero, filled.
        seed: ``(H, cells * LANES)``, the derivative; zero afterwards.
        blocks: scratch ``(ceil(H / 2), cells * LANES / 2)``; any, if the accuracy knows no broad
            stamps.
        path: of the stroke, as :func:`trace_stroke` filled it.
        count: of the stamps that it has in its table.
        by_tangents: scratch float64 ``(n - 1, 2, 2)``.
        brush: a :class:`BrushNumbers`.
        accuracy: an :class:`Accuracy`.
        shape: height and width of the canvas.
        run: scratch, from :func:`new_run`.
        extent: the same.
        touched: scratch ``(4, MANY)``.
        by_stamps: scratch float64 ``(RUN, 5)``.

    Returns:
        The derivative by the radius, and visits of cells that it took, about.
    """
    points, tangents, box, stamps = path.points, path.tangents, path.box, path.stamps
    pressure, radius = path.pressure, path.radius[0]
    by_tangents[:] = 0.0
    by_radius, total = 0.0, 0
    if radius * brush.edge >= accuracy.broad:
        add_blocks(blocks, seed, box)
    while count > 0:
        total += count
        start = 0
        while start < count:
            stop = next_run(stamps, start, count, accuracy.unlike)
            weight = fill_run(run, extent, stamps, start, stop, brush.edge, box)
            if weight > 0.0:
                shift = 1 if extent[4] * brush.edge >= accuracy.broad else 0
                part = blocks if shift == 1 else seed
                add_up(run, extent, touched, part, box, shift, brush.edge)
                run_back(by_stamps, run, stamps, start, stop, weight, brush.edge)
                by_radius += trace_run_back(
                    stamps, start, stop, by_stamps, points, tangents, pressure, radius, brush,
                    by_position, by_tangents, by_pressure,
                )  # fmt: skip
            start = stop
        count = trace_on(path, brush, accuracy, shape)
    spline_tangents_back(points, by_tangents, by_position)
    # From pixels, y down, to half-widths, y up.
    for i in range(points.shape[0]):
        by_position[i, 0] *= shape[1] / 2.0
        by_position[i, 1] *= -shape[0] / 2.0
    first, end = cells_of(box)
    for row in range(box[2], box[3]):
        seed[row, first * LANES : end * LANES] = seed.dtype.type(0.0)
    return by_radius * (min(shape[0], shape[1]) / 2.0), visits(path, total)


@njit()
def composite_strokes_back(
    by_before, by_own, by_position, by_pressure, by_radius,
    by_painted, by_change, canvas, alpha, marks, target, paper,
    colour, position, pressure, radius, numbers, seed, start, stop,
):  # fmt: skip
    """The adjoint of :func:`strokenet_gym.programs.stamped.raster.composite_strokes`.

    ``by_x`` stands for the derivative of a loss by x and has the shape of x.

    Args:
        by_before: by the canvas, ``(B, C, H, W)``, equal to ``by_painted`` (or 0), changed where
            there is ink; or empty if nobody wants it.
        by_own: by the colour, float64 ``(B, C)``, filled.
        by_position: float64 ``(B, n, 2)``, all zero, filled.
        by_pressure: float64 ``(B, n)``, all zero, filled.
        by_radius: float64 ``(B,)``, filled.
        by_painted: ``(B, C, H, W)``, or empty for 0.
        by_change: float64 ``(B, 2)``.
        canvas: ``(B, C, H, W)``, before the strokes.
        alpha: ``(B, H, W)``, the strokes' opacity, where marked.
        marks: uint8 ``(B, H, cells)``, where there is ink.
        target: ``(B, C, H, W)``.
        paper: float32 ``(H, W)``, a factor of the opacity; or empty.
        colour: float64 ``(B, C)``.
        position: float64 ``(B, n, 2)``.
        pressure: float64 ``(B, n)``.
        radius: float64 ``(B,)``.
        numbers: of the brush, see :func:`brush_of`.
        seed: scratch ``(H, cells * LANES)``, all zero before and after.
        start: first stroke.
        stop: one past the last stroke.

    Returns:
        One past the last stroke that is done, see there.
    """
    n, channels, shape = position.shape[1], canvas.shape[1], canvas.shape[2:]
    real = canvas.dtype.type
    path, (run, extent), done = new_path(n), new_run(seed), 0
    by_tangents, by_stamps = np.empty((n - 1, 2, 2)), np.empty((RUN, 5))
    touched = np.empty((4, MANY), seed.dtype)
    nothing = np.empty(0, canvas.dtype)
    brush = brush_of(numbers)
    mix = (real(brush.mix[0]), real(brush.mix[1]), real(brush.mix[2]))
    for b in range(start, stop):
        drawn = radius[b] + 0.0 * colour[b].sum()  # nothing in a colour that is none
        path, count = trace_stroke(
            path, position[b], pressure[b], drawn, brush, EXACT, shape, 0, shape[0]
        )
        box = path.box
        by_own[b] = 0.0
        first, end = cells_of(box)
        for row in range(box[2], box[3]):
            left, right = next_span(marks[b, row], first, end)
            while left < right:
                x0, x1 = left * LANES, min(right * LANES, shape[1])
                for channel in range(channels):
                    by_own[b, channel] += _blend_row_back(
                        by_before[b, channel, row] if by_before.size > 0 else nothing,
                        by_painted[b, channel, row] if by_painted.size > 0 else nothing,
                        real(by_change[b, 0]),
                        real(by_change[b, 1]),
                        canvas[b, channel, row],
                        target[b, channel, row],
                        alpha[b, row],
                        real(colour[b, channel]),
                        mix,
                        seed[row],
                        x0,
                        x1,
                    )
                opacity_row_back(seed[row, x0:x1], alpha[b, row, x0:x1], paper, row, x0)
                left, right = next_span(marks[b, row], right, end)
        by_radius[b], cost = stroke_back(
            by_position[b], by_pressure[b], seed, seed, path, count, by_tangents, brush, EXACT,
            shape, run, extent, touched, by_stamps,
        )  # fmt: skip
        done += cost
        if done > PATIENCE:
            return b + 1
    return stop
