"""What a training is to do: a recipe's generator, resolved to plain values that any worker understands."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import math
import typing
from typing import Any

from conf import Config
from conf.errors import RecipeError
from conf.schema import Generate
from synth.fit import Settings
from synth.sampler import laid_over
from synth.ways import way_of


@dataclasses.dataclass(frozen=True)
class Job:
    """What a worker is told: plain values only."""

    name: str
    rows_folder: str
    folder: str
    config: Config
    settings: Settings
    forms: list[Any]  # one for each attempt, as the modality has them
    statistics: str = ""  # the folder of what normalize measured, where the modality reads it

    def settings_over(self, rows: int) -> Settings:
        """The settings, with as many steps as the model's epochs over so many rows where it counts by these."""
        options, settings = self.forms[0].options, self.settings
        if settings.max_steps or "epochs" not in options:
            return settings
        steps = math.ceil(options["epochs"] * rows / settings.batch_size)
        return dataclasses.replace(settings, max_steps=max(options["least_steps"], steps))


def job_of(config: Config, generator: Generate, rows_folder: str, folder: str, statistics: str = "") -> Job:
    """The job of a generator. Raises RecipeError for a preset or option that its model does not have."""
    options = options_of(generator)
    fields, runtime = dataclasses.asdict(options), config.runtime.train
    settings = Settings(
        max_steps=fields.get("max_steps", 1),
        batch_size=fields.get("batch_size", 64),
        seed=config.recipe.seed,
        held_out=generator.train.held_out,
        quality_every=generator.train.quality_every or 0,
        patience=generator.train.patience or Settings.patience,
        restarts=generator.train.restarts,
        threads=runtime.threads,
        device="cuda" if runtime.device == "gpu" else "cpu",
    )
    form_of = way_of(config.recipe, "training").form_of
    forms = [form_of(config, generator, options, attempt) for attempt in range(settings.restarts + 1)]
    return Job(generator.name, rows_folder, folder, config, settings, forms, statistics)


def options_of(generator: Generate) -> Any:
    """The model's Config: preset, then options, then what `train` says of steps, batch and rate."""
    module = importlib.import_module(f"synth.models.{generator.model}")
    where = f"generate {generator.name}: {generator.model}"
    preset = generator.preset or next(iter(module.PRESETS))
    if preset not in module.PRESETS:
        raise RecipeError(f"{where} has no preset {preset!r}.{_near(preset, module.PRESETS)}")
    _check(generator.options, module.PRESETS[preset], where)
    known = {field.name for field in dataclasses.fields(module.Config)}
    said = {key: getattr(generator.train, key) for key in ("max_steps", "batch_size", "learning_rate")}
    trained = {key: value for key, value in said.items() if value is not None and key in known}
    try:
        return laid_over(module.PRESETS[preset], {**generator.options, **trained})
    except (TypeError, ValueError) as error:
        raise RecipeError(f"generate {generator.name}: {error}") from error


def _check(options: dict[str, Any], config: Any, where: str) -> None:
    """Refuse an option that the Config does not have, or a value that it cannot be."""
    hints = typing.get_type_hints(type(config))
    for name, value in options.items():
        if name not in hints:
            raise RecipeError(f"{where} has no option {name!r}.{_near(name, hints)}")
        if dataclasses.is_dataclass(hints[name]) and isinstance(value, dict):
            _check(value, getattr(config, name), f"{where}, {name},")
        elif not _may_be(value, hints[name]):
            raise RecipeError(f"{where}, option {name}: has {value!r}, and may be {_told(hints[name])}.")


def _may_be(value: Any, hint: Any) -> bool:
    """Whether a value from YAML is of the type that a Config declares."""
    if typing.get_origin(hint) is typing.Literal:
        return value in typing.get_args(hint)
    if hint in (int, float):
        return isinstance(value, int | hint) and not isinstance(value, bool)
    return not isinstance(hint, type) or isinstance(value, hint)


def _told(hint: Any) -> str:
    options = typing.get_args(hint)
    return (
        ", ".join(map(str, options)) if options else {int: "a whole number", float: "a number"}.get(hint, hint.__name__)
    )


def _near(word: str, known: Any) -> str:
    near = difflib.get_close_matches(word, list(known), 1)
    return f" The nearest is {near[0]}." if near else f" It has {', '.join(sorted(known))}."
