"""The recipe that `seedbed new` writes for what lies at a path, whatever that is: told by looking."""

from __future__ import annotations

from pathlib import Path


def written(name: str, source: Path, label: str | None, file: Path) -> tuple[str, str]:
    """The text of a recipe for what lies at `source`, and in a few words what that is."""
    from jobs.fusion import new as fusion
    from jobs.tabular import look as tables

    if captions := fusion.captions_of(source, label):
        return fusion.written(name, captions, file)
    if tables.is_table(source):
        from jobs.series import new as tabled

        return tabled.written(name, source, label, file)
    from jobs import new as images
    from jobs.look import look_at

    seen = look_at(source, label)
    return images.write(name, seen, file), f"{seen.total:,} images, {len(seen.labels)} classes"
