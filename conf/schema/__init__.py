"""What a recipe and a runtime may say.

Units stand in names. A key that is not here is an error which names the nearest one that is. A recipe says what is
made, a runtime where and with how much; the two never mix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from conf.schema.behaviour import BehaviourForm, check_behaviour
from conf.schema.cleaning import Amount, Clean, Duplicates, Label, Outliers, Split
from conf.schema.fusion import Join, Pairs, Streams, check_fusion
from conf.schema.images import ImageForm
from conf.schema.making import (
    BEHAVIOUR_MODELS,
    IMAGE_MODELS,
    NO_STEPS,
    SERIES_MODELS,
    TABLE_MODELS,
    TEXT_MODELS,
    Augment,
    Candidate,
    Evaluate,
    Gate,
    Generate,
    Normalize,
    Rows,
    Train,
)
from conf.schema.parts import MAX_NAME, Count, Name, Part, Positive, Share, Step, Steps
from conf.schema.runtime import JudgeRuntime, RayRuntime, Runtime, SampleRuntime, SparkRuntime, TrainRuntime
from conf.schema.sources import Source
from conf.schema.tables import Column, ColumnName, Fill, Task
from conf.schema.texts import TextForm
from conf.schema.together import check_choice, check_series, check_tables, check_texts, check_words, laid_out
from conf.schema.windows import SeriesForm


def _labels(value: list[str]) -> list[str]:
    """Labels are distinct and not empty."""
    if len(set(value)) != len(value) or not all(value):
        raise ValueError("labels must be distinct and not empty")
    return value


class Recipe(Part):
    """One dataset: what it is made of and how."""

    name: Name
    about: str = ""
    modality: Literal["image", "table", "text", "series", "behaviour", "fusion"]
    if TYPE_CHECKING:  # there where the modality has images, which `_fits_its_modality` checks
        image: ImageForm
    else:
        image: ImageForm | None = None
    text: TextForm | None = None
    series: SeriesForm | None = None
    behaviour: BehaviourForm | None = None
    labels: Annotated[list[str], Field(max_length=10_000), AfterValidator(_labels)] = []
    columns: dict[ColumnName, Column] = {}
    missing: list[str] = [""]
    task: Task | None = None
    seed: int = Field(default=0, ge=0, lt=2**63)
    data: str | None = None
    data_about: str | None = None
    sources: list[Source] = Field(min_length=1)
    join: Join | None = None
    pairs: Pairs | None = None
    streams: Streams | None = None
    clean: Clean = Clean()
    split: Split
    label: Label | None = None
    normalize: Normalize = Normalize()
    augment: Augment | None = None
    generate: list[Generate] = []
    gate: Gate = Gate()
    publish: Literal["all", "synthetic_only"] = "all"
    evaluate: Evaluate = Evaluate()

    @property
    def label_column(self) -> str:
        """The column that holds a row's label: `label`, or the one that a table's task names."""
        return self.task.label if self.task else "label"

    @model_validator(mode="before")
    @classmethod
    def _of_its_modality(cls, value: Any) -> Any:
        """What follows from a recipe's modality where it says nothing else."""
        return laid_out(value) if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _fits_its_modality(self) -> Recipe:
        """What belongs to another modality is not said, and what this one needs is."""
        if self.behaviour is not None and self.modality != "behaviour":
            raise ValueError(f"behaviour: does not go with the modality {self.modality}")
        if self.modality == "image":
            if self.image is None or len(self.labels) < 2:
                raise ValueError("a recipe of images needs image: with its height, width, channels, and labels: of two")
            said = [name for name in ("text", "series", "columns", "task") if getattr(self, name)]
            if said:
                raise ValueError(f"{said[0]} does not go with images, and the modality is image")
        elif self.modality == "text":
            check_texts(self)
        elif self.modality == "series":
            check_series(self)
        elif self.modality == "behaviour":
            check_behaviour(self)
        elif self.modality == "fusion":
            check_fusion(self)
        else:
            check_tables(self)
        check_words(self)
        check_choice(self)
        said = [name for name in ("join", "pairs", "streams") if getattr(self, name)]
        wide = next((source.name for source in self.sources if source.wide is not None), None)
        if wide is not None and self.modality != "series":
            raise ValueError(f"source {wide} has wide:, which is for series, and the modality is {self.modality}")
        if said and self.modality != "fusion":
            raise ValueError(f"{said[0]} goes with modality: fusion, and this one is {self.modality}")
        return self

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        """Names are used once, mappings lead to declared labels, plans name declared labels."""
        for what, names in (("source", [s.name for s in self.sources]), ("generator", [g.name for g in self.generate])):
            doubled = sorted({name for name in names if names.count(name) > 1})
            if doubled:
                raise ValueError(f"two of the {what}s are named {doubled[0]}: give each a name of its own")
        for source in self.sources:
            strange = sorted(set(source.labels.values()) - set(self.labels))
            if strange:
                raise ValueError(f"source {source.name} maps to {strange[0]!r}, which is not among the labels")
        for generator in self.generate:
            planned = generator.rows.per_label
            strange = sorted(set(planned) - set(self.labels)) if isinstance(planned, dict) else []
            if strange:
                raise ValueError(
                    f"generator {generator.name} plans rows of {strange[0]!r}, which is not among the labels"
                )
        strange = sorted(self.augment.labels - set(self.labels)) if self.augment else []
        if strange:
            raise ValueError(f"augment.copies names {strange[0]!r}, which is not among the labels")
        if self.split.rest == "unlabelled" and self.label is None:
            raise ValueError(
                "split.rest is unlabelled, so there must be a label: part that says how those rows get labels"
            )
        if self.publish == "synthetic_only" and not self.generate:
            raise ValueError("publish is synthetic_only, so generate must name at least one generator")
        return self


__all__ = [
    "BEHAVIOUR_MODELS", "IMAGE_MODELS", "MAX_NAME", "NO_STEPS", "SERIES_MODELS", "TABLE_MODELS", "TEXT_MODELS",
    "Amount", "Augment", "BehaviourForm", "Candidate", "Clean", "Column", "Count", "Duplicates", "Evaluate", "Fill",
    "Gate", "Generate", "ImageForm", "Join", "JudgeRuntime", "Label", "Name", "Normalize", "Outliers", "Pairs", "Part",
    "Positive", "RayRuntime", "Recipe", "Rows", "Runtime", "SampleRuntime", "SeriesForm", "Share", "Source",
    "SparkRuntime", "Split", "Step", "Steps", "Streams", "Task", "TextForm", "Train", "TrainRuntime",
]  # fmt: skip
