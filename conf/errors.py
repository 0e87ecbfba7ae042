"""The two errors a person may meet. Their messages are whole: what there is, what is needed, how to mend it."""

from __future__ import annotations


class RecipeError(ValueError):
    """A mistake in a recipe, a runtime file, a flag or the place of the data; found before any engine starts."""


class StageError(RuntimeError):
    """A stage could not do its work; the message names the stage and the row, file or command at fault."""
