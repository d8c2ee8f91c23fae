"""Compiled kernels are kept on disk, and compiling them is announced."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import run_process
from numba.core.errors import TypingError

import strokenet_gym
from strokenet_gym.kernels import cache

CODE = """
import gymnasium as gym, strokenet_gym
env = gym.make("Painting-v0", canvas_size=32)
env.reset(seed=0)
env.action_space.seed(0)
print(env.step(env.action_space.sample())[1])
"""
GRADIENT = """
import hashlib, numpy as np
from strokenet_gym import paint_sequence_vjp
actions = np.random.default_rng(0).uniform(-1, 1, (1, 20, 52)).astype(np.float32)
canvas, back = paint_sequence_vjp(np.full((1, 3, 64, 64), 0.5, np.float32), actions, "marker")
print(hashlib.sha256(canvas.tobytes() + back(canvas)[1].tobytes()).hexdigest())
"""


def run(folder, code=CODE, **variables):
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,  # not the checkout, which would be imported first
        env={k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"} | variables,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert result.returncode == 0, result.stderr
    return result


def copy_package(folder):
    """The package's source without what is compiled; its folder."""
    package, source = folder / "strokenet_gym", Path(strokenet_gym.__file__).parent
    for file in [*source.rglob("*.py"), source / "__init__.pyi"]:
        copy = package / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(file.read_text())
    return package


@pytest.mark.slow
def test_compiles_once_and_says_so(tmp_path):
    """What is compiled and what is read from the disk give the same bits."""
    package, kept = copy_package(tmp_path), tmp_path / "kept"
    variables = {"PYTHONPATH": str(package.parent), "NUMBA_CACHE_DIR": str(kept)}
    variables["HOME"] = str(tmp_path)  # where others may be kept
    first, second = (run(tmp_path, GRADIENT, **variables) for _ in range(2))
    assert "compiling composite_back" in first.stderr
    assert str(kept) in first.stderr
    assert second.stderr == ""
    assert first.stdout == second.stdout


@pytest.mark.slow
def test_read_only_installation(tmp_path):
    """Where neither the package nor a home can be written to, it still works."""
    package = copy_package(tmp_path / "site")
    # Root may write anywhere, so a file stands where each folder would be.
    (package / "kernels" / "__pycache__").write_text("")
    home = tmp_path / "home"
    home.mkdir()
    (home / ".cache").write_text("")
    result = run(
        tmp_path, PYTHONPATH=str(package.parent), HOME=str(home), PYTHONDONTWRITEBYTECODE="1"
    )
    assert "compiled kernels are kept in no folder, since" in result.stderr
    assert "__pycache__" in result.stderr


def test_all_kernels_are_in_our_folder():
    """Numba's own folder beside a file would go on with old code after an upgrade."""
    code = """
import sys
import strokenet_gym.programs.mypaint, strokenet_gym.targets.filling
import strokenet_gym.programs.stamped
from numba.core.dispatcher import Dispatcher
from strokenet_gym.kernels.cache import _KernelCache
for name, module in list(sys.modules.items()):
    for kernel in vars(module).values() if name.startswith("strokenet_gym") else ():
        if isinstance(kernel, Dispatcher):
            print(isinstance(kernel._cache, _KernelCache), kernel.py_func.__module__)
from strokenet_gym import load_program
from strokenet_gym.programs.mypaint import drawing, surface
try:
    surface.Surface(16, 16)
except Exception:
    pass
else:
    assert isinstance(drawing._guard()._cache, _KernelCache)
"""
    result = run_process("-c", code)
    assert result.returncode == 0, result.stderr
    assert "False" not in result.stdout
    files = kernel_files()
    assert {line.split(".")[-1] for line in result.stdout.split()[1::2]} == {f.stem for f in files}


def kernel_files():
    source = Path(strokenet_gym.__file__).parent
    return {path for path in source.rglob("*.py") if "@njit" in path.read_text()}


def test_all_kernels_files_are_in_the_key():
    source = Path(strokenet_gym.__file__).parent
    assert kernel_files() <= {path for name in cache._SOURCES for path in source.glob(name)}


TOGETHER = """
import sys
from pathlib import Path
from strokenet_gym.kernels import cache

cache._folders = lambda: [Path(sys.argv[1])]

@cache.njit()
def double(x):
    for k in range(100):
        x = x + k if k % 2 else x * 2
    return x

input()  # all begin at once
double(21.0)
print(sum(double.stats.cache_misses.values()))
"""


@pytest.mark.slow
def test_processes_that_need_the_same_kernel_compile_it_once(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(TOGETHER)
    command = [sys.executable, str(script), str(tmp_path / "kernels")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(4)]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    misses = [int(process.communicate(timeout=300)[0]) for process in processes]
    assert sorted(misses) == [0, 0, 0, 1]
    assert len(kept(tmp_path / "kernels")) == 1


def test_a_kernel_that_cannot_be_compiled_keeps_nobody_waiting(folders):
    @cache.njit()
    def wrong(x):
        return x.nothing

    for _ in range(2):  # the second time as the first
        with pytest.raises(TypingError):
            wrong(1)
    assert used_cache(doubling()) is False


def doubling():
    """A kernel that is new to this process."""

    @cache.njit()
    def double(x):
        return 2 * x

    return double


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two folders for kernels."""
    both = [tmp_path / "first", tmp_path / "second"]
    monkeypatch.setattr(cache, "_folders", lambda: both)
    monkeypatch.setattr(cache, "_printed", set())
    return both


def kept(folder):
    """The kernels in a folder."""
    return [path for path in folder.iterdir() if path.suffix != ".lock"]


def used_cache(kernel):
    assert kernel(21) == 42
    return sum(kernel.stats.cache_hits.values()) > 0


@pytest.mark.parametrize("damage", ["emptied", "truncated", "flipped", "garbage", "a folder"])
def test_damaged_files_are_compiled_again(folders, damage, capsys):
    assert not used_cache(doubling())
    assert used_cache(doubling())
    (path,) = kept(folders[0])
    content = bytearray(path.read_bytes())
    half = content[: len(content) // 2]
    content[len(content) // 2] ^= 4
    if damage == "a folder":
        path.unlink()
        path.mkdir()
    else:
        other = {"emptied": b"", "truncated": half, "flipped": content, "garbage": b"?" * 999}
        path.write_bytes(other[damage])
    assert capsys.readouterr().err.count("compiling double (a few seconds, once; kept in") == 1
    assert not used_cache(doubling())
    said = capsys.readouterr().err
    expected = "compiled kernels are kept in" if damage == "a folder" else "double again"
    assert said.count("\n") == 1
    assert expected in said
    assert used_cache(doubling())
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("everywhere", [False, True])
def test_a_full_disk_under_the_cache(folders, everywhere, capsys, monkeypatch):
    write = Path.write_bytes

    def full(path, content):
        if everywhere or folders[0] in path.parents:
            write(path, content[:1000])
            raise OSError(28, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    assert not used_cache(doubling())
    said = capsys.readouterr().err
    where = "no folder" if everywhere else str(folders[1])
    assert f"kept in {where}, since [Errno 28] No space left on device" in said
    assert used_cache(doubling()) is not everywhere
    assert not kept(folders[0])
