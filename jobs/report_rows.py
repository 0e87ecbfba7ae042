"""Which rows the report shows: a bounded choice by hash, read from Parquet, so that every run shows the same ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyarrow import fs

from conf import runs
from udfs.records import MAKER_HEX

_LINEAGE = ("row_id", "row_origin", "row_parents", "row_source", "row_label_source", "row_label_confidence")


@dataclass(frozen=True)
class Payload:
    """Which columns a row is shown by, its label among them."""

    label: str
    columns: tuple[str, ...]


IMAGES = Payload("label", ("label", "image"))


@dataclass(frozen=True)
class Shown:
    """A row that the report shows. `label` is "" where it has none; `image` is encoded, or None; `cells` by column."""

    id: str
    origin: str
    label: str
    parents: tuple[str, ...]
    source: str
    label_source: str
    image: bytes | None
    reason: str = ""
    detail: str = ""
    cells: Mapping[str, Any] = field(default_factory=dict)


def opened(folder: str) -> ds.Dataset | None:
    """The Parquet folder as a dataset, None where it is missing or empty."""
    system, path = runs.filesystem(folder)
    if system.get_file_info(path).type != fs.FileType.Directory:
        return None
    found = ds.dataset(path, format="parquet", filesystem=system, partitioning=None)
    return found if found.files else None


def chosen(
    folder: str, per_group: int, by: tuple[str, ...] = ("row_origin", "label"), payload: Payload = IMAGES
) -> list[Shown]:
    """At most `per_group` rows of each value of `by`: those of the lowest hash, whatever lies in which file."""
    dataset = opened(folder)
    if dataset is None:
        return []
    best = pd.DataFrame(columns=["row_id", *by])
    for batch in dataset.to_batches(columns=["row_id", *by]):
        best = _lowest(pd.concat([best, batch.to_pandas()]) if len(best) else batch.to_pandas(), per_group, by)
    return by_id([folder], best["row_id"].tolist(), payload)


def _lowest(rows: pd.DataFrame, per_group: int, by: tuple[str, ...]) -> pd.DataFrame:
    """The `per_group` rows of each group whose id's second part is lowest: any maker's rows alike, of children one of
    each parent.
    """
    told = rows.assign(which=rows["row_id"].str[MAKER_HEX:]).sort_values(["which", "row_id"])
    alone = told.drop_duplicates(["which", *by]).drop(columns="which")
    return alone.groupby(list(by), dropna=False, sort=False).head(per_group)


def by_id(folders: Iterable[str], ids: list[str], payload: Payload = IMAGES) -> list[Shown]:
    """The rows of these ids, in this order, from whichever of the folders has them; unknown ids are left out."""
    found: dict[str, Shown] = {}
    for folder in folders:
        dataset = opened(folder)
        if dataset is None or not ids:
            continue
        wanted = (*_LINEAGE, *payload.columns, "row_reason", "row_detail")
        columns = [name for name in wanted if name in dataset.schema.names]
        table = dataset.to_table(columns=columns, filter=pc.field("row_id").isin(pa.array(ids, pa.string())))
        found.update((row["row_id"], _shown(row, payload)) for row in table.to_pylist())
    return [found[each] for each in ids if each in found]


def _shown(row: dict[str, Any], payload: Payload) -> Shown:
    label = row.get(payload.label)
    return Shown(
        id=row["row_id"],
        origin=row.get("row_origin") or "",
        label="" if label is None else str(label),
        parents=tuple(row.get("row_parents") or ()),
        source=row.get("row_source") or "",
        label_source=row.get("row_label_source") or "",
        image=row.get("image"),
        reason=row.get("row_reason") or "",
        detail=row.get("row_detail") or "",
        cells={name: row.get(name) for name in payload.columns if name != "image"},
    )


def grouped(rows: Iterable[Shown], key: str) -> dict[str, list[Shown]]:
    """The rows by one of their fields."""
    groups: dict[str, list[Shown]] = defaultdict(list)
    for row in rows:
        groups[getattr(row, key)].append(row)
    return dict(groups)


def counts(folder: str, label: str = "label") -> dict[str, dict[str, int]]:
    """Rows by origin and label."""
    dataset = opened(folder)
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for batch in dataset.to_batches(columns=["row_origin", label]) if dataset else []:
        sums = (
            pa.table(batch.columns, names=["origin", "label"])
            .group_by(["origin", "label"])
            .aggregate([([], "count_all")])
        )
        for row in sums.to_pylist():
            found[row["origin"]]["" if row["label"] is None else str(row["label"])] += row["count_all"]
    return {origin: dict(labels) for origin, labels in found.items()}


@dataclass(frozen=True)
class Neighbour:
    """A made row, its nearest train row, and their distance as a share of what is usual between real rows."""

    row: Shown
    nearest: Shown
    ratio: float


def neighbours(verdicts: str, rows: list[Shown], train: str, payload: Payload = IMAGES) -> list[Neighbour]:
    """The nearest train row of each of `rows`, nearest pair first."""
    dataset = opened(verdicts)
    if dataset is None or not rows:
        return []
    wanted = pc.field("row_id").isin(pa.array([row.id for row in rows], pa.string()))
    table = dataset.to_table(columns=["row_id", "nearest_id", "distance_ratio"], filter=wanted)
    told = {row["row_id"]: row for row in table.to_pylist() if row["nearest_id"] and row["distance_ratio"] is not None}
    nearest = {row.id: row for row in by_id([train], sorted({each["nearest_id"] for each in told.values()}), payload)}
    pairs = [
        Neighbour(row, nearest[told[row.id]["nearest_id"]], told[row.id]["distance_ratio"])
        for row in rows
        if row.id in told and told[row.id]["nearest_id"] in nearest
    ]
    return sorted(pairs, key=lambda pair: (pair.ratio, pair.row.id))


def closest(verdicts: str, accepted: str, count: int) -> list[str]:
    """Ids of the accepted synthetic rows that lie nearest to a train row."""
    judged, kept = opened(verdicts), opened(accepted)
    if judged is None or kept is None:
        return []
    best = pd.DataFrame(columns=["row_id", "distance_ratio"])
    for batch in kept.to_batches(columns=["row_id"], filter=pc.field("row_origin") == "synthetic"):
        told = judged.to_table(
            columns=["row_id", "distance_ratio"], filter=pc.field("row_id").isin(batch.column(0))
        ).to_pandas()
        best = (pd.concat([best, told]) if len(best) else told).sort_values(["distance_ratio", "row_id"]).head(count)
    return best["row_id"].tolist()
