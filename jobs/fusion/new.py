"""Write a recipe for a person's own images with captions: commented, with the reason for each choice.

Where the captions file has labels, the rows are told apart by them; where it has none, the recipe asks which caption
belongs to which image.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from conf.errors import RecipeError
from conf.schema.fusion import RESERVED
from jobs import new as images
from jobs.look import LABEL_NAMES, Found, Look, file_column, measure_files
from jobs.recipe_text import commented, from_folder, quoted, shown
from jobs.tabular.drift import held_name

ENDINGS = (".csv", ".jsonl", ".ndjson")
CAPTION_NAMES = ("caption", "text", "sentence", "description", "captions")
LEAST_WORDS = 3.0  # of a column that is taken for captions whatever its name
MOST_WORDS_OF_CATEGORY = 40  # different values of a column that is taken for a category
LOOKED_AT = 2000  # lines, for kinds of columns
FEW_ROWS = 2000
FIRST_PAIRS = "labels: [mismatch, match]"


@dataclass(frozen=True)
class Captions:
    """A captions file: its lines, which columns are what, and its images."""

    file: Path
    rows: list[dict[str, str]]
    image: str
    caption: str
    label: str | None
    others: dict[str, str]  # our name -> type, of the columns that are read besides
    left: list[str]
    seen: Look


def captions_of(source: Path, label: str | None) -> Captions | None:
    """The captions file at `source` or the one in that folder; nothing where there is none with images and captions."""
    if not source.exists():
        return None
    files = [source] if source.is_file() else sorted(each for each in source.iterdir() if each.suffix in ENDINGS)
    for file in files:
        if file.suffix.lower() in ENDINGS and (found := _seen(file, label)) is not None:
            return found
    return None


def _seen(file: Path, label: str | None) -> Captions | None:
    rows = _lines(file)
    columns = [name for name in (rows[0] if rows else {}) if name]
    try:
        image = file_column(file.parent, rows, columns, file)
    except RecipeError:
        return None
    caption = _caption(rows, [name for name in columns if name not in (image, label)])
    if caption is None:
        return None
    if label is not None and label not in columns:
        raise RecipeError(f"{file}: has no column {label!r} for the labels; it has {', '.join(columns)}.")
    named = label or next((name for name in columns if name.lower() in LABEL_NAMES), None)
    rest = [name for name in columns if name not in (image, caption, named)]
    kinds = {name: _kind([row.get(name) or "" for row in rows[:LOOKED_AT]]) for name in rest}
    others = {name: kind for name, kind in kinds.items() if kind and held_name(name) == name and name not in RESERVED}
    look = Look(file.parent, [Found("images", "captions", ".")])
    look.counts[""] = Counter(str(row.get(named) or "").strip() for row in rows if named and row.get(named))
    measure_files(look, [file.parent / row[image] for row in rows if row.get(image)])
    left = [name for name in rest if name not in others]
    return Captions(file, rows, image, caption, named, others, left, look) if look.sizes else None


def _lines(file: Path) -> list[dict[str, str]]:
    """The file's lines as plain cells; none of a file that is neither."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            if file.suffix.lower() == ".csv":
                return [{k: v or "" for k, v in row.items() if k} for row in csv.DictReader(lines)]
            told = [json.loads(line) for line in lines if line.strip()]
            return [{k: str(v) for k, v in row.items() if v is not None} for row in told if isinstance(row, dict)]
    except (UnicodeDecodeError, csv.Error, ValueError, OSError, AttributeError, RecursionError):
        return []


def _caption(rows: list[dict[str, str]], columns: list[str]) -> str | None:
    """The column named like a caption, else the one of most words."""
    named = [name for wanted in CAPTION_NAMES for name in columns if name.lower() == wanted]
    if named:
        return named[0]
    some = rows[:LOOKED_AT]
    words = {name: sum(len((row.get(name) or "").split()) for row in some) / len(some) for name in columns}
    best = max(words, key=lambda name: words[name], default=None)
    return best if best is not None and words[best] >= LEAST_WORDS else None


def _kind(values: list[str]) -> str | None:
    """The type of a column, null for one that says nothing to judges."""
    there = [value for value in values if value.strip()]
    if not there:
        return None
    try:
        numbers = [float(value) for value in there]
    except ValueError:
        return "category" if len(set(there)) <= min(MOST_WORDS_OF_CATEGORY, len(there) / 2) else None
    return "integer" if all(number.is_integer() for number in numbers) else "number"


def written(name: str, found: Captions, file: Path) -> tuple[str, str]:
    """The text of the recipe `name` for what was seen, to be saved as `file`, and in a few words what that is."""
    form = images.form_of(found.seen)
    resize = f", resize: {form.resize}" if form.resize else ""
    size = f"height: {form.height}, width: {form.width}, channels: {form.channels}{resize}"
    columns = [f"  {each}: {{type: {kind}}}" for each, kind in found.others.items()]
    left = [commented(f"Not read: {', '.join(found.left[:12])}.")] if found.left else []
    parts = [
        commented(f"Written by `seedbed new {name}` from {len(found.rows):,} lines of {found.file.name}."),
        *left,
        f"# It runs as it is: seedbed run {shown(file)}",
        "# What else its keys may say: seedbed list steps.",
        f"name: {name}",
        f"about: {quoted(f'{len(found.rows):,} images with captions')}",
        "modality: fusion",
        commented(f"{form.why}."),
        f"image: {{{size}, boxes: true}}",
        "text: {}",
        *(["columns:", *columns] if columns else []),
        *_asked(found),
        "seed: 1   # another seed: other splits, other draws",
        "# Where the paths below start (relative: from this file's folder); --set data=DIR places it elsewhere.",
        f"data: {quoted(from_folder(found.file.parent, file.parent))}",
        "sources:",
        f"  - {{{_source(found)}}}",
        *_cleaning(found),
        *_making(found),
    ]
    return "\n".join([*parts, ""]), f"{len(found.rows):,} images with captions"


def _asked(found: Captions) -> list[str]:
    """The labels, or the question which caption belongs to which image."""
    if found.label is None:
        why = (
            "No column of labels was seen: rows that match are set beside images with the caption of another. "
            "--label names a column of classes, where there is one."
        )
        return [commented(why), FIRST_PAIRS, "pairs: {negatives: 1, hard: 0.25, by: text}"]
    counts = found.seen.per_label()
    told = ", ".join(f"{label}: {count:,}" for label, count in list(counts.items())[:12])
    labels = ", ".join(quoted(label) for label in found.seen.labels)
    return [commented(f"Rows by label: {told}."), f"labels: [{labels}]"]


def _source(found: Captions) -> str:
    said = ["name: images", "reader: captions", "path: .", f"manifest: {quoted(found.file.name)}"]
    said += [f"file_column: {quoted(found.image)}"] if found.image != "file" else []
    renamed = {found.caption: "text"} if found.caption != "text" else {}
    renamed |= {found.label: "label"} if found.label not in (None, "label") else {}
    if renamed:
        said.append(f"columns: {{{', '.join(f'{quoted(old)}: {new}' for old, new in renamed.items())}}}")
    return ", ".join([*said, *(["drift: merge"] if found.left else [])])


def _cleaning(found: Captions) -> list[str]:
    test, val = (0.3, 0.2) if len(found.rows) < FEW_ROWS else (0.2, 0.1)
    return [
        "clean:",
        "  rules:",
        "    - image.reject_blank: {min_std: 1.0}   # an image of one colour teaches nothing",
        "    - text.fix_encoding",
        "    - text.collapse_whitespace",
        "    - text.reject_empty",
        commented("Rows are copies where image, caption and cells are all the same. Like images stay in one split.", 2),
        "  duplicates: {exact: drop, near: group, max_distance_bits: 2}",
        f"split: {{test: {test}, val: {val}, rest: train}}",
    ]


def _making(found: Captions) -> list[str]:
    judges = "[towers, joint]" if found.label is None else "[image.cnn, text.words, joint]"
    return [
        commented("Children of every train row: each step touches its own payload. What they say of each other holds."),
        "augment:",
        "  copies: 4",
        "  steps:",
        "    - image.affine: {rotate_degrees: [-8, 8], scale: [0.95, 1.05], translate_fraction: [-0.05, 0.05]}",
        "    - image.brightness: {p: 0.5}",
        "    - text.synonym_replacement: {p: 0.1}   # English; leave it out for other languages",
        '    # - fusion.draw_text: {template: "{text}", p: 0.3}   # the caption written on its image',
        commented("Made rows are merged when rows of their kind do no harm."),
        "gate: {usefulness: not_worse}",
        f"evaluate: {{judges: {judges}, seeds: 3, steps: 400}}",
    ]
