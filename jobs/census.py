"""What rows there are, without their payload: per maker their number and the sum of their hashes.

Two sets of rows are taken as equal where every maker's number and sum agree. Sums do not depend on order or
partitioning. A census of a Parquet folder is kept in it, tied to its files, so that the next merge of an unchanged
folder reads no rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyarrow import fs

from conf import runs
from conf.errors import StageError
from udfs.records import MAKER_HEX

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

FILE = "_census.json"  # Parquet readers pass over names that begin with _
PARTS = ("row_origin", "row_split", "row_stage")


@dataclass(frozen=True)
class Group:
    """Rows of one maker, of one origin, split and (where refused) stage."""

    row_origin: str
    row_split: str
    row_stage: str
    maker: str


Census = dict[Group, tuple[int, int]]  # rows, and the sum of their hashes modulo 2^64


def census(rows: DataFrame) -> Census:
    """The census of rows, counted. Raises StageError for an id that two rows have, or a row without id or hash."""
    from pyspark.sql import functions as F

    word = F.xxhash64("row_hash")  # of the hash again: Spark cannot add up hex digits fast
    halves = [F.sum(word.bitwiseAND(0xFFFFFFFF)), F.sum(F.shiftrightunsigned(word, 32))]
    parts = [F.col(part) if part in rows.columns else F.lit(None).alias(part) for part in PARTS]
    by = [F.coalesce(part, F.lit("")) for part in parts]
    unset = F.count_if(F.col("row_hash").isNull() | (F.length("row_id") <= MAKER_HEX) | F.col("row_id").isNull())
    found = rows.groupBy(*by, F.substring("row_id", 1, MAKER_HEX)).agg(F.count("*"), *halves, unset).collect()
    if any(row[7] for row in found):
        raise StageError("there are rows without row_id or row_hash.")
    return {Group(*row[:4]): (row[4], (row[5] + (row[6] << 32)) % runs.HASH_MODULUS) for row in found}


def refuse_doubles(rows: DataFrame) -> None:
    """Raise StageError where two rows have one id (and stage). Ids are told apart by a hash first, which is quick."""
    from pyspark.sql import functions as F

    keys = [name for name in ("row_id", "row_stage") if name in rows.columns]
    word = F.xxhash64(*keys)
    doubled = rows.groupBy(word.alias("word")).agg(F.count("*").alias("n")).where("n > 1").limit(1000).collect()
    if not doubled:
        return
    suspects = rows.where(word.isin([row["word"] for row in doubled]))
    wrong = suspects.groupBy(*keys).agg(F.count("*").alias("n")).where("n > 1").head()
    if wrong is not None:
        raise StageError(f"{wrong['n']} rows have the id {wrong['row_id']}; an id stands for one row.")


def census_of(folders: Iterable[str], read: Callable[[list[str]], DataFrame]) -> Census:
    """The census of Parquet folders together; those that have none yet are counted and keep theirs.

    Raises StageError where an id comes twice, within a folder or between them.
    """
    folders = list(folders)
    found = [_of_folder(folder, read) for folder in folders]
    if len({group.maker for each in found for group in each}) < sum(len({g.maker for g in each}) for each in found):
        refuse_doubles(read(folders))
    return added(found)


def added(parts: Iterable[Census]) -> Census:
    """Censuses together."""
    whole: Census = {}
    for part in parts:
        for group, (count, total) in part.items():
            before = whole.get(group, (0, 0))
            whole[group] = (before[0] + count, (before[1] + total) % runs.HASH_MODULUS)
    return whole


def digest(counted: Census, **parts: str) -> str:
    """The digest of all rows, or of those of one origin, split or stage: `digest(c, row_split="train")`."""
    of = [value for group, value in counted.items() if all(getattr(group, k) == v for k, v in parts.items())]
    return runs.digest(sum(count for count, _ in of), sum(total for _, total in of))


def count(counted: Census, **parts: str) -> int:
    """The number of rows, or of those of one origin, split or stage."""
    return sum(n for group, (n, _) in counted.items() if all(getattr(group, k) == v for k, v in parts.items()))


def _of_folder(folder: str, read: Callable[[list[str]], DataFrame]) -> Census:
    files = _files(folder)
    kept = runs.read_json(folder, FILE) if _is_folder(folder) else None
    if kept is not None and kept["files"] == files:
        return {Group(*group): (number, int(total, 16)) for *group, number, total in kept["groups"]}
    rows = read([folder])
    counted = census(rows)
    refuse_doubles(rows)
    if _is_folder(folder):
        runs.write_json(folder, FILE, {"files": files, "groups": _plain(counted)})
    return counted


def _plain(counted: Census) -> list[list[Any]]:
    return sorted([*vars(group).values(), number, f"{total:x}"] for group, (number, total) in counted.items())


def _is_folder(place: str) -> bool:
    system, path = runs.filesystem(place)
    return bool(system.get_file_info(path).type == fs.FileType.Directory)


def _files(folder: str) -> list[list[Any]]:
    """Name, size and time of change of every Parquet file."""
    system, path = runs.filesystem(folder)
    if system.get_file_info(path).type != fs.FileType.Directory:
        return []
    infos = system.get_file_info(fs.FileSelector(path, recursive=True))
    files = [info for info in infos if info.type == fs.FileType.File and info.base_name.endswith(".parquet")]
    return json.loads(json.dumps(sorted([info.path[len(path) :], info.size, info.mtime_ns] for info in files)))
