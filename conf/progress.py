"""Progress of long work, told to whoever shows it.

Stages report here and know nothing of terminals; the command installs a sink that draws bars. Without a sink nothing is
shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Bar(Protocol):
    """One stage's progress."""

    def advance(self, amount: float = 1) -> None:
        """Count `amount` more units as done."""

    def note(self, text: str) -> None:
        """Say one line beside the bar."""


class Sink(Protocol):
    """What shows progress: one `open` per stage."""

    @contextmanager
    def open(self, stage: str, total: float | None, unit: str) -> Iterator[Bar]:
        """Show `stage` until the context ends; `total` is None where it is not known."""


class Silent:
    """A bar and a sink that show nothing."""

    def advance(self, amount: float = 1) -> None:
        """Ignore `amount`."""

    def note(self, text: str) -> None:
        """Ignore `text`."""

    @contextmanager
    def open(self, stage: str, total: float | None, unit: str) -> Iterator[Bar]:
        """Show nothing."""
        yield self


_sink: Sink = Silent()


def install(sink: Sink | None) -> None:
    """Show progress through `sink` from now on (None: show nothing)."""
    global _sink
    _sink = sink or Silent()


@contextmanager
def progress(stage: str, total: float | None = None, unit: str = "rows") -> Iterator[Bar]:
    """Open `stage`'s bar of `total` units."""
    with _sink.open(stage, total, unit) as bar:
        yield bar
