"""A table of a real PostgreSQL, through Spark's JDBC source; the password stands in nothing that is kept."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conf.errors import RecipeError
from jobs.tabular.readers import jdbc
from tests.jobs.made import table
from tests.jobs.tabular.made import reading, recipe

DRIVER = Path("/usr/share/java/postgresql.jar")  # Debian: libpostgresql-jdbc-java
SECRET = "s3cret-of-the-test"


def programs() -> Path:
    """The folder of PostgreSQL's programs."""
    homes = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = homes[-1] if homes else shutil.which("initdb")
    if not found:
        pytest.skip("no PostgreSQL here (Debian: apt-get install postgresql)")
    return Path(found).parent


@pytest.fixture
def database(tmp_path_factory):
    """A PostgreSQL of our own on loopback, its port."""
    if not DRIVER.is_file():
        pytest.skip("no JDBC driver here (Debian: apt-get install libpostgresql-jdbc-java)")
    home = programs()
    folder = tmp_path_factory.mktemp("postgres")
    folder.chmod(0o777)
    for above in (folder.parent, folder.parent.parent):
        above.chmod(above.stat().st_mode | 0o055)
    as_user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    secret = folder / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o644)
    made = [home / "initdb", "-D", folder / "data", "-U", "owner", "-A", "password", f"--pwfile={secret}"]
    subprocess.run([*as_user, *map(str, made)], check=True, capture_output=True, cwd="/")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["-p", str(port), "-h", "127.0.0.1", "-k", str(folder), "-c", "fsync=off"]
    server = subprocess.Popen([*as_user, str(home / "postgres"), "-D", str(folder / "data"), *options], cwd="/")
    try:
        yield port
    finally:
        server.terminate()
        server.wait(30)


def sql(port: int, text: str) -> None:
    """Run statements, waiting for the server."""
    environment = {**os.environ, "PGPASSWORD": SECRET}
    command = ["psql", "-h", "127.0.0.1", "-p", str(port), "-U", "owner", "-d", "postgres", "-v", "ON_ERROR_STOP=1"]
    for _ in range(100):
        done = subprocess.run([*command, "-c", text], env=environment, capture_output=True, check=False)
        if done.returncode == 0:
            return
        time.sleep(0.2)
    raise AssertionError(done.stderr)


def ingest(config_file: Path, root: Path, runtime: Path, **environment: str) -> subprocess.CompletedProcess:
    """The stage by its own door, in a process of its own: a driver must be there when the JVM starts."""
    command = [sys.executable, "-m", "jobs.ingest", "--recipe", str(config_file), "--root", str(root)]
    command += ["--runtime", str(runtime)]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=500
    )


@pytest.mark.slow
def test_rows_of_a_database_are_ingested_and_the_password_is_kept_nowhere(database, tmp_path):
    rows = ", ".join(f"('n{n}', {n}, {n}.25, '{('no', 'yes')[n % 2]}', '2020-01-{n + 1:02d}')" for n in range(20))
    sql(database, "create table people (full_name text, age int, score double precision, label text, born date);"
                  f"insert into people values {rows}, (null, null, 'NaN', 'no', null)")  # fmt: skip
    source = {
        "name": "db", "reader": "jdbc", "url": f"jdbc:postgresql://127.0.0.1:{database}/postgres", "table": "people",
        "user_env": "TEST_DB_USER", "password_env": "TEST_DB_PASSWORD", "columns": {"full_name": "name"},
    }  # fmt: skip
    columns = {
        "name": {"type": "category"}, "age": {"type": "integer"}, "score": {"type": "number"},
        "label": {"type": "category"}, "born": {"type": "date"},
    }  # fmt: skip
    config = recipe(tmp_path, [source], columns=columns)
    runtime = tmp_path / "here.yaml"
    runtime.write_text(f"name: here\nspark: {{confs: {{spark.jars: {DRIVER}}}}}\n")
    environment = {"TEST_DB_USER": "owner", "TEST_DB_PASSWORD": SECRET}
    done = ingest(tmp_path / "made.yaml", tmp_path / "root", runtime, **environment)
    assert done.returncode == 0, done.stderr[-3000:]
    told = {row["name"]: (row["age"], row["score"], row["label"], row["born"]) for row in table(config, "raw")}
    assert len(told) == 21
    assert told["n3"] == ("3", "3.25", "yes", "2020-01-04")
    assert told[None] == (None, "nan", "no", None)
    wrong = {**environment, "TEST_DB_PASSWORD": f"{SECRET}-wrong"}
    (tmp_path / "made.yaml").write_text((tmp_path / "made.yaml").read_text().replace('"seed": 7', '"seed": 8').replace(
        '"table": "people"', '"query": "select * from people"'))  # fmt: skip
    failed = ingest(tmp_path / "made.yaml", tmp_path / "root", runtime, **wrong)
    assert failed.returncode != 0
    assert "cannot be read" in failed.stderr + failed.stdout
    kept = [failed.stderr, failed.stdout, done.stderr, done.stdout]
    written = [path for path in (tmp_path / "root").rglob("*") if path.suffix in (".json", ".log")]
    kept += [path.read_text("utf-8", "replace") for path in written]
    assert not any(SECRET in text for text in kept)


def test_a_source_says_what_it_needs_and_no_password_stands_in_a_url(tmp_path, monkeypatch):
    url = "jdbc:postgresql://h/db"
    for keys, mend in (
        ({"url": url}, "one of table: and query:"),
        ({"url": f"{url}?password=x", "table": "t"}, "password_env"),
        ({"url": url, "table": "t", "password_env": "TEST_NOT_SET"}, "TEST_NOT_SET, which is not set"),
    ):
        with pytest.raises(RecipeError, match=mend):
            jdbc._options(reading(tmp_path, "jdbc", **keys))
    monkeypatch.setenv("TEST_SET", SECRET)
    task = reading(tmp_path, "jdbc", url=url, table="t", password_env="TEST_SET")
    assert SECRET not in jdbc.shown(task, ValueError(f"cannot log in with {SECRET}"))
    assert jdbc.package_for(url).startswith("org.postgresql:")
    assert SECRET not in jdbc.place_of(task)
