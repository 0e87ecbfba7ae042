"""Starting Spark: mistakes are told before the JVM starts, and what it says goes to a log."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conf import Config
from conf.errors import StageError
from jobs import session
from jobs.spark import log_path
from jobs.spark import session as spark_session
from tests import listening


def java(folder: Path, version: str) -> Path:
    """A Java that only tells its version."""
    path = folder / "bin" / "java"
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2020-01-01' >&2\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return folder


@pytest.mark.parametrize(("version", "major"), [("17.0.15", 17), ("21", 21), ("25-ea", 25)])
def test_new_enough_java_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, major: int) -> None:
    """17 or newer."""
    monkeypatch.setenv("JAVA_HOME", str(java(tmp_path, version)))
    assert session.check_java() == major


@pytest.mark.parametrize("version", ["11.0.2", "1.8.0_292"])
def test_old_java_is_refused_with_the_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    """What there is, what is needed, how to get it."""
    monkeypatch.setenv("JAVA_HOME", str(java(tmp_path, version)))
    found = version.removeprefix("1.").split(".")[0]
    with pytest.raises(StageError, match=f"is Java {found}. Spark needs Java 17 or newer: install it"):
        session.check_java()


def test_missing_java_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the path, or where JAVA_HOME says."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StageError, match=r"no Java on the path\. Spark needs Java 17"):
        session.check_java()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(StageError, match="no Java at JAVA_HOME="):
        session.check_java()


def test_a_session_that_is_there_is_used_and_not_stopped(spark: Any, config_for: Callable[..., Config]) -> None:
    """As on Databricks, or for the second of two stages; Delta's settings are made in it."""
    with spark_session(config_for()) as found:
        assert found is spark
    assert spark.range(3).count() == 3
    for name, value in session.SESSION_CONFS.items():
        assert spark.conf.get(name) == value


def test_batches_of_rows_without_images_are_not_measured_row_by_row(
    spark: Any, config_for: Callable[..., Config]
) -> None:
    """Spark's limit of bytes costs more than the rows where they are short; for images it is as it was."""
    name = "spark.sql.execution.arrow.maxBytesPerBatch"
    with spark_session(config_for("digits")):
        limit = spark.conf.get(name)
    with spark_session(config_for("word-senses")):
        assert spark.conf.get(name) == str(2**31 - 1) != limit
    with spark_session(config_for("digits")):
        assert spark.conf.get(name) == limit


def test_spark_listens_on_loopback_alone(spark: Any) -> None:
    """Neither the JVM nor its workers can be reached from outside."""
    assert spark.range(3).count() == 3
    heard = listening.addresses()
    assert "java" in heard
    assert not {name for name, places in heard.items() if not all(map(listening.is_loopback, places))}


def test_delta_works_in_workers_and_driver_without_a_word_on_the_terminal(tmp_path: Path) -> None:
    """A session of our own, in a process of its own: stdout and stderr stay ours, the log gets the rest."""
    code = (
        "import conf, jobs.spark as s, pathlib\n"
        f"config = conf.load('digits', 'local', [], {str(tmp_path)!r})\n"
        "with s.session(config) as spark:\n"
        "    spark.range(5).write.format('delta').save(config.tables + '/t')\n"
        "    print(spark.read.format('delta').load(config.tables + '/t').count())\n"
        "print(pathlib.Path(s.log_path(config)).stat().st_size > 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "5\nTrue\n", "")
    assert {path.name for path in tmp_path.iterdir()} == {"t", "digits"}


def test_first_starts_take_turns_at_fetching_jars(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config_for: Callable[..., Config]
) -> None:
    """Who comes second waits until the jars are there, and then holds up nobody."""
    config = config_for()
    monkeypatch.setattr(session, "IVY", tmp_path / "ivy")
    fetching, told = threading.Event(), []

    def second() -> None:
        fetching.wait(30)
        with session._jars_alone():
            told.append(session._jar_confs(config, local=True))

    thread = threading.Thread(target=second)
    thread.start()
    with session._jars_alone():
        assert session._jar_confs(config, local=True) == {"spark.jars.packages": session.DELTA_PACKAGE}
        fetching.set()
        thread.join(0.5)
        assert not told
        (tmp_path / "ivy" / "jars").mkdir()
        for name in session.DELTA_JARS:
            (tmp_path / "ivy" / "jars" / name).touch()
    thread.join(30)
    assert "spark.driver.extraClassPath" in told[0]
    with session._jars_alone(), session._jars_alone():  # neither holds it
        pass


def test_the_log_lies_beside_the_tables_or_in_the_temporary_folder(config_for: Callable[..., Config]) -> None:
    """A local file in any case."""
    assert log_path(config_for()).endswith("/digits/logs/spark.log")
    assert os.path.isabs(log_path(config_for(root="s3://bucket/root")))


def test_launch_settings_keep_to_the_loopback_and_let_the_runtime_win(
    config_for: Callable[..., Config], tmp_path: Path
) -> None:
    """The driver is not reachable from outside; a runtime's own confs are laid over, Java options added."""
    config = config_for()
    confs = {"spark.ui.enabled": "true", "spark.driver.extraJavaOptions": "-Dmine=1"}
    runtime = config.runtime.model_copy(update={"spark": config.runtime.spark.model_copy(update={"confs": confs})})
    made = session._launch_confs(
        type(config)(config.recipe, runtime, config.tables, config.files, "x"), tmp_path / "l.log"
    )
    assert made["spark.driver.bindAddress"] == made["spark.driver.host"] == "127.0.0.1"
    assert made["spark.ui.enabled"] == "true" and made["spark.master"] == "local[2,4]"
    assert made["spark.driver.extraJavaOptions"].endswith(" -Dmine=1")
    assert "log4j2.configurationFile" in made["spark.driver.extraJavaOptions"]


def test_spark_submit_without_delta_is_told_what_to_add(tmp_path: Path) -> None:
    """Else the first write would fail with a page of Java."""
    submit = Path(sys.executable).with_name("spark-submit")
    stage = Path(session.__file__).with_name("ingest.py")
    root = Path(session.__file__).parents[1]
    done = subprocess.run(
        [str(submit), "--master", "local[1]", str(stage), "--recipe", "digits", "--root", str(tmp_path / "root")],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root), "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"},
    )
    said = done.stdout + done.stderr  # which of them a driver's own words go to is spark-submit's choice
    assert done.returncode != 0
    assert f"started without Delta: add --packages {session.DELTA_PACKAGE}." in said
    assert "Traceback" not in said
