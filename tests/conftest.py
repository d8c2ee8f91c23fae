"""Shared by all tests: no display, real data if it is there, small files in its formats."""

import os

os.environ["SDL_VIDEODRIVER"] = "dummy"
os.environ["PYGAME_HIDE_SUPPORT_PROMPT"] = "1"
if "PYTEST_XDIST_WORKER" in os.environ:  # each worker has a core of its own
    os.environ |= {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

import contextlib
import gzip
import importlib
import io
import runpy
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import settings

from strokenet_gym.cli import main
from strokenet_gym.command import run_command

# However the tests are started: what a shell runs in the background ignores Ctrl-C, and what is to
# outlive its terminal the end of that.
signal.signal(signal.SIGINT, signal.default_int_handler)
for _name in ("SIGTERM", "SIGHUP"):
    if hasattr(signal, _name):
        signal.signal(getattr(signal, _name), signal.SIG_DFL)

# The same examples in every run of CI; new ones on a developer's machine.
# However slow the machine is.
settings.register_profile("tests", derandomize="CI" in os.environ, deadline=None)
settings.load_profile("tests")

# Prepared images of the data sets; not in the user's own cache.
_cache = tempfile.TemporaryDirectory(prefix="strokenet-tests-")
os.environ["STROKENET_CACHE"] = _cache.name

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _seed_torch():
    torch.manual_seed(0)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def data_dir():
    """The real data sets beside the checkout."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the real data sets are not in {folder}")
    return folder


def write_idx(path, array):
    """Write an array of bytes in MNIST's file format."""
    header = b"\0\0\x08" + bytes([array.ndim]) + np.array(array.shape, ">u4").tobytes()
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wb") as file:
        file.write(header + array.astype(np.uint8).tobytes())


@pytest.fixture
def tiny_mnist(tmp_path, rng):
    """A folder with the four files of MNIST, with 64 and 12 printed digits."""
    for split, count in (("train", 64), ("t10k", 12)):
        labels = rng.integers(10, size=count)
        digits = np.zeros((count, 28, 28), np.uint8)
        for digit, label in zip(digits, labels, strict=True):
            cv2.putText(digit, str(label), (6, 23), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 255, 2)
        write_idx(tmp_path / f"{split}-images-idx3-ubyte.gz", digits)
        write_idx(tmp_path / f"{split}-labels-idx1-ubyte.gz", labels)
    return tmp_path


def run(script, *args):
    """Run a script, or a module of baselines/, in this process, which has imported what it needs.

    Returns:
        What ``subprocess.run`` does. A script that fails in a way that it does not report raises.
    """
    if Path(script).suffix == ".py":
        return _captured(
            lambda: runpy.run_path(str(ROOT / script), run_name="__main__"), script, *args
        )
    return _captured(lambda: run_command(importlib.import_module(script).main), script, *args)


def command(*args):
    """Run the command ``strokenet-gym`` in this process; see :func:`run`."""
    return _captured(main, "strokenet-gym", *args)


def _captured(work, *args):
    out, err, argv, code = io.StringIO(), io.StringIO(), sys.argv, 0
    sys.argv = [*map(str, args)]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            work()
        except SystemExit as end:
            code = end.code or 0
            if isinstance(code, str):  # as the interpreter does
                print(code, file=err)
                code = 1
        finally:
            sys.argv = argv
    return subprocess.CompletedProcess(args, code, out.getvalue(), err.getvalue())


def run_process(*args, cwd=ROOT, timeout=300, **variables):
    """Run a script or a module as a user does, in a process, from the project's root."""
    module = ["-m"] if str(args[0]).startswith("baselines.") else []
    command = [sys.executable, *module, *map(str, args)]
    env = os.environ | variables
    return subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout
    )


def succeed(*args, run=run, **options):
    """Run a script that is to succeed; return what it prints."""
    result = run(*args, **options)
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout
