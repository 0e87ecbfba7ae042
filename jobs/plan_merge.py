"""What a merge would change, told without an engine: for `--dry-run`.

Reads ids and hashes alone, of the staged rows and of the table. Beyond `MAX_ROWS` rows it says so instead of reading.
"""

from __future__ import annotations

from typing import Any

import pyarrow.dataset as ds
from pyarrow import fs

from conf import Config, runs
from conf.runs import Place
from udfs.records import DATASET_SPLITS

MAX_ROWS = 5_000_000
_COLUMNS = ["row_id", "row_hash"]


def expected_changes(config: Config, place: Place) -> dict[str, Any]:
    """`{"insert": n, "update": n, "delete": n}`, or why it cannot be told."""
    if "/" not in config.tables:
        return {"rows": "known after merge (the table lies in a metastore)"}
    wanted = _wanted(config, place)
    present = _present(f"{config.tables}/{config.recipe.name}/dataset")
    if wanted is None or present is None:
        return {"rows": f"known after merge (more than {MAX_ROWS:,} rows)"}
    shared = wanted.keys() & present.keys()
    return {
        "insert": len(wanted) - len(shared),
        "update": sum(wanted[row] != present[row] for row in shared),
        "delete": len(present) - len(shared),
    }


def _wanted(config: Config, place: Place) -> dict[str, str] | None:
    """Hash by id of the rows that the merge is to leave in the table."""
    folders = []
    if config.recipe.publish == "all":
        folders += [f"{runs.real_in(place).folder}/rows/row_split={split}" for split in DATASET_SPLITS]
    if "gate" in place.inputs:
        folders.append(f"{place.inputs['gate'].folder}/accepted")
    found: dict[str, str] = {}
    for folder in folders:
        rows = _read(folder)
        if rows is None or len(found) + len(rows) > MAX_ROWS:
            return None
        found.update(rows)
    return found


def _read(folder: str) -> dict[str, str] | None:
    """Hash by id of one Parquet folder; nothing where it is not there."""
    system, path = runs.filesystem(folder)
    if system.get_file_info(path).type == fs.FileType.NotFound:
        return {}
    dataset = ds.dataset(path, format="parquet", filesystem=system)
    if dataset.count_rows() > MAX_ROWS:
        return None
    return _by_id(dataset.to_table(columns=_COLUMNS)) if "row_id" in dataset.schema.names else {}


def _present(table: str) -> dict[str, str] | None:
    """Hash by id of the table as it is; nothing where there is none yet."""
    from deltalake import DeltaTable

    if not DeltaTable.is_deltatable(table):
        return {}
    dataset = DeltaTable(table).to_pyarrow_dataset()
    return None if dataset.count_rows() > MAX_ROWS else _by_id(dataset.to_table(columns=_COLUMNS))


def _by_id(table: Any) -> dict[str, str]:
    return dict(zip(table["row_id"].to_pylist(), table["row_hash"].to_pylist(), strict=True))
