"""What planners of pictures ask of strokes, in closed form: the compiled kernels.

The best colour. A stroke of opacity a changes the canvas c to ``c + (shade - c) a``, and the shade
is linear in the colour: ``shade = u colour + v`` (blend.py). So the squared error to a target t is
quadratic in the colour, and least at ``-Σ a u r / Σ (a u)²``, where ``r = c + (v - c) a - t``.

The cost of leaving a stroke out. All that comes after it is linear in the canvas, pixel by pixel.
If the strokes after stroke k multiply a difference of canvases by P, the picture without it differs
by ``d = P (before - after)``, and its squared error by ``d (2 (picture - t) + d)``.

Another colour. With P and u as above, a stroke's colour changed by s changes the picture by
``P u a s``; its error e with the weight w, squared, by ``s (2 Σ w P u a e + s Σ w (P u a)²)``.

Arguments are those of raster.py's kernels; ``share`` is P, ``(B, C, H, W)``: 1 above the last
stroke of each canvas, and handed on from chunk to chunk.
"""

from strokenet_gym.kernels.cache import njit
from strokenet_gym.kernels.fastmath import FAST
from strokenet_gym.programs.blend import mix_of, shade, shade_per_canvas, shade_per_colour
from strokenet_gym.programs.stamped.numbers import VISITS, Accuracy, BrushNumbers
from strokenet_gym.programs.stamped.path import new_path, trace_stroke
from strokenet_gym.programs.stamped.raster import Canvases, Ink, Part, Scratch, lay_ink, span_at
from strokenet_gym.programs.stamped.runs import new_run
from strokenet_gym.stroke import Stroke

__all__ = ["find_best_colours", "find_removal_costs", "recolour"]


@njit()
def find_best_colours(gains, canvases, strokes, brush, accuracy, ink, scratch, part):
    """Gains ``(K,)``, in sums of squared errors, of candidates for one canvas; fill their colours.

    Returns:
        One past the last candidate that is done: it stops after VISITS.
    """
    canvases, strokes, brush = Canvases(*canvases), Stroke(*strokes), BrushNumbers(*brush)
    accuracy, ink, scratch, part = Accuracy(*accuracy), Ink(*ink), Scratch(*scratch), Part(*part)
    canvas, target = canvases.canvas[0], canvases.target[0]
    shape, mix = canvas.shape[1:], mix_of(brush, canvas)
    path, run, done = new_path(strokes.position.shape[1]), new_run(canvas), 0
    for k in range(part.start, part.stop):
        path, count = trace_stroke(path, strokes, k, brush, accuracy, shape, part.low, part.high)
        stop, visits = lay_ink(ink, 0, path, count, run, scratch, canvases, brush, accuracy)
        gains[k] = 0.0
        for channel in range(canvas.shape[0]):
            change, slope, curve = 0.0, 0.0, 0.0
            for s in range(stop):
                row, x0, x1, pixel = span_at(ink, s)
                line, goal = canvas[channel, row, x0:x1], target[channel, row, x0:x1]
                sums = _sum_span(line, goal, ink.alphas[pixel : pixel + x1 - x0], mix)
                change += sums[0]
                slope += sums[1]
                curve += sums[2]
            best = min(max(-slope / curve, 0.0), 1.0) if curve > 0.0 else 0.0
            strokes.colour[k, channel] = best
            gains[k] -= change + best * (2.0 * slope + best * curve)
        done += visits
        if done > VISITS:
            return k + 1
    return part.stop


@njit(fastmath=FAST, error_model="numpy")
def _sum_span(canvas, target, alpha, mix):
    """The quadratic in the colour: the error's change without it, half its slope, its curve."""
    change, slope, curve, zero = 0.0, 0.0, 0.0, canvas.dtype.type(0.0)
    for x in range(canvas.shape[0]):
        before = canvas[x] - target[x]
        step = (shade(mix, zero, canvas[x]) - canvas[x]) * alpha[x]
        weight = shade_per_colour(mix, canvas[x]) * alpha[x]
        change += step * (before + before + step)
        slope += weight * (before + step)
        curve += weight * weight
    return change, slope, curve


@njit()
def find_removal_costs(costs, share, canvases, strokes, brush, ink, below, part):
    """Add the costs ``(K,)`` of leaving out a chunk's strokes, in sums of squared errors.

    The canvas is the finished picture.
    """
    canvases, strokes, brush = Canvases(*canvases), Stroke(*strokes), BrushNumbers(*brush)
    ink, part, mix, real = Ink(*ink), Part(*part), mix_of(brush, share), share.dtype.type
    each = len(costs) // len(share)
    for k in range(part.stop - 1, part.start - 1, -1):
        b, cost = k // each, 0.0
        for s in range(ink.ends[k - part.start], ink.ends[k + 1 - part.start]):
            row, x0, x1, pixel = span_at(ink, s)
            end = pixel + x1 - x0
            for channel in range(share.shape[1]):
                cost += _removal_span(
                    share[b, channel, row, x0:x1], canvases.canvas[b, channel, row, x0:x1],
                    canvases.target[b, channel, row, x0:x1], below[channel, pixel:end],
                    ink.alphas[pixel:end], real(strokes.colour[k, channel]), mix,
                )  # fmt: skip
        costs[k] += cost


@njit(fastmath=FAST, error_model="numpy")
def _removal_span(share, painted, target, below, alpha, colour, mix):
    one, cost = share.dtype.type(1.0), 0.0
    for x in range(share.shape[0]):
        d = share[x] * (below[x] - shade(mix, colour, below[x])) * alpha[x]
        error = painted[x] - target[x]
        cost += d * (error + error + d)
        share[x] *= one + (shade_per_canvas(mix, colour) - one) * alpha[x]
    return cost


@njit()
def recolour(sums, share, error, weight, brush, ink, below, spans, colour, change):
    """Add what some spans say of a stroke's colour to ``sums``, or change that colour.

    Args:
        sums: ``(C, 2)``, half the slope of the weighted squared error, and its curve.
        share: of the canvas, ``(C, H, W)``.
        error: the picture less the target, ``(C, H, W)``; changes with the colour.
        weight: what the squared error counts, ``(H, W)``.
        brush: a :class:`BrushNumbers`.
        ink: an :class:`Ink`.
        below: the canvas beneath each stroke of the ink, ``(C, pixels)``.
        spans: the first, and one past the last.
        colour: the new one, ``(C,)``.
        change: from the one before, ``(C,)``; or empty: then there are the sums alone.
    """
    brush, ink = BrushNumbers(*brush), Ink(*ink)
    mix, real = mix_of(brush, share), share.dtype.type
    for s in range(spans[0], spans[1]):
        row, x0, x1, pixel = span_at(ink, s)
        end = pixel + x1 - x0
        for channel in range(share.shape[0]):
            part, wrong = share[channel, row, x0:x1], error[channel, row, x0:x1]
            under, alpha = below[channel, pixel:end], ink.alphas[pixel:end]
            if change.size > 0:
                new, step = real(colour[channel]), real(change[channel])
                _change_span(part, wrong, under, alpha, new, step, mix)
            else:
                slope, curve = _colour_span(part, wrong, weight[row, x0:x1], under, alpha, mix)
                sums[channel, 0] += slope
                sums[channel, 1] += curve


@njit(fastmath=FAST, error_model="numpy")
def _colour_span(share, error, weight, below, alpha, mix):
    slope, curve = 0.0, 0.0
    for x in range(share.shape[0]):
        d = share[x] * shade_per_colour(mix, below[x]) * alpha[x]
        slope += weight[x] * d * error[x]
        curve += weight[x] * d * d
    return slope, curve


@njit(fastmath=FAST, error_model="numpy")
def _change_span(share, error, below, alpha, colour, change, mix):
    one = share.dtype.type(1.0)
    for x in range(share.shape[0]):
        error[x] += share[x] * shade_per_colour(mix, below[x]) * alpha[x] * change
        share[x] *= one + (shade_per_canvas(mix, colour) - one) * alpha[x]
