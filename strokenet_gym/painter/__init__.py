"""The painter: plans the strokes of any picture through the exact gradient of the program."""

from strokenet_gym.painter.agent import PlannerAgent
from strokenet_gym.painter.planner import Planner, paint_picture
from strokenet_gym.painter.styles import STYLES, Style

__all__ = ["STYLES", "Planner", "PlannerAgent", "Style", "paint_picture"]
