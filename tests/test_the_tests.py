"""The tests themselves: what hangs ends and says where, both tiers are all, and all is checked."""

import re

import pytest
from conftest import ROOT, run_process

HANGS = """
import time

def test_hangs():
    time.sleep(600)  # here
"""


@pytest.mark.slow
def test_what_hangs_ends_and_says_where(tmp_path):
    """Also in a worker."""
    file = tmp_path / "test_hangs.py"
    file.write_text(HANGS)
    options = ["-c", ROOT / "pyproject.toml", "--rootdir", tmp_path, "-p", "no:cacheprovider"]
    options += ["-o", "faulthandler_timeout=1", "--numprocesses", 1]
    result = run_process("-m", "pytest", *options, file, cwd=tmp_path, timeout=120)
    assert result.returncode == 1
    assert f'File "{file}", line 5 in test_hangs' in result.stderr
    assert "test_hangs.py::test_hangs" in result.stdout


def test_both_tiers_are_all_tests():
    makefile = (ROOT / "Makefile").read_text()
    recipes = dict(re.findall(r"^(test[\w-]*):.*\n\t?(.*)$", makefile, re.M))
    assert recipes["test"].endswith('$(TESTS) -m "not slow"')
    assert recipes["test-slow"].endswith("$(TESTS) -m slow")
    assert "test-all: test test-slow " in makefile
    assert "make test-all" in (ROOT / ".ci" / "run").read_text()


def test_types_are_checked_of_all_that_is_imported():
    """Baselines are a package: no file patches where Python looks for others, or executes them."""
    project = (ROOT / "pyproject.toml").read_text()
    assert 'packages = ["strokenet_gym", "baselines"]' in project
    for folder in ("strokenet_gym", "baselines", "examples"):
        for file in (ROOT / folder).rglob("*.py"):
            assert not re.search(r"sys\.path\b|runpy|\bexec\(", file.read_text()), file
