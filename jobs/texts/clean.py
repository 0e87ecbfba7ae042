"""Clean, the part of texts: repaired and refused in the order of the recipe's list, near copies by what they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from conf import Config
from conf.progress import Bar
from conf.runs import Place
from conf.schema import Recipe, TextForm
from jobs import verdicts
from jobs.duplicates import Copies, Near, near_copies, row_id_of
from jobs.staging import lay_down
from jobs.texts.near import near_pairs
from udfs import hashing, records
from udfs.text.compiled import TextRules, compile_text_rules
from udfs.text.near import normal_form

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

STAGE = "clean"
WORK = "work"
BATCH_ROWS = 2048
_DIGEST = hashing.word_of("text", "content")
_SHOWN = 80  # characters of what is refused, told in its detail


def label_column(recipe: Recipe) -> str | None:
    """The column that rows are counted by."""
    return "label"


def check_rules(recipe: Recipe) -> None:
    """Raise StepError for a rule that is none, or an option that it does not take."""
    compile_text_rules(recipe.clean.rules)


def copies(recipe: Recipe) -> Copies:
    """What makes rows copies of one another."""
    return Copies("the words are the same")


def prepared(spark: SparkSession, config: Config, place: Place, raw: DataFrame) -> tuple[DataFrame, dict[str, Any]]:
    """Every row's text repaired, with its marks, or with the reason why it is refused; and how many each rule changed
    or refused.
    """
    from pyspark.sql import functions as F

    from jobs.spark import map_rows

    recipe = config.recipe
    assert recipe.text is not None
    told = [*records.refused_schema(records.text_schema())]
    schema = pa.schema([*told, pa.field("pixels", pa.string()), pa.field("changed", pa.list_(pa.string()))])
    cleaning = Cleaning(recipe.text, compile_text_rules(recipe.clean.rules), tuple(recipe.labels), schema)
    rows = lay_down(spark, map_rows(raw, cleaning, schema, BATCH_ROWS), place.folder, f"{WORK}/repaired")
    changed = rows.select(F.explode("changed").alias("step")).groupBy("step").count().collect()
    counts = {row["step"]: row["count"] for row in changed}
    names = [step.name for step in cleaning.rules.steps if step.kind == "plain"]
    return rows, {"changed": {name: counts.get(name, 0) for name in names}} if names else {}


@dataclass(frozen=True)
class Cleaning:
    """What a worker needs to clean a batch of raw rows."""

    form: TextForm
    rules: TextRules
    labels: tuple[str, ...]
    schema: pa.Schema

    def __call__(self, batch: pa.RecordBatch) -> pa.Table:
        """The rows repaired; refused ones as they came."""
        came, labels = batch.column("text").to_pylist(), batch.column("label").to_pylist()
        labels = [None if label is None else label.strip() or None for label in labels]
        told = self.rules([text if self._fits(text) else None for text in came])
        reasons = [
            self._reason(*each) for each in zip(came, told.texts, labels, told.reasons, strict=True)
        ]  # of a label that is not known first, as it says most of the record
        texts = [new if reason is None else old for old, new, reason in zip(came, told.texts, reasons, strict=True)]
        columns: dict[str, Any] = {name: batch.column(name) for name in batch.schema.names}
        columns |= {
            "text": pa.array(texts, pa.string()),
            "label": pa.array(labels, pa.string()),
            "pixels": self._marks(texts),
            "changed": pa.array(told.changed, pa.list_(pa.string())),
            "row_flags": pa.array(told.flags, pa.list_(pa.string())),
            "row_stage": pa.array([STAGE] * batch.num_rows),
            "row_reason": pa.array(reasons, pa.string()),
            "row_detail": pa.array([self._detail(*each) for each in zip(reasons, came, labels, strict=True)]),
        }
        return records.conform(pa.table(columns), pa.schema([field.with_nullable(True) for field in self.schema]))

    def _fits(self, text: str | None) -> bool:
        return text is not None and len(text) <= self.form.max_characters

    def _reason(self, came: str | None, text: str | None, label: str | None, reason: str | None) -> str | None:
        if label is not None and label not in self.labels:
            return "label_unknown"
        if came is not None and len(came) > self.form.max_characters:
            return "too_long"
        if text is None or not text.strip():
            return reason or "empty"
        return reason

    def _detail(self, reason: str | None, came: str | None, label: str | None) -> str | None:
        if reason is None:
            return None
        if reason == "label_unknown":
            return f"{str(label)[:_SHOWN]!r} is not among the recipe's labels; the source's `labels` may map it"
        if reason == "too_long":
            return f"{len(came or ''):,} characters; text: max_characters is {self.form.max_characters:,}"
        return (came or "")[:_SHOWN]

    def _marks(self, texts: list[str | None]) -> pa.Array:
        """By which texts are copies: case, spacing and punctuation aside."""
        plain = pa.array([None if text is None else normal_form(text) for text in texts], pa.string())
        return hashing.hashes(hashing.row_words(pa.table({"text": plain}), ["text"], _DIGEST))


def facts(config: Config, rows: DataFrame) -> DataFrame:
    """What splits and copies are decided by: row_id, label, given, row_group, pixels, row_reason."""
    from pyspark.sql import functions as F

    return rows.select("row_id", "label", F.col("row_split").alias("given"), "row_group", "pixels", "row_reason")


def group_of() -> Column:
    """The group of a decided row: its own, else that of its near copies."""
    from pyspark.sql import functions as F

    return F.coalesce("row_group", row_id_of(F.col("hub")))


def near(spark: SparkSession, config: Config, place: Place, marked: DataFrame, rows: DataFrame) -> Near | None:
    """Near copies and their stars; nothing where the recipe lets near copies be."""
    rule = config.recipe.clean.duplicates
    if rule.near == "keep":
        return None
    nodes = marked.where("is_node").select("row_id", "node").join(rows.select("row_id", "text"), "row_id")
    found = near_pairs(spark, nodes, rule.min_similarity, f"{place.folder}/{WORK}")
    return near_copies(spark, found, f"{place.folder}/{WORK}")


def finished(
    spark: SparkSession, config: Config, place: Place, rows: DataFrame, decided: DataFrame, bar: Bar
) -> tuple[DataFrame, dict[str, Any]]:
    """Rows with their verdicts; of those that are neither kept nor refused the text is taken away."""
    return verdicts.beside(rows, decided, ("text",)), {}
