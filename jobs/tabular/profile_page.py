"""A profile as a person reads it: a table on the terminal, and an HTML page that opens offline."""

from __future__ import annotations

import html
from typing import Any

from jobs.tabular.facts import Facts, is_regression
from jobs.tabular.profile import Profile

HEADS = ("column", "type", "missing", "distinct", "range or most frequent", "remark")
MAX_VALUES = 5
_BAR_PX = 240
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;
vertical-align:top}td.n{text-align:right;font-variant-numeric:tabular-nums}.bar{background:#4a7fb5;height:.8rem;
display:inline-block;margin-right:.5rem}@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}
th,td{border-color:#444}}
"""


def shown(profile: Profile) -> list[Any]:
    """What the terminal shows: a sentence, the columns, the classes."""
    from rich.table import Table
    from rich.text import Text

    table = Table(*HEADS)
    for column in profile.columns:
        table.add_row(*[Text(cell) for cell in cells(profile, column)])
    return [Text(summary(profile)), table, Text(balance(profile))]


def summary(profile: Profile) -> str:
    """The table in a sentence."""
    refused = "".join(f", {count:,} lines refused ({reason})" for reason, count in sorted(profile.refused.items()))
    return f"{profile.rows:,} rows of {len(profile.columns)} columns, {profile.copies:,} equal to another{refused}."


def balance(profile: Profile) -> str:
    """The label in a sentence."""
    label = profile.label_facts
    if is_regression(label):
        return f"label {label.theirs}: a number from {label.low:g} to {label.high:g}, mean {label.mean:g}"
    told = ", ".join(f"{word} {count:,} ({count / profile.rows:.1%})" for word, count in label.top[:12])
    return f"label {label.theirs}: {told}"


def cells(profile: Profile, column: Facts) -> tuple[str, ...]:
    """A column's line."""
    missing = sum(column.missing.values())
    tokens = ", ".join(repr(token) for token in column.missing)
    holes = f"{missing:,} ({missing / profile.rows:.1%}): {tokens}" if missing else ""
    return column.theirs, column.kind, holes, f"{column.distinct:,}", values(column), remark(profile, column)


def values(column: Facts) -> str:
    """The range of numbers, else the most frequent values."""
    if column.kind in ("integer", "number") and column.low is not None and column.quartiles:
        return f"{column.low:g} to {column.high:g}, median {column.quartiles[1]:g}, mean {column.mean:g}"
    return ", ".join(f"{word} {count:,}" for word, count in column.top[:MAX_VALUES])


def remark(profile: Profile, column: Facts) -> str:
    """What is worth a word."""
    found = []
    if column.name == profile.label:
        found.append("the label")
    if column.kind == "id":
        found.append("nearly every row has another: an id")
    elif column.is_constant:
        found.append("always the same")
    if column.format:
        found.append(column.format)
    if column.unfit:
        found.append(f"{column.unfit:,} cells are no {column.kind}")
    if column.far:
        found.append(f"{column.far:,} far out")
    if column.name != column.theirs:
        found.append(f"becomes {column.name}")
    return "; ".join(found)


def page(profile: Profile) -> str:
    """The whole page, everything escaped."""
    rows = "".join(_row([html.escape(cell) for cell in cells(profile, column)]) for column in profile.columns)
    heads = "".join(f"<th>{head}</th>" for head in HEADS)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Profile</title><style>{_STYLE}</style>'
        f"<h1>{html.escape(profile.found.path)}</h1><p>{html.escape(summary(profile))}</p>"
        f"<table><tr>{heads}</tr>{rows}</table><h2>{html.escape(balance(profile))}</h2>{_bars(profile)}</html>\n"
    )


def _row(told: list[str]) -> str:
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in told) + "</tr>"


def _bars(profile: Profile) -> str:
    """The classes as bars."""
    label = profile.label_facts
    if is_regression(label) or not label.top:
        return ""
    most = label.top[0][1]
    lines = [
        f'<tr><td>{html.escape(word)}</td><td><span class="bar" style="width:{round(_BAR_PX * count / most)}px"></span>'
        f"{count:,}</td></tr>"
        for word, count in label.top
    ]
    return f"<table>{''.join(lines)}</table>"
