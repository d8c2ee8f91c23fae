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
5. *Compositing.* canvas ← canvas (1 - alpha) + shade alpha, where the shade is the stroke's colour,
   or what the blend mode makes of it and the canvas (blend.py). Rough paper takes up less.

Where a stamp is thinner than a pixel (r < 1 px), it is drawn with r = 1 px and the strength
f q / (1 + k q (1 - f) (1 + f / 4)), where f = r / 1 px and k is the brush's ``buildup``: the ink of
a line stays in proportion to its width. A thin stamp at an end counts f times.

All of it is continuous, and differentiable almost everywhere in every number of the stroke.

The files, in the order of the above; the adjoint of each function stands beside it: spline.py (1),
pressure.py (2), path.py (stamps along the curve, with their share of 4's integral), runs.py,
stamping.py and strokes.py (3, 4: stamps on pixels), raster.py (5, and strokes from end to end),
programs/blend.py (5: the shade), grain.py (5: the paper). planning_raster.py has closed forms,
numbers.py what kernels share; painting.py and tape.py call them on all threads, brush.py is the
program.
"""

from strokenet_gym.programs.blend import BLENDS, Blend
from strokenet_gym.programs.stamped.brush import BRUSHES, Brush
from strokenet_gym.programs.stamped.spline import pen_path

__all__ = ["BLENDS", "BRUSHES", "Blend", "Brush", "pen_path"]
