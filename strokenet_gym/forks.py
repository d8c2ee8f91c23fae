"""What a forked child does without: the threads of torch's pool, which stay with its parent.

A child that asks them for help waits for ever. So it computes on one thread, as the workers of a
torch DataLoader do; ``torch.set_num_threads`` gives it more, if its parent has used none yet.
"""

from __future__ import annotations

import os
import sys

__all__: list[str] = []


def _use_one_thread() -> None:
    set_num_threads = getattr(sys.modules.get("torch"), "set_num_threads", None)
    if set_num_threads is not None:
        set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_use_one_thread)
