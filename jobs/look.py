"""Look at a person's images before a recipe is written for them: how they lie, their sizes, channels, classes and
counts.

Every file is counted; sizes and channels are told from at most SAMPLED of them, spread evenly over the sorted names.
"""

from __future__ import annotations

import csv
import zipfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from conf.errors import RecipeError

SAMPLED = 400
GREY_SAMPLED = 60
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"})
MAX_PIXELS = 64_000_000
SPLIT_NAMES = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
LABEL_NAMES = ("label", "class", "category", "target", "y")
MAX_LABELS = 1000


@dataclass(frozen=True)
class Found:
    """One source. `path` is relative to the look's `data`; `columns` are (file, label) of a manifest."""

    name: str
    reader: str
    path: str
    split: str | None = None
    manifest: str | None = None
    columns: tuple[str, str] | None = None


@dataclass
class Look:
    """What was seen: sources, rows by split (`""`: none given) and label; (height, width) and formats of a sample."""

    data: Path
    sources: list[Found]
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)
    colour: bool = False
    unreadable: int = 0
    sampled: int = 0

    @property
    def labels(self) -> list[str]:
        """The labels, numbers by value and words by alphabet."""
        seen = {label for counts in self.counts.values() for label in counts}
        return sorted(seen, key=lambda label: (not label.isdigit(), int(label) if label.isdigit() else 0, label))

    @property
    def channels(self) -> int:
        """3 where any of the sample has colour, else 1."""
        return 3 if self.colour else 1

    @property
    def total(self) -> int:
        """Images of all labels and splits."""
        return sum(sum(counts.values()) for counts in self.counts.values())

    def per_label(self) -> Counter[str]:
        """Images of each label that could become train rows: those without a given split, or given as train."""
        return sum((self.counts.get(split, Counter()) for split in ("", "train")), Counter())


def look_at(path: Path, label_column: str | None = None) -> Look:
    """Look at a folder of class folders (below train, val, test or not), a folder with a CSV manifest (or the manifest
    itself), or an NPZ.
    """
    if not path.exists():
        raise RecipeError(f"--from {path}: there is no such folder or file.")
    if path.is_file():
        if path.suffix.lower() == ".csv":
            return _checked(_manifest(path.parent, path, label_column), path)
        if path.suffix.lower() != ".npz":
            raise RecipeError(f"--from {path}: {_WANTED} This is a {path.suffix or 'plain'} file.")
        return _checked(_npz(path), path)
    manifests = sorted(path.glob("*.csv"))
    if manifests:
        return _checked(_manifest(path, manifests[0], label_column), path)
    return _checked(_folders(path), path)


_WANTED = (
    "needs a folder with one folder of images a class, a folder of images with a CSV manifest (a column of file names, "
    "one of labels), or an NPZ of `images` and `labels` (or `train_images`, `train_labels`, `test_images`, ...)."
)


def _checked(look: Look, path: Path) -> Look:
    """The look, unless nothing can be grown from it."""
    if not look.total:
        raise RecipeError(f"--from {path}: no labelled image was found. It {_WANTED}")
    if not look.sizes:
        raise RecipeError(f"--from {path}: none of the {look.sampled} images looked at can be read.")
    if len(look.labels) < 2:
        raise RecipeError(f"--from {path}: has only the class {look.labels[0]!r}; a recipe needs at least two.")
    if len(look.labels) > MAX_LABELS:
        raise RecipeError(
            f"--from {path}: has {len(look.labels):,} different labels; is the label column right? --label names it."
        )
    return look


def _folders(path: Path) -> Look:
    """A folder a class; or train, val and test folders of them."""
    splits = {
        entry: SPLIT_NAMES[entry.name.lower()] for entry in _subfolders(path) if entry.name.lower() in SPLIT_NAMES
    }
    nested = {entry: split for entry, split in splits.items() if _subfolders(entry)}
    if not nested:
        look = Look(path.parent, [Found("images", "image_folder", path.name)])
        return _counted(look, path, "")
    order = sorted(nested.items(), key=lambda item: ("train", "val", "test").index(item[1]))
    look = Look(path, [Found(split, "image_folder", entry.name, split) for entry, split in order])
    for entry, split in order:
        _counted(look, entry, split)
    return look


def _subfolders(path: Path) -> list[Path]:
    return sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _counted(look: Look, folder: Path, split: str) -> Look:
    """Add the class folders of `folder` to the look."""
    files = {entry.name: [f for f in sorted(entry.rglob("*")) if _is_image(f)] for entry in _subfolders(folder)}
    look.counts[split] = Counter({label: len(found) for label, found in files.items() if found})
    measure_files(look, [file for found in files.values() for file in found])
    return look


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def _spread(files: list[Path], most: int) -> list[Path]:
    """At most `most` of the files, evenly spread."""
    return files if len(files) <= most else [files[i * len(files) // most] for i in range(most)]


def measure_files(look: Look, files: list[Path]) -> None:
    """Sizes, formats and channels of a sample of files."""
    for place, file in enumerate(_spread(files, SAMPLED)):
        look.sampled += 1
        try:
            with Image.open(file) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise OSError("too large")
                turned = image.getexif().get(0x0112, 1) >= 5  # EXIF orientations that swap width and height
                look.sizes[(image.width, image.height) if turned else (image.height, image.width)] += 1
                look.formats[image.format or "?"] += 1
                if not look.colour and place % (SAMPLED // GREY_SAMPLED) == 0:
                    look.colour = not _is_grey(np.asarray(image.convert("RGB")))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            look.unreadable += 1


def _is_grey(pixels: np.ndarray) -> bool:
    """Whether the three channels of (H, W, 3) are the same, but for what JPEG does to colour."""
    wide = pixels.astype(np.int16)
    return bool(np.abs(wide - wide[..., :1]).max(initial=0) <= 4)


def _manifest(folder: Path, manifest: Path, label_column: str | None) -> Look:
    """A folder of files and a CSV that names and labels them."""
    try:
        with manifest.open(newline="", encoding="utf-8-sig", errors="strict") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
            columns = list(reader.fieldnames or [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise RecipeError(f"{manifest}: cannot be read as UTF-8 CSV ({error}).") from error
    named_file = file_column(folder, rows, columns, manifest)
    named = _label_column(rows, [c for c in columns if c not in (named_file, "split")], label_column, manifest)
    look = Look(
        folder.parent,
        [Found("images", "image_manifest", folder.name, None, f"{folder.name}/{manifest.name}", (named_file, named))],
    )
    kept = [row for row in rows if row.get(named)]
    for split in sorted({_split_of(row) for row in kept}):
        look.counts[split] = Counter(str(row[named]).strip() for row in kept if _split_of(row) == split)
    measure_files(look, [folder / str(row[named_file]) for row in kept])
    return look


def _split_of(row: dict[str, str]) -> str:
    """The split that the manifest's column `split` gives a row, which the reader follows."""
    return SPLIT_NAMES.get((row.get("split") or "").strip().lower(), "")


def file_column(folder: Path, rows: list[dict[str, str]], columns: list[str], manifest: Path) -> str:
    """The column whose values are files below the folder."""
    shares = {c: _share(_inside(folder, row.get(c)) for row in rows[:50]) for c in columns if c}
    best = max(shares, key=lambda c: shares[c], default=None)
    if best is None or shares[best] < 0.5:
        raise RecipeError(
            f"{manifest}: none of its columns ({', '.join(columns) or 'it has none'}) names files below {folder}. "
            "One column must hold paths relative to that folder."
        )
    return best


def _inside(folder: Path, value: str | None) -> bool:
    return bool(value) and "\0" not in str(value) and (folder / str(value)).is_file()


def _share(answers: Iterable[bool]) -> float:
    found = list(answers)
    return sum(found) / len(found) if found else 0.0


def _label_column(rows: list[dict[str, str]], columns: list[str], wanted: str | None, manifest: Path) -> str:
    """The column that is asked for, or named like a label, or has the fewest values (but more than one)."""
    if wanted is not None:
        if wanted not in columns:
            raise RecipeError(f"{manifest}: has no column {wanted!r} for the labels; it has {', '.join(columns)}.")
        return wanted
    named = [c for name in LABEL_NAMES for c in columns if c and c.lower() == name]
    values = {c: len({row.get(c) for row in rows}) for c in columns if c}
    candidates = named or sorted((c for c in values if values[c] > 1), key=lambda c: values[c])
    if not candidates:
        raise RecipeError(
            f"{manifest}: beside the file names it has {', '.join(columns) or 'no column'}, and none of two labels or"
            " more; --label names the column of labels."
        )
    return candidates[0]


def _npz(path: Path) -> Look:
    """An NPZ of images and labels, or of such pairs with a split's name before."""
    if not zipfile.is_zipfile(path):
        raise RecipeError(f"--from {path}: is no NPZ archive, whatever its name; np.savez writes one.")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            held = {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise RecipeError(f"--from {path}: is not a readable NPZ of plain arrays ({error}).") from error
    return _arrays(path, held)


def _arrays(path: Path, arrays: dict[str, np.ndarray]) -> Look:
    look = Look(path.parent, [])
    for prefix, split in (("", ""), ("train_", "train"), ("val_", "val"), ("test_", "test")):
        images, labels = arrays.get(f"{prefix}images"), arrays.get(f"{prefix}labels")
        if images is None or labels is None:
            continue
        if len(images) != len(labels):
            raise RecipeError(
                f"{path}: {prefix}images has {len(images)} rows and {prefix}labels {len(labels)}; they must be as many."
            )
        if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] not in (1, 3)):
            raise RecipeError(
                f"{path}: {prefix}images has shape {images.shape}; it needs (N, H, W) or (N, H, W, 1 or 3)."
            )
        if images.dtype != np.uint8:
            raise RecipeError(f"{path}: {prefix}images is of type {images.dtype}; it needs uint8 in 0 to 255.")
        look.counts[split] = Counter(str(label) for label in np.asarray(labels).reshape(-1).tolist())
        look.sources.append(Found(split or "arrays", "npz", path.name, split or None))
        look.sizes[(images.shape[1], images.shape[2])] += len(images)
        look.sampled += len(images)
        look.colour |= images.ndim == 4 and images.shape[3] > 1 and not _is_grey(images[:GREY_SAMPLED])
    look.formats["array"] += look.total
    return look
