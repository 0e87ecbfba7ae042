"""How far the work is: a bar a stage on a terminal, plain lines elsewhere.

The conductor tells which stage starts and ends (`tell`); the stages report how far they are (`conf.progress`, which
calls `open`). A display joins the two: what a stage opens while it runs moves that stage's bar.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.text import Text

from conf import progress
from jobs.terminal import in_words

SAY_EVERY_S = 10.0  # where there is no terminal, a stage says this often how far it is
MIN_TOLD_S = 0.3  # a pace measured over less is noise
NOTE_WIDTH = 60
# Counts of counts, and what only the report tells.
DETAILS = frozenset(
    {
        "splits",
        "per_label",
        "sources",
        "by",
        "by_origin",
        "by_split",
        "attempt",
        "attempts",
        "best_step",
        "of",
        "recordings",
    }
)


class Event(Protocol):
    """What the conductor tells (jobs.pipeline.Event, which this module need not import)."""

    @property
    def key(self) -> str:
        """The stage: `clean`, `train.image_gan`."""

    @property
    def state(self) -> str:
        """`started`, `done` or `skipped`."""

    @property
    def why(self) -> str:
        """Why a stage runs."""

    @property
    def done(self) -> Any:
        """The finished stage's marker, or None."""


def pace(done: float, seconds: float, unit: str) -> str:
    """`560 rows/s`, or nothing where it cannot be told."""
    if done <= 0 or seconds < MIN_TOLD_S:
        return ""
    rate = done / seconds
    if rate >= 10:
        return f"{rate:,.0f} {unit}/s"
    return f"{rate:.1f} {unit}/s" if rate >= 0.1 else f"{60 * rate:.1f} {unit}/min"


def told(counts: dict[str, Any]) -> str:
    """A stage's counts in one line: `1,797 in, 1,795 kept, 2 refused`; nested counts by their sum, zeros left out."""
    parts = []
    for name, value in counts.items():
        amount = total(value)
        if amount and name not in DETAILS:
            parts.append(f"{amount:,} {name.replace('_', ' ')}")
    return ", ".join(parts[:5])


def total(value: Any) -> int | None:
    """A count, or the sum of the counts in a mapping; None where it is not a count."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, dict):
        inner = [total(each) for each in value.values()]
        return sum(each for each in inner if each is not None) if all(each is not None for each in inner) else None
    return None


class Display:
    """What both displays keep: the stage that is running, and how many were skipped."""

    def __init__(self, out: Console) -> None:
        self.out = out
        self.stage = ""
        self.skipped = 0
        self._began = 0.0
        self._pace = ""

    def tell(self, event: Event) -> None:
        """Hear from the conductor that a stage starts, is done, or was done before."""
        if event.state == "started":
            self.stage, self._began, self._pace = event.key, time.monotonic(), ""
            self._start(event)
        elif event.state == "done":
            self._end(event)
            self.stage = ""
        else:
            self.skipped += 1
            if event.why:
                self.out.print(f"{event.key}: not trained again: {event.why}", markup=False)

    def _start(self, event: Event) -> None:
        raise NotImplementedError

    def _end(self, event: Event) -> None:
        raise NotImplementedError

    def _closing(self, event: Event) -> str:
        """How long, how fast, and what came of it."""
        seconds = event.done.seconds if event.done else time.monotonic() - self._began
        counts = told(event.done.counts) if event.done else ""
        return "  ".join(part for part in (f"{in_words(seconds):>11}", counts, self._pace) if part)


class Lines(Display):
    """Plain lines, where there is no terminal."""

    def _start(self, event: Event) -> None:
        self.out.print(f"{event.key} ...{f' ({event.why})' if event.why else ''}", markup=False)

    def _end(self, event: Event) -> None:
        self.out.print(f"{event.key}: done in {self._closing(event).strip()}", markup=False)
        for note in event.done.notes if event.done else []:
            self.out.print(f"{event.key}: {note}", markup=False)

    @contextmanager
    def open(self, stage: str, total: float | None, unit: str) -> Iterator[_Line]:
        """Say how far `stage` is, every SAY_EVERY_S."""
        line = _Line(self.out, self.stage or stage, total, unit)
        yield line
        self._pace = pace(line.done, time.monotonic() - line.began, unit) or self._pace


class _Line:
    """One count, told in lines."""

    def __init__(self, out: Console, stage: str, total: float | None, unit: str) -> None:
        self._out, self._stage, self._total, self._unit = out, stage, total, unit
        self.began = self._said = time.monotonic()
        self.done = 0.0

    def advance(self, amount: float = 1) -> None:
        """Count `amount` more; say how far it is when that was not said for a while."""
        self.done += amount
        now = time.monotonic()
        if now - self._said < SAY_EVERY_S:
            return
        self._said = now
        of = f" of {self._total:,.0f}" if self._total else ""
        left = (now - self.began) * max((self._total or 0) - self.done, 0) / self.done if self.done else 0
        rest = f", {in_words(left)} left" if self._total and left else ""
        rate = pace(self.done, now - self.began, self._unit)
        self._out.print(f"{self._stage}: {self.done:,.0f}{of} {self._unit}, {rate}{rest}", markup=False)

    def note(self, text: str) -> None:
        """Say `text` on a line of its own."""
        self._out.print(f"{self._stage}: {text}", markup=False)


class Bars(Display):
    """One bar a stage, on a terminal; a finished stage leaves a line with a tick."""

    def __init__(self, out: Console) -> None:
        super().__init__(out)
        self._task: TaskID | None = None
        self.progress = Progress(
            SpinnerColumn(style="green"),
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(bar_width=24, complete_style="green", pulse_style="green"),
            _HowFar(),
            TextColumn("{task.fields[note]}", style="dim", markup=False),
            console=out,
            transient=True,
        )

    def _start(self, event: Event) -> None:
        self._show(event.key, None, "", event.why)

    def _end(self, event: Event) -> None:
        self._hide()
        self.out.print(Text.assemble(("✓ ", "green"), (f"{event.key:<26}", "bold"), (self._closing(event), "dim")))
        for note in event.done.notes if event.done else []:
            self.out.print(Text(f"  {note}", style="yellow"))

    def _show(self, stage: str, total: float | None, unit: str, note: str = "") -> TaskID:
        """Put one bar in the place of the one before (rich cannot give a bar an unknown total again)."""
        self._hide()
        self._task = self.progress.add_task(stage, total=total, unit=unit, note=note[:NOTE_WIDTH])
        return self._task

    def _hide(self) -> None:
        if self._task is not None:
            self.progress.remove_task(self._task)
            self.progress.refresh()
        self._task = None

    @contextmanager
    def open(self, stage: str, total: float | None, unit: str) -> Iterator[_Bar]:
        """Move the running stage's bar; a bar of its own where no stage is running."""
        bar = _Bar(self.progress, self._show(self.stage or stage, total, unit))
        yield bar
        self._pace = pace(bar.done, time.monotonic() - bar.began, unit) or self._pace
        self._show(self.stage, None, "") if self.stage else self._hide()


class _Bar:
    """One count, told by a bar."""

    def __init__(self, shown: Progress, task: TaskID) -> None:
        self._shown, self._task = shown, task
        self.began, self.done = time.monotonic(), 0.0

    def advance(self, amount: float = 1) -> None:
        """Count `amount` more."""
        self.done += amount
        if self._task in self._shown.task_ids:  # a bar opened later may have taken this one's place
            self._shown.advance(self._task, amount)

    def note(self, text: str) -> None:
        """Show `text` beside the bar until the next note."""
        if self._task in self._shown.task_ids:
            self._shown.update(self._task, note=" ".join(text.split())[:NOTE_WIDTH])


class _HowFar(ProgressColumn):
    """Percent, pace and time left, as far as they can be told."""

    def render(self, task: Task) -> Text:
        """`63 %  410 rows/s  12 s left`."""
        seconds = task.elapsed or 0.0
        parts = [f"{task.percentage:3.0f} %"] if task.total else []
        rate = pace(task.completed, seconds, task.fields["unit"])
        parts += [rate] if rate else []
        if task.total and rate:
            parts.append(f"{in_words(max(task.total - task.completed, 0) * seconds / task.completed)} left")
        return Text("  ".join(parts or [in_words(seconds)]), style="cyan")


@contextmanager
def shown(out: Console) -> Iterator[Display]:
    """Show the progress of everything within on `out`: bars on a terminal, lines elsewhere."""
    display = Bars(out) if out.is_terminal else Lines(out)
    progress.install(display)
    try:
        if isinstance(display, Bars):
            with display.progress:
                yield display
        else:
            yield display
    finally:
        progress.install(None)
