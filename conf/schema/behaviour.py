"""What a recipe says of behaviour: events of users with items, from which each user's sequence is laid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from conf.schema.parts import Name, Part, Positive
from conf.schema.where import parse

if TYPE_CHECKING:
    from conf.schema import Recipe

EVENT_COLUMNS = ("user", "item", "rating", "time")  # of the source of events
PAYLOAD = ("user", "items", "ratings", "times")  # of a row, beside its attributes
AttributeName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]
_TAKEN = frozenset((*EVENT_COLUMNS, *PAYLOAD, "title", "label", "soft_label", "fate", "is_known"))


class Attribute(Part):
    """What is known of a user: a number, or a word. A user whose cell lies outside `range` or `values` is refused."""

    type: Literal["integer", "number", "category"]
    range: tuple[float | None, float | None] | None = None
    values: list[str] | None = None

    @model_validator(mode="after")
    def _fits_its_type(self) -> Attribute:
        """Numbers have a range, words have values."""
        if self.range is not None and self.type == "category":
            raise ValueError("range goes with integer and number, not with category")
        if self.values is not None and self.type != "category":
            raise ValueError(f"values goes with category, not with {self.type}")
        return self


class BehaviourForm(Part):
    """Which sources hold what, and the form of every user's sequence.

    `ratings` are the least and the greatest one; null where events have none. `unknown_users` says what becomes of
    users with events of whom the source of users knows nothing.
    """

    events: Name
    users: Name | None = None
    items: Name | None = None
    attributes: dict[AttributeName, Attribute] = {}
    ratings: tuple[float, float] | None = None
    time: Literal["seconds", "milliseconds", "iso"] = "seconds"
    unknown_users: Literal["refuse", "keep"] = "refuse"
    min_events: Annotated[int, Field(ge=3)] = 5
    max_events: Positive = 2000

    @model_validator(mode="after")
    def _whole(self) -> BehaviourForm:
        """Attributes have a source and names of their own; bounds hold something between them."""
        taken = [name for name in self.attributes if name in _TAKEN or name.startswith("row_")]
        if taken:
            raise ValueError(f"the attribute {taken[0]} has a name that rows need themselves: map it to another")
        if self.attributes and self.users is None:
            raise ValueError("attributes come of a source of users: say users: with its name")
        if self.users is not None and not self.attributes:
            raise ValueError(f"the source of users {self.users} has no attributes: declare some, or leave users: out")
        if self.max_events < self.min_events:
            raise ValueError(f"max_events is {self.max_events} and min_events {self.min_events}: nothing lies between")
        if self.ratings is not None and not self.ratings[0] < self.ratings[1]:
            raise ValueError("ratings: has the least rating first, then the greatest")
        return self

    def columns_of(self, source: str) -> dict[str, str]:
        """Names and types of what is read of a source."""
        if source == self.events:
            named = EVENT_COLUMNS if self.ratings is not None else tuple(n for n in EVENT_COLUMNS if n != "rating")
            return dict.fromkeys(named, "category")
        if source == self.users:
            return {"user": "category", **dict.fromkeys(self.attributes, "category")}
        return {"item": "category", "title": "category"}


def for_behaviour(value: dict[str, Any]) -> dict[str, Any]:
    """A recipe of behaviour with what follows from its being one: no labels, near copies are not looked for."""
    clean, evaluate, split = value.get("clean") or {}, value.get("evaluate"), value.get("split")
    laid = dict(value)
    if isinstance(clean, dict):
        laid["clean"] = {**clean, "duplicates": {"near": "keep", **(clean.get("duplicates") or {})}}
    if isinstance(split, dict):
        laid["split"] = {"stratify": None, **split}
    if evaluate is None or (isinstance(evaluate, dict) and "judges" not in evaluate):
        laid["evaluate"] = {**(evaluate or {}), "judges": ["item_knn", "sequence"]}
    return laid


def check_behaviour(recipe: Recipe) -> None:
    """Raise ValueError where a recipe of behaviour does not hold together."""
    said = [name for name in ("image", "text", "series", "columns", "task", "labels") if getattr(recipe, name)]
    if said:
        raise ValueError(f"{said[0]} does not go with behaviour, which has behaviour: and no labels")
    form = recipe.behaviour
    if form is None:
        raise ValueError("a recipe of behaviour needs behaviour: with events: the name of the source that holds them")
    _check_sources(recipe, form)
    if recipe.label is not None or recipe.split.rest == "unlabelled":
        raise ValueError("rows of behaviour have no labels, so neither label: nor unlabelled goes with them")
    if recipe.split.stratify is not None:
        raise ValueError("split.stratify is label, and rows of behaviour have none: say stratify: null")
    if recipe.clean.duplicates.near != "keep":
        raise ValueError("near copies of sequences are not looked for: say near: keep. Exact ones are")
    if recipe.augment and not isinstance(recipe.augment.copies, int):
        raise ValueError("augment.copies counts by label, and rows of behaviour have none: say one number")
    for generator in recipe.generate:
        _check_plan(form, generator)


def _check_sources(recipe: Recipe, form: BehaviourForm) -> None:
    """Every source is one of events, users and items, and each of these is a source."""
    there = [source.name for source in recipe.sources]
    for what in ("events", "users", "items"):
        name = getattr(form, what)
        if name is not None and name not in there:
            raise ValueError(f"behaviour.{what} names the source {name}, and the sources are {', '.join(there)}")
    named = [name for name in (form.events, form.users, form.items) if name is not None]
    if len(set(named)) < len(named):
        raise ValueError("behaviour: events, users and items are sources of their own, and two of them are one here")
    for source in recipe.sources:
        if source.name not in named:
            raise ValueError(f"the source {source.name} is neither behaviour.events nor users nor items")
        strange = sorted(set(source.columns.values()) - set(form.columns_of(source.name)))
        if strange:
            known = ", ".join(form.columns_of(source.name))
            raise ValueError(f"source {source.name} maps to the column {strange[0]!r}; it has {known}")
        if source.split is not None or source.weight != 1 or source.group_column is not None or source.labels:
            raise ValueError(f"source {source.name}: split, weight, group_column and labels do not go with behaviour")


def _check_plan(form: BehaviourForm, generator: Any) -> None:
    """A generator is asked for a number of users, under conditions on attributes alone."""
    rows = generator.rows
    if rows.like is None and rows.factor is None:
        raise ValueError(f"generator {generator.name}: users have no labels: say rows: {{like: train, total: 500}}")
    asked = parse(rows.where) if rows.where else ()
    unknown = [condition.column for condition in asked if condition.column not in form.attributes]
    if unknown:
        there = ", ".join(form.attributes) or "none"
        raise ValueError(
            f"generator {generator.name} asks for {unknown[0]}, which is not among the attributes: {there}"
        )
