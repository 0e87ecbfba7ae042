"""What a recipe's tables hold and what its last runs did, read by deltalake: no Spark."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from rich.table import Table
from rich.text import Text

from conf import Config, runs
from jobs.display import told
from jobs.plain_tables import opened, rows
from jobs.terminal import in_words
from udfs.records import ORIGINS, SPLITS

if TYPE_CHECKING:
    from jobs.pipeline import Planned

REPORT, METRICS = "report.html", "metrics.json"
TABLES = ("raw", "clean", "quarantine", "dataset")
LAST_RUNS = 5
MAX_LABELS = 30
MARKS = {"run": ("+", "green"), "skip": ("=", "dim"), "unknown": ("?", "yellow")}


def plan_table(planned: Iterable[Planned]) -> Table:
    """The plan: one line a stage, what becomes of it and why."""
    table = _table("", "stage", "", "why", "rows")
    for each in planned:
        mark, style = MARKS[each.action]
        changes = _changes(each.counts) if each.action == "run" else ""
        table.add_row(Text(mark, style), Text(each.key), Text(each.action, style), Text(each.why), Text(changes))
    return table


def _changes(counts: dict[str, Any]) -> str:
    """What a stage is going to make, or why that cannot be told yet."""
    return ", ".join([*(value for value in counts.values() if isinstance(value, str)), *filter(None, [told(counts)])])


def publish_report(config: Config, folder: str) -> None:
    """Put a stage folder's report where people look. A recipe run before is not reported anew, but put back."""
    home = runs.home(config)
    for name in (REPORT, METRICS):
        content = _content(f"{folder}/{name}")
        if content is not None and content != _content(f"{home}/{name}"):
            runs.write_bytes(home, name, content)


def _content(uri: str) -> bytes | None:
    """A file's bytes, None where it is not there."""
    system, path = runs.filesystem(uri)
    try:
        with system.open_input_stream(path) as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def ending(config: Config) -> list[str]:
    """The lines that a run ends with: the headline, the report's path."""
    home = runs.home(config)
    metrics = runs.read_json(home, METRICS) or {}
    headline = (
        metrics.get("headline", {}).get("text")
        if isinstance(metrics.get("headline"), dict)
        else metrics.get("headline")
    )
    return [*([str(headline)] if headline else []), f"report: {home}/{REPORT}"]


def tables(config: Config) -> list[dict[str, Any]]:
    """Each table that is there: version, rows, bytes and when it last changed."""
    found: list[dict[str, Any]] = []
    for name in TABLES:
        table = opened(config, name)
        if table is None:
            found.append({"table": name, "version": None})
            continue
        adds = pa.table(table.get_add_actions(flatten=True))
        last = table.history(1)[0]
        found.append(
            {
                "table": name,
                "version": table.version(),
                "rows": _sum(adds, "num_records"),
                "bytes": _sum(adds, "size_bytes"),
                "files": adds.num_rows,
                "changed": last.get("timestamp", 0) / 1000,
            }
        )
    return found


def _sum(table: pa.Table, column: str) -> int:
    return sum(value or 0 for value in table.column(column).to_pylist()) if column in table.schema.names else 0


def row_counts(config: Config) -> Counter[tuple[str, str, str]]:
    """Rows of `dataset` by origin, split and label (``: none, as in a regression)."""
    there = rows(config, "dataset")
    found: Counter[tuple[str, str, str]] = Counter()
    by = ["row_origin", "row_split", *([config.recipe.label_column] if config.recipe.labels else [])]
    for batch in there.to_batches(columns=by) if there else []:
        sums = pa.table(batch.columns, names=by).group_by(by).aggregate([([], "count_all")])
        for row in sums.to_pylist():
            origin, split, label = [row[name] for name in by] if len(by) > 2 else [*(row[name] for name in by), None]
            found[origin, split or "", "" if label is None else str(label)] += row["count_all"]
    return found


def refused_counts(config: Config) -> Counter[tuple[str, str]]:
    """Rows of `quarantine` by stage and reason."""
    there = rows(config, "quarantine")
    found: Counter[tuple[str, str]] = Counter()
    for batch in there.to_batches(columns=["row_stage", "row_reason"]) if there else []:
        for stage, reason in zip(batch["row_stage"].to_pylist(), batch["row_reason"].to_pylist(), strict=True):
            found[stage or "", reason or ""] += 1
    return found


def everything(config: Config) -> list[Any]:
    """What `seedbed show` prints: tables, rows, refusals, last runs."""
    shown: list[Any] = [
        Text(f"{config.recipe.name}: {config.recipe.about}"),
        Text(runs.home(config), "dim"),
        _tables(config),
    ]
    counts = row_counts(config)
    if counts:
        shown += ["", _rows_by_split(counts)]
    if any(label for *_, label in counts):
        shown += ["", _rows_by_label(counts)]
    refused = refused_counts(config)
    if refused:
        shown += ["", _refused(refused)]
    if not runs.run_names(config):
        return [*shown, "", Text(f"no run yet: `seedbed run {config.recipe.name}` is the first")]
    reported = ending(config) if runs.read_json(runs.home(config), METRICS) else []
    return [*shown, "", _last_runs(config), *map(Text, reported)]


def _tables(config: Config) -> Table:
    shown = _table("table", "version", "rows", "size", "changed", right=(1, 2, 3))
    for each in tables(config):
        if each["version"] is None:
            shown.add_row(each["table"], "", "", "", Text("not there yet", "dim"))
            continue
        size = f"{each['bytes'] / 1e6:,.1f} MB"
        shown.add_row(each["table"], str(each["version"]), f"{each['rows']:,}", size, _when(each["changed"]))
    return shown


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _rows_by_split(counts: Counter[tuple[str, str, str]]) -> Table:
    splits = [split for split in SPLITS if any(s == split for _, s, _ in counts)]
    shown = _table("dataset", *splits, "all", right=range(1, len(splits) + 2))
    for origin in ORIGINS:
        row = [sum(n for (o, s, _), n in counts.items() if o == origin and s == split) for split in splits]
        if sum(row):
            shown.add_row(origin, *(f"{n:,}" for n in row), f"{sum(row):,}")
    return shown


def _rows_by_label(counts: Counter[tuple[str, str, str]]) -> Table:
    labels = sorted(
        {label for *_, label in counts},
        key=lambda label: (not label.isdigit(), int(label) if label.isdigit() else 0, label),
    )
    shown = _table("label", *ORIGINS, "all", right=range(1, len(ORIGINS) + 2))
    for label in labels[:MAX_LABELS]:
        row = [sum(n for (o, _, each), n in counts.items() if o == origin and each == label) for origin in ORIGINS]
        shown.add_row(Text(label), *(f"{n:,}" for n in row), f"{sum(row):,}")
    if len(labels) > MAX_LABELS:
        shown.add_row(Text(f"and {len(labels) - MAX_LABELS:,} more labels", "dim"))
    return shown


def _refused(refused: Counter[tuple[str, str]]) -> Table:
    shown = _table("quarantine", "reason", "rows", right=(2,))
    for (stage, reason), count in sorted(refused.items()):
        shown.add_row(stage, reason, f"{count:,}")
    return shown


def _last_runs(config: Config) -> Table:
    shown = _table("run", "started", "took", "ended", "stages", right=(2,))
    for name in runs.run_names(config)[-LAST_RUNS:]:
        run = runs.read_json(f"{runs.home(config)}/runs", name) or {}
        took = in_words(run.get("finished", 0) - run.get("started", 0))
        shown.add_row(
            name.removesuffix(".json"),
            _when(run.get("started", 0)),
            took,
            run.get("state", "?"),
            str(len(run.get("stages", {}))),
        )
    return shown


def _table(*columns: str, right: Iterable[int] = ()) -> Table:
    """A table without lines; the columns `right` hold numbers."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for place, column in enumerate(columns):
        table.add_column(column, overflow="fold", justify="right" if place in set(right) else "left")
    return table
