"""What a recipe and a runtime may say.

Units stand in names. A key that is not here is an error which names the nearest one that is. A recipe says what is
made, a runtime where and with how much; the two never mix.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from conf.schema.cleaning import Amount, Clean, Duplicates, Label, Outliers, Split
from conf.schema.images import ImageForm
from conf.schema.making import IMAGE_MODELS, Augment, Evaluate, Gate, Generate, Normalize, Rows, Train
from conf.schema.parts import MAX_NAME, Count, Name, Part, Positive, Share, Step, Steps
from conf.schema.runtime import JudgeRuntime, RayRuntime, Runtime, SampleRuntime, SparkRuntime, TrainRuntime
from conf.schema.sources import Source


def _labels(value: list[str]) -> list[str]:
    """Labels are distinct and not empty."""
    if len(set(value)) != len(value) or not all(value):
        raise ValueError("labels must be distinct and not empty")
    return value


class Recipe(Part):
    """One dataset: what it is made of and how."""

    name: Name
    about: str = ""
    modality: Literal["image"]
    image: ImageForm
    labels: Annotated[list[str], Field(min_length=2, max_length=10_000), AfterValidator(_labels)]
    seed: int = Field(default=0, ge=0, lt=2**63)
    data: str | None = None
    data_about: str | None = None
    sources: list[Source] = Field(min_length=1)
    clean: Clean = Clean()
    split: Split
    label: Label | None = None
    normalize: Normalize = Normalize()
    augment: Augment | None = None
    generate: list[Generate] = []
    gate: Gate = Gate()
    publish: Literal["all", "synthetic_only"] = "all"
    evaluate: Evaluate = Evaluate()

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
        if self.split.rest == "unlabelled" and self.label is None:
            raise ValueError(
                "split.rest is unlabelled, so there must be a label: part that says how those rows get labels"
            )
        if self.publish == "synthetic_only" and not self.generate:
            raise ValueError("publish is synthetic_only, so generate must name at least one generator")
        return self


__all__ = [
    "IMAGE_MODELS", "MAX_NAME", "Amount", "Augment", "Clean", "Count", "Duplicates", "Evaluate", "Gate", "Generate",
    "ImageForm",
    "JudgeRuntime", "Label", "Name", "Normalize", "Outliers", "Part", "Positive", "RayRuntime", "Recipe", "Rows",
    "Runtime", "SampleRuntime", "Share", "Source", "SparkRuntime", "Split", "Step", "Steps", "Train", "TrainRuntime",
]  # fmt: skip
