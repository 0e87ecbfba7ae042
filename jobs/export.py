"""Export: the table `dataset` in the forms that training code reads: Parquet, a folder a class, WebDataset, or files
and a CSV.

Rows stream from the table's files, so nothing is ever whole in memory and no engine is needed. Names of files are row
ids; labels become folder names that cannot lead elsewhere, and CSV cells that a spreadsheet would run are escaped.
"""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from conf import Config, runs
from conf.errors import RecipeError, StageError
from conf.progress import progress
from jobs import export_events
from jobs.plain_tables import rows
from udfs.names import plural

BATCH_ROWS = 512
SHARD_ROWS = 10_000
MAX_FOLDER_NAME = 200  # file systems take 255
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
SPLITS_THERE = ("train", "val", "test")
LINEAGE_SHOWN = ("row_id", "row_origin", "row_split", "row_label_source")
COLUMNS = (*LINEAGE_SHOWN, "label", "soft_label", "image")


def export(config: Config, kind: str | None, to: Path, splits: list[str]) -> Counter[str]:
    """Write the rows of `splits` (all where empty) below the new folder `to`; returns rows by split."""
    own = {"image": KINDS, "behaviour": EVENT_KINDS, "fusion": FUSION_KINDS}
    kinds = own.get(config.recipe.modality, TABLE_KINDS)
    kind = kind or next(iter(kinds))
    if kind not in kinds:
        raise RecipeError(f"--format {kind}: for {plural(config.recipe.modality)} there are {', '.join(kinds)}.")
    strange = sorted(set(splits) - set(SPLITS_THERE))
    if strange:
        raise RecipeError(f"--split {strange[0]}: a dataset has {', '.join(SPLITS_THERE)}.")
    there = rows(config, "dataset")
    if there is None:
        raise StageError(
            f"There is no dataset of {config.recipe.name} yet: `seedbed run {config.recipe.name}` makes it."
        )
    if to.exists() and any(to.iterdir()):
        raise RecipeError(f"--to {to}: holds something already; name a new folder, or empty it.")
    to.mkdir(parents=True, exist_ok=True)
    chosen = pc.field("row_split").isin(splits) if splits else None
    written: Counter[str] = Counter()
    with progress("export", there.count_rows(filter=chosen), "rows") as bar:
        of_cells = (*LINEAGE_SHOWN, *cell_columns(config), "soft_label")
        wanted = (*COLUMNS, "mask") if config.recipe.modality == "image" else (*of_cells, "boxes", "image")
        columns = [name for name in wanted if name in there.schema.names]
        batches = there.to_batches(columns=columns, filter=chosen, batch_size=BATCH_ROWS)
        for batch in kinds[kind](config, to, (batch for batch in batches if batch.num_rows)):
            written.update(batch.column("row_split").to_pylist())
            bar.advance(batch.num_rows)
    return written


def _parquet(config: Config, to: Path, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """`<split>.parquet`, all columns."""
    with ExitStack() as stack:
        writers: dict[str, pq.ParquetWriter] = {}
        for batch in batches:
            for split in pc.unique(batch.column("row_split")).to_pylist():
                if split not in writers:
                    writers[split] = stack.enter_context(pq.ParquetWriter(to / f"{split}.parquet", batch.schema))
                writers[split].write_batch(batch.filter(pc.equal(batch.column("row_split"), split)))
            yield batch


def _folder(config: Config, to: Path, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """`<split>/<label>/<row_id>.png`, as torchvision's ImageFolder and Keras read it."""
    for batch in batches:
        for row in batch.to_pylist():
            folder = to / row["row_split"] / safe_folder(row["label"])
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{row['row_id']}.{_suffix(config)}").write_bytes(row["image"])
        yield batch


def _csv(config: Config, to: Path, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """`images/<row_id>.png` and `rows.csv`."""
    (to / "images").mkdir()
    with (to / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(["file", "label", "split", "origin", "label_source"])
        for batch in batches:
            for row in batch.to_pylist():
                name = f"images/{row['row_id']}.{_suffix(config)}"
                (to / name).write_bytes(row["image"])
                told = [row["label"], row["row_split"], row["row_origin"], row["row_label_source"]]
                lines.writerow([name, *(safe_cell(value) for value in told)])
            yield batch


def _table_csv(config: Config, to: Path, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """`<split>.csv`: the recipe's columns under the names that the sources gave them, then lineage."""
    names = [*cell_columns(config), *LINEAGE_SHOWN]
    with ExitStack() as stack:
        lines: dict[str, Any] = {}
        for batch in batches:
            for row in batch.to_pylist():
                split = row["row_split"]
                if split not in lines:
                    file = stack.enter_context((to / f"{split}.csv").open("w", newline="", encoding="utf-8"))
                    lines[split] = csv.writer(file)
                    lines[split].writerow([safe_cell(given_name(config, name)) for name in names])
                lines[split].writerow([plain_cell(row[name]) for name in names])
            yield batch


def _captions(config: Config, to: Path, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """`images/<row_id>.png` where rows have images, and `rows.csv` with what else they hold: as `captions` reads it."""
    names, has_image = [*cell_columns(config), *LINEAGE_SHOWN], config.recipe.image is not None
    if has_image:
        (to / "images").mkdir()
    with (to / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow([*(["file"] if has_image else []), *names])
        for batch in batches:
            for row in batch.to_pylist():
                name = f"images/{row['row_id']}.{_suffix(config)}" if has_image else ""
                if has_image:
                    (to / name).write_bytes(row["image"])
                lines.writerow([*([name] if has_image else []), *(plain_cell(row[each]) for each in names)])
            yield batch


def cell_columns(config: Config) -> list[str]:
    """The columns of a row that holds cells: the recipe's, or the label and the text or series."""
    if config.recipe.behaviour is not None:
        return ["user", *config.recipe.behaviour.attributes, "items", "ratings", "times"]
    of = "series" if config.recipe.modality == "series" else "text"
    if config.recipe.modality == "fusion":
        own = [name for name in ("text", "series") if getattr(config.recipe, name) is not None]
        return ["label", *config.recipe.columns, *own]
    return list(config.recipe.columns) or ["label", of]


def given_name(config: Config, column: str) -> str:
    """A column's name as the sources have it, where they agree on one; else the recipe's."""
    given = {theirs for source in config.recipe.sources for theirs, ours in source.columns.items() if ours == column}
    return given.pop() if len(given) == 1 else column


def plain_cell(value: Any) -> Any:
    """A CSV cell: numbers as they are, lists as JSON, text safe from being run, dates in ISO 8601, true and false."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, list):
        return json.dumps([None if each != each else each for each in value])  # NaN is missing
    return safe_cell(value.isoformat() if hasattr(value, "isoformat") else value)


def _webdataset(config: Config, to: Path, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """`<split>-00000.tar` of up to SHARD_ROWS rows: image, class number, and a JSON of label and origin for each."""
    codes = {label: code for code, label in enumerate(config.recipe.labels)}
    seen: Counter[str] = Counter()
    tars: dict[str, tarfile.TarFile] = {}
    with ExitStack() as stack:
        for batch in batches:
            for row in batch.to_pylist():
                split = row["row_split"]
                shard, place = divmod(seen[split], SHARD_ROWS)
                if place == 0:
                    if split in tars:
                        tars[split].close()
                    tars[split] = stack.enter_context(tarfile.open(to / f"{split}-{shard:05d}.tar", "w"))
                seen[split] += 1
                told = {"label": row["label"], "origin": row["row_origin"], "soft_label": dict(row["soft_label"] or [])}
                _add(tars[split], f"{row['row_id']}.{_suffix(config)}", row["image"])
                _add(tars[split], f"{row['row_id']}.cls", str(codes.get(row["label"], -1)).encode())
                _add(tars[split], f"{row['row_id']}.json", json.dumps(told, ensure_ascii=False).encode())
            yield batch


KINDS: dict[str, Callable[[Config, Path, Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]] = {
    "folder": _folder,
    "parquet": _parquet,
    "webdataset": _webdataset,
    "csv": _csv,
}


TABLE_KINDS: dict[str, Callable[[Config, Path, Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]] = {
    "csv": _table_csv,
    "parquet": _parquet,
}


EVENT_KINDS: dict[str, Callable[[Config, Path, Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]] = {
    "csv": export_events.as_csv,
    "events": export_events.as_parquet,
    "parquet": _parquet,
}
FUSION_KINDS: dict[str, Callable[[Config, Path, Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]] = {
    "parquet": _parquet,
    "csv": _captions,
}


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """A member without time or owner: the same rows make the same archive."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def _suffix(config: Config) -> str:
    return "jpg" if config.recipe.image.encoding == "jpeg" else "png"


def safe_folder(label: str | None) -> str:
    """A label as the name of one folder: it can neither climb nor hide nor hold a separator, nor be too long."""
    name = quote(label or "unlabelled", safe=" ()+,-=@[]_")
    if len(name) > MAX_FOLDER_NAME:
        name = f"{name[:MAX_FOLDER_NAME]}-{runs.digest_of(label)}"
    return f"%2E{name[1:]}" if name.startswith(".") else name


def safe_cell(value: Any) -> str:
    """A CSV cell that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
