"""Write a recipe for a person's own table: commented, with the reason for each choice, and fit to run as it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jobs.recipe_text import commented, from_folder, quoted, shown
from jobs.tabular.facts import MAX_CATEGORIES, Facts, is_regression, missing_tokens
from jobs.tabular.profile import Profile

IMBALANCE = 1.5  # largest class to smallest, from which on it is worth a word
FEW_ROWS = 2000  # below, more of them are kept for tests
TINY_ROWS = 200
SMALL_MODEL_ROWS = 5000
LARGEST_CLUMP = 0.02  # of all rows that are one and the same: more would make the split that holds them unlike others
LEAST_PER_CLASS = 3  # one in each of train, val and test


def write(name: str, profile: Profile, file: Path) -> str:
    """The text of the recipe `name` for what was seen, to be saved as `file`."""
    parts = [_head(name, profile, file), _task(profile), _sources(profile), _columns(profile), _clean(profile)]
    return "\n".join([*parts, _split(profile), _making(profile)])


def _head(name: str, profile: Profile, file: Path) -> str:
    refused = ", ".join(f"{count:,} {reason}" for reason, count in sorted(profile.refused.items()))
    more = f" {refused}: such lines are refused one by one." if refused else ""
    return "\n".join(
        [
            commented(
                f"Written by `seedbed new {name}` from {profile.rows:,} rows of {len(profile.columns)} columns.{more}"
            ),
            *[commented(note) for note in profile.found.notes],
            f"# It runs as it is: seedbed run {shown(file)}",
            "# What else its keys may say: seedbed list steps, seedbed list generators.",
            f"name: {name}",
            f"about: {quoted(f'{profile.rows:,} rows of {len(profile.columns)} columns')}",
            "modality: table",
            "seed: 1   # another seed: other splits, other draws",
            "# Where the paths below start (relative: from this file's folder); --set data=DIR places it elsewhere.",
            f"data: {quoted(from_folder(profile.found.data, file.parent))}",
        ]
    )


def kept_classes(profile: Profile) -> dict[str, int]:
    """The label's classes with their rows, numbers by value and words by name; those too rare for a split left out."""
    label = profile.label_facts
    counts = {str(word).lower() if label.kind == "boolean" else word: count for word, count in label.top}
    if label.kind == "boolean":
        counts = {"false": _of_truth(label, False), "true": _of_truth(label, True)}
    kept = {word: count for word, count in counts.items() if count >= LEAST_PER_CLASS}
    return dict(sorted(kept.items(), key=lambda pair: (not _is_number(pair[0]), _value(pair[0]), pair[0])))


def _of_truth(label: Facts, wanted: bool) -> int:
    words = ("true", "yes", "t", "y") if wanted else ("false", "no", "f", "n")
    return sum(count for word, count in label.top if word.lower() in words)


def _is_number(word: str) -> bool:
    return word.lstrip("+-").replace(".", "", 1).isdigit()


def _value(word: str) -> float:
    return float(word) if _is_number(word) else 0.0


def _task(profile: Profile) -> str:
    label = profile.label_facts
    if is_regression(label):
        why = f"{label.name} has {label.distinct:,} different numbers, so it is a number to be told: a regression."
        return f"{commented(why)}\ntask: {{kind: regression, label: {label.name}}}"
    counts = kept_classes(profile)
    rarest = min(counts, key=lambda word: counts[word])
    told = ", ".join(f"{word}: {count:,}" for word, count in list(counts.items())[:12])
    lines = [commented(f"Rows by class of {label.name}: {told}.")]
    left = [word for word, count in label.top if count < LEAST_PER_CLASS]
    if left:
        lines.append(commented(f"Left out, with fewer than {LEAST_PER_CLASS} rows each: {', '.join(left[:10])}."))
    if max(counts.values()) > IMBALANCE * counts[rarest]:
        lines.append(commented(f"{rarest} is rare: of use is what helps there. Accuracy alone would hide it."))
    positive = f", positive: {quoted(rarest)}" if len(counts) == 2 else ""
    classes = ", ".join(quoted(word) for word in counts)
    return "\n".join([*lines, f"task: {{kind: classification, label: {label.name}, classes: [{classes}]{positive}}}"])


def _sources(profile: Profile) -> str:
    source = profile.found.source()
    columns = source.pop("columns", None)
    lines = ["sources:", f"  - {flow(source)}"] if not columns else ["sources:"]
    if columns:
        rest = [f"    {key}: {_scalar(value)}" for key, value in list(source.items())[1:]]
        lines += [f"  - name: {source['name']}", *rest]
        lines += [commented("Names that a table cannot hold are mapped; an export has the old ones again.", 4)]
        lines += ["    columns:", *[f"      {quoted(theirs)}: {ours}" for theirs, ours in columns.items()]]
    return "\n".join(lines)


def flow(values: dict[str, Any]) -> str:
    """A mapping on one line of YAML."""
    return "{" + ", ".join(f"{key}: {_scalar(value)}" for key, value in values.items()) + "}"


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(_scalar(each) for each in value) + "]"
    if isinstance(value, dict):
        return flow(value)
    if value is None:
        return "null"
    return quoted(value) if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)


def _columns(profile: Profile) -> str:
    tokens = missing_tokens(profile.columns)
    hits: dict[str, int] = {}
    for column in profile.columns:
        for token, count in column.missing.items():
            hits[token] = hits.get(token, 0) + count
    told = ", ".join(f"{token or 'blank'} {count:,} times" for token, count in hits.items()) or "none was seen"
    lines = [commented(f"What stands for a missing cell: {told}."), f"missing: {_scalar(tokens)}", "columns:"]
    for column in profile.columns:
        lines += _column(profile, column)
    return "\n".join(lines)


def _column(profile: Profile, column: Facts) -> list[str]:
    """A column's line, with a remark where one is due."""
    said: dict[str, Any] = {"type": column_type(profile, column)}
    remark = ""
    if column.format not in (None, "yyyy-MM-dd") and said["type"] == "date":
        said["format"] = column.format
        if column.formats.get("d/M/yyyy") == column.formats.get("M/d/yyyy"):
            remark = "day or month first? Both fit: d/M/yyyy or M/d/yyyy"
    if said["type"] == "boolean":
        no, yes = sorted((word for word, _ in column.top), key=lambda word: word.lower() in ("true", "yes", "t", "y"))
        said["values"] = [no, yes]
    if said["type"] == "id":
        remark = "nearly every row has another: it names rows, so nothing is learned from it"
    elif column.is_constant and column.name != profile.label:
        said["model"] = False
        remark = "always the same, so nothing is learned from it"
    elif said["type"] == "category" and column.distinct > MAX_CATEGORIES:
        remark = f"{column.distinct:,} different values: the frequent ones are learned, the rest is other"
    elif column.missing and not remark:
        remark = f"{sum(column.missing.values()) / column.rows:.1%} missing"
    if column.unfit:
        remark = f"{column.unfit:,} cells are no {said['type']}: their rows are refused. {remark}".strip()
    elif column.far and not remark:
        remark = f"{column.far:,} far out, {column.low:g} to {column.high:g}"
    return [f"  {column.name}: {flow(said)}" + (f"   # {' '.join(remark.split())}" if remark else "")]


def column_type(profile: Profile, column: Facts) -> str:
    """The type as the recipe declares it; a label of a classification is told by its words."""
    if column.name == profile.label and not is_regression(column) and column.kind != "boolean":
        return "category"
    return column.kind


def _clean(profile: Profile) -> str:
    lines = ["clean:"]
    share = profile.copies / profile.rows
    told = f"{profile.copies:,} rows equal another ({share:.1%})"
    if profile.most_alike > LARGEST_CLUMP * profile.rows:
        told += f", {profile.most_alike:,} are one and the same, and would fill one split. One of each is kept."
        lines += [commented(told, 2), "  duplicates: {exact: drop}   # keep keeps all, equal ones in one split"]
    else:
        told += ". They are kept, together in one split."
        lines += [commented(told, 2), "  duplicates: {exact: keep}   # drop keeps one of each"]
    far = [column.name for column in profile.columns if column.far and column.name != profile.label]
    if far:
        lines.append(commented(f"Numbers far from the rest ({', '.join(far[:8])}) are flagged, not refused.", 2))
        lines.append(
            "  outliers: {method: robust_z, threshold: 8, action: flag}   # quarantine or clip, where they are wrong"
        )
    lines.append(commented("Rules of your own, such as:", 2))
    lines.append("  # rules:")
    lines.append('  #   - relation: {expression: "start <= end", severity: warn}')
    return "\n".join(lines)


def _split(profile: Profile) -> str:
    test, val = (0.3, 0.2) if profile.rows < FEW_ROWS else (0.2, 0.1)
    stratify = "null" if is_regression(profile.label_facts) else "label"
    why = f"Of {profile.rows:,} rows {test:.0%} are for the test, {val:.0%} tell what is of use; the rest trains."
    few = (
        [commented("So few rows that the test says little: more rows would help most.")]
        if profile.rows < TINY_ROWS
        else []
    )
    return "\n".join([commented(why), *few, f"split: {{test: {test}, val: {val}, rest: train, stratify: {stratify}}}"])


def _making(profile: Profile) -> str:
    label = profile.label_facts
    rows, why = "{like: train}", "As many new rows as there are to learn from, in their proportions."
    if not is_regression(label):
        counts = kept_classes(profile)
        if max(counts.values()) > IMBALANCE * min(counts.values()):
            rows = "{balance: majority}"
            why = "The classes are uneven: the rare ones are filled up. {like: train} would keep their proportions."
    preset = ", preset: fast" if profile.rows > 20 * SMALL_MODEL_ROWS else ""
    return "\n".join(
        [
            "# Numbers by their quantiles, words by a vocabulary: what generators and judges learn from.",
            "normalize: {numeric: quantile_normal, category: vocabulary}",
            commented(why),
            "generate:",
            f"  - {{model: table_ar{preset}, rows: {rows}}}   # column by column, each by those before it",
            commented("A made row is merged when it copies no train row and rows of its kind do no harm."),
            "gate: {copies: quarantine, usefulness: not_worse}",
            "# Who measures, on real test rows, what the made ones are worth.",
            "evaluate: {judges: [boosting, logistic, mlp], seeds: 3}",
            "",
        ]
    )
