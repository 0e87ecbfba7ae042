"""Children of parents that are at hand as one table: what augment makes with Spark, partners included, in plain Arrow.

What a modality does of its own lies in `udfs/<modality>/family.py`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from udfs import records
from udfs.children import AnyCompiled, Children, makers
from udfs.pairing import BY_VIEW, PAIRS, Chooser


def family_of(recipe: Any) -> ModuleType:
    """The module of a recipe's modality."""
    return importlib.import_module(f"udfs.{recipe.modality}.family")


def children_of(parents: pa.Table, recipe: Any, steps: AnyCompiled, copies: int | dict[str, int]) -> Iterator[pa.Table]:
    """All copies of all parents, some rows at a time; partners come from among the parents."""
    family, schema = family_of(recipe), records.row_schema(recipe)
    most = max(copies.values()) if isinstance(copies, dict) else copies
    named = tuple(makers(steps, recipe.seed, most))
    rows = parents
    if steps.needs_partners:
        rows = _with_partners(parents, _pairs(parents, steps, family, named, recipe.seed), steps, family)
    size, types, label = family.call_rows(steps), family.partner_types(steps), family.label_name(steps)
    make = Children(steps, named, recipe.seed, schema, size, types, copies, label)
    for batch in rows.combine_chunks().to_batches(max_chunksize=max(1, size // most)):
        yield from make(batch)


def _pairs(parents: pa.Table, steps: AnyCompiled, family: ModuleType, named: tuple[str, ...], seed: int) -> pa.Table:
    """The pairs of all children that want a partner, as PAIRS has them."""
    (kind,) = steps.needs_partners
    chooser = Chooser(steps, named, seed, kind)
    told = pa.table({"row_id": parents.column("row_id"), "label": family.labels(parents, steps)})
    asked = family.views(parents, steps) if kind in BY_VIEW else told
    if kind in ("any", "borderline"):
        return chooser(asked)
    groups = [asked.filter(pc.equal(asked.column("label"), label)) for label in pc.unique(asked.column("label"))]
    return pa.concat_tables([PAIRS.empty_table(), *map(chooser, groups)])


def _with_partners(parents: pa.Table, pairs: pa.Table, steps: AnyCompiled, family: ModuleType) -> pa.Table:
    """Parents with the column `partners`: for each copy that has one its number, and what the partner hands over."""
    types = family.partner_types(steps)
    handed = family.handed(parents, steps)
    place = {row_id: at for at, row_id in enumerate(parents.column("row_id").to_pylist())}
    lists: dict[str, list[Mapping[str, Any]]] = {row_id: [] for row_id in place}
    for pair in pairs.to_pylist():
        at = place[pair["partner_id"]]
        lists[pair["row_id"]].append({"copy": pair["copy"], **{name: handed[name][at] for name in types}})
    each = pa.struct([pa.field("copy", pa.int32()), *(pa.field(name, kind) for name, kind in types.items())])
    return parents.append_column("partners", pa.array(list(lists.values()), pa.list_(each)))
