"""What people see first: names, an import that costs nothing, environments that are there."""

import ast
import inspect
import subprocess
import sys

import gymnasium as gym
import pytest
from conftest import ROOT

import strokenet_gym
from strokenet_gym.stroke import is_tensor


def python(*lines, cwd=None):
    command = [sys.executable, "-W", "error", "-c", "\n".join(lines)]
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout


def test_every_public_name_is_there():
    for name in strokenet_gym.__all__:
        assert getattr(strokenet_gym, name) is not None
    assert set(strokenet_gym.__all__) <= set(dir(strokenet_gym))
    with pytest.raises(AttributeError, match=r"strokenet_gym.* attribute .*Crayon"):
        strokenet_gym.Crayon  # noqa: B018


def test_type_checkers_see_the_same_names():
    """In the stub, which lazy_loader reads: what it imports is what it says is public."""
    tree = ast.parse((ROOT / "strokenet_gym" / "__init__.pyi").read_text())
    (public,) = (ast.literal_eval(n.value) for n in tree.body if isinstance(n, ast.Assign))
    assert sorted(public) == strokenet_gym.__all__
    pyproject = (ROOT / "pyproject.toml").read_text()
    assert '"lazy-loader' in pyproject.partition("optional-dependencies")[0]


def test_packages_are_loaded_when_they_are_asked_for():
    python(
        "import strokenet_gym", "assert strokenet_gym.envs.PaintingEnv is strokenet_gym.PaintingEnv"
    )


def test_import_loads_nothing_heavy():
    python(
        "import sys, strokenet_gym",
        "heavy = {'torch', 'pygame', 'numba', 'cv2', 'scipy'} & set(sys.modules)",
        "assert not heavy, heavy",
    )


def test_painting_loads_no_torch():
    python(
        "import sys, gymnasium as gym",
        "env = gym.make('strokenet_gym:Painting-v0', canvas_size=32)",
        "env.reset(seed=0)",
        "env.step(env.action_space.sample())",
        "assert not {'torch', 'pygame'} & set(sys.modules)",
    )


def test_nothing_of_ours_runs_when_python_starts(tmp_path):
    """Away from the checkout: the environments are there once the package is imported."""
    python(
        "import sys, gymnasium as gym",
        "assert 'strokenet_gym' not in sys.modules and 'Painting-v0' not in gym.registry",
        cwd=tmp_path,
    )
    project = (ROOT / "pyproject.toml").read_text()
    assert ".pth" not in project
    assert not list((ROOT / "strokenet_gym").rglob("*.pth"))


@pytest.mark.parametrize("kind", ["Painting", "DifferentiablePainting", "NeuralPainting"])
def test_environments_that_gymnasium_imports(kind, tmp_path):
    """By Gymnasium's own "module:name", single and batched; specs go through JSON."""
    text = python(
        "import gymnasium as gym",
        "from gymnasium.envs.registration import EnvSpec",
        f"name = 'strokenet_gym:{kind}-v0'",
        "env = gym.make(name, canvas_size=32)",
        "envs = gym.make_vec(name, num_envs=2, canvas_size=32)",
        "again = gym.make(EnvSpec.from_json(env.spec.to_json()))",
        "more = gym.make_vec(EnvSpec.from_json(envs.spec.to_json()))",
        "assert again.unwrapped.spec == env.unwrapped.spec",
        "assert more.num_envs == 2",
        "print(env.spec.id, envs.spec.id, again.spec.id, more.spec.id)",
        cwd=tmp_path,
    )
    assert text.split() == [f"{kind}-v0"] * 4


WORKERS = {
    "SubprocVecEnv": """
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import SubprocVecEnv

def make():
    return make_vec_env(
        "strokenet_gym:Painting-v0", 2, env_kwargs={"canvas_size": 32},
        vec_env_cls=SubprocVecEnv, vec_env_kwargs={"start_method": "spawn"},
    )
""",
    "AsyncVectorEnv": """
import gymnasium as gym
from gymnasium.vector import AsyncVectorEnv

def one():
    return gym.make("strokenet_gym:Painting-v0", canvas_size=32)

def make():
    return AsyncVectorEnv([one] * 2, context="spawn")
""",
    "make_vec": """
import gymnasium as gym

def make():
    return gym.make_vec(
        "strokenet_gym:Painting-v0", num_envs=2, canvas_size=32,
        vectorization_mode="async", vector_kwargs={"context": "spawn"},
    )
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", WORKERS)
def test_environments_are_there_in_spawned_workers(kind, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        WORKERS[kind] + "if __name__ == '__main__':\n"
        "    envs = make()\n"
        "    seen = envs.reset()\n"
        "    print((seen[0] if isinstance(seen, tuple) else seen)['canvas'].shape)\n"
        "    envs.close()\n"
    )
    command = [sys.executable, "-W", "error", str(script)]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stdout.strip() == "(2, 1, 32, 32)"


def test_constructors_say_what_they_take():
    """The same names and defaults, single and batched."""
    single, batch = (
        inspect.signature(cls).parameters
        for cls in (strokenet_gym.PaintingEnv, strokenet_gym.PaintingVectorEnv)
    )
    assert not any(p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in batch.values())
    for parameter in single.values():
        assert batch[parameter.name].default == parameter.default
    assert next(iter(batch)) == "num_envs"


@pytest.mark.parametrize("make", [gym.make, gym.make_vec])
def test_engines_have_no_other_arguments(make):
    for env_id, argument in (
        ("Painting-v0", {"generator": "compact"}),
        ("Painting-v0", {"as_tensor": True}),
        ("Painting-v0", {"device": "cpu"}),
        ("DifferentiablePainting-v0", {"generator": "compact"}),
    ):
        (name,) = argument
        with pytest.raises(TypeError, match=f"{env_id} has no argument {name}: .*NeuralPainting"):
            make(env_id, canvas_size=16, **argument)
    with pytest.raises(ValueError, match="engine must be one of program, gradient, network"):
        make("Painting-v0", engine="steam")


def test_tensors_are_told_from_arrays_in_one_place():
    """No other line of the package asks whether something is a tensor by its class."""
    asks = []
    for file in (ROOT / "strokenet_gym").rglob("*.py"):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if "isinstance(" in line and ("Tensor" in line or "torch.Tensor" in line):
                asks.append(f"{file.name}:{number}")
    assert {where.split(":")[0] for where in asks} <= {"stroke.py", "tensors.py"}, asks
    import torch

    assert is_tensor(torch.zeros(1))
    assert not is_tensor([1.0])


def test_files_are_short_and_have_no_circle():
    sources = [f for d in ("strokenet_gym", "baselines") for f in (ROOT / d).rglob("*.py")]
    for file in sources:
        assert len(file.read_text().splitlines()) <= 350, file
    graph = {}
    for file in (ROOT / "strokenet_gym").rglob("*.py"):
        parts = file.relative_to(ROOT).with_suffix("").parts
        module = ".".join(parts).removesuffix(".__init__")
        graph[module] = set()
        tree = ast.parse(file.read_text())
        unseen = {
            node
            for block in ast.walk(tree)
            if isinstance(block, ast.If) and getattr(block.test, "id", "") == "TYPE_CHECKING"
            for node in block.body
        }
        for node in ast.walk(tree):  # imports inside functions too
            if isinstance(node, ast.ImportFrom) and node.module and node not in unseen:
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    graph[module].add(whole if (ROOT / whole.replace(".", "/")).with_suffix(
                        ".py").exists() else node.module)  # fmt: skip
    seen, path = set(), []

    def visit(module):
        assert module not in path, [*path, module]
        if module in seen or module not in graph:
            return
        path.append(module)
        for other in graph[module]:
            if other != module and not module.startswith(f"{other}."):
                visit(other)
        path.pop()
        seen.add(module)

    for module in graph:
        visit(module)


def test_import_is_light_and_paints_without_torch():
    code = """
import sys
sys.modules["torch"] = None  # as if it were not installed
import gymnasium as gym, strokenet_gym
assert "pygame" not in sys.modules
env = gym.make("Painting-v0", canvas_size=32)
env.reset(seed=0)
env.step(env.action_space.sample())
import importlib
from gymnasium.error import DependencyNotInstalled
modules = ["strokenet_gym.agents", "strokenet_gym.programs.learned"]
for work in [lambda: gym.make("NeuralPainting-v0")] + [
    lambda m=m: importlib.import_module(m) for m in modules
]:
    try:
        work()
    except DependencyNotInstalled as error:
        assert "torch is not installed, run `pip install torch`" in str(error)
    else:
        raise AssertionError("torch is missing")
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
