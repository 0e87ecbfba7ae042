"""The .ts files of the UCR and UEA archives: a window a line, behind lines that tell of all of them.

Behind @data a line has its dimensions apart by `:`, a dimension's values by `,`, and the class last. `?` is missing. A
file is one piece, read line by line: archives' files are small. A line that is no window is refused by itself.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from jobs.readers.record import Piece, Reading, Record, fingerprint, refused
from jobs.tabular import files
from jobs.tabular.cells import Cells
from jobs.tabular.lines import DAMAGE, Line, lines
from udfs.series.windows import number_of, written

HEAD_LINES = 10_000
BATCH_ROWS = 128
_SHOWN = 60
_NO_CLASS = ("false", "")


def pieces(task: Reading) -> Iterator[Piece]:
    """One for each file. Raises RecipeError for a file that says it holds other windows than the recipe's."""
    for file in files.found(task):
        try:
            head = _head(task, file)
        except DAMAGE as error:
            yield {"path": file.path, "bytes": 0, "reason": "file_unreadable", "detail": str(error)[:300]}
            continue
        _check(task, head, file.path)
        classed = head.get("classlabel", "true").split(" ")[0].lower() not in _NO_CLASS
        yield {"path": file.path, "member": file.member, "bytes": file.size, "classed": classed}


def read(task: Reading, piece: Piece) -> Iterator[Cells | list[Record]]:
    """The windows of one file."""
    path = piece["path"]
    if "reason" in piece:
        yield [refused(path, piece["reason"], piece["detail"])]
        return
    file = files.File(path, piece["bytes"], path, piece["member"])
    held, bad = list[tuple[str, str | None, str]](), list[Record]()
    try:
        with files.opened(task, file) as stream:
            for line in _data(lines(stream)):
                found = _window(task, line, path, piece["classed"])
                if isinstance(found, Record):
                    bad.append(found)
                else:
                    held.append((*found, f"{path}#{line.number}"))
                if len(held) >= BATCH_ROWS:
                    yield cells_of(held)
                    held = []
    except DAMAGE as error:
        bad.append(refused(f"{path}#damage", "file_unreadable", f"cannot be read on: {str(error)[:300]}"))
    yield cells_of(held)
    yield bad


def cells_of(rows: list[tuple[str, str | None, str]]) -> Cells:
    """(numbers as text, label, position) of windows as columns."""
    series, labels, places = (pa.array([row[at] for row in rows], pa.string()) for at in range(3))
    return Cells({"series": series, "label": labels}, places)


def _head(task: Reading, file: files.File) -> dict[str, str]:
    """What the `@` lines say, by their names in small letters."""
    told: dict[str, str] = {}
    with files.opened(task, file) as stream:
        for line in lines(stream):
            word, _, rest = line.text.strip().partition(" ")
            if word.lower() == "@data" or line.number > HEAD_LINES:
                return told
            if word.startswith("@"):
                told[word[1:].lower()] = rest.strip()
    raise task.error(f"{file.path} has no line @data: it is no .ts file.")


def _check(task: Reading, head: dict[str, str], where: str) -> None:
    """Raise RecipeError where the head tells of windows that the recipe does not have."""
    steps, channels = task.window
    if head.get("timestamps", "false").lower() == "true":
        raise task.error(f"{where} has time stamps: its windows must be made regular first.")
    univariate = {"dimensions": "1"} if head.get("univariate", "").lower() == "true" else {}
    said = {**univariate, **head}
    for key, wanted, mend in (("dimensions", channels, "channels"), ("serieslength", steps, "length")):
        if said.get(key, "").isdigit() and int(said[key]) != wanted:
            raise task.error(f"{where} says @{key} {said[key]}, and the recipe has {wanted}: mend series: {mend}.")


def _data(read_lines: Iterator[Line]) -> Iterator[Line]:
    """The lines behind @data that hold something."""
    begun = False
    for line in read_lines:
        text = line.text.strip()
        if begun and text and not text.startswith("#"):
            yield line
        begun = begun or text.lower() == "@data"


def _window(task: Reading, line: Line, path: str, classed: bool) -> tuple[str, str | None] | Record:
    """(numbers as text, label) of a line, or its refusal."""
    if line.too_long:
        return _refused(path, line, "line_too_long", "it goes on beyond a million bytes")
    steps, channels = task.window
    parts = line.text.strip().split(":")
    label = parts.pop().strip() or None if classed else None
    if len(parts) != channels:
        return _refused(path, line, "wrong_channels", f"{len(parts)} dimensions, the recipe has {channels}")
    values = []
    for number, part in enumerate(parts, 1):
        cells = part.split(",")
        if len(cells) != steps:
            told = f"dimension {number} has {len(cells)} values, the recipe has {steps}"
            return _refused(path, line, "wrong_length", told)
        try:
            values.append([number_of(cell) for cell in cells])
        except ValueError:
            return _refused(path, line, "not_numbers", f"dimension {number} holds what is no number")
    return written(value for step in zip(*values, strict=True) for value in step), label


def _refused(path: str, line: Line, reason: str, detail: str) -> Record:
    shown = f"line {line.number}: {detail}: {line.text[:_SHOWN]!r}"
    return refused(f"{path}#{line.number}", reason, shown, fingerprint(b"line", line.text.encode()))
