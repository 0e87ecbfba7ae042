"""Lines of recipes that are written for people: comments, quoted scalars, paths."""

from __future__ import annotations

import json
import os
import textwrap
from pathlib import Path

COMMENT_WIDTH = 110


def commented(text: str, indent: int = 0) -> str:
    """A comment of as many lines as it takes. What people named stands in it on one line: no name can end a comment."""
    flat = " ".join(text.split())
    margin = " " * indent + "# "
    return "\n".join(
        textwrap.wrap(f"{flat[:1].upper()}{flat[1:]}", COMMENT_WIDTH, initial_indent=margin, subsequent_indent=margin)
    )


def from_folder(data: Path, folder: Path) -> str:
    """`data` relative to the recipe's folder where it lies below it, else whole."""
    data, folder = data.resolve(), folder.resolve()
    return os.path.relpath(data, folder) if data.is_relative_to(folder) else str(data)


def shown(file: Path) -> str:
    """The file as a person types it."""
    return f"./{file}" if not file.is_absolute() and len(file.parts) == 1 else str(file)


def quoted(text: str) -> str:
    """`text` as a YAML scalar: JSON strings are YAML."""
    return json.dumps(text, ensure_ascii=False)
