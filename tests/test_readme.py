"""The README, as a stranger meets it: short; blocks run as printed, links lead somewhere."""

import doctest
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from PIL import Image
from skimage import data

import strokenet_gym

README = (ROOT / "README.md").read_text()
# Pages whose blocks are no less meant to be copied. (test_extending.py runs extending.md;
# test_black_boxes.py what black_boxes.md is about.)
PAGES = ("README", "docs/index", "docs/gradients", "docs/painting", "docs/recording")
NOT_RUN = {
    "pip install": "needs the network",
    "strokenet-gym watch": "needs a display",
    "strokenet-gym play": "needs a display",
    "strokenet-gym benchmark": "takes 15 minutes",
}
ENVIRONMENT = {**os.environ, "SDL_VIDEODRIVER": "dummy", "MPLBACKEND": "Agg"}
COMMAND = Path(sys.executable).with_name("strokenet-gym")


def blocks(page, language):
    """The page's code blocks, and the name and line of each."""
    text = (ROOT / f"{page}.md").read_text()
    for match in re.finditer(rf"^```{language}\n(.*?)^```", text, re.S | re.M):
        line = text.count("\n", 0, match.start()) + 2
        yield pytest.param(match[1], id=f"{page}:{line}")


def shell_lines():
    """The README's commands, without comments."""
    for block in blocks("README", "sh"):
        for command in block.values[0].splitlines():
            words = shlex.split(command, comments=True)
            yield pytest.param(words, id=" ".join(words))


@pytest.fixture
def folder(tmp_path):
    """A user's: a picture named photo.jpg, and what a checkout has."""
    Image.fromarray(data.chelsea()).reduce(2).save(tmp_path / "photo.jpg")
    for name in ("baselines", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def run(command, folder):
    return subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=300
    )


def is_there(subcommand, folder):
    usage = run([COMMAND, subcommand, "--help"], folder).stdout
    return usage.startswith(f"usage: strokenet-gym {subcommand}")


def test_it_is_short():
    assert len(README.split()) <= 900  # as `wc -w` counts


@pytest.mark.slow
@pytest.mark.parametrize("code", [block for page in PAGES for block in blocks(page, "python")])
def test_python_block(code, folder):
    result = run([sys.executable, "-W", "error", "-c", code], folder)
    assert result.returncode == 0, result.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.parametrize("words", list(shell_lines()))
def test_shell_command(words, folder):
    program, subcommand = words[0], words[1]
    reason = NOT_RUN.get(f"{program} {subcommand}")
    if program == "strokenet-gym":
        assert not reason or is_there(subcommand, folder)  # what is run shows it
        words = [str(COMMAND), *words[1:]]
    elif program == "python":
        assert (folder / subcommand).is_file()
        words = [sys.executable, *words[1:]]
    else:
        assert shutil.which(program)
    if reason:
        pytest.skip(reason)
    result = run(words, folder)
    assert result.returncode == 0, result.stderr[-2000:]


def test_links_lead_somewhere():
    """All are absolute, so that a package page shows them, and of the repository of pyproject."""
    project = (ROOT / "pyproject.toml").read_text()
    (repository,) = re.findall(r'^Repository = "(.+)"$', project, re.M)
    raw = repository.replace("github.com", "raw.githubusercontent.com") + "/main/"
    links = re.findall(r"\]\(([^)]+)\)|^\[[^\]]+\]: (\S+)", README, re.M)
    links = [inline or reference for inline, reference in links]
    ours = [link for link in links if "strokenet-gym/strokenet-gym" in link]
    assert len(ours) > 20
    for link in links:
        assert link.startswith("https://"), link
    for link in ours:
        path = link.removeprefix(raw).removeprefix(f"{repository}/blob/main/")
        assert path != link, link
        file, _, heading = path.partition("#")
        assert (ROOT / file).is_file(), link
        if heading:
            titles = re.findall(r"^#+ (.+)", (ROOT / file).read_text(), re.M)
            assert heading in [title.lower().replace(" ", "-") for title in titles], link
    names = {name.lower() for name in re.findall(r"^\[([^\]]+)\]: ", README, re.M)}
    body = re.sub(r"^```.*?^```|`[^`\n]*`", "", README, flags=re.S | re.M)
    used = re.findall(r"\]\[([^\]]+)\]|\[([^\]\[]+)\](?![\[(:])", body)
    for name in (first or second for first, second in used):
        assert " ".join(name.lower().split()) in names, name


def test_examples_in_docstrings_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for name in strokenet_gym.__all__:
        for test in finder.find(getattr(strokenet_gym, name), name, globs={}):
            runner.run(test)
    assert runner.summarize(verbose=False).failed == 0
    assert runner.tries > 0
