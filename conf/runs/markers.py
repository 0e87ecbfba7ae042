"""Finished stages: where their work lies, the marker that is written last, and the fingerprint that names both."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from conf import Config
from conf.runs.files import digest_of, read_json, write_json
from conf.stages import Stage

DONE_NAME = "DONE.json"


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
    inputs: dict[str, str] = field(default_factory=dict)  # stage key -> fingerprint

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


def home(config: Config) -> str:
    """The recipe's folder: `<files>/<recipe>`."""
    return f"{config.files.rstrip('/')}/{config.recipe.name}"


def fingerprint_of(each: Stage, parts: dict[str, Any], reads: dict[str, str], part: str) -> str:
    """16 hex digits. A generator's own name is not in it: renaming one does not retrain it."""
    content = sorted(value for value in reads.items())
    if part:
        content = sorted((key.replace(f".{part}.", ".*."), value) for key, value in reads.items())
    return digest_of([each.name, each.revision, parts, content])


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
        inputs={key: each.fingerprint for key, each in place.inputs.items()},
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


def real_in(place: Place) -> Done:
    """The stage whose `rows/row_split=*` are the real rows that a stage reads: label where there is one, else clean."""
    return place.inputs["label"] if "label" in place.inputs else place.inputs["clean"]
