"""How rows are made, checked and judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from conf.schema.parts import Count, Name, Part, Positive, Share, Steps
from conf.schema.where import parse

OfNumbers = Literal["z_score", "min_max", "robust", "log1p", "quantile_normal"]
OfCategories = Literal["vocabulary", "one_hot", "hash"]
MAX_COPIES = 1000
NO_STEPS = "none"  # the candidate that makes no rows
JudgeKind = Literal[
    "cnn", "svc", "linear", "boosting", "logistic", "mlp", "words", "characters", "bag", "nearest", "rocket",
    "forecast", "item_knn", "sequence",
    "image.cnn", "image.svc", "image.linear", "text.words", "text.characters", "text.bag", "series.nearest",
    "series.rocket", "table.boosting", "table.logistic", "table.mlp", "joint", "towers",
]  # fmt: skip


class Normalize(Part):
    """Which statistics of train rows are written, and how they encode."""

    method: Literal["z_score", "zero_one"] = "z_score"
    numeric: Literal["z_score", "min_max", "robust", "log1p", "quantile_normal"] = "quantile_normal"
    category: Literal["vocabulary", "one_hot", "hash"] = "vocabulary"
    columns: dict[
        str,
        Literal["z_score", "min_max", "robust", "log1p", "quantile_normal", "vocabulary", "one_hot", "hash", "cyclic"],
    ] = {}
    vocabulary: Positive = 1000
    write: Literal["statistics", "columns"] = "statistics"


def _copies(value: int | dict[str, int]) -> int | dict[str, int]:
    """From 1 to 1000; of a label 0, too."""
    counts = list(value.values()) if isinstance(value, dict) else [value]
    if not counts or not all(0 <= count <= MAX_COPIES for count in counts) or not any(counts):
        raise ValueError(f"copies are from 1 to {MAX_COPIES}, or by label from 0, and of some label one at least")
    return value


Copies = Annotated[int | dict[str, int], AfterValidator(_copies)]


class Candidate(Part):
    """One list of steps among which a recipe chooses; it has as many copies as the others unless it says its own."""

    name: Name
    copies: Copies | None = None
    steps: Steps = Field(min_length=1)


class Augment(Part):
    """How many children every train row gets (or those of each label, to fill up rare ones), and the steps that make
    them: the recipe's own, or those of the candidate that is best by cross-validation on train rows, or none.
    """

    copies: Copies = 10
    steps: Steps = []
    choose: Literal["cross_validation"] | None = None
    candidates: list[Candidate] = Field(default=[], max_length=50)
    folds: int = Field(default=5, ge=2, le=20)
    repeats: int = Field(default=3, ge=1, le=20)
    max_rows: int = Field(default=1000, ge=10, le=100_000)

    @model_validator(mode="after")
    def _one_way(self) -> Augment:
        """Steps, or a choice; and nothing of a choice without one."""
        if self.choose is None:
            of_a_choice = ("candidates", "folds", "repeats", "max_rows")
            more = [name for name in of_a_choice if getattr(self, name) != type(self).model_fields[name].default]
            if more:
                raise ValueError(f"{more[0]} goes with choose: cross_validation, which it does not say")
            if not self.steps:
                raise ValueError("needs steps, or choose: cross_validation to have them chosen, or the word auto")
            return self
        if self.steps:
            raise ValueError("says steps and choose: steps belong under candidates where they are chosen")
        names = [each.name for each in self.candidates]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled or NO_STEPS in names:
            said = f"two candidates are named {doubled[0]}" if doubled else "none is always a candidate"
            raise ValueError(f"{said}: give each a name of its own")
        if not names:
            raise ValueError("chooses among candidates, and names none")
        return self

    def of(self, name: str) -> Augment | None:
        """What a candidate makes; of `none` nothing."""
        if name == NO_STEPS:
            return None
        found = next(each for each in self.candidates if each.name == name)
        return Augment(copies=self.copies if found.copies is None else found.copies, steps=found.steps)

    @property
    def labels(self) -> set[str]:
        """The labels that copies are counted by."""
        counted = [self.copies, *(each.copies for each in self.candidates)]
        return {label for each in counted if isinstance(each, dict) for label in each}

    @property
    def most_copies(self) -> int:
        """Of the label that has most."""
        return max(self.copies.values()) if isinstance(self.copies, dict) else self.copies

    def planned(self, per_label: Mapping[str, int]) -> int:
        """How many children so many rows of each label get."""
        if isinstance(self.copies, int):
            return sum(per_label.values()) * self.copies
        return sum(count * self.copies.get(label, 0) for label, count in per_label.items())


class Train(Part):
    """How a generator is trained; a null takes the preset's value.

    `refresh` is the share of the train rows that must have changed before it is trained again; 0 for any row.
    """

    max_steps: Positive | None = None
    batch_size: Positive | None = None
    learning_rate: float | None = Field(default=None, gt=0)
    held_out: float = Field(default=0.1, ge=0, lt=0.5)
    quality_every: Positive | None = None
    patience: Positive | None = None
    restarts: int = Field(default=1, ge=0, le=5)
    refresh: Share = 0.0


class Rows(Part):
    """How many rows of which label: one of these."""

    per_label: int | dict[str, int] | None = None
    balance: Literal["majority"] | None = None
    factor: float | None = Field(default=None, gt=0)
    like: Literal["train"] | None = None
    total: Count | None = None
    where: str | None = None
    hard: Count | None = None

    @field_validator("where")
    @classmethod
    def _understood(cls, value: str | None) -> str | None:
        """Conditions that can be read."""
        if value is not None:
            parse(value)
        return value

    @model_validator(mode="after")
    def _one(self) -> Rows:
        """Exactly one plan; `total` goes with `like`."""
        said = [name for name in ("per_label", "balance", "factor", "like", "hard") if getattr(self, name) is not None]
        if len(said) != 1:
            raise ValueError(f"needs exactly one of per_label, balance, factor, like, hard; it has {said or 'none'}")
        if self.hard is not None and self.where is not None:
            raise ValueError("rows near hard ones are made from these: hard and where do not go together")
        counts = list(self.per_label.values()) if isinstance(self.per_label, dict) else [self.per_label or 0]
        if min(counts, default=0) < 0:
            raise ValueError("a number of rows is not negative")
        return self


IMAGE_MODELS = ("image_gan", "image_vae", "image_interpolation", "image_mixture")
TABLE_MODELS = ("table_ar", "table_mixture", "table_vae", "table_gan")
TEXT_MODELS = ("text_lm", "text_vae", "text_gan", "text_pretrained")
SERIES_MODELS = ("series_mixture", "series_vae", "series_gan", "series_flow")
BEHAVIOUR_MODELS = ("sequence_ar",)


class Generate(Part):
    """One generator: its model, its training and the rows that are sampled from it."""

    model: Literal[
        "image_gan", "image_vae", "image_interpolation", "image_mixture",
        "table_ar", "table_mixture", "table_vae", "table_gan", "text_lm",
        "text_vae", "text_gan", "text_pretrained",
        "series_mixture", "series_vae", "series_gan", "series_flow", "sequence_ar",
    ]  # fmt: skip
    name: Name = ""
    preset: str | None = None
    options: dict[str, Any] = {}
    train: Train = Train()
    rows: Rows
    temperature: float = Field(default=1.0, gt=0, le=2)

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        """A generator is named after its model unless the recipe names it."""
        if isinstance(value, dict) and not value.get("name"):
            return {**value, "name": value.get("model")}
        return value


class Gate(Part):
    """What a made row must pass before it is merged."""

    min_label_agreement: Share = 0.5
    copies: Literal["quarantine", "report"] = "quarantine"
    max_distance_factor: float = Field(default=3.0, gt=0)
    min_likelihood_quantile: Share = 0.001
    usefulness: Literal["not_worse", "report"] = "not_worse"


class Evaluate(Part):
    """Who judges what the rows are worth: `seeds` judges of each kind, of equal `steps`."""

    judges: list[JudgeKind] = Field(default=["cnn", "svc"], min_length=1)
    seeds: int = Field(default=3, ge=1, le=20)
    steps: Positive = 1200
    batch_size: Positive = 64
    max_rows: Positive = 100_000
    curve_points: int = Field(default=5, ge=2, le=12)
