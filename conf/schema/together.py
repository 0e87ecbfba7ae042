"""What the parts of a recipe must be to each other, modality by modality."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from conf.schema import candidates
from conf.schema.behaviour import for_behaviour
from conf.schema.fusion import JOINT, JUDGES, TOWERS, for_fusion
from conf.schema.making import BEHAVIOUR_MODELS, IMAGE_MODELS, SERIES_MODELS, TABLE_MODELS, TEXT_MODELS
from conf.schema.texts import TEXT_COLUMNS
from conf.schema.where import parse
from conf.schema.wide import check_wide, columns_of

if TYPE_CHECKING:
    from conf.schema import Recipe
    from conf.schema.sources import Source
    from conf.schema.tables import Column
    from conf.schema.windows import SeriesForm

WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "image": {
        "reader": ("sklearn_digits", "idx", "image_folder", "image_manifest", "npz", "parquet", "delta"),
        "model": IMAGE_MODELS,
        "judge": ("cnn", "svc", "linear"),
        "outliers": ("robust_z",),
    },
    "table": {
        "reader": ("csv", "json_lines", "parquet", "orc", "delta", "jdbc", "sklearn_table"),
        "model": TABLE_MODELS,
        "judge": ("boosting", "logistic", "mlp"),
        "outliers": ("robust_z", "z_score", "iqr", "isolation_forest"),
    },
    "text": {
        "reader": ("csv", "json_lines", "parquet", "orc", "delta", "jdbc", "text_folder", "bundled_text"),
        "model": TEXT_MODELS,
        "judge": ("words", "characters", "bag"),
        "outliers": (),
    },
    "series": {
        "reader": (
            "ts",
            "blocks",
            "json_lines",
            "parquet",
            "csv",
            "orc",
            "delta",
            "jdbc",
            "bundled_series",
        ),
        "model": SERIES_MODELS,
        "judge": ("nearest", "rocket", "cnn", "forecast"),
        "outliers": (),
    },
    "behaviour": {
        "reader": ("csv", "json_lines", "parquet", "orc"),
        "model": BEHAVIOUR_MODELS,
        "judge": ("item_knn", "sequence"),
        "outliers": (),
    },
    "fusion": {
        "reader": (
            "captions",
            "captioned_digits",
            "streams",
            "parquet",
            "delta",
            "csv",
            "json_lines",
            "orc",
            "image_folder",
        ),
        "model": (),
        "judge": (*(judge for judges in JUDGES.values() for judge in judges), JOINT, TOWERS),
        "outliers": ("robust_z",),
    },
}
LEAST_PER_FOLD = 2  # train rows by which steps are chosen
LEAST_SIMILARITY = 0.6  # of texts that are near copies: the share of their shingles that both have
_LABEL_TYPES = {"classification": ("category", "boolean", "integer"), "regression": ("integer", "number")}


def plural(modality: str) -> str:
    """What several of a modality's rows are called."""
    told = modality if modality.endswith(("s", "behaviour")) else f"{modality}s"
    return {"fusion": "fusion rows"}.get(modality, told)


def for_tables(value: dict[str, Any]) -> dict[str, Any]:
    """A table's recipe with what follows from its being one: labels are the task's classes, copies are kept."""
    task = value.get("task")
    laid = dict(value)
    if isinstance(task, dict) and "labels" not in value and isinstance(task.get("classes"), list):
        laid["labels"] = [str(each) for each in task["classes"]]
    clean = value.get("clean") or {}
    if isinstance(clean, dict):
        laid["clean"] = {**clean, "duplicates": {"exact": "keep", "near": "keep", **(clean.get("duplicates") or {})}}
    split, evaluate = value.get("split"), value.get("evaluate")
    if isinstance(task, dict) and task.get("kind") == "regression" and isinstance(split, dict):
        laid["split"] = {"stratify": None, **split}
    if evaluate is None or (isinstance(evaluate, dict) and "judges" not in evaluate):
        laid["evaluate"] = {**(evaluate or {}), "judges": ["boosting", "logistic", "mlp"]}
    return laid


def for_texts(value: dict[str, Any]) -> dict[str, Any]:
    """A text's recipe with what follows from its being one."""
    clean, evaluate = value.get("clean") or {}, value.get("evaluate")
    laid = {**value, "text": value.get("text") or {}}
    if isinstance(clean, dict):
        near = {"min_similarity": LEAST_SIMILARITY, **(clean.get("duplicates") or {})}
        laid["clean"] = {**clean, "duplicates": near}
    if evaluate is None or (isinstance(evaluate, dict) and "judges" not in evaluate):
        laid["evaluate"] = {**(evaluate or {}), "judges": ["words", "characters"]}
    return laid


def for_series(value: dict[str, Any]) -> dict[str, Any]:
    """A recipe of series with what follows from its being one: near copies are not looked for."""
    clean, evaluate = value.get("clean") or {}, value.get("evaluate")
    laid = dict(value)
    if isinstance(clean, dict):
        laid["clean"] = {**clean, "duplicates": {"near": "keep", **(clean.get("duplicates") or {})}}
    judges = ["nearest", "rocket"] if value.get("labels") else ["forecast"]
    if evaluate is None or (isinstance(evaluate, dict) and "judges" not in evaluate):
        laid["evaluate"] = {**(evaluate or {}), "judges": judges}
    return laid | _split_of_series(value)


def _split_of_series(value: dict[str, Any]) -> dict[str, Any]:
    """How series are split where the recipe says no more: recordings whole; without regard to labels where none is."""
    split, form = value.get("split"), value.get("series")
    if not isinstance(split, dict):
        return {}
    laid = dict(split)
    if isinstance(form, dict) and form.get("recordings") is not None:
        laid = {"by": "recording", **laid}
        laid |= {"group": True} if laid["by"] == "recording" else {}
    if not value.get("labels") or laid.get("by") in ("time", "block"):
        laid = {"stratify": None, **laid}
    return {"split": laid}


def laid_out(value: dict[str, Any]) -> dict[str, Any]:
    """A recipe with what follows from its modality."""
    modality = str(value.get("modality"))
    known = {
        "table": for_tables,
        "text": for_texts,
        "series": for_series,
        "behaviour": for_behaviour,
        "fusion": for_fusion,
    }
    lay_out = known.get(modality)
    laid = lay_out(value) if lay_out else value
    if laid.get("augment") == candidates.AUTO and modality in WORDS:
        _check_chosen(modality)
    return {**laid, "augment": candidates.laid_out(laid["augment"], modality)} if "augment" in laid else laid


def _check_chosen(modality: str) -> None:
    """Raise ValueError for a modality whose steps are not chosen."""
    if modality not in candidates.COPIES:
        raise ValueError(f"augment: steps of {plural(modality)} are not chosen by trials: name them under steps")


def check_choice(recipe: Recipe) -> None:
    """Raise ValueError where steps are to be chosen by what is not there: labels of later stages, enough rows."""
    augment, train = recipe.augment, recipe.split.train
    if augment is None or augment.choose is None:
        return
    _check_chosen(recipe.modality)
    if recipe.label is not None:
        raise ValueError(
            "label: has its judges learn from augmented copies too, and augment: chooses its steps only after it: name"
            " them under augment.steps"
        )
    if isinstance(train, int) and train < LEAST_PER_FOLD * augment.folds:
        raise ValueError(
            f"augment: chooses by {augment.folds} folds, which need {LEAST_PER_FOLD * augment.folds} train rows, and"
            f" split.train is {train}: raise it, lower augment.folds, or name the steps under augment.steps"
        )


def check_texts(recipe: Recipe) -> None:
    """Raise ValueError where a text's recipe does not hold together."""
    said = [name for name in ("image", "series", "columns", "task") if getattr(recipe, name)]
    if said:
        raise ValueError(f"{said[0]} does not go with texts, which have text: and labels:")
    if len(recipe.labels) < 2:
        raise ValueError("a recipe of texts needs labels: of two")
    if recipe.label is not None:
        raise ValueError("label: is for images; a text without a label is refused")
    _check_columns(recipe, TEXT_COLUMNS)


def check_series(recipe: Recipe) -> None:
    """Raise ValueError where a recipe of series does not hold together."""
    said = [name for name in ("image", "text", "columns", "task") if getattr(recipe, name)]
    if said:
        raise ValueError(f"{said[0]} does not go with series, which have series: and labels:")
    if recipe.series is None or len(recipe.labels) == 1:
        raise ValueError("a recipe of series needs series: with its length and channels, and labels: of two, or none")
    _check_unlabelled(recipe)
    _check_recordings(recipe, recipe.series)
    if recipe.label is not None:
        raise ValueError("label: is for images; a series without a label is refused")
    if recipe.clean.duplicates.near != "keep":
        raise ValueError("near copies of series are not looked for: say near: keep. Exact ones are")
    for source in recipe.sources:
        check_wide(source, recipe.series)
    _check_columns(recipe, (*recipe.series.cells(), *(("label",) if recipe.labels else ())))


def _check_unlabelled(recipe: Recipe) -> None:
    """Raise ValueError where series have labels and are asked what goes without, or the other way round."""
    for judge in recipe.evaluate.judges:
        if (judge == "forecast") == bool(recipe.labels):
            mend = (
                "is for series without labels" if recipe.labels else "needs labels:, and there are none: say forecast"
            )
            raise ValueError(f"evaluate: the judge {judge} {mend}")
    if not recipe.labels and recipe.split.stratify is not None:
        raise ValueError("split.stratify is label, and there are no labels: say stratify: null")


def _check_recordings(recipe: Recipe, form: SeriesForm) -> None:
    """Raise ValueError where recordings and what is said of sources and splits do not go together."""
    windows_only = [each for each in recipe.sources if each.reader in ("ts", "blocks")]
    if form.recordings is None:
        if recipe.split.by is not None:
            raise ValueError("split.by says how windows of recordings are split, and series: has no recordings:")
        observed = [each for each in recipe.sources if each.reader == "bundled_series"]
        if observed:
            raise ValueError(f"source {observed[0].name} holds observations: series: needs recordings: to cut windows")
        return
    if windows_only:
        raise ValueError(f"source {windows_only[0].name} holds windows that are cut, and recordings: cuts its own")
    for source in recipe.sources:
        if form.recordings.entity == "file" and source.reader in ("delta", "jdbc", "bundled_series"):
            raise ValueError(
                f"source {source.name} has no files of its own that could be recordings: say entity: column"
            )
        if source.weight < 1:
            raise ValueError(f"source {source.name} has a weight, which would leave holes in its recordings")
        if source.group_column is not None:
            raise ValueError(f"source {source.name} has a group_column; windows are grouped by their recording")
    strange = {name for each in form.recordings.convert for name in each.sources} - {
        each.name for each in recipe.sources
    }
    if strange:
        raise ValueError(f"recordings.convert names the source {min(strange)}, which is none")
    if recipe.split.by == "recording" and form.recordings.entity == "source" and len(recipe.sources) == 1:
        raise ValueError("the source is one recording, which only split: {by: time} or {by: block} can part")


def _check_columns(recipe: Recipe, known: tuple[str, ...]) -> None:
    """Raise ValueError where a source maps to a column that is none, or has rows without labels."""
    strange = sorted({to for source in recipe.sources for to in _mapped(recipe, source)} - set(known))
    if strange:
        told = " and ".join(known)
        raise ValueError(f"a source maps to the column {strange[0]!r}; {plural(recipe.modality)} have {told}")
    if any(source.split == "unlabelled" for source in recipe.sources):
        many = plural(recipe.modality)
        raise ValueError(f"a source of {many} has the split unlabelled, and {many} need their label")


def _mapped(recipe: Recipe, source: Source) -> set[str]:
    """The columns that a source maps to, but for steps of wide rows."""
    return set(source.columns.values()) - set(columns_of(source, recipe.series))


def check_tables(recipe: Recipe) -> None:
    """Raise ValueError where a table's recipe does not hold together."""
    if recipe.image is not None or recipe.text is not None or recipe.series is not None:
        raise ValueError("image, text and series go with other modalities, and this one is table")
    if not recipe.columns or recipe.task is None:
        raise ValueError("a recipe of tables needs columns: with a type for each, and task: with kind and label")
    mine = [name for name in recipe.columns if name.startswith("row_")]
    if mine:
        raise ValueError(f"the column {mine[0]} begins with row_, which is kept for lineage: map it to another name")
    task = recipe.task
    label = recipe.columns.get(task.label)
    if label is None:
        raise ValueError(f"task.label is {task.label!r}, which is not among the columns {', '.join(recipe.columns)}")
    if label.type not in _LABEL_TYPES[task.kind]:
        wanted = ", ".join(_LABEL_TYPES[task.kind])
        raise ValueError(f"a {task.kind} needs a label of type {wanted}; column {task.label} is {label.type}")
    if task.kind == "regression" and recipe.split.stratify is not None:
        raise ValueError("split.stratify is label, and a regression has no classes: say stratify: null")
    if recipe.label is not None:
        raise ValueError("label: is for images; rows of a table without a label are refused")
    _check_clean(recipe)
    flagged = [f"{name}_was_missing" for name, column in recipe.columns.items() if column.flag_missing]
    doubled = [name for name in flagged if name in recipe.columns]
    if doubled:
        raise ValueError(f"flag_missing makes the column {doubled[0]}, which is declared already: rename one of them")
    for name, column in recipe.columns.items():
        _check_fill(name, column, task.label, recipe.columns)
    _check_where(recipe)
    strange = sorted({to for source in recipe.sources for to in source.columns.values()} - set(recipe.columns))
    if strange:
        raise ValueError(f"a source maps to the column {strange[0]!r}, which is not among the columns")


def _check_where(recipe: Recipe) -> None:
    """Raise ValueError where a generator's condition names a column that is none."""
    for generator in recipe.generate:
        asked = parse(generator.rows.where) if generator.rows.where else ()
        unknown = [condition.column for condition in asked if condition.column not in recipe.columns]
        if unknown:
            there = ", ".join(recipe.columns)
            raise ValueError(
                f"generator {generator.name} asks for {unknown[0]}, which is not among the columns {there}"
            )


def _check_clean(recipe: Recipe) -> None:
    """Raise ValueError where clean names columns that are none, or asks for what a method cannot do."""
    rule = recipe.clean.outliers
    named = {"clean": [*recipe.clean.duplicates.columns, *(rule.columns if rule else [])]}
    named["normalize"] = list(recipe.normalize.columns)
    for part, names in named.items():
        strange = [name for name in names if name not in recipe.columns]
        if strange:
            raise ValueError(f"{part} names the column {strange[0]!r}, which is not among the columns")
    if rule and rule.method == "isolation_forest" and rule.action == "clip":
        raise ValueError("an isolation forest has no bounds to clip to: say action: flag or quarantine")
    if any(source.split == "unlabelled" for source in recipe.sources):
        raise ValueError("a source of a table has the split unlabelled, and rows of a table need their label")


def _check_fill(name: str, column: Column, label: str, columns: Mapping[str, Column]) -> None:
    """Raise ValueError where a column's missing values are filled by what must not or cannot fill them."""
    if column.fill is None:
        return
    if name == label and column.fill.method != "drop":
        raise ValueError(f"the label {label} is never filled: rows without one are refused")
    if label in column.fill.by:
        raise ValueError(f"{name} is filled by groups of the label {label}, which would leak it into test rows")
    strange = [by for by in column.fill.by if by not in columns]
    if strange:
        raise ValueError(f"{name} is filled by groups of {strange[0]}, which is not among the columns")


def check_words(recipe: Recipe) -> None:
    """Raise ValueError for a reader, model, judge or method of another modality."""
    known = WORDS[recipe.modality]
    said: list[tuple[str, str, str]] = [("reader", f"source {source.name}", source.reader) for source in recipe.sources]
    said += [("model", f"generator {each.name}", each.model) for each in recipe.generate]
    said += [("judge", "evaluate", judge) for judge in recipe.evaluate.judges]
    said += [("outliers", "clean.outliers", recipe.clean.outliers.method)] if recipe.clean.outliers else []
    for kind, where, word in said:
        if word not in known[kind]:
            there = ", ".join(known[kind]) or "none"
            raise ValueError(f"{where}: {word} is not for {plural(recipe.modality)}, which have {there}")
