"""Tables: rows as a matrix of numbers, measures, steps."""

from __future__ import annotations

from udfs.table.form import Column, TableForm, from_matrix, to_matrix

__all__ = ["Column", "TableForm", "from_matrix", "to_matrix"]
