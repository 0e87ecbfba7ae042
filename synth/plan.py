"""Which rows a generator is asked for: so many of each label, in shards of whole blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from conf.errors import RecipeError
from conf.schema import Rows
from synth.models import SAMPLE_BLOCK


@dataclass(frozen=True)
class Piece:
    """Rows `start` to `stop` of a label."""

    label: str
    start: int
    stop: int


@dataclass(frozen=True)
class Shard:
    """The rows of one staged file."""

    number: int
    pieces: tuple[Piece, ...]

    @property
    def name(self) -> str:
        """The file's name, derived and never drawn."""
        return f"shard-{self.number:05d}.parquet"

    @property
    def rows(self) -> int:
        """How many rows the file holds."""
        return sum(piece.stop - piece.start for piece in self.pieces)


def rows_per_label(rows: Rows, train: Mapping[str, int]) -> dict[str, int]:
    """How many rows of each label a recipe's plan means, given the train rows of each label.

    `per_label` counts; `balance: majority` fills every label up to the largest; `factor` multiplies each; `like:
    train` keeps the labels' shares, of `total` rows or of as many as there are train rows. Raises RecipeError for a
    label without train rows.
    """
    if rows.per_label is not None:
        wanted = rows.per_label if isinstance(rows.per_label, dict) else dict.fromkeys(train, rows.per_label)
        plan = {label: wanted.get(label, 0) for label in train}
    elif rows.balance is not None:
        plan = {label: max(train.values()) - count for label, count in train.items()}
    elif rows.factor is not None:
        plan = {label: round(rows.factor * count) for label, count in train.items()}
    else:
        plan = _in_shares(sum(train.values()) if rows.total is None else rows.total, train)
    for label, count in plan.items():
        if count and not train[label]:
            raise RecipeError(
                f"the plan wants {count} rows of {label!r}, of which there are no train rows to learn from: "
                "add some, or plan none of it with rows.per_label."
            )
    return plan


def _in_shares(total: int, train: Mapping[str, int]) -> dict[str, int]:
    """`total` in the labels' shares; what rounding leaves goes to the largest remainders (Hamilton's method)."""
    whole = sum(train.values())
    if whole == 0:
        return dict.fromkeys(train, 0)
    plan = {label: total * count // whole for label, count in train.items()}
    by_remainder = sorted(train, key=lambda label: (-(total * train[label] % whole), label))
    for label in by_remainder[: total - sum(plan.values())]:
        plan[label] += 1
    return plan


def shards(plan: Mapping[str, int], shard_rows: int, block: int = SAMPLE_BLOCK) -> list[Shard]:
    """The plan's rows in files of about `shard_rows`, each of whole blocks, so that no block is computed twice."""
    found: list[Shard] = []
    pieces: list[Piece] = []
    size = 0
    for piece in _blocks(plan, block):
        pieces = _joined(pieces, piece)
        size += piece.stop - piece.start
        if size >= shard_rows:
            found.append(Shard(len(found), tuple(pieces)))
            pieces, size = [], 0
    return [*found, Shard(len(found), tuple(pieces))] if pieces else found


def _blocks(plan: Mapping[str, int], block: int) -> Iterator[Piece]:
    for label, count in plan.items():
        for start in range(0, count, block):
            yield Piece(label, start, min(start + block, count))


def _joined(pieces: list[Piece], piece: Piece) -> list[Piece]:
    """The pieces with one more, neighbours joined."""
    if pieces and pieces[-1].label == piece.label:
        return [*pieces[:-1], Piece(piece.label, pieces[-1].start, piece.stop)]
    return [*pieces, piece]
