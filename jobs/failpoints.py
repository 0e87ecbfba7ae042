"""Named points at which tests make a process die or an answer get lost: on each side of every commit and marker.

`SEEDBED_FAILPOINT=before-commit-dataset` kills the process there with -9;
`SEEDBED_FAILPOINT=after-commit-dataset:raise` raises there, once in a process.
"""

from __future__ import annotations

import os
import signal

FAILPOINT = "SEEDBED_FAILPOINT"
_raised: set[str] = set()


class InjectedFault(RuntimeError):
    """What a failpoint raises."""


def fail_at(name: str) -> None:
    """Die, or raise once, where the environment names this point."""
    wanted, _, how = os.environ.get(FAILPOINT, "").partition(":")
    if wanted != name:
        return
    if how != "raise":
        os.kill(os.getpid(), signal.SIGKILL)
    if name not in _raised:
        _raised.add(name)
        raise InjectedFault(f"failpoint {name}")
