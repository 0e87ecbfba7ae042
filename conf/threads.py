"""How long threads spin while they wait for each other: a moment.

By default they do so for milliseconds, and on a busy machine two threads of a small net are then a hundred times slower
than one. A quiet machine loses some percent by less.
"""

from __future__ import annotations

import os

VARIABLE, COUNT = "GOMP_SPINCOUNT", "10000"


def spin() -> dict[str, str]:
    """The environment variable for processes that are to be started; what a person set stays."""
    return {VARIABLE: os.environ.get(VARIABLE, COUNT)}


def spin_briefly() -> None:
    """The same for this process and its children; to be called before a library with threads is loaded."""
    os.environ.update(spin())
