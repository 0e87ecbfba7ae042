"""What the stages before gate and merge leave on disk, made up in milliseconds: small, and known to the last row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from conf import Config, runs
from conf.runs import Done, StageResult
from udfs import records

SCHEMA = records.image_schema()
REFUSED = records.refused_schema(SCHEMA)
LABELS = ("0", "1", "2")


def image(number: int, size: int = 8) -> bytes:
    """A PNG like no other."""
    return cv2.imencode(".png", np.random.default_rng(number).integers(0, 256, (size, size), np.uint8))[1].tobytes()


def real(start: int, stop: int, split: str = "train", **more: Any) -> list[dict[str, Any]]:
    """Real rows by number, labels in turn."""
    return [
        {
            "row_id": records.real_id("sklearn", str(number).encode()),
            "row_origin": "real",
            "row_split": split,
            "row_source": f"made up#{number}",
            "row_label_source": "given",
            "label": LABELS[number % len(LABELS)],
            "image": image(number),
            **more,
        }
        for number in range(start, stop)
    ]


def made(origin: str, maker: str, count: int) -> list[dict[str, Any]]:
    """Staged rows of one maker."""
    ids = [records.maker(origin, maker) + records.which(number) for number in range(count)]
    source = "inherited" if origin == "augmented" else "generator"
    return [
        {**row, "row_id": ids[place], "row_origin": origin, "row_label_source": source}
        for place, row in enumerate(real(1000, 1000 + count))
    ]


def refused(stage: str, rows: list[dict[str, Any]], reason: str) -> list[dict[str, Any]]:
    """Rows as refused by a stage."""
    return [{**row, "row_stage": stage, "row_reason": reason} for row in rows]


def write(folder: str, rows: list[dict[str, Any]], schema: pa.Schema = SCHEMA) -> str:
    """Write whole rows, with their hashes, as Parquet; returns their digest."""
    columns = {name: pa.array([row.get(name) for row in rows], schema.field(name).type) for name in schema.names}
    table = records.conform(records.with_hashes(pa.table(columns)), schema)
    Path(folder).mkdir(parents=True, exist_ok=True)
    pq.write_table(table, f"{folder}/part-0.parquet")
    return runs.digest(len(rows), sum(int(each, 16) for each in table.column("row_hash").to_pylist()))


def finish(config: Config, stage: str, counts: dict[str, Any], outputs: dict[str, str], part: str = "") -> Done:
    """Mark a stage done."""
    return runs.finish(runs.locate(config, stage, part), StageResult(counts, outputs), 0.0)


def ingested(config: Config, gone: list[dict[str, Any]] | None = None, token: str = "1") -> None:
    """Ingest, which refused `gone`."""
    folder = runs.locate(config, "ingest").folder
    rows = refused("ingest", gone or [], "image_truncated")
    reasons = {"image_truncated": len(rows)} if rows else {}
    found = {"rows": token, "refused": write(f"{folder}/refused", rows, REFUSED)}
    finish(config, "ingest", {"sources": {"sklearn": {"refused": reasons}}}, found)


def cleaned(config: Config, rows: list[dict[str, Any]], gone: list[dict[str, Any]] | None = None) -> None:
    """Clean, which kept `rows` and refused `gone`."""
    folder = runs.locate(config, "clean").folder
    splits = {split: [row for row in rows if row["row_split"] == split] for split in records.SPLITS}
    outputs = {split: write(f"{folder}/rows/row_split={split}", some) for split, some in splits.items() if some}
    outputs = {**dict.fromkeys(records.SPLITS, runs.digest(0, 0)), **outputs}
    refusal = refused("clean", gone or [], "blank")
    outputs["refused"] = write(f"{folder}/refused", refusal, REFUSED)
    labels = {
        split: {label: sum(row["label"] == label for row in some) for label in LABELS}
        for split, some in splits.items()
        if some
    }
    finish(config, "clean", {"refused": {"blank": len(refusal)} if refusal else {}, "splits": labels}, outputs)


def staged(config: Config, key: str, rows: list[dict[str, Any]]) -> None:
    """`augment`, or `sample.<generator>` with the training before it."""
    stage, _, part = key.partition(".")
    if part:
        finish(config, "train", {}, {"checkpoint": f"checkpoint of {part}"}, part)
    place = runs.locate(config, stage, part)
    digest = write(f"{place.folder}/rows", rows)
    finish(config, stage, {"planned": len(rows), "staged": len(rows), "copies": 1}, {"rows": digest}, part)


def scored(config: Config, verdicts: list[dict[str, Any]], useful: dict[str, Any]) -> None:
    """Score, with these verdicts by row and by maker."""
    place = runs.locate(config, "score")
    Path(place.folder, "verdicts").mkdir(parents=True)
    kinds = {"agreement": pa.float64(), "distance_ratio": pa.float64(), "predicted": pa.string()}
    kinds |= {"row_id": pa.string(), "nearest_id": pa.string(), "nearest_distance": pa.float64()}
    kinds |= dict.fromkeys(("is_copy", "is_far", "is_unreadable"), pa.bool_())
    columns = {name: pa.array([each.get(name) for each in verdicts], kind) for name, kind in kinds.items()}
    pq.write_table(pa.table(columns), f"{place.folder}/verdicts/part.parquet")
    runs.write_json(place.folder, "usefulness.json", useful)
    finish(config, "score", {}, {"verdicts": runs.digest_of(verdicts), "usefulness": runs.digest_of(useful)})


def verdict(row: dict[str, Any], **said: Any) -> dict[str, Any]:
    """A verdict that nothing speaks against, but what is `said`."""
    fine = {"agreement": 0.9, "predicted": row["label"], "nearest_id": "a" * 40, "nearest_distance": 9.0}
    fine |= {"distance_ratio": 1.0, "is_copy": False, "is_far": False, "is_unreadable": False}
    return {"row_id": row["row_id"], **fine, **said}
