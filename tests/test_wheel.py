"""The package as strangers have it: a wheel in an empty environment, away from the checkout."""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile

import pytest
from conftest import ROOT
from PIL import Image

import strokenet_gym

pytestmark = pytest.mark.slow  # builds, and installs into new environments


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The folder of its commands, and how to run one there."""
    folder = tmp_path_factory.mktemp("base")
    done = install(folder, wheel)
    if done.returncode != 0 and "No matching distribution" in done.stderr:
        pytest.skip(f"pip reaches no index: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return runner(folder)


def install(folder, *arguments):
    """Make an environment and have its pip install something."""
    subprocess.run([sys.executable, "-m", "venv", str(folder / "env")], check=True)
    pip = [scripts_of(folder) / "python", "-m", "pip", "install", "-q"]
    command = [*pip, "-c", ROOT / "constraints.txt", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def scripts_of(folder):
    """The folder of an environment's commands."""
    return folder / "env" / os.path.basename(sysconfig.get_path("scripts"))


def runner(folder):
    """What runs a command of an environment, away from the checkout."""
    # Compiled kernels are the same everywhere.
    kernels = ROOT / "strokenet_gym" / "programs" / "stamped" / "__pycache__"
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    env |= {"NUMBA_CACHE_DIR": str(kernels), "XDG_CACHE_HOME": str(folder / "cache")}

    def run(*command, cwd=folder):
        command = [str(scripts_of(folder) / command[0]), *map(str, command[1:])]
        return subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300
        )

    return run


def test_the_wheel_puts_nothing_beside_the_package(wheel):
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert tops == {"strokenet_gym", f"strokenet_gym-{strokenet_gym.__version__}.dist-info"}


def test_paint_from_the_wheel(installed, tmp_path):
    Image.linear_gradient("L").convert("RGB").save(tmp_path / "photo.jpg")
    done = installed("strokenet-gym", "paint", "photo.jpg", "--strokes", 5, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "photo.jpg-painted.png") as picture:
        assert picture.size == (256, 256)


def test_environment_from_the_wheel(installed, tmp_path):
    code = (
        "import gymnasium as gym; env = gym.make('strokenet_gym:Painting-v0', canvas_size=32);"
        "env.reset(seed=0); print(env.step(env.action_space.sample())[0]['canvas'].shape)"
    )
    done = installed("python", "-W", "error", "-c", code, cwd=tmp_path)
    assert done.stdout == "(1, 32, 32)\n", done.stderr


@pytest.mark.parametrize(
    "command", ["demo", "play", "train strokenet", "train ppo", "train sac", "train generator",
                "evaluate", "benchmark"],
)  # fmt: skip
def test_scripts_from_the_wheel(installed, command):
    """They are there, and say what to install."""
    done = installed("strokenet-gym", *command.split())
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    missing = "pygame is" if command == "play" else "torch, safetensors,"
    assert line.startswith(f"strokenet-gym {command}: {missing}")
    assert "not installed, run `pip install " in line


def test_help_of_the_command(installed):
    done = installed("strokenet-gym", "--help")
    for name in ("demo", "paint", "play", "watch", "train", "evaluate", "benchmark", "export",
                 "download", "brushes", "cache"):  # fmt: skip
        assert f" {name} " in done.stdout


def test_demo_from_the_wheel(wheel, tmp_path):
    """With all that the extra brings: from the environment of the tests, to save its download."""
    assert install(tmp_path, "--no-deps", wheel).returncode == 0
    (packages,) = (tmp_path / "env").glob("lib/python*/site-packages")
    (packages / "extra.pth").write_text(sysconfig.get_path("purelib") + "\n")
    run = runner(tmp_path)
    where = run("python", "-c", "import strokenet_gym; print(strokenet_gym.__file__)")
    assert where.stdout.startswith(str(packages))
    done = run("strokenet-gym", "demo", "--quick")
    assert done.returncode == 0, done.stderr
    made = sorted(path.name for path in (tmp_path / "runs" / "demo").iterdir())
    assert made == ["grid.png", "painting.png", "painting.svg", "photograph.png"]
    script = run("python", "-m", "strokenet_gym.baselines.fit_strokes", "--help")
    assert script.stdout.startswith("usage: fit_strokes.py"), script.stderr
    scores = run("strokenet-gym", "evaluate", "agent", "--agent", "glyphs", "--limit", 20)
    assert 0 < json.loads(scores.stdout)["residual_exact"] < 0.2
