"""Recipes and runtimes: declared, checked, and read in one place.

`load` is the only reader of YAML. It imports no engine, so a person's mistake is answered before anything starts.
"""

from __future__ import annotations

import difflib
import importlib.resources
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from conf.errors import RecipeError
from conf.schema import Recipe, Runtime

MAX_RECIPE_BYTES = 1 << 20
DEFAULT_ROOT = "./seedbed-data"
# `://user:password@`, or a signature, token or key among a URI's parameters.
_SECRET = re.compile(r"://[^/\s@:]*:[^/\s@]+@|://\S*[?&][\w-]*(?:sig|token|key|secret|password)[\w-]*=[^&\s]", re.I)

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Config:
    """A checked recipe, the runtime it runs on, and the roots of its tables (path, URI or catalog.schema) and files."""

    recipe: Recipe
    runtime: Runtime
    tables: str
    files: str
    origin: str


def load(recipe: str, runtime: str = "local", overrides: Iterable[str] = (), root: str | None = None) -> Config:
    """Read and check a recipe (a shipped name or a YAML file) and a runtime, with `a.b=c` overrides laid over the
    recipe.

    `root` places tables and files where the runtime does not; it defaults to SEEDBED_ROOT, then to ./seedbed-data.
    Raises RecipeError with file, key and mend.
    """
    values, origin = _read(recipe, "recipes", "recipe")
    for override in overrides:
        values = _override(values, override, origin)
    where, where_origin = _read(runtime, "runtime", "runtime")
    base = root or os.environ.get("SEEDBED_ROOT") or DEFAULT_ROOT
    for given, told in ((values, origin), (where, where_origin), ({"--root": base}, "the flags")):
        _refuse_secrets(given, told)
    checked = _check(Recipe, values, origin)
    placed = _check(Runtime, where, where_origin)
    _refuse_too_many_workers(placed, where_origin)
    base = base if "://" in base else str(Path(base).absolute())
    return Config(checked, placed, (not root and placed.tables) or base, (not root and placed.files) or base, origin)


def names(folder: str = "recipes") -> list[str]:
    """Names of the shipped recipes (`recipes`) or runtimes (`runtime`)."""
    entries = (importlib.resources.files("conf") / folder).iterdir()
    return sorted(entry.name[:-5] for entry in entries if entry.name.endswith(".yaml"))


def text(name: str, folder: str = "recipes") -> str:
    """The YAML text of a shipped recipe or runtime."""
    return (importlib.resources.files("conf") / folder / f"{name}.yaml").read_text("utf-8")


def parse(source: bytes, origin: str) -> dict[str, Any]:
    """The mapping in a YAML text.

    Refuses aliases, tags, doubled keys, over 1 MB, and what is not UTF-8 or not a mapping.
    """
    if len(source) > MAX_RECIPE_BYTES:
        raise RecipeError(f"{origin} has {len(source):,} bytes; a recipe has at most {MAX_RECIPE_BYTES:,}.")
    try:
        written = source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{origin} is not UTF-8 at byte {error.start}: save it as UTF-8.") from error
    try:
        value = yaml.load(written, _Loader)  # noqa: S506 - a SafeLoader that also refuses aliases and doubled keys
    except (yaml.YAMLError, RecursionError) as error:
        raise RecipeError(f"{origin} is not plain YAML: {_one_line(error)}.") from error
    if not isinstance(value, dict):
        raise RecipeError(
            f"{origin} is {'empty' if value is None else 'not a mapping'}: it needs keys such as name: and sources:."
        )
    return value


class _Loader(yaml.SafeLoader):
    """A safe loader without aliases, whose mappings have each key once."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError(f"an alias at line {self.peek_event().start_mark.line + 1}: write the value out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        mapping = super().construct_mapping(node, deep=True)
        if len(mapping) != len(node.value):
            raise yaml.YAMLError(f"a key stands twice in the mapping at line {node.start_mark.line + 1}")
        return mapping


def _one_line(error: BaseException) -> str:
    return re.sub(r"\s+", " ", str(error)).strip(" .") or type(error).__name__


def _read(given: str, folder: str, what: str) -> tuple[dict[str, Any], str]:
    """The mapping of a shipped name or of a file, and what to call it in messages."""
    path = Path(given)
    if path.suffix in (".yaml", ".yml") or os.sep in given:
        try:
            with path.open("rb") as file:
                source = file.read(MAX_RECIPE_BYTES + 1)
        except OSError as error:
            raise RecipeError(f"{given}: the {what} cannot be read: {error.strerror}.") from error
        return _with_data_place(parse(source, given), path), given
    if given not in names(folder):
        near = difflib.get_close_matches(given, names(folder), 1)
        hint = f" The nearest is {near[0]}." if near else ""
        raise RecipeError(
            f"{given!r} is not a shipped {what}.{hint} There are {', '.join(names(folder))};"
            " a file's name ends in .yaml."
        )
    return parse(text(given, folder).encode(), f"{what} {given}"), f"{what} {given}"


def _with_data_place(values: dict[str, Any], path: Path) -> dict[str, Any]:
    """A recipe file's own relative `data` folder is relative to the file."""
    data = values.get("data")
    if isinstance(data, str) and "://" not in data and not Path(data).is_absolute():
        return {**values, "data": str((path.parent / data).resolve())}
    return values


def _override(values: dict[str, Any], override: str, origin: str) -> dict[str, Any]:
    """The mapping with one `a.b=c` laid over it; list places are numbers: `generate.0.rows.per_label=50`."""
    key, equals, written = override.partition("=")
    if not equals or not key:
        raise RecipeError(f"--set {override}: needs the form a.b=value, as in --set seed=8.")
    value = written if key == "data" else _scalar(written, override)
    return _laid(values, key.split("."), value, f"{origin}, --set {key}")


def _scalar(written: str, override: str) -> Any:
    """An override's value, read as YAML."""
    try:
        return yaml.load(written, _Loader)  # noqa: S506 - see parse
    except yaml.YAMLError as error:
        raise RecipeError(f"--set {override}: the value is not plain YAML: {_one_line(error)}.") from error


def _laid(values: Any, path: Sequence[str], value: Any, where: str) -> Any:
    """A copy of `values` in which `path` leads to `value`."""
    if not path:
        return value
    head, rest = path[0], path[1:]
    if isinstance(values, list):
        if not head.isdigit() or int(head) >= len(values):
            raise RecipeError(f"{where}: {head} is not a place in a list of {len(values)}.")
        return [_laid(each, rest, value, where) if place == int(head) else each for place, each in enumerate(values)]
    if values is None or isinstance(values, Mapping):
        inside = dict(values or {})
        inside[head] = _laid(inside.get(head), rest, value, where)
        return inside
    raise RecipeError(f"{where}: {head} lies inside a plain value, which has no keys.")


def _refuse_secrets(value: Any, origin: str, path: tuple[int | str, ...] = ()) -> None:
    """Raise RecipeError where a URI holds a password or key: it would stand in markers, logs and reports."""
    if path[-2:] == ("spark", "confs"):  # where credentials belong
        return
    if isinstance(value, Mapping | list):
        for key, inner in value.items() if isinstance(value, Mapping) else enumerate(value):
            _refuse_secrets(inner, origin, (*path, key))
    elif isinstance(value, str) and _SECRET.search(value):
        raise RecipeError(
            f"{origin}, {_path(path)}: the URI holds a password or key, which would end up in markers, logs and"
            " reports: take it out, and give it by the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, for"
            " one) or by spark.confs of the runtime file."
        )


def _refuse_too_many_workers(runtime: Runtime, origin: str) -> None:
    """Raise RecipeError where a Ray of our own is to have fewer cores than there are to be workers."""
    workers, cores = runtime.train.workers, runtime.ray.cpus
    own = not (runtime.ray.address or os.environ.get("RAY_ADDRESS"))
    if own and runtime.train.device == "cpu" and cores is not None and workers > cores:
        raise RecipeError(
            f"{origin}, train.workers: {workers} workers need as many cores, and ray.cpus is {cores}: say at most"
            f" {cores}, or raise ray.cpus to what the machine has."
        )


def _check(model: type[M], values: dict[str, Any], origin: str) -> M:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise RecipeError(_in_words(model, error, origin)) from error


def _in_words(model: type[BaseModel], error: ValidationError, origin: str) -> str:
    """The first few mistakes, each with its key's path, what it has, what it may be."""
    lines = [f"{origin}, {_path(item['loc'])}: {_mistake(model, item)}" for item in error.errors()[:5]]
    return "\n".join(dict.fromkeys(lines))


def _path(location: tuple[int | str, ...]) -> str:
    """`('augment', 'steps', 1)` as `augment.steps[1]`."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in location]
    return "".join(parts).lstrip(".") or "the whole"


def _mistake(model: type[BaseModel], item: Any) -> str:
    """One validation error in words."""
    if item["type"] == "extra_forbidden":
        known = _known_keys(model, item["loc"][:-1])
        near = difflib.get_close_matches(str(item["loc"][-1]), known, 1, 0.4)
        hint = f"The nearest is {near[0]}." if near else f"Known are {', '.join(known)}."
        return f"unknown key {str(item['loc'][-1])!r}. {hint}"
    if item["type"] == "missing":
        return "is missing and must be given."
    message = item["msg"].removeprefix("Value error, ")
    shown = repr(item["input"])
    has = f" It has {shown[:80]}." if not isinstance(item["input"], dict | list) and "confs" not in item["loc"] else ""
    return f"{message[:1].lower()}{message[1:].rstrip('.')}.{has}"


def _known_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys that stand beside an unknown one."""
    for part in location:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(str(part))
        inner = _model_in(field.annotation) if field else None
        if inner is None:
            return sorted(model.model_fields)
        model = inner
    return sorted(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model inside `Model | None`, `list[Model]` or `Annotated[Model, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_in(inner)
        if found is not None:
            return found
    return None
