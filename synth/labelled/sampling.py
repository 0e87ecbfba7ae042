"""Which rows of one payload and a label a recipe asks for; who makes them lies in the modality's `sampling`."""

from __future__ import annotations

import pyarrow as pa

from conf import Config
from conf.errors import RecipeError
from conf.schema import Generate
from synth.encode import counts, read_rows, to_codes
from synth.plan import rows_per_label


def planned(config: Config, generator: Generate, folder: str) -> dict[str, int]:
    """Rows of each label, by the plan and the train rows in `folder`; all of label "" where rows have none.

    Raises RecipeError for a plan of tables alone.
    """
    if generator.rows.hard is not None:
        raise RecipeError(f"generate {generator.name}: rows.hard goes with tables: say per_label, factor or balance.")
    labels = config.recipe.labels
    rows = read_rows(folder, ["label"] if labels else [])
    return rows_per_label(generator.rows, counts(to_codes(rows, labels), labels) if labels else {"": rows.num_rows})


def near(config: Config, generator: Generate, checkpoint: str, real: str, folder: str) -> tuple[str, str]:
    """No file, as rows are not made near single ones, and what a maker's name says of the rows' conditions."""
    return "", generator.rows.where or ""


def shard_rows(config: Config) -> int:
    """About how many rows a staged file has."""
    return config.runtime.sample.shard_rows


def repeated(table: pa.Table) -> list[str]:
    """Columns of few values, which files hold as dictionaries."""
    return ["row_origin", "row_split", "row_label_source", "label"]
