"""Which stages of a recipe are done, which are to run, and why. Starts no engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyarrow import fs

from conf import Config
from conf.errors import RecipeError, StageError
from conf.runs import refresh
from conf.runs.files import digest_of, filesystem
from conf.runs.markers import Done, Place, done_at, fingerprint_of, home
from conf.runs.sources import listing, model_files, references
from conf.stages import keys, parts_of, reads_of, stage


@dataclass(frozen=True)
class Surveyed:
    """A stage as a plan sees it: done, to be run (`place`), or not known before an earlier one ran (`waits_for`).

    `served` says how an earlier training stands against `train.refresh`, where one does.
    """

    key: str
    place: Place | None
    done: Done | None
    waits_for: str = ""
    served: str = ""


def survey(config: Config) -> list[Surveyed]:
    """Every stage of the recipe in order: done, to be run, or waiting for an earlier one. Starts no engine.

    Raises RecipeError where a source's files are missing.
    """
    found: dict[str, Surveyed] = {}
    for key in keys(config.recipe):
        found[key] = _surveyed(config, key, found)
    return list(found.values())


def _surveyed(config: Config, key: str, before: Mapping[str, Surveyed]) -> Surveyed:
    """One stage, given those before it."""
    name, _, part = key.partition(".")
    each = stage(name)
    wanted = reads_of(each, config.recipe, part)
    for source, _ in wanted:
        if before[source].done is None:
            return Surveyed(key, None, None, waits_for=source)
    inputs = {source: _finished(before, source) for source, _ in wanted}
    reads = {f"{source}.{output}": _read_digest(inputs[source], output) for source, output in wanted}
    if name == "ingest":
        reads = {f"source.{source.name}": digest_of(listing(config, source)) for source in config.recipe.sources}
    if name == "clean":
        reads |= {f"reference.{path}": digest_of(told) for path, told in references(config).items()}
    if name == "train":
        reads |= {f"model.{path}": digest_of(told) for path, told in model_files(config, part).items()}
    parts = parts_of(each, config.recipe, part)
    fingerprint = fingerprint_of(each, parts, reads, part)
    folder = f"{home(config)}/stages/{name}/{fingerprint}"
    place = Place(name, part, fingerprint, folder, inputs, parts, reads)
    done = done_at(folder)
    if done is None and name == "train":
        serving, told = refresh.served(config, place)
        return Surveyed(key, place, serving, served=told)
    return Surveyed(key, place, done if done and _readable(config, done) else None)


def _finished(before: Mapping[str, Surveyed], key: str) -> Done:
    done = before[key].done
    assert done is not None
    return done


def _read_digest(done: Done, output: str) -> str:
    """Digest of one output; of the whole stage for ``."""
    return done.outputs.get(output, "") if output else f"{done.fingerprint}:{digest_of(done.outputs)}"


def _readable(config: Config, done: Done) -> bool:
    """Whether the table versions that the stage wrote can still be read; for merge, whether they are the newest.

    Tables in a metastore are asked by Spark when they are read.
    """
    if not _is_path(config.tables):
        return True
    for table, version in done.versions.items():
        log = f"{config.tables}/{config.recipe.name}/{table}/_delta_log"
        if not _is_file(f"{log}/{version:020d}.json") or (
            done.stage == "merge" and _is_file(f"{log}/{version + 1:020d}.json")
        ):
            return False
    return True


def _is_file(uri: str) -> bool:
    system, path = filesystem(uri)
    return bool(system.get_file_info(path).type == fs.FileType.File)


def _is_path(tables: str) -> bool:
    return "://" in tables or "/" in tables


def locate(config: Config, name: str, part: str = "") -> Place:
    """Where the stage's work belongs, with what it reads. Raises StageError naming the stage that must run first."""
    key = f"{name}.{part}" if part else name
    for each in survey(config):
        if each.key != key:
            continue
        if each.place is None:
            first, _, generator = each.waits_for.partition(".")
            what = f"{first} ({generator})" if generator else first
            raise StageError(
                f"{key} reads what {what} makes, which is not there yet:"
                f" run `seedbed {first} {config.recipe.name}` first,"
                f" or `seedbed run {config.recipe.name}` for the whole way."
            )
        return each.place
    raise RecipeError(f"{config.origin} has no stage {key}; it has {', '.join(keys(config.recipe))}.")


def done(config: Config, name: str, part: str = "") -> Done | None:
    """The finished stage, or None where it must (still) run."""
    key = f"{name}.{part}" if part else name
    return next((each.done for each in survey(config) if each.key == key), None)


def real(config: Config) -> Done:
    """The stage whose `rows/row_split=*` are the real rows: label where the recipe labels, else clean."""
    name = "clean" if config.recipe.label is None else "label"
    found = done(config, name)
    if found is None:
        raise StageError(f"the real rows are not there yet: run `seedbed {name} {config.recipe.name}` first.")
    return found
