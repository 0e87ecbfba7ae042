"""Children of rows: each copy by a maker of its own, lineage laid down, steps run on a batch at a time.

A maker's name covers the steps with their options and revisions, the form, the seed and the copy's number. The steps
are compiled ones of any modality, columns those of `udfs/records.py`; plain Arrow, so that Spark's workers and Ray's
make the same rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from udfs import records
from udfs.behaviour.compiled import CompiledBehaviour
from udfs.fusion.compiled import CompiledFusion
from udfs.series.compiled import CompiledSeries
from udfs.steps import Compiled
from udfs.table.compiled import CompiledTable
from udfs.text.compiled import CompiledText

AnyCompiled = Compiled | CompiledTable | CompiledText | CompiledSeries | CompiledBehaviour | CompiledFusion

# What a child has of its own, whatever its parents' say; parents may come without these columns.
LAID_DOWN = frozenset(
    {"row_origin", "row_parents", "row_split", "row_source", "row_label_source", "row_flags", "row_hash"}
)


def makers(compiled: AnyCompiled, seed: int, copies: int) -> list[str]:
    """The maker of each copy, the first one's first. What statistics the steps use is part of what they are."""
    return [records.maker("augmented", compiled.identity, "", seed, copy) for copy in range(1, copies + 1)]


@dataclass(frozen=True)
class Children:
    """A batch of parents to the rows of all their copies."""

    compiled: AnyCompiled
    makers: tuple[str, ...]
    seed: int
    schema: pa.Schema
    most: int
    partner_types: dict[str, pa.DataType]
    copies: int | dict[str, int]
    label: str = "label"

    def __call__(self, parents: pa.RecordBatch) -> Iterator[pa.Table]:
        """The children, at most about `most` at a time."""
        copies = max(1, self.most // parents.num_rows)
        for start in range(0, len(self.makers), copies):
            numbers = range(start + 1, min(start + copies, len(self.makers)) + 1)
            drafts = [self._draft(self._with_copy(parents, copy), copy) for copy in numbers]
            batch = pa.Table.from_batches(drafts).combine_chunks()
            for whole in batch.to_batches():
                made = pa.Table.from_batches([self.compiled(whole, self.seed)])
                if "soft_label" not in self.schema.names and "soft_label" in made.schema.names:
                    made = made.drop_columns("soft_label")  # rows of tables keep the label of the larger share
                yield records.with_hashes(records.conform(made, self.schema))

    def _with_copy(self, parents: pa.RecordBatch, copy: int) -> pa.RecordBatch:
        """The parents whose label has so many copies."""
        if isinstance(self.copies, int):
            return parents
        labels = parents.column(self.label).cast(pa.string()).to_pylist()
        return parents.filter(pa.array([self.copies.get(label, 0) >= copy for label in labels], pa.bool_()))

    def _draft(self, parents: pa.RecordBatch, copy: int) -> pa.RecordBatch:
        """One copy's children before the steps: their ids and lineage, their parents' payload."""
        ids = parents.column("row_id").to_pylist()
        size = len(ids)
        kept = [name for name in self.schema.names if name in parents.schema.names and name not in LAID_DOWN]
        columns: dict[str, Any] = {name: parents.column(name) for name in kept}
        columns |= {
            "row_id": pa.array(records.child_ids(self.makers[copy - 1], ids), pa.string()),
            "row_origin": pa.array(["augmented"] * size, pa.string()),
            "row_parents": pa.array([[parent] for parent in ids], pa.list_(pa.string())),
            "row_split": pa.array(["train"] * size, pa.string()),
            "row_source": pa.array([self._told(copy)] * size, pa.string()),
            "row_label_source": pa.array(["inherited"] * size, pa.string()),
            "row_flags": pa.nulls(size, pa.list_(pa.string())),
            "row_hash": pa.nulls(size, pa.string()),
        }
        if self.compiled.needs_partners:
            columns |= self._partners(parents.column("partners").to_pylist(), copy)
        return pa.RecordBatch.from_pydict(columns)

    def _told(self, copy: int) -> str:
        """What `row_source` says."""
        return f"copy {copy} of {' > '.join(step.name for step in self.compiled.steps)}"

    def _partners(self, lists: list[list[dict[str, Any]] | None], copy: int) -> dict[str, pa.Array]:
        """The partner columns of one copy, null where a child has none."""
        own = [next((each for each in some or [] if each["copy"] == copy), None) for some in lists]
        return {
            name: pa.array([each and each[name] for each in own], kind) for name, kind in self.partner_types.items()
        }
