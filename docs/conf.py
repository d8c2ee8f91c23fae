"""How Sphinx builds this folder: `make docs`, to docs/_build/html. Nothing is fetched."""

from __future__ import annotations

import importlib
import inspect
import logging
import os
import re
from pathlib import Path
from typing import Any

import strokenet_gym

BUILD = Path(__file__).parent / "_build"

os.environ["PYGAME_HIDE_SUPPORT_PROMPT"] = "1"
# Kernels with settings of their own, and not with the user's: quiet ones.
os.environ["PYTHONWARNINGS"] = "ignore:IProgress not found"  # tqdm's, without widgets
os.environ["IPYTHONDIR"] = str(BUILD / "ipython")
profile = BUILD / "ipython" / "profile_default"
profile.mkdir(parents=True, exist_ok=True)
(profile / "ipython_kernel_config.py").write_text("c.IPKernelApp.log_level = 40\n")
logging.getLogger("traitlets").setLevel(logging.WARNING)

project = "strokenet_gym"
author = "The strokenet_gym authors"
copyright = "The strokenet_gym authors, MIT licence"
version = release = strokenet_gym.__version__
REPOSITORY = "https://github.com/strokenet-gym/strokenet-gym"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "**.ipynb_checkpoints"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
nitpicky = True
# Other packages' names have no page here; their inventories would have to be fetched.
nitpick_ignore_regex = [
    (r"py:.*", r"(gym|gymnasium|np|numpy|torch|nn|Tensor|PIL|spaces|AutoresetMode|VecEnv)(\..*)?"),
    (r"py:.*", r"(collections|pathlib|os|typing|abc|dataclasses|enum|stable_baselines3)\..*"),
    # What the package has beneath its public names: described there, without a page of its own.
    (r"py:.*", r"(strokenet_gym\.)?(agents|envs|exports|painter|programs|targets|display)\..*"),
    (r"py:exc", r"ResetNeeded|DependencyNotInstalled"),
    (r"py:.*", r"ARCHITECTURES|Episodes\..*|Targets|Reward|Size|BrushNumbers|GENERATORS|AGENTS"),
]
add_module_names = False
autodoc_typehints = "none"  # signatures would be longer than what they say; Args say it
autodoc_member_order = "bysource"
default_role = "code"  # docstrings mark names with one backtick
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_attr_annotations = False
napoleon_custom_sections = ["Returns"]  # prose, no types: a colon in it is a colon

# Notebooks are committed without outputs and run here; what has run is kept in docs/_build.
nb_execution_mode = "cache"
nb_execution_cache_path = str(BUILD / "jupyter_cache")
nb_execution_raise_on_error = True
nb_execution_timeout = 120

html_theme = "furo"
html_title = "strokenet_gym"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options: dict[str, Any] = {
    "source_repository": f"{REPOSITORY}/",
    "source_branch": "main",
    "source_directory": "docs/",
    "navigation_with_keys": True,
}


def _insert(app: Any, name: str, source: list[str]) -> None:
    """Put docstrings that are Markdown in the place of comments that name their classes."""

    def docstring(match: re.Match) -> str:
        text = inspect.getdoc(_find(match[1])) or ""
        return re.sub(r":(class|meth|func):`", r"{py:\1}`", text)

    source[0] = re.sub(r"^<!-- docstring of (\S+) -->$", docstring, source[0], flags=re.M)


def _find(name: str) -> Any:
    module, _, attribute = f"strokenet_gym.{name}".rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def _shorten(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Of an environment's class keep the first paragraph: its page has the rest."""
    if "## Description" in lines:
        del lines[lines.index("") :]


def _resolve(app: Any, env: Any, node: Any, contnode: Any) -> Any:
    """Docstrings may name a public class by the module that it is in, or by itself."""
    domain, target = env.get_domain("py"), node.get("reftarget", "")
    if node.get("refdomain") != "py":
        return None
    parts = target.split(".")
    for k, part in enumerate(parts):
        if part in strokenet_gym.__all__:
            full = ".".join(["strokenet_gym", *parts[k:]])
            return domain.resolve_xref(
                env, node["refdoc"], app.builder, node["reftype"], full, node, contnode
            )
    return None


def setup(app: Any) -> None:
    """Sphinx calls this."""
    app.connect("source-read", _insert)
    app.connect("autodoc-process-docstring", _shorten)
    app.connect("missing-reference", _resolve)
