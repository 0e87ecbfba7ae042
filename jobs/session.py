"""The Spark session: the one that is there, or one of our own with Delta.

Start-up is what a new user waits for first, so Delta's jars are taken from Ivy's cache by name once it holds them
(which also works offline), and what the JVM, Ivy and the workers say goes to a log file instead of the terminal.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from conf import Config
from conf.errors import StageError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DELTA_PACKAGE = "io.delta:delta-spark_4.2_2.13:4.4.0"
# What Spark does not ship itself, as Ivy names it; the package's other 25 jars are in Spark's own folder.
DELTA_JARS = (
    "io.delta_delta-spark_4.2_2.13-4.4.0.jar",
    "io.delta_delta-storage-4.4.0.jar",
    "io.delta_delta-kernel-api-4.4.0.jar",
    "io.delta_delta-kernel-defaults-4.4.0.jar",
    "io.delta_delta-kernel-unitycatalog-4.4.0.jar",
    "io.unitycatalog_unitycatalog-client-0.6.0.jar",
    "io.unitycatalog_unitycatalog-hadoop-0.6.0.jar",
)
IVY = Path.home() / ".ivy2.5.2"
OLDEST_JAVA = 17
# These hold for every session, given or started: without them a small MERGE takes five times as long.
SESSION_CONFS = {
    "spark.databricks.delta.merge.repartitionBeforeWrite.enabled": "false",
    "spark.databricks.delta.merge.materializeSource": "none",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",  # which other readers read over the whole calendar
    # A MERGE of new makers' rows joins them with the few ids that lie in their makers' ranges: hand those to every task
    # rather than move and sort the payload of all new rows.
    "spark.sql.autoBroadcastJoinThreshold": str(64 << 20),
    # To keep a batch for Python below so many bytes, Spark measures it anew with every row, and walks over all of its
    # null lists each time: for short rows that costs more than all else that the JVM does. So a batch has no more rows
    # than a mapped function takes, and is measured only where a row may be an image.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "4096",
}
_BATCH_BYTES = "spark.sql.execution.arrow.maxBytesPerBatch"
_UNMEASURED = str((1 << 31) - 1)
# A JVM of our own lives for minutes, which the optimising compiler would spend on compiling: without it a first MERGE
# costs half the processor time. What a table's many rules are made into is longer than the methods that Java compiles
# unasked, and would be interpreted. Without the optimising compiler Java keeps 48 MiB of compiled methods, which a few
# dozen stages fill; then it sweeps them out and compiles them again for as long as it lives. A runtime's own
# spark.driver.extraJavaOptions come after these and win.
_SHORT_LIVED = " -XX:-DontCompileHugeMethods -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+UseSerialGC"
_ADDED_TO = ("spark.driver.extraJavaOptions",)
_DELTA_CONFS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}
_OWN_CONFS = {
    "spark.ui.showConsoleProgress": "false",
    "spark.ui.enabled": "false",
    "spark.sql.files.maxPartitionBytes": str(32 << 20),  # with 128 MiB, few files keep few cores busy
}


@contextmanager
def session(config: Config, app: str = "seedbed") -> Iterator[SparkSession]:
    """The active session, untouched but for Delta's settings; or a new one, stopped at the end.

    Raises StageError where Java is missing or too old, or Delta's jars cannot be had.
    """
    from pyspark.sql import SparkSession

    there = SparkSession.getActiveSession()
    if there is not None:
        yield _tuned(there, config)
        return
    started = _tuned(_submitted(app) if "PYSPARK_GATEWAY_PORT" in os.environ else _started(config, app), config)
    try:
        yield started
    finally:
        _stop(started)


def _stop(spark: SparkSession) -> None:
    """Stop it over another connection to the JVM: every thread has one of its own.

    A signal may have come between a question and its answer, and whatever is asked next on that connection gets the
    answer of before.
    """
    with ThreadPoolExecutor(1) as aside:
        try:
            stopping = aside.submit(spark.stop)
        except RuntimeError:  # Python is ending, and starts no thread any more
            spark.stop()
        else:
            stopping.result()


def log_path(config: Config) -> str:
    """Where Spark's chatter goes: beside the recipe's tables, or the temporary folder where those lie on no local
    disk.
    """
    if "://" in config.files:
        return str(Path(tempfile.gettempdir()) / f"seedbed-{config.recipe.name}-spark.log")
    return str(Path(config.files) / config.recipe.name / "logs" / "spark.log")


def _tuned(spark: SparkSession, config: Config) -> SparkSession:
    """The session with the settings that our merges rely on, and without a second, raw report of errors on the
    terminal.
    """
    import delta.exceptions  # noqa: F401 - from now on, conflicts arrive as what they are

    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for name, value in SESSION_CONFS.items():
        spark.conf.set(name, value)
    if config.recipe.modality not in ("image", "fusion"):
        spark.conf.set(_BATCH_BYTES, _UNMEASURED)
    elif spark.conf.get(_BATCH_BYTES, None) == _UNMEASURED:
        spark.conf.unset(_BATCH_BYTES)
    spark.conf.set("spark.sql.shuffle.partitions", str(config.runtime.spark.shuffle_partitions))
    return spark


def _submitted(app: str) -> SparkSession:
    """A session under spark-submit: master, memory and packages are as given there.

    Raises StageError where Delta was not given.
    """
    from py4j.protocol import Py4JJavaError
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName(app)
    for name, value in _DELTA_CONFS.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    jvm = spark.sparkContext._jvm
    assert jvm is not None
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    try:
        loader.loadClass(_DELTA_CONFS["spark.sql.extensions"])
    except Py4JJavaError as error:
        spark.stop()
        raise StageError(f"spark-submit was started without Delta: add --packages {DELTA_PACKAGE}.") from error
    return spark


def _started(config: Config, app: str) -> SparkSession:
    """A session of our own."""
    from pyspark.sql import SparkSession

    check_java()
    log = Path(log_path(config))
    log.parent.mkdir(parents=True, exist_ok=True)
    os.environ["PYSPARK_PYTHON"] = sys.executable
    _importable_by_workers()
    builder = SparkSession.builder.appName(app)
    try:
        with _jars_alone(), _chatter_to(log):
            for name, value in _launch_confs(config, log).items():
                builder = builder.config(name, value)
            return builder.getOrCreate()
    except Exception as error:
        raise StageError(f"Spark did not start: {_first_line(error)}. Its log is {log}.{_jar_hint()}") from error


def _launch_confs(config: Config, log: Path) -> dict[str, str]:
    """Everything that must be known before the JVM starts; the runtime's own confs win."""
    runtime = config.runtime.spark
    local = re.fullmatch(r"local(\[.*\])?", runtime.master or "local") is not None  # not local-cluster
    options = f"-Dlog4j2.configurationFile={_log_settings(log)}{_SHORT_LIVED if local else ''}"
    confs = {
        **_DELTA_CONFS,
        **_OWN_CONFS,
        **SESSION_CONFS,
        "spark.master": runtime.master or "local[*,4]",
        "spark.driver.memory": runtime.driver_memory,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.shuffle.partitions": str(runtime.shuffle_partitions),
        "spark.sql.warehouse.dir": str(log.parent.parent / "warehouse"),
        "spark.driver.extraJavaOptions": f"{options} {runtime.confs.get('spark.driver.extraJavaOptions', '')}".strip(),
        **_jar_confs(config, local),
    }
    return {**confs, **{name: value for name, value in runtime.confs.items() if name not in _ADDED_TO}}


def _jar_confs(config: Config, local: bool) -> dict[str, str]:
    """Delta's jars and the recipe's database drivers: on the class path where all runs in one JVM, shipped where not,
    resolved by Ivy where not yet here.
    """
    jars = [str(IVY / "jars" / name) for name in DELTA_JARS]
    drivers = _drivers(config)
    if not _has_jars():
        return {"spark.jars.packages": ",".join([DELTA_PACKAGE, *drivers])}
    confs = {"spark.driver.extraClassPath": os.pathsep.join(jars)} if local else {"spark.jars": ",".join(jars)}
    return confs | ({"spark.jars.packages": ",".join(drivers)} if drivers else {})


def _drivers(config: Config) -> list[str]:
    """Packages of the JDBC drivers that the recipe's sources need; none where the runtime brings jars of its own."""
    urls = {source.url for source in config.recipe.sources if source.reader == "jdbc" and source.url}
    if not urls or {"spark.jars", "spark.jars.packages"} & config.runtime.spark.confs.keys():
        return []
    from jobs.tabular.readers.jdbc import package_for

    return sorted({package for package in map(package_for, urls) if package})


def _has_jars() -> bool:
    return all((IVY / "jars" / name).is_file() for name in DELTA_JARS)


@contextmanager
def _jars_alone() -> Iterator[None]:
    """Have Ivy to ourselves while it fetches Delta's jars: two first starts at once spoil each other's downloads."""
    import fcntl

    try:
        IVY.mkdir(parents=True, exist_ok=True)
        file = (IVY / ".seedbed.lock").open("a")
    except OSError:  # a folder that we may only read: nobody fetches into it
        yield
        return
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if _has_jars():
            fcntl.flock(file, fcntl.LOCK_UN)
        yield


def _jar_hint() -> str:
    if _has_jars():
        return ""
    return f" The first start fetches {DELTA_PACKAGE} from Maven Central and so needs the network once."


def java() -> str:
    """The Java that Spark will use: JAVA_HOME's, or the first on the path."""
    home = os.environ.get("JAVA_HOME")
    return str(Path(home) / "bin" / "java") if home else shutil.which("java") or ""


def check_java() -> int:
    """The major version of the Java that Spark will use. Raises StageError with the mend where it is missing or too
    old.
    """
    home, found_at = os.environ.get("JAVA_HOME"), java()
    mend = (
        f"Spark needs Java {OLDEST_JAVA} or newer: install it (Debian, Ubuntu: apt-get install openjdk-17-jre-headless;"
        " macOS: brew install openjdk@17), or set JAVA_HOME to one."
    )
    if not Path(found_at).is_file():
        raise StageError(f"There is no Java {f'at JAVA_HOME={home}' if home else 'on the path'}. {mend}")
    said = subprocess.run([found_at, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    if found is None or int(found[1]) < OLDEST_JAVA:
        raise StageError(f"{found_at} is Java {found[1] if found else 'of no known version'}. {mend}")
    return int(found[1])


def _importable_by_workers() -> None:
    """Put our code on the path of the Python workers, which inherit the environment, where it is not installed."""
    root = str(Path(__file__).resolve().parent.parent)
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    if root not in paths:
        os.environ["PYTHONPATH"] = os.pathsep.join([*paths, root])


def _log_settings(log: Path) -> str:
    """A file of log4j settings that send everything from WARN up to `log`."""
    lines = (
        "rootLogger.level = warn",
        "rootLogger.appenderRef.file.ref = file",
        "appender.file.type = File",
        "appender.file.name = file",
        f"appender.file.fileName = {log}",
        "appender.file.layout.type = PatternLayout",
        "appender.file.layout.pattern = %d{yy/MM/dd HH:mm:ss} %p %c{1}: %m%n%ex",
    )
    settings = log.with_suffix(".log4j2.properties")
    settings.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return settings.as_uri()


@contextmanager
def _chatter_to(log: Path) -> Iterator[None]:
    """Send the standard output and error of processes started here (the JVM, Ivy, workers) to the end of `log`."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.dup2(file, 1)
        os.dup2(file, 2)
        yield
    finally:
        os.dup2(kept[0], 1)
        os.dup2(kept[1], 2)
        for handle in (file, *kept):
            os.close(handle)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
