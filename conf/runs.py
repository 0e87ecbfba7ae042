"""Fingerprints, stage folders and markers: which work is done, and where it lies.

What a stage makes lies in `<files>/<recipe>/stages/<stage>/<fingerprint>/`, its marker DONE.json last. A fingerprint
covers what the stage reads by *content* (digests of rows, ids of checkpoints), not by the fingerprints before it: a
file that was only touched, or a rule that refuses nobody new, ends the work there and retrains nothing. So a later
stage's fingerprint is known only when the earlier ones are done. Both engines use this module; it imports neither.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pyarrow import fs

from conf import Config
from conf.errors import RecipeError, StageError
from conf.schema import Source
from conf.stages import Stage, keys, parts_of, reads_of, stage

DONE_NAME = "DONE.json"
HASH_MODULUS = 1 << 64


@dataclass(frozen=True)
class StageResult:
    """What a stage counted, each output's digest, the table versions it wrote, and what a person should know."""

    counts: dict[str, Any]
    outputs: dict[str, str]
    versions: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Done:
    """A finished stage, as its marker tells it."""

    stage: str
    part: str
    fingerprint: str
    folder: str
    counts: dict[str, Any]
    outputs: dict[str, str]
    versions: dict[str, int]
    notes: list[str]
    seconds: float
    parts: dict[str, Any]
    reads: dict[str, str]

    @property
    def key(self) -> str:
        """`clean`, or `train.image_gan` for a generator's stage."""
        return f"{self.stage}.{self.part}" if self.part else self.stage


@dataclass(frozen=True)
class Place:
    """Where a stage's work belongs, and the finished stages that it reads."""

    stage: str
    part: str
    fingerprint: str
    folder: str
    inputs: dict[str, Done]
    parts: dict[str, Any]
    reads: dict[str, str]

    @property
    def key(self) -> str:
        """`clean`, or `train.image_gan` for a generator's stage."""
        return f"{self.stage}.{self.part}" if self.part else self.stage


@dataclass(frozen=True)
class Surveyed:
    """A stage as a plan sees it: done, to be run (`place`), or not known before an earlier one ran (`waits_for`)."""

    key: str
    place: Place | None
    done: Done | None
    waits_for: str = ""


def filesystem(uri: str) -> tuple[fs.FileSystem, str]:
    """The file system of a path or URI, and the path in it."""
    if "://" in uri:
        return fs.FileSystem.from_uri(uri)
    return fs.LocalFileSystem(), str(Path(uri).absolute())


def home(config: Config) -> str:
    """The recipe's folder: `<files>/<recipe>`."""
    return f"{config.files.rstrip('/')}/{config.recipe.name}"


def digest(count: int, hash_sum: int) -> str:
    """Digest of a set of rows.

    Their number and the sum of their hashes, so that order and partitioning do not matter.
    """
    return f"{count:x}-{hash_sum % HASH_MODULUS:016x}"


def digest_of(value: Any) -> str:
    """Digest of plain JSON."""
    plain = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.blake2b(plain.encode(), digest_size=8).hexdigest()


def read_json(folder: str, name: str) -> Any:
    """The JSON file `name` in `folder`, or None where there is none. Raises StageError for a damaged one."""
    system, path = filesystem(folder)
    try:
        with system.open_input_stream(f"{path}/{name}") as stream:
            return json.loads(stream.read())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise StageError(
            f"{folder}/{name} is damaged ({error}): delete it, and the same command makes it anew."
        ) from error


def write_bytes(folder: str, name: str, data: bytes) -> None:
    """Write a file whole or not at all.

    By rename where the file system is local, in one put where it is an object store.
    """
    system, path = filesystem(folder)
    system.create_dir(path, recursive=True)
    if not isinstance(system, fs.LocalFileSystem):
        with system.open_output_stream(f"{path}/{name}") as stream:
            stream.write(data)
        return
    draft = Path(path) / f".{name}.{os.getpid()}.draft"
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(Path(path) / name)


def write_json(folder: str, name: str, value: Any) -> None:
    """Write `value` as the JSON file `name` in `folder`."""
    write_bytes(folder, name, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False).encode())


def clear(folder: str, keep: Set[str]) -> None:
    """Delete the files of a folder but those of these names; one that is not there is as good as empty."""
    system, path = filesystem(folder)
    for info in system.get_file_info(fs.FileSelector(path, allow_not_found=True)):
        if info.type == fs.FileType.File and info.base_name not in keep:
            system.delete_file(info.path)


def finish(place: Place, result: StageResult, seconds: float) -> Done:
    """Mark the stage as done: its marker is the last thing written."""
    done = Done(
        stage=place.stage,
        part=place.part,
        fingerprint=place.fingerprint,
        folder=place.folder,
        seconds=round(seconds, 3),
        parts=place.parts,
        reads=place.reads,
        **asdict(result),
    )
    told = asdict(done)
    del told["folder"]
    write_json(place.folder, DONE_NAME, told)
    return done


def done_at(folder: str) -> Done | None:
    """The finished stage whose folder this is."""
    told = read_json(folder, DONE_NAME)
    return None if told is None else Done(**told, folder=folder)


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
    parts = parts_of(each, config.recipe, part)
    fingerprint = _fingerprint(each, parts, reads, part)
    folder = f"{home(config)}/stages/{name}/{fingerprint}"
    place = Place(name, part, fingerprint, folder, inputs, parts, reads)
    done = done_at(folder)
    return Surveyed(key, place, done if done and _readable(config, done) else None)


def _finished(before: Mapping[str, Surveyed], key: str) -> Done:
    done = before[key].done
    assert done is not None
    return done


def _read_digest(done: Done, output: str) -> str:
    """Digest of one output; of the whole stage for ``."""
    return done.outputs.get(output, "") if output else f"{done.fingerprint}:{digest_of(done.outputs)}"


def _fingerprint(each: Stage, parts: dict[str, Any], reads: dict[str, str], part: str) -> str:
    """16 hex digits. A generator's own name is not in it: renaming one does not retrain it."""
    content = sorted(value for value in reads.items())
    if part:
        content = sorted((key.replace(f".{part}.", ".*."), value) for key, value in reads.items())
    return digest_of([each.name, each.revision, parts, content])


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


def real_in(place: Place) -> Done:
    """The same, of what a stage reads."""
    return place.inputs["label"] if "label" in place.inputs else place.inputs["clean"]


def locations(config: Config, source: Source) -> dict[str, str]:
    """The paths or URIs that a source names, by key, each below the recipe's `data`."""
    given = {key: getattr(source, key) for key in ("path", "images", "labels_path", "manifest", "mask_path")}
    return {key: _below(config.recipe.data, value) for key, value in given.items() if value is not None}


def _below(data: str | None, path: str) -> str:
    if "://" in path or Path(path).is_absolute():
        return path
    return f"{data.rstrip('/')}/{path}" if data else path


def listing(config: Config, source: Source) -> list[Any]:
    """What a source consists of: each file's path within it, size and time of change.

    Raises RecipeError where one is missing.
    """
    if source.reader == "sklearn_digits":
        return ["sklearn_digits"]
    found = []
    for key, location in locations(config, source).items():
        system, path = filesystem(location)
        info = system.get_file_info(path)
        if info.type == fs.FileType.NotFound:
            raise RecipeError(_missing(config, source, key, location))
        files = [info]
        if info.type == fs.FileType.Directory:
            files = [
                f for f in system.get_file_info(fs.FileSelector(path, recursive=True)) if f.type == fs.FileType.File
            ]
        found += [[key, os.path.relpath(file.path, path), file.size, file.mtime_ns] for file in files]
    return sorted(found)


def _missing(config: Config, source: Source, key: str, location: str) -> str:
    """What is missing, where to get it, how to say where it lies."""
    hint = source.about or config.recipe.data_about or ""
    mend = f"--set data=DIR names the folder that holds {getattr(source, key)}."
    return f"{config.origin}, source {source.name}: {location} is not there. {hint + ' ' if hint else ''}{mend}"


def record_run(config: Config, started: float, dones: list[Done], state: str) -> str:
    """Write the run's file, which points at its stages' fingerprints; returns its name."""
    names = run_names(config)
    name = f"run-{int(names[-1][4:9]) + 1 if names else 1:05d}.json"
    told = {
        "started": started,
        "finished": time.time(),
        "state": state,
        "stages": {each.key: each.fingerprint for each in dones},
        "recipe": config.recipe.model_dump(mode="json"),
    }
    write_json(f"{home(config)}/runs", name, told)
    return name


def run_names(config: Config) -> list[str]:
    """Names of the recipe's run files, oldest first."""
    system, path = filesystem(f"{home(config)}/runs")
    infos = system.get_file_info(fs.FileSelector(path, allow_not_found=True))
    return sorted(info.base_name for info in infos if info.base_name.startswith("run-"))


def last_run(config: Config) -> dict[str, Any] | None:
    """The newest run's file."""
    names = run_names(config)
    return read_json(f"{home(config)}/runs", names[-1]) if names else None
