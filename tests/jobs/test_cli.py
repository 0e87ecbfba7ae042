"""The command: what it answers, how fast, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.main import get_command

from conf import stages
from jobs.cli import app
from jobs.foreground import FAILED, MISTAKE, STOPPED

HEAVY = ["torch", "ray", "pyspark", "pyarrow", "numpy", "pandas", "cv2", "matplotlib", "deltalake", "sklearn", "jinja2"]
SHARED = {"--root", "--runtime", "--set", "--dry-run", "--force", "--help"}
OWN = {
    "new": {"--from", "--label"},
    "profile": {"--from", "--label", "--to"},
    "explain": {"--recipe"},
    "export": {"--to", "--format", "--split"},
}


def seedbed(*arguments: str, fake: str = "", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command as a process; `fake` is Python that runs before it."""
    return subprocess.run(command(*arguments, fake=fake), capture_output=True, text=True, cwd=cwd, timeout=120)


def command(*arguments: str, fake: str = "") -> list[str]:
    return [
        sys.executable,
        "-c",
        f"import sys; sys.argv = ['seedbed', *{list(arguments)!r}]\n{fake}\nfrom jobs.cli import main; main()",
    ]


FAKE = """
import os, time
from jobs import pipeline
from jobs.pipeline import Event
pipeline.check = lambda config: None
def run(config, force, tell):
    tell(Event('clean', 'started', 'never ran'))
    os.system('echo chatter of a child; echo complaint of a child >&2')
    {body}
pipeline.run = run
"""


def test_help_imports_nothing_heavy() -> None:
    """`seedbed --help` answers at once because it imports no engine and no array library."""
    probe = f"import atexit; atexit.register(lambda: print('IMPORTED', [m for m in {HEAVY!r} if m in sys.modules]))"
    answer = seedbed("--help", fake=probe)
    assert answer.returncode == 0
    assert "IMPORTED []" in answer.stdout


def test_every_stage_has_a_command() -> None:
    """Each stage of a run can be called by name, and nothing else poses as one."""
    commands = get_command(app).commands  # type: ignore[attr-defined]
    panels = {name for name, each in commands.items() if each.rich_help_panel == "One stage at a time"}
    assert panels == set(stages.NAMES)
    assert {"run", "new", "list", "show", "explain", "doctor"} <= commands.keys()


def test_flags_are_few() -> None:
    """Commands share their flags; what one has of its own stands here."""
    for name, each in get_command(app).commands.items():  # type: ignore[attr-defined]
        flags = {option for parameter in each.params for option in parameter.opts if option.startswith("-")}
        assert flags <= SHARED | OWN.get(name, set()), name


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "digist"),
        ("run", "no-such-file.yaml"),
        ("run", "digits", "--set", "augment.copie=3"),
        ("run", "digits", "--root", "/proc/nowhere"),
        ("list", "stepps"),
        ("list", "steps", "no-such-step"),
        ("new", "pets", "--from", "nowhere"),
        ("new", "My Pets", "--from", "."),
        ("label", "digits"),
        ("clean", "digits", "--set", "seed=-1"),
    ],
)
def test_mistakes_are_answered_in_a_sentence(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """A person's mistake ends with 2, one or two lines on stderr, no traceback and nothing on disk."""
    answer = seedbed(*arguments, cwd=tmp_path)
    assert answer.returncode == MISTAKE
    assert "Traceback" not in answer.stderr and 0 < len(answer.stderr.splitlines()) <= 2
    assert list(tmp_path.iterdir()) == []


def test_a_stage_out_of_order_names_the_one_before_it(tmp_path: Path) -> None:
    """It ends with 1 and the command to run first; no log was needed for that."""
    answer = seedbed("clean", "digits", "--root", str(tmp_path))
    assert answer.returncode == FAILED
    assert "run `seedbed ingest digits` first" in answer.stderr and "log" not in answer.stderr
    assert list(tmp_path.iterdir()) == []


def test_chatter_goes_to_the_log_and_the_headline_to_the_terminal(tmp_path: Path) -> None:
    """What children write to descriptors 1 and 2 lands in the log; result and progress stay apart."""
    body = "from conf.progress import progress\n    with progress('clean', 3) as bar: bar.advance(3)"
    answer = seedbed("run", "digits", "--root", str(tmp_path), fake=FAKE.format(body=body))
    assert answer.returncode == 0, answer.stderr
    assert "child" not in answer.stdout + answer.stderr
    assert "clean ... (never ran)" in answer.stderr
    assert f"report: {tmp_path}/digits/report.html" in answer.stdout
    (log,) = (tmp_path / "digits" / "logs").glob("*.log")
    assert "chatter of a child" in log.read_text() and "complaint of a child" in log.read_text()


def test_a_failure_is_a_sentence_and_a_log(tmp_path: Path) -> None:
    """An unforeseen error: its first line, the stage, the log's path; the traceback is in the log alone."""
    answer = seedbed(
        "run", "digits", "--root", str(tmp_path), fake=FAKE.format(body="raise RuntimeError('boom\\nand more')")
    )
    assert answer.returncode == FAILED
    assert "Failed in clean: RuntimeError: boom" in answer.stderr and "Traceback" not in answer.stderr
    found = re.search(r"The log: (\S+)", answer.stderr)
    assert found and "Traceback" in Path(found[1]).read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_on_request_is_clean(number: int, tmp_path: Path) -> None:
    """Ctrl-C and SIGTERM end with 130 and a sentence that names the command which goes on."""
    fake = FAKE.format(body="time.sleep(60)")
    process = subprocess.Popen(
        command("run", "digits", "--root", str(tmp_path), fake=fake),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stderr is not None and "clean" in process.stderr.readline()
    time.sleep(0.2)
    process.send_signal(number)
    _, told = process.communicate(timeout=30)
    assert process.returncode == STOPPED
    assert "Stopped in clean" in told and "`seedbed run digits` goes on from there" in told and "Traceback" not in told


def test_an_engine_that_answers_sigterm_itself_still_ends_in_a_sentence(tmp_path: Path) -> None:
    """Ray replaces SIGTERM's handler by one that exits: for the person that is the same stop."""
    answer = seedbed("run", "digits", "--root", str(tmp_path), fake=FAKE.format(body="raise SystemExit(15)"))
    assert answer.returncode == STOPPED and "Stopped in clean" in answer.stderr


def test_list_shows_each_kind(tmp_path: Path) -> None:
    """`seedbed list` has the shipped recipes, steps, generators and stages, one line each."""
    answer = seedbed("list")
    assert answer.returncode == 0
    for word in ("digits", "image.rotate", "image_mixture", "ingest", "local"):
        (line,) = [line for line in answer.stdout.splitlines() if re.match(rf"{re.escape(word)} ", line)]
        assert len(line.split(maxsplit=1)) == 2, f"{word} says nothing of itself"


def test_list_generators_imports_no_engine() -> None:
    """Generators are listed from their source: torch is not imported for it."""
    engines = ["torch", "ray", "pyspark"]
    probe = f"import atexit; atexit.register(lambda: print('IMPORTED', [m for m in {engines} if m in sys.modules]))"
    answer = seedbed("list", "generators", fake=probe)
    assert "image_mixture" in answer.stdout and "IMPORTED []" in answer.stdout
