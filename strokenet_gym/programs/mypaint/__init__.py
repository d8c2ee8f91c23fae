"""Real brushes: libmypaint, the brush engine of MyPaint, as a painting program.

library.py finds and loads it, settings.py reads its brushes' files, drawing.py calls it in a
compiled loop, brush.py is the program.
"""

from strokenet_gym.programs.mypaint.brush import MyPaintBrush
from strokenet_gym.programs.mypaint.settings import brush_names

__all__ = ["MyPaintBrush", "brush_names"]
