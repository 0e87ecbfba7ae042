"""Which rows of a set stem from one another, so that judges never learn from what they are asked."""

from __future__ import annotations

import pyarrow as pa

from synth.arms import groups_of


def test_a_mismatch_stands_with_the_rows_of_its_picture():
    """Two captions of one picture are a group, and so is the mismatch of either; a lone picture has its own."""
    rows = [
        {"row_id": "a1", "row_group": "A", "row_parents": None},
        {"row_id": "a2", "row_group": "A", "row_parents": None},
        {"row_id": "m1", "row_group": "A", "row_parents": ["a1", "b"]},
        {"row_id": "b", "row_group": None, "row_parents": None},
        {"row_id": "m2", "row_group": "b", "row_parents": ["b", "a2"]},
        {"row_id": "child of m1", "row_group": None, "row_parents": ["m1"]},
        {"row_id": "child of b", "row_group": None, "row_parents": ["b"]},
    ]
    table = pa.Table.from_pylist(rows)
    real = groups_of(table.slice(0, 5), {})
    groups = groups_of(table, dict(zip(table.column("row_id").to_pylist()[:5], real.tolist(), strict=True))).tolist()
    assert len({*groups[:3], groups[5]}) == 1 and len({*groups[3:5], groups[6]}) == 1 and groups[0] != groups[3]
