"""Imports point down: which layer may import which, as DESIGN's table says it, read from the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
OURS = {"conf", "udfs", "synth", "jobs"}
ENGINES = {"pyspark", "delta", "ray", "torch"}
RAY_ENTRIES = {"label", "train", "sample", "score", "evaluate", "cluster", "spread", "choose"}
FREE = {"jobs.pipeline", "jobs.cli"}


def modules() -> list[str]:
    """Every module of the four layers, as a dotted name."""
    paths = [path for layer in sorted(OURS) for path in sorted((REPOSITORY / layer).rglob("*.py"))]
    return [".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__") for path in paths]


def imports(module: str) -> Iterator[str]:
    """Every dotted name that a module imports, at its head or inside a function."""
    path = REPOSITORY / Path(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively: write the whole name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def forbidden(module: str) -> set[str]:
    """Names, as top level or `layer.module`, that the module may not import."""
    layer, _, rest = module.partition(".")
    if layer == "conf":
        return (OURS - {"conf"}) | ENGINES
    if layer == "udfs":
        return (OURS - {"udfs"}) | ENGINES
    if layer == "synth":
        if rest.startswith("models"):
            return (OURS - {"synth"}) | ENGINES - {"torch"} | {"numpy", "pandas", "pyarrow"}
        return {"jobs", "pyspark", "delta"} | (set() if rest in RAY_ENTRIES else {"ray"})
    if any(module == free or module.startswith(free + ".") for free in FREE) or rest in EXPLAINERS:
        return set()
    return {"synth", "ray", "torch"}


EXPLAINERS = {"check", "explain", "doctor", "listing"}  # parts of the command: they look at both sides


@pytest.mark.parametrize("module", modules())
def test_imports_point_down(module: str) -> None:
    """A module imports nothing that its layer may not."""
    banned = forbidden(module)
    broken = [name for name in imports(module) if name.split(".")[0] in banned]
    assert not broken, f"{module} may not import {broken}"


def test_models_import_only_torch_and_each_other() -> None:
    """Generators are plain torch."""
    for module in modules():
        if module.startswith("synth.models"):
            ours = [
                name for name in imports(module) if name.startswith("synth") and not name.startswith("synth.models")
            ]
            assert not ours, f"{module} imports {ours}"


def test_the_rule_bites() -> None:
    """The check refuses an upward import (a rule that cannot fail protects nothing)."""
    assert "pyspark" in forbidden("udfs.image")
    assert "ray" in forbidden("synth.fit") and "ray" not in forbidden("synth.train")
    assert "synth" in forbidden("jobs.clean") and "synth" not in forbidden("jobs.pipeline")


def test_modules_are_readable_in_one_sitting() -> None:
    """No module outgrows 400 lines."""
    for module in modules():
        path = REPOSITORY / Path(*module.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        length = len(path.read_text("utf-8").splitlines())
        assert length <= 400, f"{module} has {length} lines: split it"
