"""What a recipe says of steps, rules and generators, checked before any engine starts.

The schema knows keys; only the functions themselves know their options. What is done already was checked then, and
is not loaded again: so an unchanged rerun stays quick.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from conf import Config, runs
from conf.errors import RecipeError
from conf.schema import Step
from jobs.ways import way_of
from udfs.families import family_of


def check_recipe(config: Config) -> None:
    """Resolve every name and option of the stages that are not done. Raises RecipeError with file and key."""
    todo = {each.key for each in runs.survey(config) if each.done is None}
    recipe = config.recipe
    if "clean" in todo and recipe.clean.rules:
        _compiled(config, "clean.rules", recipe.clean.rules, lambda _: way_of(recipe, "clean").check_rules(recipe))
    if "augment" in todo and recipe.augment:
        _compiled(
            config, "augment.steps", recipe.augment.steps, lambda steps: family_of(recipe).compiled(recipe, steps)
        )
    if todo & {"choose", "augment"} and recipe.augment:
        for place, each in enumerate(recipe.augment.candidates):
            where = f"augment.candidates[{place}].steps"
            _compiled(config, where, each.steps, lambda steps: family_of(recipe).compiled(recipe, steps))
    for place, generator in enumerate(recipe.generate):
        if f"train.{generator.name}" in todo:
            from synth.job import options_of

            try:
                options_of(generator)
                if generator.model == "text_pretrained":
                    from synth.texts import model_folder

                    model_folder.check(runs.below(recipe.data, str(generator.options.get("folder", ""))))
            except RecipeError as error:
                raise RecipeError(f"{config.origin}, generate[{place}]: {error}") from error


def _compiled(config: Config, where: str, steps: Sequence[Step], compiler: Callable[..., Any]) -> None:
    """Compile a list of steps; a mistake is told with its place in the recipe."""
    from udfs.names import StepError

    try:
        compiler(steps)
    except StepError as error:
        place = "" if error.place is None else f"[{error.place}]"
        raise RecipeError(f"{config.origin}, {where}{place}: {error}") from error
