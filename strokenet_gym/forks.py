"""A forked child computes on one thread: torch's pool stays with its parent, and it would wait.

So do the workers of a torch DataLoader. ``torch.set_num_threads`` gives a child more, if its parent
has used none yet.
"""

import os
import sys

__all__: list[str] = []


def _use_one_thread() -> None:
    if (torch := sys.modules.get("torch")) is not None and hasattr(torch, "set_num_threads"):
        torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_use_one_thread)
