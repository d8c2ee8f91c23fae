"""Commands that are scripts: those of ``baselines/`` and ``examples/``, which the wheel carries."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import ModuleType

__all__ = ["SCRIPTS", "find_script", "run_script", "summary"]

SCRIPTS = {
    "demo": "baselines/demo.py",
    "play": "examples/play.py",
    "watch": "examples/watch_agent.py",
    "train strokenet": "baselines/train_strokenet.py",
    "train ppo": "baselines/train_ppo.py",
    "train sac": "baselines/train_sac.py",
    "train generator": "baselines/train_generator.py",
    "evaluate": "baselines/evaluate.py",
    "compare": "baselines/compare.py",
}


def find_script(command: str) -> Path:
    """The file of a command in :data:`SCRIPTS`: in the installed package, or in a checkout."""
    here = Path(__file__).parent
    root = here if (here / "baselines").is_dir() else here.parent
    return root / SCRIPTS[command]


def summary(command: str) -> str:
    """What a command does: the first line of its script."""
    text = ast.get_docstring(ast.parse(find_script(command).read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]


def run_script(command: str, arguments: list[str]) -> None:
    """Run a command's script with arguments, as ``python SCRIPT ARGUMENTS`` would."""
    script = find_script(command)
    sys.argv = [f"strokenet-gym {command}", *arguments]
    sys.path.insert(0, str(script.parent))  # a script finds what lies beside it
    # As runpy.run_path, which would have its --help say another name than the user's.
    main = sys.modules["__main__"] = ModuleType("__main__")
    main.__file__ = str(script)
    exec(compile(script.read_text(encoding="utf-8"), script, "exec"), main.__dict__)
