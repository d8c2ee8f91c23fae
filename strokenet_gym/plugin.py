"""Has Gymnasium know our environments in every interpreter, whoever imports it.

Gymnasium has had no plug-ins of its own since version 1.0. So our installation puts this file
beside the package, as ``strokenet_gym_plugin.py``, with a ``.pth`` file that imports it when Python
starts: it imports nothing then, but waits for somebody to import ``gymnasium.envs``, and registers
ours as soon as that is done. So ``gym.make("Painting-v0")`` works without our import, in spawned
workers too.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing's own takes 7 ms to import, at every start of Python
if TYPE_CHECKING:
    from typing import Any


class _Waiting:
    """A finder on ``sys.meta_path`` that leaves the finding to the others."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Have our registration follow the import of ``gymnasium.envs``."""
        if name != "gymnasium.envs":
            return None
        sys.meta_path.remove(self)  # type: ignore[arg-type]
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None and spec.loader is not None:
                _follow(spec.loader)
                return spec
        return None


def _follow(loader: Any) -> None:
    """Have a loader register our environments when it is done."""
    execute = loader.exec_module

    def exec_module(module: Any) -> None:
        execute(module)
        try:
            import strokenet_gym  # noqa: F401
        except Exception as error:  # half installed, say: theirs work all the same
            print(f"strokenet_gym is not registered: {error}", file=sys.stderr)

    loader.exec_module = exec_module


if __name__ != "strokenet_gym.plugin":  # the copy beside the package
    sys.meta_path.insert(0, _Waiting())  # type: ignore[arg-type]
