"""Two painters of Aaron Hertzmann's, on our program's opaque brush.

- 1998, "Painterly rendering with curved brush strokes of multiple sizes": layers from broad to
  thin, with strokes along the picture's edges where a layer is still too far from the picture.
- 2001, "Paint by relaxation": trial and error on an energy of the finished painting.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from strokenet_gym import STYLES
from strokenet_gym.stroke import NUM_ANCHORS, Stroke

from .hill_climbing import mutants, random_strokes, take
from .stroke_samples import join

__all__ = ["paint_layers", "relax"]

BRUSH = dataclasses.replace(STYLES["gouache"].brush, radius_min=2 / 128, radius_max=0.5)
_RADII = 64, 32, 16, 8, 4, 2  # pixels at 256 px; the paper has the last three
_BLUR = 0.5  # of a layer's picture, radii
_SHORTEST, _LONGEST = 4, 16  # points of a stroke, one a radius
_HALVINGS = 12  # of the threshold's range, 0 to _FAR
_FAR = 441.0  # between black and white, in levels
_TRIALS = 10_000  # half a minute of one core with 100 strokes at 256 px


def paint_layers(
    picture: np.ndarray, strokes: int, rng: np.random.Generator
) -> tuple[Stroke, np.ndarray]:
    """Paint a square picture ``[3, S, S]`` as in 1998.

    The number of strokes follows from the number of layers and from a threshold on the error: of
    each number of layers the lowest threshold is taken that keeps within the budget, and the
    layers that come closest.

    Returns:
        The strokes, at most so many, and the canvas.
    """
    found = []
    for layers in range(1, len(_RADII) + 1):
        low, high = 0.0, _FAR
        best = _layers(picture, _RADII[:layers], high, strokes, rng)
        for _ in range(_HALVINGS):
            threshold = (low + high) / 2
            painted = _layers(picture, _RADII[:layers], threshold, strokes, rng)
            if painted is None:
                low = threshold
            else:
                best, high = painted, threshold
        if best is not None:
            found.append(best)
    return min(found, key=lambda painted: float(((painted[1] - picture) ** 2).sum()))


def _layers(
    picture: np.ndarray,
    radii: tuple[int, ...],
    threshold: float,
    most: int,
    rng: np.random.Generator,
) -> tuple[Stroke, np.ndarray] | None:
    """Some layers with one threshold; None if there are more strokes than allowed."""
    canvas = np.ones_like(picture) * picture.mean((1, 2), keepdims=True)
    size = picture.shape[1]
    layers: list[Stroke] = []
    for pixels in (radius * size / 256 for radius in radii):
        soft = np.stack([cv2.GaussianBlur(c, (0, 0), _BLUR * pixels) for c in picture])
        layer = _layer(soft, canvas, pixels, threshold)
        if layer:
            order = rng.permutation(len(layer))
            layers.append(Stroke(*(np.stack(f)[order] for f in zip(*layer, strict=True))))
            canvas = _paint(canvas, layers[-1])
        if sum(len(one.radius) for one in layers) > most:
            return None
    if not layers:
        return random_strokes(0, BRUSH.radii, rng), canvas
    return join(layers), canvas


def _layer(soft: np.ndarray, canvas: np.ndarray, pixels: float, threshold: float) -> list[Stroke]:
    """The strokes of one layer: one in each cell of a grid that is too far off."""
    size, cell = soft.shape[1], max(1, round(pixels))
    error = np.sqrt(((canvas - soft) ** 2).sum(0)) * 255
    grey = cv2.cvtColor(np.ascontiguousarray(soft.transpose(1, 2, 0)), cv2.COLOR_RGB2GRAY)
    slopes = np.stack([cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)])
    strokes = []
    for top in range(0, size, cell):
        for left in range(0, size, cell):
            part = error[top : top + cell, left : left + cell]
            if part.mean() > threshold:
                row, column = np.unravel_index(part.argmax(), part.shape)
                start = int(left + column), int(top + row)
                strokes.append(_stroke(start, pixels, soft, canvas, slopes))
    return strokes


def _stroke(
    start: tuple[int, int], pixels: float, soft: np.ndarray, canvas: np.ndarray, slopes: np.ndarray
) -> Stroke:
    """A stroke from a pixel on along the edges, as long as its colour is better than what is there.

    The paper's makeSplineStroke, without a filter of the curvature.
    """
    size = soft.shape[1]
    column, row = start
    colour = soft[:, row, column]
    points, way = [np.array([column, row], float)], np.zeros(2)
    for number in range(1, _LONGEST):
        here = soft[:, row, column]
        there = np.linalg.norm(here - canvas[:, row, column])
        if number > _SHORTEST and there < np.linalg.norm(here - colour):
            break
        slope = slopes[:, row, column]
        length = np.linalg.norm(slope)
        if length < 1e-4:
            break
        ahead = np.array([-slope[1], slope[0]]) / length
        way = ahead if ahead @ way >= 0 else -ahead
        point = points[-1] + pixels * way
        column, row = np.rint(point).astype(int)
        if not (0 <= column < size and 0 <= row < size):
            break
        points.append(point)
    path = np.stack(points) if len(points) > 1 else np.repeat(points, 2, 0)
    at = np.linspace(0, len(path) - 1, NUM_ANCHORS)
    path = np.stack([np.interp(at, np.arange(len(path)), path[:, k]) for k in (0, 1)], 1)
    position = ((path + 0.5) / size * 2 - 1) * [1, -1]
    return Stroke(colour, np.float64(2 * pixels / size), position, np.ones(NUM_ANCHORS))


def _paint(canvas: np.ndarray, strokes: Stroke, accuracy: str = "exact") -> np.ndarray:
    batch = Stroke(*(np.ascontiguousarray(field[None]) for field in strokes))
    return BRUSH.paint_sequence(canvas[None], batch, accuracy=accuracy)[0]


def relax(picture: np.ndarray, strokes: int, rng: np.random.Generator) -> tuple[int, np.ndarray]:
    """Paint a square picture ``[3, S, S]`` as in 2001, with 10,000 trials.

    From the strokes of 1998, one after the other is changed at random (moved, turned, bent, of
    another size, or anew elsewhere on top, with the colour of the picture below), and what lowers
    the squared error of the finished painting stays. The paper's energy has terms for the number
    of strokes and for what they cover besides; the budget stands for these here. The paper changes
    a stroke by a search along its points; here it is a random one.

    Returns:
        The number of strokes and the canvas.
    """
    now, _ = paint_layers(picture, strokes, rng)
    missing = strokes - len(now.radius)
    if missing:
        more = _coloured(random_strokes(missing, BRUSH.radii, rng), picture)
        now = join([more, now])  # below
    blank = np.ones_like(picture) * picture.mean((1, 2), keepdims=True)

    def energy(candidate: Stroke) -> float:
        return float(((_paint(blank, candidate, "draft") - picture) ** 2).sum())

    least = energy(now)
    for _ in range(_TRIALS):
        index = int(rng.integers(strokes))
        anew = rng.uniform() < 0.25
        old = take(now, index)
        changed = random_strokes(1, BRUSH.radii, rng) if anew else mutants(old, 1, BRUSH.radii, rng)
        changed = _coloured(changed, picture)
        rest = Stroke(*(np.delete(field, index, 0) for field in now))
        place = strokes - 1 if anew else index
        tried = Stroke(*(np.insert(f, place, c[0], 0) for f, c in zip(rest, changed, strict=True)))
        error = energy(tried)
        if error < least:
            now, least = tried, error
    return strokes, _paint(blank, now)


def _coloured(strokes: Stroke, picture: np.ndarray) -> Stroke:
    """Strokes in the mean colour of the picture below their anchors."""
    size = picture.shape[1]
    pixel = ((strokes.position * [1, -1] + 1) / 2 * size).astype(int).clip(0, size - 1)
    return strokes._replace(colour=picture[:, pixel[..., 1], pixel[..., 0]].mean(2).T)
