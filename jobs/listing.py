"""What there is to use, one line each from its own docstring. What would import an engine is read, not imported."""

from __future__ import annotations

import ast
import importlib.resources
import inspect
import re
from collections.abc import Callable
from typing import get_args

from conf import names, parse, stages, text
from conf.schema import BEHAVIOUR_MODELS, IMAGE_MODELS, SERIES_MODELS, TABLE_MODELS, TEXT_MODELS, Source

Lines = list[tuple[str, str]]


def recipes() -> Lines:
    """Recipes that ship with Seedbed."""
    return [(name, f"{_about(name, 'recipes')} ({_modality(name)})") for name in names("recipes")]


def runtimes() -> Lines:
    """Where a recipe can run."""
    return [(name, _about(name, "runtime")) for name in names("runtime")]


def steps() -> Lines:
    """Steps for `augment.steps` and rules for `clean.rules`."""
    from jobs.tabular import rule_list
    from udfs.names import listing

    return [*listing(), *rule_list.listing()]


def generators() -> Lines:
    """Generators for `generate`, with their presets."""
    found = []
    trees = _modules("synth", "models")
    named = (*IMAGE_MODELS, *TABLE_MODELS, *TEXT_MODELS, *SERIES_MODELS, *BEHAVIOUR_MODELS)
    for name, tree in [(name, trees[name]) for name in named if name in trees]:
        presets = _presets(tree)
        more = f" Presets: {', '.join(presets)}." if presets else ""
        found.append((name, _first_sentence(tree) + more))
    return found


def readers() -> Lines:
    """Readers for `sources`."""
    trees, tables = _modules("jobs", "readers"), _modules("jobs", "tabular/readers")
    fusion = _modules("jobs", "fusion/readers")
    of_tables = [
        (f"{name} (tables)" if name in trees else name, _first_sentence(tables[name])) for name in sorted(tables)
    ]
    return [
        *of_images(trees),
        *of_tables,
        *((f"{name} (fusion)", _first_sentence(fusion[name])) for name in sorted(fusion)),
    ]


def of_images(trees: dict[str, ast.Module]) -> Lines:
    """Readers of images, in the order of the schema."""
    return [
        (name, _first_sentence(trees[name]))
        for name in get_args(Source.model_fields["reader"].annotation)
        if name in trees
    ]


def stage_lines() -> Lines:
    """The stages of a run, in order."""
    return [
        (each.name, f"{each.engine if each.engine != 'none' else 'no engine'}, reads {_reads(each)}")
        for each in stages.STAGES
    ]


KINDS: dict[str, Callable[[], Lines]] = {
    "recipes": recipes,
    "steps": steps,
    "generators": generators,
    "readers": readers,
    "runtimes": runtimes,
    "stages": stage_lines,
}


def step_in_full(name: str) -> list[str]:
    """A step's docstring and its options with their defaults."""
    from jobs.tabular import rules
    from udfs.names import resolve

    function = getattr(rules, name) if name in rules.__all__ else resolve(name)
    lines = [f"{name}: {inspect.getdoc(function) or ''}"]
    for option in inspect.signature(function).parameters.values():
        if option.kind is option.KEYWORD_ONLY:
            default = "must be given" if option.default is option.empty else f"default {option.default!r}"
            lines.append(f"  {option.name}: {default}")
    return lines


def _reads(each: stages.Stage) -> str:
    sources = dict.fromkeys("every stage" if read == "*" else read.split(".")[0] for read in each.reads)
    return ", ".join("the real rows" if source == "real" else source for source in sources) or "the sources"


def _modality(name: str) -> str:
    """What a shipped recipe's rows are: image, table, text, series or fusion."""
    return str(parse(text(name, "recipes").encode(), name).get("modality"))


def _about(name: str, folder: str) -> str:
    return str(parse(text(name, folder).encode(), name).get("about") or "")


def _modules(package: str, folder: str) -> dict[str, ast.Module]:
    """The public modules of `package/folder` by name, parsed and not imported."""
    found = {}
    for entry in (importlib.resources.files(package) / folder).iterdir():
        file = entry / "__init__.py" if entry.is_dir() else entry
        if not entry.name.startswith("_") and file.name.endswith(".py") and file.is_file():
            found[entry.name.removesuffix(".py")] = ast.parse(file.read_text("utf-8"))
    return found


def _first_sentence(tree: ast.Module) -> str:
    """The first sentence of a module's docstring, on one line."""
    paragraph = " ".join((ast.get_docstring(tree) or "").partition("\n\n")[0].split())
    return re.split(r"(?<=[^.]\.)\s+(?=[A-Z])", paragraph, maxsplit=1)[0]


def _presets(tree: ast.Module) -> list[str]:
    """Keys of the module's PRESETS, as far as they are written out."""
    for node in ast.walk(tree):
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        value = getattr(node, "value", None)
        if any(isinstance(t, ast.Name) and t.id == "PRESETS" for t in targets) and isinstance(value, ast.Dict):
            return [key.value for key in value.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
    return []
