"""What a recipe says of rows that hold several payloads: which there are, how sources are joined, which pairs are made.

The payloads are the parts that the recipe has: `image:`, `text:`, `series:` and `columns:`, two of them at least.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from conf.schema.parts import Part, Positive, Share
from conf.schema.tables import Column, ColumnName, Task

if TYPE_CHECKING:
    from conf.schema import Recipe

PAYLOADS = ("image", "text", "series", "columns")
LABEL = "label"
OFF_CLOCK = 1e-6  # of a step, by which a number of steps may be off for rounding
RESERVED = (
    "label",
    "soft_label",
    "image",
    "mask",
    "boxes",
    "text",
    "series",
    "pixels",
    "look",
    "thumb",
    "changed",
    "is_outlier",
)
JUDGES = {
    "image": ("image.cnn", "image.svc", "image.linear"),
    "text": ("text.words", "text.characters", "text.bag"),
    "series": ("series.nearest", "series.rocket"),
    "columns": ("table.boosting", "table.logistic", "table.mlp"),
}
JOINT, TOWERS = "joint", "towers"  # who sees all payloads; towers see an image and a text


class Join(Part):
    """How rows of several sources become one row each: by a key that both have, or by the nearest time in seconds.

    The first source leads: each of its rows takes one row of every other source. `within` names a column that must be
    equal besides, such as a recording; `reuse` lets several rows take the same one.
    """

    by: Literal["key", "nearest_time"] = "key"
    column: ColumnName
    within: ColumnName | None = None
    tolerance_s: float | None = Field(default=None, gt=0)
    reuse: bool = False

    @model_validator(mode="after")
    def _complete(self) -> Join:
        """Each way has what it needs, and nothing else."""
        if self.by == "nearest_time" and self.tolerance_s is None:
            raise ValueError("by nearest_time needs tolerance_s: how many seconds two rows may lie apart")
        if self.by == "key" and (self.tolerance_s is not None or self.within or self.reuse):
            raise ValueError("tolerance_s, within and reuse go with by: nearest_time")
        if self.reuse and not self.within:
            raise ValueError("reuse needs within, which groups rows that share a part, so that they stay in one split")
        return self


class Pairs(Part):
    """Image-text pairs for matching: real rows are `match`, and each gets so many texts of other rows of its split.

    A share `hard` of the texts are those that are hard to tell: of the same class, which the column `same` holds, or
    similar in their words (`by: text`).
    """

    match: str = "match"
    mismatch: str = "mismatch"
    negatives: Positive = Field(default=1, le=20)
    hard: Share = 0.0
    by: Literal["text", "class"] = "text"
    same: ColumnName | None = None

    @model_validator(mode="after")
    def _complete(self) -> Pairs:
        """Hard texts of one class need to know the class."""
        if self.by == "class" and self.same is None:
            raise ValueError("by class needs same: the column that holds the class")
        return self


class Streams(Part):
    """How clips are cut: windows of `window_s` every `hop_s` on a clock of `rate_hz`, in step and shifted.

    Each shift is a label besides 0. A film's window shows `frames` of its frames; gaps of up to `max_gap_s` are filled.
    """

    window_s: float = Field(gt=0)
    hop_s: float = Field(gt=0)
    rate_hz: float = Field(gt=0, le=10_000)
    shifts_s: list[float] = Field(min_length=1)
    frames: Positive = Field(default=4, le=64)
    max_gap_s: float = Field(default=0.2, gt=0)

    @property
    def labels(self) -> list[str]:
        """The shifts as labels, 0 among them."""
        return [f"{shift:g}" for shift in (0.0, *self.shifts_s)]


def payloads_of(recipe: Recipe) -> tuple[str, ...]:
    """The payloads that the rows hold, in the order of PAYLOADS."""
    return tuple(name for name in PAYLOADS if getattr(recipe, name))


def as_table(recipe: Recipe) -> Recipe:
    """The recipe's columns and its label as a recipe of a table, for what reads and judges cells."""
    columns = {**recipe.columns, LABEL: Column(type="category")}
    task = Task(kind="classification", label=LABEL, classes=list(recipe.labels))
    rules = [rule for rule in recipe.clean.rules if "." not in rule.name]
    clean = recipe.clean.model_copy(update={"rules": rules})
    told = {"modality": "table", "columns": columns, "task": task, "clean": clean}
    return recipe.model_copy(update={**told, "image": None, "text": None, "series": None})


def for_fusion(value: dict[str, Any]) -> dict[str, Any]:
    """A fusion recipe with what follows from its being one: a judge of each payload where none is named."""
    laid = dict(value)
    if "text" in value and value["text"] is None:
        laid["text"] = {}
    if value.get("pairs") is not None and isinstance(value.get("split"), dict):
        laid["split"] = {"stratify": None, **value["split"]}  # mismatches are made once rows are split
    evaluate = value.get("evaluate")
    if evaluate is None or (isinstance(evaluate, dict) and "judges" not in evaluate):
        there = [name for name in PAYLOADS if laid.get(name) is not None]
        own = [JUDGES[name][0] for name in there] if value.get("pairs") is None else [JOINT]
        laid["evaluate"] = {**(evaluate or {}), "judges": own or [JOINT]}
    return laid


def check_fusion(recipe: Recipe) -> None:
    """Raise ValueError where a recipe of several payloads does not hold together."""
    there = payloads_of(recipe)
    several = recipe.series is not None and len(recipe.series.channels) > 1 and recipe.streams is not None
    if len(there) < 2 and not several:
        raise ValueError(
            f"a fusion row holds two payloads or more, of {', '.join(PAYLOADS)};"
            f" this one has {', '.join(there) or 'none'}"
        )
    if len(recipe.labels) < 2 or recipe.task is not None:
        raise ValueError("a fusion recipe needs labels: of two, and no task: rows are told apart by their label")
    if recipe.label is not None:
        raise ValueError("label: is for images; a fusion row without a label is refused")
    strange = sorted(set(recipe.columns) & set(RESERVED)) or sorted(n for n in recipe.columns if n.startswith("row_"))
    if strange:
        raise ValueError(f"the column {strange[0]} has the name of another part of the row: map it to another name")
    if recipe.image is not None and recipe.image.masks:
        raise ValueError("image.masks is for images alone, not yet for fusion")
    filled = [name for name, said in recipe.columns.items() if said.fill or said.flag_missing or said.spelling]
    if filled:
        raise ValueError(f"column {filled[0]}: fill, flag_missing and spelling are for tables, not yet for fusion")
    named = {"clean.duplicates": recipe.clean.duplicates.columns, "normalize": [*recipe.normalize.columns]}
    for part, names in named.items():
        unknown = [name for name in names if name not in recipe.columns]
        if unknown:
            there_are = ", ".join(recipe.columns) or "none"
            raise ValueError(f"{part} names the column {unknown[0]!r}, and the columns are {there_are}")
    _check_judges(recipe, there)
    _check_sources(recipe)
    _check_pairs(recipe, there)
    _check_streams(recipe)
    if recipe.clean.outliers is not None and (recipe.image is None or recipe.clean.outliers.action == "clip"):
        raise ValueError("outliers are told by the image: they need image:, and action quarantine or flag")


def _check_judges(recipe: Recipe, there: tuple[str, ...]) -> None:
    both = [JOINT, TOWERS] if {"image", "text"} <= set(there) else [JOINT]
    known = [*(judge for name in there for judge in JUDGES[name]), *both]
    strange = [judge for judge in recipe.evaluate.judges if judge not in known]
    if strange:
        raise ValueError(f"evaluate: {strange[0]} is not for these payloads, which have {', '.join(known)}")


def _check_sources(recipe: Recipe) -> None:
    """Sources bring what rows hold: each all of it, or joined ones each their part."""
    parts = given_by(recipe)
    if any(source.split == "unlabelled" for source in recipe.sources):
        raise ValueError("a source of fusion rows has the split unlabelled, and fusion rows need their label")
    wanted = {name for name in columns_of(recipe) if name != LABEL or recipe.pairs is None}
    for source in recipe.sources:
        strange = sorted(set(source.gives) - set(columns_of(recipe)))
        if strange:
            raise ValueError(f"source {source.name} gives {strange[0]!r}; rows hold {', '.join(columns_of(recipe))}")
        if recipe.join is None and source.gives:
            raise ValueError(f"source {source.name} says gives, which goes with join: else every source gives all")
    if recipe.join is None:
        return
    if len(recipe.sources) < 2:
        raise ValueError("join needs two sources or more")
    if any(source.weight < 1 for source in recipe.sources):
        raise ValueError("weight does not go with join: a row that is left out would leave its partners alone")
    _check_following(recipe, recipe.join)
    silent = [source.name for source in recipe.sources if not source.gives]
    if silent:
        raise ValueError(f"source {silent[0]} must say gives: which parts of the row it brings, such as [image]")
    named = [name for part in parts.values() for name in part]
    doubled, missing = sorted({n for n in named if named.count(n) > 1}), sorted(wanted - set(named))
    if doubled or missing:
        told = f"{doubled[0]} is given by two sources" if doubled else f"no source gives {missing[0]}"
        raise ValueError(f"join: {told}; each part of a row comes from one source")


def _check_following(recipe: Recipe, join: Join) -> None:
    """Splits and groups are said where a joined row gets them from: of the first source, or by within."""
    for source in recipe.sources[1:]:
        said = [name for name in ("split", "group_column") if getattr(source, name) is not None]
        if said:
            lead = recipe.sources[0].name
            raise ValueError(
                f"source {source.name} says {said[0]}, which joined rows have of the first source, {lead}: say it there"
            )
    if join.reuse and recipe.sources[0].group_column is not None:
        raise ValueError("group_column does not go with join.reuse, whose rows are grouped by within: leave it out")


def _check_pairs(recipe: Recipe, there: tuple[str, ...]) -> None:
    pairs = recipe.pairs
    if pairs is None:
        return
    if recipe.image is None or recipe.text is None:
        raise ValueError("pairs are of an image and a text: the recipe needs image: and text:")
    if {pairs.match, pairs.mismatch} != set(recipe.labels):
        there_are = ", ".join(recipe.labels)
        raise ValueError(f"pairs: labels must be [{pairs.mismatch}, {pairs.match}]; they are {there_are}")
    if recipe.split.stratify is not None:
        raise ValueError("pairs are made once rows are split, which have one label until then: say stratify: null")
    if recipe.clean.duplicates.near == "keep":
        raise ValueError(
            "pairs need to know which images are one picture, whose captions are no mismatch: say"
            " clean.duplicates.near: group, not keep"
        )
    if pairs.same is not None and pairs.same not in recipe.columns:
        raise ValueError(f"pairs.same is {pairs.same}, which is not among the columns")


def _check_streams(recipe: Recipe) -> None:
    """Clips need to be told how they are cut; what rows share stays in one split by its group."""
    streams = recipe.streams
    of_clips = [source.name for source in recipe.sources if source.reader == "streams"]
    if (streams is not None) != bool(of_clips):
        raise ValueError("streams: goes with sources of the reader streams, which cut clips by it")
    if (streams is not None or (recipe.join and recipe.join.reuse)) and not recipe.split.group:
        raise ValueError("rows cut from one recording must stay in one split: say split: {group: true}")
    if streams is None:
        return
    if recipe.series is None or recipe.text is not None or recipe.columns:
        raise ValueError(
            "rows of streams have series:, with a channel for each stream, and image: where there is a film"
        )
    _check_clock(streams)
    steps = round(streams.window_s * streams.rate_hz)
    if recipe.series.length != steps:
        raise ValueError(f"series.length is {recipe.series.length}; window_s times rate_hz is {steps}")
    if sorted(streams.labels) != sorted(recipe.labels):
        raise ValueError(f"labels must be the shifts {', '.join(streams.labels)}; they are {', '.join(recipe.labels)}")


def _check_clock(streams: Streams) -> None:
    """Windows begin, and are shifted, by whole steps of the clock: else a label would say more than the row shows."""
    told = [("hop_s", streams.hop_s), *(("shifts_s", shift) for shift in streams.shifts_s)]
    for name, seconds in told:
        steps = seconds * streams.rate_hz
        if not round(steps) or abs(steps - round(steps)) > OFF_CLOCK:
            raise ValueError(
                f"streams.{name} has {seconds:g} s, which is {steps:g} steps of a clock of {streams.rate_hz:g} Hz:"
                " it takes whole steps, and one at least"
            )


def columns_of(recipe: Recipe) -> list[str]:
    """Everything that is read of a source for one row, the label first."""
    own = [name for name in ("text", "series", "image") if getattr(recipe, name) is not None]
    return [LABEL, *recipe.columns, *own]


def join_columns(recipe: Recipe) -> list[str]:
    """The columns that sources are joined by; they need not be declared."""
    return [name for name in (recipe.join.column, recipe.join.within) if name] if recipe.join else []


def given_by(recipe: Recipe) -> dict[str, list[str]]:
    """What each source brings of a row."""
    return {source.name: list(source.gives) or columns_of(recipe) for source in recipe.sources}
