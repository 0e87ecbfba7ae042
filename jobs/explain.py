"""Where a row comes from: what made it, from what, with which drawn parameters; and whether making it again gives the
same bytes.

A row is a function of its identity, so that needs no Spark and no Ray: the row is found by deltalake, its parents by
their ids, and the same compiled steps or sampler that made it run here on this one row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import fs

from conf import Config, runs
from conf.errors import RecipeError, StageError
from conf.runs import Done
from jobs import report_rows
from jobs.plain_tables import rows as rows_in
from jobs.ways import way_of
from udfs import records

ID_HEX = records.MAKER_HEX + records.WHICH_HEX
PREFIX_MIN = 6
TABLES = ("dataset", "clean", "quarantine", "raw")
MAX_OCCURRENCES = 64
AGREES, DIFFERS, UNKNOWN = "the bytes agree", "THE BYTES DIFFER", "cannot be made again here"


@dataclass
class Explained:
    """A row, where it stands, what made it, and whether it came out the same when made again (None: not tried)."""

    row: dict[str, Any]
    table: str
    lines: list[str] = field(default_factory=list)
    again: str = ""
    same: bool | None = None


def explain(config: Config, row_id: str) -> Explained:
    """Explain the row of this id, or of the only id that begins so. Raises RecipeError where there is none."""
    found = find(config, row_id)
    row = found.row
    if row.get("row_reason"):
        detail = f" ({row['row_detail']})" if row.get("row_detail") else ""
        found.lines.append(f"refused by {row['row_stage']}: {row['row_reason']}{detail}")
    makers = {"real": _real, "augmented": _augmented, "synthetic": _synthetic}
    try:
        makers[row["row_origin"]](config, found)
    except (StageError, RecipeError, OSError, ValueError) as error:
        found.again, found.same = f"{UNKNOWN}: {error}", None
    return found


def find(config: Config, row_id: str) -> Explained:
    """The row in the first of the tables that has it."""
    asked = row_id.strip().lower()
    if len(asked) > ID_HEX or len(asked) < PREFIX_MIN or any(c not in "0123456789abcdef" for c in asked):
        raise RecipeError(f"{row_id!r} is no row id: {ID_HEX} hex digits, or at least the first {PREFIX_MIN} of them.")
    missing = True
    for name in TABLES:
        there = rows_in(config, name)
        if there is None:
            continue
        missing = False
        wanted = pc.field("row_id") == asked if len(asked) == ID_HEX else _begins(asked)
        rows = there.to_table(filter=wanted).to_pylist()
        ids = sorted({row["row_id"] for row in rows})
        if len(ids) > 1:
            raise RecipeError(
                f"{asked} begins the ids of {len(ids)} rows in {name}, such as {ids[0]} and {ids[1]}: give more digits."
            )
        if rows:
            return Explained(rows[0], name)
    if missing:
        raise StageError(f"{runs.home(config)} has no tables yet: `seedbed run {config.recipe.name}` makes them.")
    raise RecipeError(
        f"No row of {config.recipe.name} has the id {asked}; looked in {', '.join(TABLES)} below {runs.home(config)}."
    )


def _begins(prefix: str) -> pc.Expression:
    """Ids are plain hex, so a range does what a prefix would, and prunes files by their statistics."""
    return (pc.field("row_id") >= prefix) & (pc.field("row_id") < prefix + "g")


def _compare(found: Explained, made: bytes | None, what: str) -> None:
    """Whether the row's image is what was made."""
    found.same = made == found.row["image"]
    found.again = f"{what}: {AGREES if found.same else DIFFERS} ({len(found.row['image'] or b''):,} bytes)"


def _compare_row(found: Explained, made: pa.Table, what: str) -> None:
    """Whether the row's payload is what was made: its image, or all of its cells by their hash."""
    if "image" in made.schema.names and "text" not in made.schema.names:
        _compare(found, made.column("image")[0].as_py(), what)
        return
    found.same = made.column("row_hash")[0].as_py() == found.row["row_hash"]
    found.again = f"{what}: {AGREES if found.same else DIFFERS}"


# ---- real rows: read from the source again, and cleaned again ----


def _real(config: Config, found: Explained) -> None:
    """A record of a source: read again, decoded again."""
    row = found.row
    if config.recipe.pairs is not None and row["row_parents"]:
        _pair(config, found)
        return
    source = next(
        (
            each
            for each in config.recipe.sources
            if records.maker("real", each.name) == row["row_id"][: records.MAKER_HEX]
        ),
        None,
    )
    found.lines.append(
        f"read from {row['row_source']}" + (f", source {source.name} (reader {source.reader})" if source else "")
    )
    if source is None:
        found.again = f"{UNKNOWN}: no source of this recipe made it"
        return
    if config.recipe.modality == "behaviour":
        from jobs.behaviour.again import user_again

        found.again, found.same = user_again(config, source, row)
        return
    if config.recipe.modality == "fusion":
        found.again = f"{UNKNOWN}: records of several payloads are read again by `seedbed ingest` alone"
        return
    if "image" not in row:
        from jobs.series.again import window_again
        from jobs.tabular.again import record_again

        is_cut = config.recipe.series is not None and config.recipe.series.recordings is not None and "series" in row
        if is_cut and row.get("row_stage") != "ingest":
            found.again, found.same = window_again(config, row)
            return
        found.again, found.same = record_again(config, source, row)
        return
    if source.reader == "delta":
        found.again = f"{UNKNOWN}: Delta sources are read by Spark alone"
        return
    image = _read_again(config, source, row)
    if image is None:
        found.again = f"{UNKNOWN}: {row['row_source']} is no longer there, or holds another record now"
        return
    if row["image"] == image:
        _compare(found, image, "read from its source again")
        return
    _compare(found, _cleaned(config, image), "read from its source and cleaned again")


def _pair(config: Config, found: Explained) -> None:
    """A mismatch: one row's image beside another's text."""
    row = found.row
    known = _parents(config, row["row_parents"])
    found.lines.append(f"made of two rows of the split {row['row_split']}: {row['row_source']}")
    if len(known) < len(row["row_parents"]):
        found.again = f"{UNKNOWN}: one of the two rows is no longer there"
        return
    image, text = (known[parent] for parent in row["row_parents"])
    found.same = row["image"] == image["image"] and row["text"] == text["text"]
    found.again = f"put together again: {AGREES if found.same else DIFFERS}"


def _read_again(config: Config, source: Any, row: dict[str, Any]) -> bytes | None:
    """The bytes of the record at the row's position, if it still is the row's record."""
    from jobs import readers

    task = readers.reading(config, source)
    for piece in _nearest_first(readers.pieces(task), row["row_source"]):
        for record in readers.read(task, piece):
            if record.position == row["row_source"]:
                same = any(
                    records.real_id(source.name, record.content, n) == row["row_id"] for n in range(MAX_OCCURRENCES)
                )
                return record.image if same else None
    return None


def _nearest_first(pieces: list[dict[str, Any]], position: str) -> list[dict[str, Any]]:
    """Pieces that seem to hold the position before the others: by the record's number, or by its file's name."""
    place, _, number = position.rpartition("#")
    name = place.rpartition("/")[2] or position.rpartition("/")[2]

    def far(piece: dict[str, Any]) -> int:
        if number.isdigit() and "start" in piece:
            return 0 if piece["start"] <= int(number) < piece["stop"] else 1
        return 0 if name and name in json.dumps(piece, ensure_ascii=False) else 1

    return sorted(pieces, key=far)


def _cleaned(config: Config, image: bytes) -> bytes | None:
    """The image in the recipe's form, as clean makes it."""
    from udfs import image as steps

    form = config.recipe.image
    stack, reasons = steps.decode([image], form.height, form.width, form.channels, form.resize)
    return None if reasons[0] else bytes(steps.encode(stack, form.encoding, form.jpeg_quality)[0])


# ---- augmented rows: the same steps on the same parents ----


def _augmented(config: Config, found: Explained) -> None:
    """A child: the steps, what they drew for this row, its parents."""
    row = found.row
    parents = _parents(config, row["row_parents"] or [])
    label = config.recipe.label_column
    found.lines.append(f"made by augment: {row['row_source']}")
    if config.recipe.augment and config.recipe.augment.choose:
        chosen = runs.done(config, "choose")
        found.lines += [f"its steps were chosen: {runs.choice_of(chosen)['why']}"] if chosen else []
    for parent in row["row_parents"] or []:
        known = parents.get(parent)
        found.lines.append(
            f"from {parent}"
            + (
                f", {known.get(label, known.get('user'))}, {known['row_source']}"
                if known
                else ", which is no longer there"
            )
        )
    compiled, seed = _steps_of(config, row["row_id"][: records.MAKER_HEX])
    if len(parents) < len(row["row_parents"] or []):
        found.again = f"{UNKNOWN}: a parent is no longer there"
        return
    batch = way_of(config.recipe, "again").child_batch(config.recipe, row, parents)
    for told in compiled.explain(batch, seed)[0]["steps"]:
        drawn = ", ".join(f"{name} {_short(value)}" for name, value in told["parameters"].items())
        found.lines.append(f"  {told['step']}: {drawn or ('applied' if told['fired'] else 'not drawn')}")
    made = pa.Table.from_batches([compiled(batch, seed)])
    schema = records.row_schema(config.recipe)
    kept = made.select([name for name in made.schema.names if name in schema.names])
    _compare_row(found, records.with_hashes(records.conform(kept, schema)), "made again from its parents")


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return f"[{', '.join(map(_short, value))}]"
    return str(value)


def _steps_of(config: Config, maker: str) -> tuple[Any, int]:
    """Compiled steps and seed of the augment run that is this maker: the recipe's own, or of images an older one's.

    Raises StageError where none is.
    """
    from jobs.augment import compiled as compiled_of
    from udfs.children import makers

    recipe = config.recipe
    known: list[tuple[Any, int, int]] = []
    augment = runs.augment_of(config)
    if augment:
        known.append((compiled_of(config, augment), recipe.seed, augment.most_copies))
    if recipe.modality == "image":
        known += _older_steps(config)
    for compiled, seed, copies in known:
        if maker in makers(compiled, seed, copies):
            return compiled, seed
    raise StageError(
        "neither this recipe's steps nor those of a finished augment stage made it (a step's revision may have changed)"
    )


def _older_steps(config: Config) -> list[tuple[Any, int, int]]:
    """Compiled steps, seed and copies of every finished augment run of images."""
    from conf.schema import Augment, ImageForm
    from udfs.steps import compile_steps

    found = []
    for done in markers(config, "augment"):
        told, form = done.parts["augment"] or _chosen(config, done), ImageForm(**done.parts["image"])
        if told is None:
            continue
        augment = Augment(**told)
        found.append((compile_steps(augment.steps, form=form), done.parts["seed"], augment.most_copies))
    return found


def _chosen(config: Config, augmented: Done) -> dict[str, Any] | None:
    """Copies and steps that an augment run had chosen for it; None where it made nothing, or they are gone."""
    folder = f"{runs.home(config)}/stages/choose/{augmented.inputs.get('choose')}"
    told = runs.read_json(folder, runs.CHOICE)
    return told["plan"] if isinstance(told, dict) else None


def markers(config: Config, stage: str) -> Iterator[Done]:
    """Every finished run of a stage, whatever recipe it belonged to."""
    system, path = runs.filesystem(f"{runs.home(config)}/stages/{stage}")
    for info in system.get_file_info(fs.FileSelector(path, allow_not_found=True)):
        done = runs.done_at(f"{runs.home(config)}/stages/{stage}/{info.base_name}")
        if done is not None:
            yield done


def _parents(config: Config, ids: list[str]) -> dict[str, dict[str, Any]]:
    """The real rows of these ids, from the table clean or from what label made."""
    there = rows_in(config, "clean")
    wanted = pc.field("row_id").isin(pa.array(ids, pa.string()))
    rows = there.to_table(filter=wanted).to_pylist() if there and ids else []
    found = {row["row_id"]: row for row in rows}
    for done in markers(config, "label"):
        dataset = report_rows.opened(f"{done.folder}/rows/row_split=train")
        found |= {row["row_id"]: row for row in dataset.to_table(filter=wanted).to_pylist()} if dataset and ids else {}
    return found


# ---- synthetic rows: the same checkpoint, label and index ----


def _synthetic(config: Config, found: Explained) -> None:
    """A sampled row: which checkpoint, label and index."""
    from synth.ways import way_of

    row = found.row
    found.lines.append(f"sampled from {row['row_source']}")
    label, index, checkpoint = _place_of(row["row_source"])
    folders = [
        (done, f"{done.folder}/checkpoint") for done in markers(config, "train") if checkpoint in done.outputs.values()
    ]
    if not folders:
        found.again = f"{UNKNOWN}: the checkpoint {checkpoint} is no longer there"
        return
    done, folder = folders[0]
    found.lines.append(f"trained by {done.key}, {folder}")
    sampler_of = way_of(config.recipe, "sampling").Sampler
    for temperature, where, near in _plans(config):
        sampler = sampler_of(folder, temperature, where=where, near=near)
        if sampler.ids(label, index, index + 1)[0].as_py() == row["row_id"]:
            met = f", where {where}" if where else ", near a row that judges get wrong" if near else ""
            drawn = f"noise drawn for {f'label {label}' if label else 'any label'}, index {index}"
            found.lines.append(f"{drawn}, temperature {temperature:g}{met}")
            _compare_row(found, sampler(label, index, index + 1), "sampled again from its checkpoint")
            return
    found.again = f"{UNKNOWN}: it was sampled by another plan or by another revision of the sampler"


def _plans(config: Config) -> dict[tuple[float, str, str], None]:
    """Temperature, conditions and file of hard rows by which rows may have been sampled, the recipe's own first."""
    own = [(each.temperature, each.rows.where or "") for each in config.recipe.generate]
    places = [f"{done.folder}/hard.parquet" for done in markers(config, "sample")]
    hard = [place for place in places if _is_file(place)]
    plain = dict.fromkeys((*((*each, "") for each in own), (1.0, "", "")))
    return plain | dict.fromkeys((temperature, "", place) for temperature, _ in (*own, (1.0, "")) for place in hard)


def _is_file(uri: str) -> bool:
    system, path = runs.filesystem(uri)
    return bool(system.get_file_info(path).type == fs.FileType.File)


def _place_of(source: str) -> tuple[str, int, str]:
    """Label, index and checkpoint of `checkpoint C, label L, index N`; a label may hold commas, and be left out."""
    head, _, index = source.rpartition(", index ")
    checkpoint, _, label = head.removeprefix("checkpoint ").partition(", label ")
    if not index.isdigit() or not checkpoint:
        raise StageError(f"its source {source!r} names no checkpoint, label and index")
    return label, int(index), checkpoint
