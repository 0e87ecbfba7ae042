"""The MERGE says no more than it needs, and its id ranges cover every id."""

from __future__ import annotations

import itertools
import random

from jobs.changes import MAX_RANGES, Changes, in_ranges, joined, merge_statement


def statement(inserted: int = 0, updated: int = 0, deleted: int = 0, staged: object = object()) -> str:
    """The MERGE for some changes."""
    changes = Changes([], staged, inserted, updated, deleted, [("aa", "aag")], ["real", "it's"])  # type: ignore[arg-type]
    return merge_statement("delta.`/t`", "v", ["row_id", "image"], changes, "row_origin", False)


def test_only_the_clauses_that_are_needed() -> None:
    """Insert-only merges are appends after an anti-join; merges without inserts need no outer join."""
    assert "WHEN MATCHED" not in statement(inserted=1) and "WHEN NOT MATCHED THEN INSERT" in statement(inserted=1)
    assert "INSERT" not in statement(updated=1, deleted=1)
    assert "WHEN NOT MATCHED AND s.row_op = 'insert' THEN INSERT" in statement(1, 1, 1)
    assert "DELETE" not in statement(1, 1) and "UPDATE" not in statement(1, 0, 1)
    assert "NOT MATCHED BY SOURCE" not in statement(1, 1, 1)


def test_partitions_and_ranges_are_literals() -> None:
    """Files outside them are passed over; quotes in values are escaped."""
    said = statement(1)
    assert "t.`row_origin` IN ('real', 'it\\'s')" in said
    assert "(t.row_id >= 'aa' AND t.row_id <= 'aag')" in said


def test_joined_ranges_cover_all_and_are_few() -> None:
    """However many makers change, the ON clause stays short and leaves none of them out."""
    drawn = random.Random(7)
    for count in (1, 2, MAX_RANGES, MAX_RANGES + 1, 1000):
        makers = {f"{drawn.getrandbits(64):016x}" for _ in range(count)}
        ranges = joined([(maker, f"{maker}g") for maker in makers])
        assert len(ranges) <= MAX_RANGES
        assert ranges == sorted(ranges) and all(a[1] < b[0] for a, b in itertools.pairwise(ranges))
        for maker in makers:
            assert any(first <= f"{maker}{'f' * 24}" <= last and first <= maker for first, last in ranges)


def test_no_range_is_no_condition_to_fail() -> None:
    """One range, one condition."""
    assert in_ranges([("a", "b")], "x") == "((x >= 'a' AND x <= 'b'))"
