"""A recipe's rules, their names resolved and their options complete, before any engine starts."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from conf.schema import Recipe, Step
from jobs.tabular import rules
from jobs.tabular.conditions import Severity
from jobs.tabular.expressions import check_text
from udfs.names import StepError, nearest

SHARED = ("severity", "max_share", "reason")
_ADAPTERS: dict[str, Any] = {"severity": Severity, "max_share": float, "reason": str}


@dataclass(frozen=True)
class Rule:
    """One rule: its function, its own options, and those that all rules share."""

    name: str
    place: int
    function: Callable[..., rules.Found]
    options: dict[str, Any]
    severity: Severity = "quarantine"
    max_share: float | None = None
    reason: str | None = None


def compiled(recipe: Recipe) -> list[Rule]:
    """All rules of the recipe. Raises StepError, with the place, for a name or option that is none."""
    found = []
    for place, step in enumerate(recipe.clean.rules):
        try:
            found.append(_rule(recipe, place, step))
        except StepError as error:
            raise StepError(str(error), place) from error
    return found


def listing() -> list[tuple[str, str]]:
    """Every rule with the first line of what it says of itself."""
    return [(name, (inspect.getdoc(getattr(rules, name)) or "").split("\n")[0]) for name in rules.__all__]


def _rule(recipe: Recipe, place: int, step: Step) -> Rule:
    if step.name not in rules.__all__:
        near = nearest(step.name, rules.__all__)
        raise StepError(
            f"{step.name} is not a rule for tables. The nearest is {near}; there are {', '.join(rules.__all__)}."
        )
    function = getattr(rules, step.name)
    hints = {name: hint for name, hint in get_type_hints(function).items() if name not in ("asked", "return")}
    options = _checked(step, {**hints, **_ADAPTERS}, function)
    _check_columns(recipe, step.name, options)
    shared = {key: options.pop(key) for key in SHARED if key in options}
    _check_shared(step.name, shared)
    return Rule(step.name, place, function, options, **shared)


def _checked(step: Step, hints: dict[str, Any], function: Callable[..., Any]) -> dict[str, Any]:
    """The options in their types."""
    for key in step.options:
        if key not in hints:
            own = [name for name in hints if name not in SHARED]
            raise StepError(f"{step.name} has no option {key}. It has {', '.join([*own, *SHARED])}.")
    taken = inspect.signature(function).parameters
    missing = [
        name
        for name, parameter in taken.items()
        if parameter.kind is parameter.KEYWORD_ONLY
        and parameter.default is parameter.empty
        and name not in step.options
    ]
    if missing:
        raise StepError(f"{step.name} needs the option {missing[0]}.")
    return {key: _value(step.name, key, hints[key], value) for key, value in step.options.items()}


def _value(name: str, key: str, hint: Any, value: Any) -> Any:
    if hint == list[str] and isinstance(value, list):
        value = [str(each) if not isinstance(each, bool) else str(each).lower() for each in value]
    try:
        return TypeAdapter(hint).validate_python(value)
    except ValidationError as error:
        raise StepError(f"{name}: {key} {error.errors()[0]['msg'].lower()}; it has {value!r}.") from error


def _check_columns(recipe: Recipe, name: str, options: dict[str, Any]) -> None:
    """Raise StepError for a column that is not declared."""
    named: Sequence[str] = options.get("columns") or ([options["column"]] if "column" in options else [])
    for column in named:
        if column not in recipe.columns:
            raise StepError(
                f"{name}: {column} is not among the columns. The nearest is {nearest(column, list(recipe.columns))}."
            )
    if name == "dependency" and len(named) < 2:
        raise StepError("dependency needs two columns or more: the first decides the others.")
    if name == "date_range" and recipe.columns[named[0]].type not in ("date", "datetime"):
        raise StepError(f"date_range goes with dates; {named[0]} is {recipe.columns[named[0]].type}.")
    if name == "regex":
        try:
            re.compile(options["pattern"])
        except re.error as error:
            raise StepError(f"regex: {options['pattern']!r} is no regular expression: {error}.") from error
    if name == "relation":
        try:
            check_text(options["expression"], "relation")
        except ValueError as error:
            raise StepError(str(error)) from error


def _check_shared(name: str, shared: dict[str, Any]) -> None:
    if "max_share" in shared and shared.get("severity") != "fail":
        raise StepError(f"{name}: max_share goes with severity: fail.")
    if not 0 <= shared.get("max_share", 0) <= 1:
        raise StepError(f"{name}: max_share lies in 0 to 1; it has {shared['max_share']:g}.")
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", shared.get("reason", "fine")):
        raise StepError(f"{name}: reason is a word such as gain_and_loss; it has {shared['reason']!r}.")
