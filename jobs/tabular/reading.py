"""All cells of a table read in Spark, in the steps of `parse.py`.

Each step is a column of its own: an expression that is written out wherever it is used makes plans that take longer to
compile than rows take to read, and reads a cell more than once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from jobs.tabular import parse
from jobs.tabular.columns import text_column
from jobs.tabular.parse import Parsing

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import DataType


def with_texts(raw: DataFrame, how: Sequence[Parsing], kept: Sequence[str]) -> DataFrame:
    """The columns `kept`, and every cell's text, trimmed, in its case, renamed: `row_text_<name>`."""
    from pyspark.sql import functions as F

    trimmed = [parse.trimmed(F.col(each.name), each).alias(each.name) for each in how]
    told = [parse.text(F.col(each.name), each).alias(text_column(each.name)) for each in how]
    return raw.select(*kept, *trimmed).select(*kept, *told)


def with_values(texts: DataFrame, how: Sequence[Parsing], kinds: Mapping[str, DataType]) -> DataFrame:
    """Texts read as columns of the declared types `kinds`, by name; null where that cannot be."""
    from pyspark.sql import functions as F

    said = {each.name: each.said for each in how}
    text = {name: F.col(text_column(name)) for name in said}
    read = {name: parse.read_whole(text[name], of) for name, of in said.items()}
    whole = {name: None if column is None else _step("whole", name) for name, column in read.items()}
    steps: list[dict[str, Column]] = [
        {f"row_whole_{name}": column for name, column in read.items() if column is not None},
        {f"row_first_{name}": parse.first_read(text[name], whole[name], of) for name, of in said.items()},
        {f"row_checked_{name}": parse.checked(_step("first", name), text[name], of) for name, of in said.items()},
        {
            name: parse.typed(_step("checked", name), text[name], whole[name], of).cast(kinds[name])
            for name, of in said.items()
        },
    ]
    for step in steps:
        texts = texts.withColumns(step) if step else texts
    return texts


def _step(step: str, name: str) -> Column:
    from pyspark.sql import functions as F

    return F.col(f"row_{step}_{name}")
