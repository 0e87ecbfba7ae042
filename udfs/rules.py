"""Lists of steps and of rules, their names resolved and their options complete; and rules as one function."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from udfs import names
from udfs.image import longtail
from udfs.image.opencv import steady_opencv
from udfs.image.values import Images, Reasons
from udfs.names import StepError


class StepLike(Protocol):
    """A name and its options, as a recipe has them."""

    name: str
    options: dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One step, its name resolved and its options complete."""

    name: str
    options: dict[str, Any]

    @cached_property
    def function(self) -> Callable[..., Any]:
        """The step itself."""
        return names.resolve(self.name)

    @cached_property
    def kind(self) -> str:
        """`random`, `plain`, `mixing`, `reject`, or `transform` for the long tail."""
        return "transform" if self.name.startswith(longtail.PREFIX) else str(names.kind_of(self.function))

    @cached_property
    def revision(self) -> str:
        """Changes when the step makes other bytes of the same draws."""
        if self.kind == "transform":
            return str(longtail.library().__version__)
        return str(importlib.import_module(self.function.__module__).REVISION)

    def __getstate__(self) -> dict[str, Any]:
        return {"name": self.name, "options": self.options}


def pairs(steps: Sequence[tuple[str, dict[str, Any]] | StepLike | str]) -> list[tuple[str, dict[str, Any]]]:
    """Steps as (name, options), whichever way they are written."""
    out: list[tuple[str, dict[str, Any]]] = []
    for step in steps:
        if isinstance(step, str):
            out.append((step, {}))
        else:
            out.append((step[0], step[1]) if isinstance(step, tuple) else (step.name, step.options))
    return out


def resolved(steps: Sequence[tuple[str, dict[str, Any]] | StepLike | str], modality: str = "image") -> tuple[Step, ...]:
    """Steps with names resolved and options complete; a StepError says at which place, also where one is for another
    modality.
    """
    out = []
    for place, (name, options) in enumerate(pairs(steps)):
        prefix = "image" if name.startswith(longtail.PREFIX) else name.partition(".")[0]
        if prefix in names.MODULES and prefix != modality:
            known = ", ".join(names.step_names(modality))
            raise StepError(
                f"{name} is for {names.plural(prefix)} and these are {names.plural(modality)}, which have {known}.",
                place,
            )
        try:
            out.append(Step(name, names.complete_options(name, options or {})))
        except StepError as error:
            raise StepError(str(error), place) from error
    return tuple(out)


def judged(steps: Sequence[Step], warns: Sequence[bool], values: Any) -> tuple[Reasons, list[list[str]]]:
    """Per value: the reason of the first rule that refuses it, or null; and the reasons of rules that only warn."""
    reasons: Reasons = [None] * len(values)
    flags: list[list[str]] = [[] for _ in reasons]
    for step, only_warns in zip(steps, warns, strict=True):
        if reasons:
            ask(step, only_warns, values, reasons, flags)
    return reasons, flags


def ask(step: Step, only_warns: bool, values: Any, reasons: Reasons, flags: list[list[str]]) -> None:
    """Note what one rule says of each value: a flag where it only warns, else the reason where there is none yet."""
    for row, reason in enumerate(step.function(values, **step.options)):
        if reason is not None and only_warns:
            flags[row].append(reason)
        elif reason is not None and reasons[row] is None:
            reasons[row] = reason


@dataclass(frozen=True)
class Rules:
    """Rules ready to judge images."""

    steps: tuple[Step, ...]
    warns: tuple[bool, ...]

    def __call__(self, images: Images) -> tuple[Reasons, list[list[str]]]:
        """Per image: the reason of the first rule that refuses it, or null; and the reasons of rules that only warn."""
        steady_opencv()
        return judged(self.steps, self.warns, images)


def compile_rules(rules: Sequence[tuple[str, dict[str, Any]] | StepLike | str]) -> Rules:
    """Rules as one function; each may say `severity: warn`, which flags rows instead of refusing them."""
    return Rules(*only_rules(rules, "image"))


def only_rules(
    rules: Sequence[tuple[str, dict[str, Any]] | StepLike | str], modality: str
) -> tuple[tuple[Step, ...], tuple[bool, ...]]:
    """Rules that refuse and change nothing, and which of them only warn; StepError for another step."""
    steps, warns = with_severity(rules, modality)
    for place, step in enumerate(steps):
        if step.kind != "reject":
            raise StepError(f"{step.name} changes rows and refuses none: it belongs under augment.steps.", place)
    return steps, warns


def with_severity(
    rules: Sequence[tuple[str, dict[str, Any]] | StepLike | str], modality: str
) -> tuple[tuple[Step, ...], tuple[bool, ...]]:
    """The steps of a list of rules, and of each whether it only warns: what `severity` among its options says."""
    plain, warns = [], []
    for place, (name, options) in enumerate(pairs(rules)):
        severity = (options or {}).get("severity", "refuse")
        if severity not in ("refuse", "warn"):
            raise StepError(f"{name}: severity is refuse or warn; it has {severity!r}.", place)
        plain.append((name, {key: value for key, value in (options or {}).items() if key != "severity"}))
        warns.append(severity == "warn")
    return resolved(plain, modality), tuple(warns)
