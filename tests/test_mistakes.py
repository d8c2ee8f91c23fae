"""Likely mistakes, and that each is answered as docs/mistakes.md says."""

import re

import gymnasium as gym
import numpy as np
import pytest
import torch
from conftest import ROOT, run_process

from strokenet_gym import load_agent


def begun(**kwargs):
    env = gym.make("Painting-v0", canvas_size=32, **kwargs)
    return env, env.reset(seed=0)[0]


def paint_in_colour_with_a_grey_agent():
    _, observation = begun(channels=3)
    load_agent("glyphs").act(observation)


MISTAKES = {
    "a wrong name": lambda: gym.make("Paintings-v0"),
    "an action of the wrong shape": lambda: begun()[0].step(np.zeros(49, np.float32)),
    "a picture that is not there": lambda: gym.make("Painting-v0", targets="photo.jpg"),
    "a URL": lambda: gym.make("Painting-v0", targets="https://example.org/cat.jpg"),
    "a tensor or array": lambda: gym.make("Painting-v0", targets=torch.rand(3, 64, 64)),
    "an agent for grey": paint_in_colour_with_a_grey_agent,
    "an argument misspelt": lambda: gym.make("Painting-v0", max_stroke=3),
    "a tensor with a gradient": lambda: begun()[0].step(torch.zeros(50, requires_grad=True)),
    "no display": lambda: begun(render_mode="human"),
    "a data directory": lambda: gym.make("Painting-v0", targets="mnist", data_dir="nowhere"),
}


def rows():
    """The page's table: mistake, kind of error, message."""
    text = (ROOT / "docs" / "mistakes.md").read_text().replace("\\_", "_")
    return re.findall(r"^\| (.+?) \| `(\w+)`: (.+) \|$", text, re.M)


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for variable in ("SDL_VIDEODRIVER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(variable, raising=False)
    ((_, kind, message),) = [row for row in rows() if row[0].startswith(name)]
    with pytest.raises(Exception) as caught:
        MISTAKES[name]()
    assert type(caught.value).__name__ == kind
    told = re.sub(r"\s+", " ", str(caught.value))
    pattern = ".*".join(map(re.escape, message.split("…")))
    assert re.search(pattern, told), told


def test_forgotten_import():
    result = run_process("-c", "import gymnasium as gym; gym.make('Painting-v0')")
    assert result.returncode != 0
    assert "NameNotFound: Environment `Painting` doesn't exist" in result.stderr


def test_every_mistake_of_the_page_is_made():
    made = [name for name in MISTAKES if any(row[0].startswith(name) for row in rows())]
    assert len(rows()) == len(made) + 1  # and the import
