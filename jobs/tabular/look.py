"""Look at a person's table before a recipe is written for it: which files, which reader, which names. No engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conf.errors import RecipeError
from conf.runs import filesystem
from conf.runs.patterns import base_of, files_of
from conf.schema import Source
from jobs.readers.record import Reading
from jobs.tabular import dialect, drift, files

READERS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".data": "csv", ".jsonl": "json_lines", ".ndjson": "json_lines",
    ".json": "json_lines", ".parquet": "parquet", ".orc": "orc",
}  # fmt: skip
MOST_WORDS, MOST_LETTERS = 5, 60  # of a name in a header
_PACKED = (".gz", ".bz2", ".zst", ".lz4")
_WANTED = (
    "needs a table: CSV, JSON lines, Parquet or ORC (a file, a folder of them, a pattern such as 'data/*.csv'), or the"
    " folder of a Delta table."
)


@dataclass(frozen=True)
class Found:
    """A table that was found: its reader, where it lies, its columns' names (theirs by ours), how a CSV is written."""

    reader: str
    data: Path
    path: str
    names: dict[str, str]
    header: bool = True
    delimiter: str | None = None
    encoding: str = "utf-8"
    notes: list[str] = field(default_factory=list)
    quote: str | None = '"'

    def source(self) -> dict[str, Any]:
        """The source as a recipe has it."""
        told: dict[str, Any] = {"name": "table", "reader": self.reader, "path": self.path}
        told |= {"header": False} if not self.header else {}
        told |= {"delimiter": self.delimiter} if self.delimiter and self.delimiter != "," else {}
        told |= {"quote": None} if self.quote is None else {}
        told |= {"encoding": self.encoding} if self.encoding != "utf-8" else {}
        renamed = {theirs: ours for ours, theirs in self.names.items() if ours != theirs}
        return told | ({"columns": renamed} if renamed else {})

    def reading(self) -> Reading:
        """The table as its reader sees it, every column a text."""
        source = Source(**self.source())
        place = {"path": str(self.data / self.path)}
        return Reading("--from", source, place, (), columns=tuple((name, "category") for name in self.names))


def is_table(path: Path) -> bool:
    """Whether `--from` names a table, and no images."""
    if any(mark in str(path) for mark in "*?[") and not path.exists():
        return True
    if path.is_dir():
        return (path / "_delta_log").is_dir() or _only_tables(path)
    return _suffix(path.name) in READERS


def _only_tables(folder: Path) -> bool:
    """Whether a folder holds files of tables and nothing else; one CSV beside folders may name images."""
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith((".", "_"))]
    return bool(entries) and all(entry.is_file() and _suffix(entry.name) in READERS for entry in entries)


def _suffix(name: str) -> str:
    plain = name.lower()
    for end in _PACKED:
        plain = plain.removesuffix(end)
    return Path(plain).suffix


def look_at(path: Path) -> Found:
    """What lies at `--from`. Raises RecipeError where that is no table."""
    place = filesystem(str(path))[1]
    if (path / "_delta_log").is_dir():
        return _delta(path)
    infos = [info for info in files_of(place) if not Path(info.path).name.startswith((".", "_"))]
    if not infos:
        raise RecipeError(f"--from {path}: there is no such file. It {_WANTED}")
    readers = {READERS.get(_suffix(Path(info.path).name)) for info in infos}
    if len(readers) > 1 or None in readers:
        raise RecipeError(f"--from {path}: {_WANTED} It holds several kinds of files.")
    (reader,) = readers
    base = Path(base_of(place))
    data = base if base.is_dir() and str(base) != place else base.parent
    told = Path(place).relative_to(data).as_posix()
    first = files.File(infos[0].path, infos[0].size, infos[0].path)
    probe = Found(str(reader), data, told, {"probe": "probe"})
    return _csv(probe, first) if reader == "csv" else _typed(probe, first)


def _csv(probe: Found, first: files.File) -> Found:
    """A CSV: its encoding, delimiter and names, told by the first file's head."""
    with files.opened(probe.reading(), first) as stream:
        head = stream.read(dialect.HEAD_BYTES)
    if not head.strip():
        raise RecipeError(f"--from {first.path}: the file is empty.")
    encoding, notes = _encoding(head)
    mark = "\t" if first.path.lower().removesuffix(".gz").endswith((".tsv", ".tab")) else None
    source = Source(name="table", reader="csv", path=probe.path, encoding=encoding, delimiter=mark)
    task = Reading("--from", source, {"path": first.path}, ())
    read = head
    if encoding == "utf-16":
        read = head[: len(head) // 2 * 2].decode("utf-16", "replace").encode()
        task = Reading("--from", source.model_copy(update={"encoding": "utf-8"}), {"path": first.path}, ())
    seen = dialect.detect(task, read, first.path)
    header = not any(_is_cell(name) for name in seen.names[:200])
    theirs = list(seen.names) if header else [f"column_{place + 1}" for place in range(len(seen.names))]
    if not header:
        notes.append("the first line holds numbers or sentences, so it is taken for a row and not for a header")
    quote = None if _are_quotes_letters(read, seen.delimiter, len(seen.names)) else '"'
    names = distinct_names(theirs)
    return Found("csv", probe.data, probe.path, names, header, seen.delimiter, encoding, notes, quote)


def _is_cell(name: str) -> bool:
    """Whether what stands where a column's name would is no name."""
    return dialect.is_number(name) or not name.strip() or len(name.split()) > MOST_WORDS or len(name) > MOST_LETTERS


def _are_quotes_letters(head: bytes, delimiter: str, cells: int) -> bool:
    """Whether quotes stand for themselves: some line has one without its other half, and all have as many cells."""
    lines = head[: head.rfind(b"\n") + 1].splitlines()
    mark = delimiter.encode()
    return any(line.count(b'"') % 2 for line in lines) and all(line.count(mark) == cells - 1 for line in lines)


def _encoding(head: bytes) -> tuple[str, list[str]]:
    """UTF-8 where the head is, UTF-16 where it begins so, else cp1252, and why."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16", ["the file begins as UTF-16 does"]
    try:
        head[: head.rfind(b"\n") + 1 or None].decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252", ["the file is not UTF-8; Windows' western encoding is a guess: look at names with accents"]
    return "utf-8", []


def _typed(probe: Found, first: files.File) -> Found:
    """JSON lines, Parquet or ORC: names from the first file."""
    import pyarrow as pa

    from jobs.tabular.readers import json_lines

    try:
        with files.opened(probe.reading(), first) as stream:
            if probe.reader == "json_lines":
                names = json_lines._names(stream.read(json_lines.HEAD_BYTES))
            elif probe.reader == "parquet":
                import pyarrow.parquet as pq

                names = list(pq.ParquetFile(stream).schema_arrow.names)
            else:
                from pyarrow import orc

                names = list(orc.ORCFile(stream).schema.names)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise RecipeError(f"--from {first.path}: cannot be read: {str(error)[:200]}.") from error
    if not names:
        raise RecipeError(f"--from {first.path}: holds no line that is a JSON object.")
    return Found(probe.reader, probe.data, probe.path, distinct_names(names))


def _delta(path: Path) -> Found:
    from deltalake import DeltaTable

    names = [each.name for each in DeltaTable(str(path)).schema().fields]
    return Found("delta", path.parent, path.name, distinct_names(names))


def distinct_names(theirs: Sequence[str]) -> dict[str, str]:
    """Ours -> theirs: names that a table can hold, each once, none that lineage uses."""
    found: dict[str, str] = {}
    for name in theirs:
        plain = drift.held_name(name)
        plain = f"the_{plain}" if plain.startswith("row_") else plain
        ours, number = plain, 2
        while ours in found:
            ours, number = f"{plain}_{number}", number + 1
        found[ours] = name
    return found
