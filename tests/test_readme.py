"""The README is true: its commands, flags, targets, files and code exist and do what it says."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.main import get_command

import conf
from conf import Config
from conf.stages import STAGES
from jobs.cli import app
from tests.jobs.grown import grow, lay_tables

REPOSITORY = Path(__file__).resolve().parent.parent
README = (REPOSITORY / "README.md").read_text("utf-8")
LAYERS = ("conf", "udfs", "synth", "jobs", "notebooks")


def blocks(language: str) -> list[str]:
    """The code blocks of a language."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    return [block for name, block in found if name == language]


def commands() -> list[list[str]]:
    """Every `seedbed ...` of the README, in words."""
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("seedbed ")]
    inline = re.findall(r"`(seedbed [^`]+)`", README)
    return [shlex.split(line, comments=True) for line in (*lines, *inline)]


def test_every_command_exists_with_its_flags() -> None:
    """What the README tells people to type is something that the command takes."""
    known = get_command(app).commands  # type: ignore[attr-defined]
    assert len(commands()) > 8
    for words in commands():
        command = words[1].rstrip(",")
        assert command in known, words
        options = {option for parameter in known[command].params for option in parameter.opts}
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= options, words


def test_every_command_is_told() -> None:
    """Nothing that the command can do is missing from the README."""
    told = {words[1].rstrip(",") for words in commands()}
    stages = {each.name for each in STAGES}
    assert set(get_command(app).commands) - stages <= told  # type: ignore[attr-defined]


def test_every_target_exists() -> None:
    """`make x` of the README is a target that make knows."""
    targets = set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE))
    assert {"run", "test", "dist"} <= targets
    for target in targets:
        answer = subprocess.run(["make", "-n", target], cwd=REPOSITORY, capture_output=True, text=True)
        assert answer.returncode == 0, f"make {target}: {answer.stderr}"


def test_shipped_recipes_are_told() -> None:
    """The README names every recipe that ships."""
    for name in conf.names():
        assert f"`{name}`" in README, name


def test_the_doors_name_the_right_stages() -> None:
    """Which stages run on which engine is as the stages have it."""
    spark = [each.name for each in STAGES if each.engine == "spark"]
    ray = [each.name for each in STAGES if each.engine == "ray"]
    told = " ".join(README.split())
    assert f"The Spark stages are {', '.join(spark[:-1])} and {spark[-1]}" in told
    assert f"the Ray stages {', '.join(ray[:-1])} and {ray[-1]}" in told


def test_every_link_and_picture_is_there() -> None:
    """Links lead to files of the repository."""
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (REPOSITORY / target).is_file(), target


def test_the_code_runs(config_for: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python of the README runs where a dataset lies, and counts its rows."""
    config = config_for("digits", root=tmp_path / "seedbed-data")
    grow(config)
    lay_tables(config)
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("python")
    scope: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), scope)
    assert len(scope["rows"]) > 1000  # type: ignore[arg-type]


def tree() -> list[tuple[str, str]]:
    """Files of the README's tree with their clauses."""
    (block,) = [block for block in blocks("") if "conf/" in block]
    found, folders = [], []
    for line in block.splitlines():
        matched = re.match(r"^( *)(\S+)(?:\s+(.*))?$", line)
        if not matched:
            continue
        depth, name, clause = len(matched[1]) // 2, matched[2], matched[3] or ""
        folders = folders[:depth]
        if name.endswith("/"):
            folders.append(name)
        found.append(("".join(folders if name.endswith("/") else [*folders, name]), clause))
    return found


def test_the_tree_is_the_tree() -> None:
    """Every module stands in the tree with a clause, and every line of the tree is a file that is there."""
    told = tree()
    for name, clause in told:
        assert (REPOSITORY / name).exists(), f"{name} is in the README's tree and not on disk"
        assert clause, f"{name} has no clause in the README's tree"
    files = {
        str(path.relative_to(REPOSITORY))
        for layer in LAYERS
        for path in (REPOSITORY / layer).rglob("*")
        if path.suffix in (".py", ".yaml", ".html") and path.name != "__init__.py"
    }
    missing = files - {name for name, _ in told}
    assert not missing, f"not in the README's tree, each with one clause: {sorted(missing)}"
