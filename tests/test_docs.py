"""The documentation: every public name is in it, and the notebooks run."""

import importlib
import json
import re

import pytest
from conftest import ROOT, run_process, succeed

import strokenet_gym

DOCS = ROOT / "docs"

NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))


@pytest.mark.slow
def test_the_block_for_stable_baselines3(tmp_path):
    text = (DOCS / "training.md").read_text()
    (block,) = [b for b in re.findall(r"```python\n(.*?)```", text, re.S) if "SB3VecEnv" in b]
    script = tmp_path / "block.py"
    script.write_text(block.replace("80_000", "1_000"))
    assert "ep_rew_mean" in succeed(script, run=run_process)


def test_every_public_name_is_in_the_reference():
    pages = [DOCS / "api.md", *(DOCS / "environments").glob("*.md")]
    text = "\n".join(page.read_text() for page in pages)
    found = re.findall(r"^\.\. (?:autoclass|autofunction|data):: ([\w.]+)$", text, re.M)
    assert sorted(name for name in found if "." not in name) == sorted(strokenet_gym.__all__)
    for name in found:  # those of modules have their whole name
        if "." in name:
            module, _, own = name.rpartition(".")
            assert own in importlib.import_module(module).__all__


def test_every_page_is_in_the_contents():
    """Beside strict Sphinx, which not every run of the tests builds."""
    listed = set()
    for page in DOCS.rglob("*.md"):
        for block in re.findall(r"^```\{toctree\}\n(.*?)^```", page.read_text(), re.S | re.M):
            names = [line for line in block.splitlines() if line and not line.startswith(":")]
            listed |= {(page.parent / name).relative_to(DOCS).as_posix() for name in names}
    pages = [page for suffix in ("md", "ipynb") for page in DOCS.rglob(f"*.{suffix}")]
    names = {page.relative_to(DOCS).with_suffix("").as_posix() for page in pages}
    built = {name for name in names if name.startswith("_build")}
    assert names - built - {"index"} == listed


def test_versions_agree():
    project, citation, changes = (
        (ROOT / name).read_text() for name in ("pyproject.toml", "CITATION.cff", "CHANGELOG.md")
    )
    version = re.escape(strokenet_gym.__version__)
    assert re.search(rf'^version = "{version}"$', project, re.M)
    assert re.search(rf"^version: {version}$", citation, re.M)
    assert re.search(rf"^## {version}$", changes, re.M)


def test_the_changelog_names_no_page_that_is_not_there():
    """Nor do the pages that are read outside of the site."""
    for name in ("CHANGELOG.md", "CONTRIBUTING.md"):
        for link in re.findall(r"\]\(([^)#]+)", (ROOT / name).read_text()):
            path = re.sub(r"^https://github.com/strokenet-gym/strokenet-gym/blob/main/", "", link)
            assert path.startswith("https://") or (ROOT / path).exists(), link


def test_every_figure_has_a_command():
    text = (DOCS / "layout.md").read_text()
    for file in DOCS.rglob("*.*"):
        parts = file.relative_to(DOCS).parts
        if file.suffix in (".png", ".gif", ".jpg") and parts[0] != "_build":
            name = parts[0] if len(parts) == 1 else f"{parts[0]}/"
            assert f"`{name}`" in text, file


def code_cells(file):
    cells = json.loads(file.read_text())["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_notebooks_are_kept_without_outputs(file):
    code = code_cells(file)
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
    first = "".join(code[0]["source"])
    assert '%pip install --quiet "strokenet-gym[all]"' in first
    assert first.count("\n") == 3  # nothing but that, and only where the package is missing


@pytest.mark.slow
@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_notebook(file, tmp_path):
    """Its cells in a fresh interpreter, from the top to the bottom."""
    lines = "\n".join("".join(cell["source"]) for cell in code_cells(file))
    lines = re.sub(
        r"^( *)%pip .*", r"\1raise SystemExit('the package is there')", lines, flags=re.M
    )
    succeed("-W", "error", "-c", lines, run=run_process, cwd=tmp_path, MPLBACKEND="Agg",
            TMPDIR=str(tmp_path))  # fmt: skip
