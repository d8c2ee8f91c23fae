"""Compiled kernels are kept on disk, and compiling them is announced."""

import os
import subprocess
import sys
from pathlib import Path

import strokenet_gym

CODE = """
import gymnasium as gym, strokenet_gym
env = gym.make("Painting-v0", canvas_size=32)
env.reset(seed=0)
env.action_space.seed(0)
print(env.step(env.action_space.sample())[1])
"""


def run(folder, **variables):
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", CODE],
        cwd=folder,  # not the checkout, which would be imported first
        env={k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"} | variables,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    return result


def test_compiles_once_and_says_so(tmp_path):
    first, second = (run(tmp_path, NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(2))
    assert "compiling composite_strokes" in first.stderr
    assert str(tmp_path) in first.stderr
    assert second.stderr == ""
    assert first.stdout == second.stdout


def test_read_only_installation(tmp_path):
    """Where neither the package nor a home can be written to, it still works."""
    package = tmp_path / "site" / "strokenet_gym"
    source = Path(strokenet_gym.__file__).parent
    for file in source.rglob("*.py"):
        copy = package / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(file.read_text())
    # Root may write anywhere, so a file stands where each folder would be.
    (package / "programs" / "stamped" / "__pycache__").write_text("")
    home = tmp_path / "home"
    home.mkdir()
    (home / ".cache").write_text("")
    result = run(
        tmp_path, PYTHONPATH=str(package.parent), HOME=str(home), PYTHONDONTWRITEBYTECODE="1"
    )
    assert "strokenet_gym-" in result.stderr  # a private folder for this process


def test_all_kernels_are_in_our_folder():
    """Numba's own folder beside a file would go on with old code after an upgrade."""
    code = """
import sys
import strokenet_gym.programs.mypaint, strokenet_gym.targets.filling
from numba.core.dispatcher import Dispatcher
from strokenet_gym.programs.stamped.cache import _folder
for name, module in list(sys.modules.items()):
    for kernel in vars(module).values() if name.startswith("strokenet_gym") else ():
        if isinstance(kernel, Dispatcher) and kernel._cache.cache_path:
            print(kernel._cache.cache_path.startswith(str(_folder)), kernel.py_func.__module__)
"""
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    assert "False" not in result.stdout
    source = Path(strokenet_gym.__file__).parent
    files = [path for path in source.rglob("*.py") if "@njit" in path.read_text()]
    assert {line.split(".")[-1] for line in result.stdout.split()[1::2]} == {f.stem for f in files}
