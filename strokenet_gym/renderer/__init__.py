"""The painting program: spline, brush, raster kernels."""

from strokenet_gym.renderer.brush import BRUSHES, Brush, get_brush
from strokenet_gym.renderer.cache import kernel_cache

with kernel_cache():
    from strokenet_gym.renderer.program import draw, paint

__all__ = ["BRUSHES", "Brush", "draw", "get_brush", "paint"]
