"""Names that come from data (logs, agents, generators) open no file and import no module."""

import json
import os
import runpy
import sys

import pytest
from conftest import ROOT
from safetensors import safe_open
from safetensors.torch import save_file

from baselines.evaluate import AgentArgs, task_of
from strokenet_gym import Brush, StrokeLog, load_agent, load_generator, load_program
from strokenet_gym.agents import AGENTS, arguments_of
from strokenet_gym.programs.learned import GENERATORS

SECRET = '{"secret": 1}'
NAMES = ["trap:Program", "brush.json", "brush.myb", "mypaint:brush.myb", "mypaint:brush.myb@1",
         "mypaint:../brush", "mypaint:" + "x" * 300, "pipe.json", "pipe.myb"]  # fmt: skip


@pytest.fixture(autouse=True)
def traps(tmp_path, monkeypatch):
    """A module that must not be imported, files that must not be read, pipes that would hang."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "trap.py").write_text("raise SystemExit('imported')")
    for suffix in (".json", ".myb"):
        (tmp_path / f"brush{suffix}").write_text(SECRET)
        os.mkfifo(tmp_path / f"pipe{suffix}")
    yield
    assert "trap" not in sys.modules


def agent_of(**task):
    """The shipped agent, with another task in its file."""
    agent = load_agent("glyphs")
    agent.task |= task
    agent.save("agent.safetensors")
    return load_agent("agent.safetensors")


def refused(name):
    """What is to be raised, with nothing of the file."""
    known = name.partition("@")[0][:100]
    return pytest.raises(ValueError, match=rf"^(?!.*secret).*{known}")


@pytest.mark.parametrize("name", NAMES)
def test_brushes_named_in_a_log(name):
    log = StrokeLog(32, (0.0,), load_program("pencil"))
    log.save("log.json")
    with open("log.json") as file:
        document = json.load(file)
    with open("log.json", "w") as file:
        json.dump(document | {"brush": name}, file)
    with refused(name):
        StrokeLog.load("log.json")
    assert StrokeLog.load("log.json", "marker").brush == load_program("marker")


@pytest.mark.parametrize("name", NAMES)
def test_brushes_named_in_a_generators_file(name):
    with safe_open(GENERATORS["compact"], "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        metadata = dict(file.metadata())
    for said in (name, json.dumps(name)):
        save_file(tensors, "generator.safetensors", metadata | {"brush": said})
        with refused(name):
            load_generator("generator.safetensors")


@pytest.mark.parametrize("name", NAMES)
def test_brushes_named_in_an_agents_file(name):
    agent = agent_of(brush=name)
    watch = runpy.run_path(str(ROOT / "examples" / "watch_agent.py"))["main"]
    for use in (lambda: arguments_of(agent), lambda: task_of(agent, AgentArgs()),
                lambda: watch("agent.safetensors")):  # fmt: skip
        with refused(name):
            use()
    assert task_of(agent, AgentArgs(brush="marker")).brush == "marker"


@pytest.mark.parametrize("name", ["pictures", "/etc", "./glyphs", "*.png", "~", "mnist.png", 5])
def test_targets_named_in_an_agents_file(name, tmp_path):
    (tmp_path / "pictures").mkdir()
    agent = agent_of(targets=name)
    for use in (lambda: arguments_of(agent), lambda: task_of(agent, AgentArgs())):
        with pytest.raises(ValueError, match=r"data open no files\. Give targets= \(--targets\)"):
            use()
    assert task_of(agent, AgentArgs(targets="pictures")).targets == "pictures"


def test_what_else_an_agents_file_may_say():
    """What is no argument of environments goes no further; numbers are bounded."""
    agent = agent_of(data_dir="/etc", modules=["trap"], reward="trap:reward", brush={"edge": 0.3})
    task = task_of(agent, AgentArgs())
    assert (task.data_dir, task.modules, task.reward) == (None, (), "l2")
    assert task.program == Brush(edge=0.3)
    for name, value in (("canvas_size", 4096), ("max_strokes", 10**9), ("channels", "x"),
                        ("background", [2.0]), ("background", "white")):  # fmt: skip
        with pytest.raises(ValueError, match=f"the agent's file says {name} .*Give {name}="):
            task_of(agent_of(**{name: value}), AgentArgs())
    assert task_of(agent_of(canvas_size=4096), AgentArgs(canvas_size=1024)).canvas_size == 1024


@pytest.mark.parametrize("name", AGENTS)
def test_shipped_agents_need_nothing_more(name):
    assert arguments_of(load_agent(name))["brush"] in ("pencil", "marker")


def test_a_users_own_say_opens_files_and_modules(tmp_path):
    (tmp_path / "mine.json").write_text('{"edge": 0.25}')
    (tmp_path / "mine.py").write_text("from strokenet_gym import Brush\nflat = Brush(edge=0.75)")
    assert load_program("mine.json") == Brush(edge=0.25)
    assert load_program("mine:flat") == Brush(edge=0.75)
    assert arguments_of(agent_of(brush="mine.json"), brush="mine.json")["brush"] == "mine.json"
    StrokeLog(32, (0.0,), load_program("pencil")).save("log.json")
    assert StrokeLog.load("log.json", "mine:flat").brush == Brush(edge=0.75)
