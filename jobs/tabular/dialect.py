"""How a CSV is written: its delimiter, whether blanks stand before quotes, its line ends, its names.

Told by its first lines; what the source declares is not guessed.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from jobs.readers.record import Reading
from jobs.tabular.drift import held_name

HEAD_BYTES = 64 << 10
DELIMITERS = (",", ";", "\t", "|")
_LINES = 50
_NO_TEXT = (b"PK\x03\x04", b"PAR1", b"\xd0\xcf\x11\xe0")  # archives and spreadsheets, Parquet, older spreadsheets


@dataclass(frozen=True)
class Dialect:
    """What a reader must know; `skip_blanks`: a quote may stand after blanks; `names`: of all cells of a line."""

    delimiter: str
    quote: str | None
    encoding: str
    skip_blanks: bool
    carriage_returns: bool  # lines end with \r alone
    names: tuple[str, ...]
    has_header: bool = True

    def as_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    @staticmethod
    def of(told: dict[str, Any]) -> Dialect:
        """From plain values."""
        return Dialect(**{**told, "names": tuple(told["names"])})


def detect(task: Reading, head: bytes, where: str) -> Dialect:
    """The dialect of a file that begins with `head`. Raises RecipeError for a file that no dialect fits."""
    source = task.source
    text = _decoded(task, head, where)
    carriage_returns = "\n" not in text and "\r" in text
    lines = _whole_lines(text.replace("\r", "\n") if carriage_returns else text)
    if not lines:
        raise task.error(f"{where} has no line. It needs lines of cells{' below a header' * (source.header is True)}.")
    tried = [source.delimiter] if source.delimiter else list(DELIMITERS)
    declared = {name for name, _ in task.columns} | set(source.columns)
    best = max(tried, key=lambda each: _fitness(lines, each, source.quote, declared, source.header is True))
    skip_blanks = bool(source.quote) and bool(
        re.search(f"{re.escape(best)} +{re.escape(source.quote or '')}", "\n".join(lines))
    )
    names = _names(task, lines, best, skip_blanks, where)
    return Dialect(
        best, source.quote, _plain(source.encoding), skip_blanks, carriage_returns, tuple(names), source.header is True
    )


def cut(line: str, delimiter: str, quote: str | None, skip_blanks: bool) -> list[str]:
    """The cells of one record. Raises csv.Error."""
    stream = io.StringIO(line, newline="")
    if quote is None:
        return next(csv.reader(stream, delimiter=delimiter, quoting=csv.QUOTE_NONE, skipinitialspace=skip_blanks), [])
    return next(csv.reader(stream, delimiter=delimiter, quotechar=quote, skipinitialspace=skip_blanks), [])


def _decoded(task: Reading, head: bytes, where: str) -> str:
    """The head as text; a head that is plainly in another encoding is an error with its mend."""
    encoding = _plain(task.source.encoding)
    if encoding == "utf-8":
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise task.error(f"{where} is UTF-16: say encoding: utf-16.")
        if head.startswith(_NO_TEXT):
            raise task.error(f"{where} is no text, but an archive, spreadsheet or Parquet file: its reader is another.")
    try:
        return head.decode(encoding, "replace").removeprefix("\ufeff")
    except LookupError as error:
        raise task.error(f"encoding: {task.source.encoding} is not known; utf-8, latin-1, cp1252 are.") from error


def _plain(encoding: str) -> str:
    """The encoding's usual name."""
    try:
        found = codecs.lookup(encoding).name
    except LookupError:
        return encoding
    return "utf-8" if found in ("utf-8-sig", "ascii") else found


def _whole_lines(text: str) -> list[str]:
    """The first lines that are not empty; the last one only where the text ends with it."""
    lines = text[: len(text) if len(text) < HEAD_BYTES // 4 else text.rfind("\n") + 1].splitlines()
    return [line for line in lines if line.strip()][:_LINES]


def _fitness(
    lines: Sequence[str], delimiter: str, quote: str | None, declared: set[str], header: bool
) -> tuple[int, float, int]:
    """How well a delimiter fits: known names in the header, lines of one number of cells, cells."""
    sizes: Counter[int] = Counter()
    for line in lines:
        try:
            sizes[len(cut(line, delimiter, quote, True))] += 1
        except csv.Error:
            sizes[0] += 1
    usual, number = sizes.most_common(1)[0]
    known = 0
    if header:
        try:
            known = len({held_name(name) for name in cut(lines[0], delimiter, quote, True)} & declared)
        except csv.Error:
            known = 0
    elif usual == len(declared):
        known = len(declared)
    return known, number / len(lines) if usual > 1 else 0.0, usual


def _names(task: Reading, lines: Sequence[str], delimiter: str, skip_blanks: bool, where: str) -> list[str]:
    """Names of a line's cells: the header's, or the recipe's columns in their order where there is none."""
    try:
        first = cut(lines[0], delimiter, task.source.quote, skip_blanks)
    except csv.Error as error:
        raise task.error(f"{where}: its first line cannot be cut into cells: {error}.") from error
    if task.source.header is True:
        return _distinct(task, [name.strip() for name in first], where)
    declared = task.source.header or [name for name, _ in task.columns]
    if len(first) != len(declared) and task.wide and not task.source.header:
        raise task.error(
            f"{where} has {len(first)} cells in its first line, and label and steps of all channels are"
            f" {len(declared)}: mend series: length or channels; else header: may name every cell of a line, in order."
        )
    if len(first) != len(declared):
        who = "header: names" if task.source.header else "the recipe declares"
        raise task.error(
            f"{where} has {len(first)} cells in its first line, and {who} {len(declared)} columns."
            " Without a header line, header: may name every cell of a line, in order."
        )
    return list(declared)


def _distinct(task: Reading, names: list[str], where: str) -> list[str]:
    """A header's names; cells without a name are numbered. Raises RecipeError for a name that stands twice; numbers may
    where there is no recipe yet, as such a line is no header.
    """
    told = [name or f"column_{place + 1}" for place, name in enumerate(names)]
    doubled = sorted(name for name, count in Counter(told).items() if count > 1)
    doubled = [name for name in doubled if task.columns or not is_number(name)]
    if doubled:
        raise task.error(f"{where} has the column {doubled[0]!r} twice in its header: rename one of them.")
    return told


def is_number(text: str) -> bool:
    """Whether a cell is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
