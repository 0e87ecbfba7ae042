"""Names in recipes to functions, and options to what the function's signature allows.

`image.rotate` is the function `rotate` of `udfs.image`. Only names in a module's `__all__` that have the shape of a
step or a rule resolve, so that a recipe can call nothing else. What a step of a modality takes and gives is said by
its module's `VALUES` and `GIVES`. Bounds stand in the annotations of the options.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import math
from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from udfs.image import longtail
from udfs.options import Names, Span, Within

Kind = Literal["random", "plain", "mixing", "reject", "transform"]

MODULES = {
    "image": "udfs.image",
    "table": "udfs.table",
    "text": "udfs.text",
    "series": "udfs.series",
    "behaviour": "udfs.behaviour",
    "fusion": "udfs.fusion",
}


def plural(modality: str) -> str:
    """What several of a modality's rows are called."""
    told = modality if modality.endswith(("s", "behaviour")) else f"{modality}s"
    return {"fusion": "fusion rows"}.get(modality, told)


class StepError(ValueError):
    """A step that is not one, or an option that it does not take: a whole sentence, and the `place` in the list."""

    def __init__(self, message: str, place: int | None = None) -> None:
        super().__init__(message)
        self.place = place


def kind_of(function: Callable[..., Any]) -> Kind | None:
    """What kind of step a function is by its shape; null for none."""
    parameters = inspect.signature(function).parameters.values()
    before = tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)
    only_keywords = all(p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) for p in parameters)
    home = importlib.import_module(".".join(function.__module__.split(".")[:2]))
    shape = _shapes(home.VALUES).get(before) if only_keywords else None
    gives = inspect.signature(function).return_annotation
    if shape == "plain" and gives == "Reasons":
        return "reject"
    return shape if shape and gives in (("Mixed",) if shape == "mixing" else home.GIVES) else None


def _shapes(values: str) -> dict[tuple[str, ...], Kind]:
    """What the parameters of each kind of step are called."""
    return {("random", values): "random", (values,): "plain", ("random", values, "others"): "mixing"}


def step_names(modality: str | None = None) -> list[str]:
    """Every name that resolves, or those of one modality, but the long tail's."""
    modules = {modality: MODULES[modality]} if modality else MODULES
    return [f"{prefix}.{name}" for prefix, module in modules.items() for name in _steps_of(module)]


def _steps_of(module: str) -> list[str]:
    """The names of one module's steps and rules."""
    home = importlib.import_module(module)
    return [name for name in sorted(home.__all__) if kind_of(getattr(home, name)) is not None]


def resolve(name: str) -> Callable[..., Any]:
    """The function behind a name such as `image.rotate`, or the class behind `albumentations.Blur`; else StepError."""
    if name.startswith(longtail.PREFIX):
        return _resolve_transform(name)
    prefix, _, short = name.partition(".")
    if prefix in MODULES and short in _steps_of(MODULES[prefix]):
        return getattr(importlib.import_module(MODULES[prefix]), short)
    known = step_names()
    near = nearest(name, known) if "." in name else _nearest_short(name, known)
    raise StepError(f"{name} is not a step. The nearest is {near}. 'seedbed list steps' shows all {len(known)}.")


def _nearest_short(name: str, known: list[str]) -> str:
    """The known name whose part after the point is most like this one."""
    by_short = {each.partition(".")[2]: each for each in reversed(known)}
    return by_short[nearest(name, list(by_short))]


def _resolve_transform(name: str) -> Callable[..., Any]:
    """A class of albumentations."""
    try:
        return longtail.transform_class(name)
    except ValueError as error:
        raise StepError(str(error)) from error


def listing() -> list[tuple[str, str]]:
    """Every step and rule with the first line of what it says of itself."""
    return [(name, (inspect.getdoc(resolve(name)) or "").split("\n")[0]) for name in step_names()]


def nearest(word: str, known: list[str]) -> str:
    """The known word that is most like this one."""
    return difflib.get_close_matches(word, known, 1, 0.0)[0]


def complete_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with defaults filled in, each checked against the function's signature; else StepError."""
    function = resolve(name)
    if name.startswith(longtail.PREFIX):
        try:
            longtail.check_options(name, dict(options))
        except ValueError as error:
            raise StepError(str(error)) from error
        return dict(options)
    hints = get_type_hints(function, include_extras=True)
    taken = {p.name: p.default for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY}
    for key in options:
        if key not in taken:
            raise StepError(_unknown(name, key, list(taken)))
    missing = [key for key, default in taken.items() if default is inspect.Parameter.empty and key not in options]
    if missing:
        raise StepError(f"{name} needs the option {missing[0]}.")
    return {key: check_option(f"{name}: {key}", hints[key], options.get(key, taken[key])) for key in taken}


def _unknown(name: str, key: str, taken: list[str]) -> str:
    """The sentence about an option that a step does not have."""
    if not taken:
        return f"{name} has no option {key}: it takes none."
    return f"{name} has no option {key}. The nearest is {nearest(key, taken)}; it has {', '.join(taken)}."


def check_option(what: str, hint: Any, value: Any) -> Any:
    """The value as the annotated type has it, within its bounds; else StepError."""
    bounds = Within()
    if get_origin(hint) is Annotated:
        hint, bounds = get_args(hint)[0], hint.__metadata__[0]
    choices = list(get_args(hint)) if get_origin(hint) in (UnionType, Union) else [hint]
    if NoneType in choices:
        if value is None:
            return None
        choices.remove(NoneType)
        return check_option(what, choices[0], value)
    if get_origin(choices[0]) is Literal:
        return _checked_word(what, list(get_args(choices[0])), value)
    if choices[0] == Names:
        return _checked_names(what, value)
    if choices[0] is str:
        return _checked_text(what, bounds, value)
    if isinstance(value, list | tuple):
        return _checked_span(what, choices, bounds, value)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise StepError(f"{what} needs {_wanted(choices, bounds)}; it has {value!r}.")
    if float not in choices and int not in choices:
        mend = (
            f" For up to {value:g} either way write [{-abs(value):g}, {abs(value):g}]." if (bounds.low or 0) < 0 else ""
        )
        raise StepError(f"{what} needs {_wanted(choices, bounds)}; it has {value!r}.{mend}")
    if int in choices and float not in choices and value != int(value):
        raise StepError(f"{what} needs {_wanted(choices, bounds)}; it has {value!r}.")
    return _bounded(what, choices, bounds, int(value) if float not in choices else float(value))


def _checked_word(what: str, words: list[Any], value: Any) -> Any:
    """One of a few words."""
    if value not in words:
        near = nearest(str(value), [str(word) for word in words])
        raise StepError(f"{what} is one of {', '.join(map(str, words))}; it has {value!r}. The nearest is {near}.")
    return value


def _checked_text(what: str, bounds: Within, value: Any) -> str:
    """A text, not too long."""
    low, high = int(bounds.low or 0), int(bounds.high or 0)
    if not isinstance(value, str) or not low <= len(value) <= high:
        raise StepError(f"{what} needs a text of {low} to {high} characters; it has {value!r}.")
    return value


def _checked_names(what: str, value: Any) -> Names:
    """Names of columns, one or more."""
    if not isinstance(value, list | tuple) or not value or not all(isinstance(each, str) for each in value):
        raise StepError(f"{what} needs names of columns, such as [age, sex]; it has {value!r}.")
    return tuple(value)


def _checked_span(what: str, choices: list[Any], bounds: Within, value: list[Any] | tuple[Any, ...]) -> Span:
    """Two numbers in ascending order."""
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in value)
    if Span not in choices or len(value) != 2 or not numbers:
        raise StepError(f"{what} needs {_wanted(choices, bounds)}; it has {list(value)!r}.")
    low, high = (_bounded(what, choices, bounds, float(v)) for v in value)
    if low > high:
        raise StepError(f"{what} needs [low, high]; it has {list(value)!r}. Turn them round.")
    return low, high


def _bounded(what: str, choices: list[Any], bounds: Within, value: float) -> Any:
    """A number within its bounds."""
    under = bounds.low is not None and value < bounds.low
    over = bounds.high is not None and value > bounds.high
    if under or over or not math.isfinite(value):
        raise StepError(f"{what} needs {_wanted(choices, bounds)}; it has {value:g}.")
    return value


def _wanted(choices: list[Any], bounds: Within) -> str:
    """What an option takes, in words."""
    kinds = {float: "a number", int: "a whole number", Span: "[low, high]"}
    words = " or ".join(kinds.get(choice, str(choice)) for choice in choices)
    if bounds.low is None and bounds.high is None:
        return words
    if bounds.high is None:
        return f"{words} of {bounds.low:g} or more"
    return f"{words} of {bounds.low:g} to {bounds.high:g}"
