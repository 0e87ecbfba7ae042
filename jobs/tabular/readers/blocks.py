"""Windows as blocks of lines, empty lines between them: the label first, then a line of numbers for each step.

Numbers stand apart by blanks, tabs or commas. A file is one piece, read line by line. A block of another number of
lines or cells, or with a cell that is no number, is refused by itself, with its first line that is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from jobs.readers.record import Piece, Reading, Record, fingerprint, refused
from jobs.tabular import files
from jobs.tabular.cells import Cells
from jobs.tabular.lines import DAMAGE, Line, lines
from jobs.tabular.readers.ts import BATCH_ROWS, cells_of
from udfs.series.windows import number_of, written

_APART = re.compile(r"[\s,]+")
_SHOWN = 60


def pieces(task: Reading) -> Iterator[Piece]:
    """One for each file."""
    for file in files.found(task):
        yield {"path": file.path, "member": file.member, "bytes": file.size}


def read(task: Reading, piece: Piece) -> Iterator[Cells | list[Record]]:
    """The windows of one file."""
    path = piece["path"]
    file = files.File(path, piece["bytes"], path, piece["member"])
    held, bad = list[tuple[str, str | None, str]](), list[Record]()
    try:
        with files.opened(task, file) as stream:
            for block in _blocks(lines(stream), task.window[0] + 2):
                found = _window(task, block, path)
                if isinstance(found, Record):
                    bad.append(found)
                else:
                    held.append((*found, f"{path}#{block[0].number}"))
                if len(held) >= BATCH_ROWS:
                    yield cells_of(held)
                    held = []
    except DAMAGE as error:
        bad.append(refused(f"{path}#damage", "file_unreadable", f"cannot be read on: {str(error)[:300]}"))
    yield cells_of(held)
    yield bad


def _blocks(read_lines: Iterator[Line], most: int) -> Iterator[list[Line]]:
    """Runs of lines that hold something, `most` lines of each at most."""
    block: list[Line] = []
    for line in read_lines:
        if line.text.strip():
            if len(block) < most:
                block.append(line)
        elif block:
            yield block
            block = []
    if block:
        yield block


def _window(task: Reading, block: list[Line], path: str) -> tuple[str, str | None] | Record:
    """(numbers as text, label) of a block, or its refusal."""
    steps, channels = task.window
    label, *rest = block
    if len(rest) != steps:
        found = f"more than {steps}" if len(rest) > steps else str(len(rest))
        return _refused(path, block, label, "wrong_length", f"{found} lines of numbers, the recipe has {steps}")
    values: list[float] = []
    for line in rest:
        cells = _APART.split(line.text.strip())
        if len(cells) != channels:
            return _refused(path, block, line, "wrong_channels", f"{len(cells)} numbers, the recipe has {channels}")
        try:
            values += map(number_of, cells)
        except ValueError:
            return _refused(path, block, line, "not_numbers", "holds what is no number")
    return written(values), label.text.strip()


def _refused(path: str, block: list[Line], line: Line, reason: str, detail: str) -> Record:
    shown = f"line {line.number}: {detail}: {line.text.strip()[:_SHOWN]!r}"
    content = fingerprint(b"block", *(each.text.strip().encode() for each in block))
    return refused(f"{path}#{block[0].number}", reason, shown, content)
