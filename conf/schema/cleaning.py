"""How rows are cleaned, split and labelled."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from conf.schema.parts import Part, Positive, Steps


class Duplicates(Part):
    """What becomes of copies: exact ones by content, near ones by perceptual hash and a check of the content."""

    exact: Literal["drop", "keep"] = "drop"
    near: Literal["group", "drop", "keep"] = "group"
    max_distance_bits: int = Field(default=2, ge=0, le=16)
    columns: list[str] = []
    min_similarity: float = Field(default=0.95, gt=0, le=1)


class Outliers(Part):
    """Distance from the class's own statistics, measured on train rows."""

    method: Literal["robust_z", "z_score", "iqr", "isolation_forest"] = "robust_z"
    threshold: float = Field(default=6.0, gt=0)
    action: Literal["quarantine", "flag", "clip"] = "quarantine"
    columns: list[str] = []


class Clean(Part):
    """How rows are cleaned."""

    rules: Steps = []
    duplicates: Duplicates = Duplicates()
    outliers: Outliers | None = None


def _amount(value: Any) -> Any:
    """A count (10), a share (0.1) or `given`."""
    if isinstance(value, bool) or (isinstance(value, str) and value != "given"):
        raise ValueError("needs a count such as 100, a share such as 0.1, or the word given")
    if isinstance(value, float) and not 0 <= value <= 1:
        raise ValueError("a share lies in 0 to 1")
    if isinstance(value, int) and value < 0:
        raise ValueError("a count is not negative")
    return value


Amount = Annotated[int | float | Literal["given"], BeforeValidator(_amount)]


class Split(Part):
    """Who is train, val, test or reserve; `rest` says what the others become.

    Windows of recordings go `by` whole recordings; or by `time`, train first, then val, then test; or by blocks of
    `block_steps` each. By time and by block the last window before a border ends `embargo_steps` before it. A recording
    is mended before it is cut, and a gap is filled by what stands on both of its sides: with an embargo of at least as
    many steps as gaps and outliers are looked around, no split has values that the next one told; splines and seasons
    are fitted to the whole recording.
    """

    train: Amount | None = None
    val: Amount = 0.1
    test: Amount | None = None
    reserve: Amount | None = None
    rest: Literal["train", "test", "reserve", "unlabelled", "ignore"] | None = None
    stratify: Literal["label"] | None = "label"
    group: bool = False
    by: Literal["recording", "time", "block"] | None = None
    block_steps: Positive | None = None
    embargo_steps: int = Field(default=0, ge=0)

    @model_serializer(mode="wrap")
    def _as_said(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What says how recordings are split is told of recordings alone: others' fingerprints know nothing of it."""
        told: dict[str, Any] = plain(self)
        return (
            told if self.by else {key: told[key] for key in told if key not in ("by", "block_steps", "embargo_steps")}
        )

    @model_validator(mode="before")
    @classmethod
    def _rest_as_amount(cls, value: Any) -> Any:
        """`test: rest` is another way to say `rest: test`."""
        if not isinstance(value, dict):
            return value
        said = [key for key in ("train", "test", "reserve") if value.get(key) == "rest"]
        if len(said) > 1 or (said and value.get("rest") not in (None, said[0])):
            raise ValueError("the rest can become one thing only")
        return {**{k: v for k, v in value.items() if k not in said}, **({"rest": said[0]} if said else {})}

    @model_validator(mode="after")
    def _whole(self) -> Split:
        """Each of train, val and test must get rows from somewhere, and shares must fit into one."""
        for name in ("train", "test"):
            if getattr(self, name) is None and self.rest != name:
                raise ValueError(f"says nothing of {name}: give {name} a count, a share or given, or say rest: {name}")
        if self.by in ("time", "block"):
            self._along_time()
        if (self.by == "block") != (self.block_steps is not None):
            raise ValueError("block_steps says how long a block is, and goes with by: block alone")
        if self.embargo_steps and self.by not in ("time", "block"):
            raise ValueError("embargo_steps goes with by: time or by: block")
        amounts = (self.train, self.val, self.test, self.reserve)
        if sum(amount for amount in amounts if isinstance(amount, float)) > 1 + 1e-9:
            raise ValueError("the shares add up to more than 1")
        return self

    def _along_time(self) -> None:
        """Raise ValueError where shares of time would not say what becomes of every window."""
        shares = [each for each in (self.train, self.val, self.test) if each is not None]
        if (
            self.reserve is not None
            or self.rest not in ("train", "test")
            or not all(_is_share(each) for each in shares)
        ):
            raise ValueError(
                f"by: {self.by} takes shares of train, val and test, and rest: train or test, such as"
                " {by: time, val: 0.15, test: 0.15, rest: train}"
            )
        if self.stratify is not None:
            raise ValueError(f"by: {self.by} does not look at labels: say stratify: null")

    def shares(self) -> dict[str, float]:
        """Shares of train, val and test; what `rest` names has what the others leave."""
        told = {name: float(getattr(self, name) or 0.0) for name in ("train", "val", "test")}
        return told | (
            {self.rest: max(0.0, 1 - sum(told[name] for name in told if name != self.rest))} if self.rest else {}
        )


def _is_share(amount: Any) -> bool:
    """Whether an amount is a share, or nothing."""
    return isinstance(amount, float) or amount == 0


class Label(Part):
    """How rows without a label get one: by judges, where their confidence reaches `precision` on val."""

    judges: int = Field(default=5, ge=1, le=32)
    precision: float = Field(default=0.995, gt=0.5, lt=1)
    steps: Positive = 2400
    copies: Positive = 40
