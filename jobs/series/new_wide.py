"""Write a recipe for a person's own table of windows, a column for each step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jobs.recipe_text import commented, from_folder, quoted, shown
from jobs.series.look_wide import WideRows
from jobs.tabular.new import flow

BARE_CHANNEL = "value"  # what the one channel of lines without a header is called
VAL_SHARE, TEST_SHARE = 0.2, 0.25


def write(name: str, seen: WideRows, file: Path) -> str:
    """The text of the recipe `name` for what was seen, to be saved as `file`."""
    from jobs.series.new import clean_lines, making_lines

    rows = (1 - VAL_SHARE - TEST_SHARE * (seen.test is None)) * seen.rows
    parts = [_head(name, seen, file), _form(seen), _labels(seen), _sources(seen), clean_lines(), _split(seen)]
    return "\n".join([*parts, making_lines(rows, bool(seen.classes))])


def told_of(seen: WideRows) -> str:
    """What it is, in a few words."""
    more, count = "" if seen.whole else "more than ", len(_channels(seen))
    of = "one channel" if count == 1 else f"{count} channels"
    test = "" if seen.test is None else ", and those of a test file"
    return f"{more}{seen.rows:,} windows of {seen.length:,} steps of {of}{test}"


def _channels(seen: WideRows) -> list[str]:
    return list(seen.first) or [BARE_CHANNEL]


def _head(name: str, seen: WideRows, file: Path) -> str:
    told = "a line is a label and its window's steps" if not seen.first else "a row is a window, a column each step"
    lines = [commented(f"Written by `seedbed new {name}` from {told_of(seen)}: {told}.")]
    lines += [commented(note) for note in seen.found.notes]
    if seen.others:
        lines.append(commented(f"Not read: {', '.join(seen.others[:12])}."))
    return "\n".join(
        [
            *lines,
            f"# It runs as it is: seedbed run {shown(file)}",
            "# What else its keys may say: seedbed list steps series.",
            f"name: {name}",
            f"about: {quoted(told_of(seen))}",
            "modality: series",
            "seed: 1   # another seed: other splits, other draws",
            "# Where the paths below start (relative: from this file's folder); --set data=DIR places it elsewhere.",
            f"data: {quoted(from_folder(seen.found.data, file.parent))}",
        ]
    )


def _form(seen: WideRows) -> str:
    return "\n".join(
        [
            "series:",
            f"  length: {seen.length}",
            f"  channels: [{', '.join(_channels(seen))}]",
            commented("Short gaps are filled; a window with a longer one is refused.", 2),
            "  fill: {method: linear, limit: 3}   # polynomial, spline, seasonal (with its period), hold",
        ]
    )


def _labels(seen: WideRows) -> str:
    if not seen.classes:
        return commented("No labels: what the windows are good for is to forecast how they go on.")
    counts = ", ".join(f"{word}: {count:,}" for word, count in list(seen.classes.items())[:12])
    where = f"the {seen.label} cell of a line" if not seen.first else str(seen.label)
    why = commented(f"Windows by {where}: {counts}. One of another label is refused.")
    return f"{why}\nlabels: [{', '.join(quoted(word) for word in seen.classes)}]"


def _sources(seen: WideRows) -> str:
    source: dict[str, Any] = {**seen.found.source(), "name": "windows"}
    source.pop("columns", None)
    source["wide"] = {"steps": seen.first} if seen.first else {"label": seen.label}
    if seen.first and seen.label not in (None, "label"):
        source["columns"] = {quoted(str(seen.label)): "label"}
    source |= {"drift": "merge"} if seen.others else {}
    told = ", ".join(quoted(token) for token in dict.fromkeys(["", *seen.missing]))
    missing = [commented("What stands for a missing value."), f"missing: [{told}]"] if any(seen.missing) else []
    why = commented("Each channel's first step; the other columns count on from it.", 2) if seen.first else ""
    lines = [f"  - {flow(source)}"]
    if seen.test is not None:
        lines = [f"  - {flow({**source, 'name': 'train'})}"]
        lines.append(f"  - {flow({**source, 'name': 'test', 'path': seen.test, 'split': 'test'})}")
    return "\n".join(line for line in ["sources:", why, *lines, *missing] if line)


def _split(seen: WideRows) -> str:
    named = ": where several are of one, name the column of whose they are as the source's group_column"
    why = f"Each window by itself{named if seen.first else ''}."
    stratify, test = "label" if seen.classes else "null", f"{TEST_SHARE}" if seen.test is None else "given"
    return f"{commented(why)}\nsplit: {{test: {test}, val: {VAL_SHARE}, rest: train, stratify: {stratify}}}"
