"""Write a recipe for a person's own recordings: commented, with the reason for each choice, and fit to run as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from jobs.recipe_text import commented, from_folder, quoted, shown
from jobs.series import new_wide
from jobs.series.look import Recorded, channel_name, recordings_in
from jobs.series.look_wide import windows_in
from jobs.tabular.look import look_at
from jobs.tabular.new import flow
from jobs.texts import new as texts

LENGTHS = {"1h": 24, "1d": 28, "15min": 96, "30min": 48, "10min": 144, "1min": 60, "1s": 60}  # a day, four weeks, ...
USUAL_LENGTH = 24
MOST_STEPS = 200  # of a window that is a whole recording
WINDOWS_A_RECORDING = 20  # at least, where one recording is parted by time
LEAST_LENGTH = 4
FEW_ENTITIES = 10  # fewer are parted by time
COPIES = ((300, 8), (3000, 4), (20_000, 2))  # below so many windows, so many copies; beyond, one


def write(name: str, seen: Recorded, file: Path) -> str:
    """The text of the recipe `name` for what was seen, to be saved as `file`."""
    parts = [
        _head(name, seen, file),
        _form(seen),
        _labels(seen),
        _sources(seen),
        clean_lines(),
        _split(seen),
        _making(seen),
    ]
    return "\n".join(part for part in parts if part)


def written(name: str, source: Path, label: str | None, file: Path) -> tuple[str, str]:
    """The text of a recipe for what lies at `source`, windows, recordings, texts or rows of a table; and in a few
    words what.
    """
    from jobs.tabular.profiling import profile_of

    found = look_at(source)
    if wide := windows_in(found, label):
        return new_wide.write(name, wide, file), new_wide.told_of(wide)
    seen = recordings_in(found, label)
    if seen is not None:
        return write(name, seen, file), told_of(seen)
    return texts.written(name, profile_of(source, label), file)


def told_of(seen: Recorded) -> str:
    """What it is, in a few words."""
    count = len(seen.steps)
    of = f"{count:,} recordings" if count > 1 else "one recording"
    return f"{of} of {len(seen.channels)} channels"


def by_recording(seen: Recorded) -> bool:
    """Whether there are enough recordings to part them as wholes."""
    return bool(seen.classes) or len(seen.steps) >= FEW_ENTITIES


def window(seen: Recorded) -> tuple[int, int, str]:
    """(length, stride, why)."""
    usual = LENGTHS.get(seen.every or "", USUAL_LENGTH)
    short = int(np.quantile(seen.steps, 0.1, method="lower"))
    if seen.classes and short <= MOST_STEPS:
        length = max(LEAST_LENGTH, short)
        return length, length, f"a window is a whole recording: nine of ten have {length} steps or more"
    room = short if by_recording(seen) else sum(seen.steps) // len(seen.steps) // WINDOWS_A_RECORDING
    length = max(LEAST_LENGTH, min(usual, room))
    return length, max(1, length // 4), "windows overlap: a smaller stride makes more of them, each less new"


def _head(name: str, seen: Recorded, file: Path) -> str:
    few = "" if seen.whole else f", told by its first {seen.rows:,} rows"
    others = [seen.found.names[each] for each in seen.others]
    time = seen.found.names[seen.time.name]
    as_table = "--label with a column that changes within a recording makes a table of it"
    return "\n".join(
        [
            commented(
                f"Written by `seedbed new {name}` from {told_of(seen)}{few}: the column {time} tells their times."
            ),
            commented(f"Read as time series, as {seen.usual:.0%} of the times follow by one step. {as_table}."),
            *[commented(note) for note in seen.found.notes],
            *([commented(f"Not read: {', '.join(others[:12])}.")] if others else []),
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


def _form(seen: Recorded) -> str:
    length, stride, why = window(seen)
    channels = ", ".join(channel_name(each) for each in seen.channels)
    lines = [commented(f"{length} steps each; {why}."), "series:", f"  length: {length}", f"  channels: [{channels}]"]
    lines += [commented("Short gaps are filled; a window with a longer one is refused.", 2)]
    lines += ["  fill: {method: linear, limit: 3}   # polynomial, spline, seasonal (with its period), hold"]
    lines += ["  recordings:", f"    entity: {'column' if seen.entity else 'source'}"]
    if seen.time.kind != "datetime":
        lines.append(f"    time: {seen.time.kind}")
    if seen.time.form:
        lines.append(f"    time_format: {quoted(seen.time.form)}   # days and months may stand the other way round")
    if seen.every:
        lines.append(f"    every: {seen.every}   # the grid that steps lie on; of several in one step, the mean counts")
    else:
        lines.append(commented("No grid: times do not follow by one step, so each observation is a step.", 4))
    lines.append(f"    stride: {stride}")
    lines += [
        "    duplicates: last   # of several of one time: first, last or mean",
        "    # stuck: {min_run: 24, action: missing}   # a sensor that tells one value so long",
        "    # outliers: {method: hampel, window_steps: 11, threshold: 6, action: replace}",
        f"    # convert: [{{channel: {channel_name(seen.channels[0])}, scale: 0.5556, offset: -17.78}}]   # F to C",
    ]
    return "\n".join(lines)


def _labels(seen: Recorded) -> str:
    if not seen.classes:
        return commented("No labels: what the windows are good for is to forecast.")
    counts = ", ".join(f"{word}: {count:,}" for word, count in list(seen.classes.items())[:12])
    lines = [
        commented(f"Recordings by {seen.found.names[seen.label or '']}: {counts}. One of another label is refused.")
    ]
    return "\n".join([*lines, f"labels: [{', '.join(quoted(word) for word in seen.classes)}]"])


def _sources(seen: Recorded) -> str:
    source = {**seen.found.source(), "name": "recordings"}
    named = {seen.time.name: "time", **({seen.entity: "entity"} if seen.entity else {})}
    named |= {seen.label: "label"} if seen.label else {}
    named |= {name: channel_name(name) for name in seen.channels}
    theirs = {quoted(seen.found.names[ours]): new for ours, new in named.items() if seen.found.names[ours] != new}
    source |= {"columns": theirs} if theirs else {}
    if not theirs:
        source.pop("columns", None)
    source |= {"drift": "merge"} if seen.others else {}
    told = ", ".join(quoted(token) for token in dict.fromkeys(["", *seen.missing]))
    missing = [commented("What stands for a missing value."), f"missing: [{told}]"] if any(seen.missing) else []
    return "\n".join(["sources:", f"  - {flow(source)}", *missing])


def clean_lines() -> str:
    """The part that cleans windows."""
    return "\n".join(["clean:", "  rules:", "    - series.reject_constant   # a window in which nothing moves"])


def _split(seen: Recorded) -> str:
    if by_recording(seen):
        stratify = "label" if seen.classes else "null"
        why = "All windows of one recording are in one split: the test is of recordings that nothing has seen."
        return f"{commented(why)}\nsplit: {{test: 0.25, val: 0.2, rest: train, stratify: {stratify}}}"
    why = "Train first in time, then val, then test: no two windows of different splits share a step."
    blocks = "by: block, with block_steps, takes stretches from all over the time instead."
    split = "split: {by: time, val: 0.15, test: 0.2, rest: train, stratify: null, embargo_steps: 0}"
    return f"{commented(f'{why} {blocks}')}\n{split}"


def _making(seen: Recorded) -> str:
    length, stride, _ = window(seen)
    rows = 0.6 * sum(max(0, (steps - length) // stride + 1) for steps in seen.steps)
    return making_lines(rows, bool(seen.classes))


def making_lines(rows: float, has_labels: bool) -> str:
    """What is made of about so many train windows, and who measures it."""
    copies = next((copies for most, copies in COPIES if rows < most), 1)
    judges = "nearest, rocket" if has_labels else "forecast"
    return "\n".join(
        [
            commented(f"About {rows:,.0f} windows to learn from. Copies that do harm are not merged."),
            "augment:",
            f"  copies: {copies}",
            "  steps:",
            "    - series.magnitude_warp: {std: 0.1}",
            "    - series.window_slice: {share: [0.85, 0.95], p: 0.5}",
            "gate: {usefulness: not_worse}",
            "# Who measures, on real test windows, what the made ones are worth.",
            f"evaluate: {{judges: [{judges}], seeds: 3}}",
            "",
        ]
    )
