"""The public names: lazy_loader reads from here where they are, and so do type checkers."""

from . import agents as agents
from . import envs as envs
from . import exports as exports
from . import painter as painter
from . import programs as programs
from . import targets as targets
from .agents import Agent, StrokeNetAgent, TracingAgent, load_agent
from .envs import PaintingEnv, PaintingVectorEnv
from .exports import export, film
from .painter import STYLES, Planner, PlannerAgent, Style, paint_picture
from .programs import Program, load_program
from .programs.learned import LearnedGenerator, load_generator, save_generator
from .programs.sequences import best_colours, paint_sequence, paint_sequence_vjp, removal_costs
from .programs.stamped import BLENDS, BRUSHES, Blend, Brush
from .recording import RecordStrokes, VectorRecordStrokes
from .sb3 import SB3VecEnv
from .stroke import Stroke, pack, unpack
from .stroke_log import StrokeLog
from .targets import DATA_SETS, MNIST, Glyphs, ImageSet, KanjiVG, Omniglot, QuickDraw, make_targets

__version__: str

__all__ = [
    "BLENDS", "BRUSHES", "DATA_SETS", "MNIST", "STYLES", "Agent", "Blend", "Brush",
    "Glyphs", "ImageSet", "KanjiVG",
    "LearnedGenerator", "Omniglot", "PaintingEnv",
    "PaintingVectorEnv", "Planner", "PlannerAgent", "Program", "QuickDraw", "RecordStrokes",
    "SB3VecEnv", "Stroke", "StrokeLog", "StrokeNetAgent", "Style", "TracingAgent",
    "VectorRecordStrokes", "best_colours", "export", "film", "load_agent", "load_generator",
    "load_program", "make_targets", "pack", "paint_picture", "paint_sequence", "paint_sequence_vjp",
    "removal_costs", "save_generator", "unpack",
]  # fmt: skip
