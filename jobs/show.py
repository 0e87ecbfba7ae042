"""What a recipe's tables hold and what its last runs did, read by deltalake: no Spark."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from conf import Config, runs
from jobs.display import told, total
from jobs.terminal import in_words

if TYPE_CHECKING:
    from jobs.pipeline import Planned

TABLES = ("raw", "clean", "quarantine", "dataset")
LAST_RUNS = 5
MAX_LABELS = 30
MARKS = {"run": ("+", "green"), "skip": ("=", "dim"), "unknown": ("?", "yellow")}


def plan_table(planned: Iterable[Planned]) -> Table:
    """The plan: one line a stage, what becomes of it and why."""
    table = _table("", "stage", "", "why", "rows")
    for each in planned:
        mark, style = MARKS[each.action]
        changes = told(each.counts) if each.action == "run" else ""
        table.add_row(Text(mark, style), Text(each.key), Text(each.action, style), Text(each.why), Text(changes))
    return table


def ending(config: Config) -> list[str]:
    """The lines that a run ends with: the headline, the report's path."""
    home = runs.home(config)
    metrics = runs.read_json(home, "metrics.json") or {}
    headline = metrics.get("headline", {}).get("text") if isinstance(metrics.get("headline"), dict) else metrics.get("headline")
    return [*([str(headline)] if headline else []), f"report: {home}/report.html"]


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
