"""The notebooks: Databricks source format, cells that call what the jobs call, and a run from end to end."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.command import SMALL

REPOSITORY = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.py"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_it_is_a_databricks_source_file_without_code_of_its_own(path: Path) -> None:
    """Header and separators are Databricks' own; no function or class hides in a cell."""
    text = path.read_text("utf-8")
    assert text.startswith("# Databricks notebook source\n")
    assert text.count("\n# COMMAND ----------\n") >= 5
    own = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    assert not [node.lineno for node in ast.walk(ast.parse(text)) if isinstance(node, own)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_what_it_imports_is_there(path: Path) -> None:
    """Every name that a cell imports exists."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                importlib.import_module(alias.name)
        elif isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module or "")
            for alias in node.names:
                assert hasattr(module, alias.name) or importlib.import_module(f"{node.module}.{alias.name}")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("name", "recipe", "sets"),
    [
        ("digits", "digits", SMALL),
        ("text", "word-senses", ("evaluate.seeds=1", "evaluate.judges=[words]", "gate.usefulness=report")),
        ("series", "share-prices", ("evaluate.seeds=1", "augment.copies=1", "gate.usefulness=report")),
        ("table", "breast-cancer", ("generate.0.train.max_steps=60", "evaluate.seeds=1", "gate.usefulness=report")),
    ],
)
def test_it_runs_as_a_script(tmp_path: Path, name: str, recipe: str, sets: tuple[str, ...]) -> None:
    """The notebook goes the whole way: it shows rows, writes the table and the report, and says the headline."""
    environment = {
        **os.environ,
        "MPLBACKEND": "Agg",
        "SEEDBED_ROOT": str(tmp_path),
        "SEEDBED_SET": " ".join(sets),
        "PYTHONWARNINGS": "ignore",
    }
    notebook = REPOSITORY / "notebooks" / f"{name}.py"
    answer = subprocess.run(
        [sys.executable, str(notebook)], env=environment, capture_output=True, text=True, cwd=REPOSITORY
    )
    assert answer.returncode == 0, answer.stderr[-3000:]
    assert "row_origin" in answer.stdout and "synthetic" in answer.stdout
    assert (tmp_path / recipe / "dataset" / "_delta_log").is_dir()
    assert (tmp_path / recipe / "report.html").is_file()
