"""The painting program: what a stroke is as a picture. Exact, and drawn on all cores.

1. *Curve.* A centripetal Catmull-Rom spline passes through the 16 anchors; each end is extended by
   the reflection of its neighbour. Pressure is linear between anchors, in the spline's parameter.
2. *Brush.* At pressure p a stamp has the radius r = R p^pressure_size (R: the stroke's radius) and
   the strength q = opacity p^pressure_opacity.
3. *Stamp.* At a distance d < r from its centre it covers a = q min(1, (1 - d / r) / edge), at most
   0.999; outside, nothing.
4. *Accumulation.* Stamps follow each other at r / density and multiply the transmittance; in the
   limit of infinitely many, T = exp(∫ density / r log(1 - a) ds) along the path. One whole stamp
   is added at each end, so that a tap leaves a dot. The stroke's opacity is alpha = 1 - T.
5. *Compositing.* canvas ← canvas (1 - alpha) + colour alpha. Other brushes multiply or erase, or
   leave less on the bumps of a rough paper (brush.py, grain.py).

Where a stamp is thinner than a pixel (r < 1 px), it is drawn with r = 1 px and the strength
f q / (1 + k q (1 - f) (1 + f / 4)), where f = r / 1 px and k is the brush's ``buildup``: the ink of
a line stays in proportion to its width. A thin stamp at an end counts f times.

All of it is continuous, and differentiable almost everywhere in every number of the stroke.

The files: brush.py (the numbers), grain.py (the paper), path.py (1, 2), raster.py (3 to 5),
adjoint.py (the derivative), program.py (threads, and the functions to call), fastmath.py and
cache.py (what makes it fast).
"""

from strokenet_gym.renderer.brush import BRUSHES, Brush, get_brush
from strokenet_gym.renderer.cache import kernel_cache

with kernel_cache():
    from strokenet_gym.renderer.program import draw, new_ink, paint, paint_back, pen_path

__all__ = ["BRUSHES", "Brush", "draw", "get_brush", "new_ink", "paint", "paint_back", "pen_path"]
