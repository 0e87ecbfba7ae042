"""A query or table of an SQL database, through Spark's JDBC source.

User and password are read from the environment variables that the source names (`user_env`, `password_env`), on the
driver, and stand in no log, marker or error. A database is not looked into before it is read: `--force` reads it again.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pyarrow as pa

from jobs.readers.record import Reading
from jobs.tabular.cells import Cells
from jobs.tabular.readers import delta

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# For each kind of URL: what Ivy fetches where the runtime does not bring a driver of its own, and the driver's class,
# which must be named: Java's own look-up sees nothing of the jars that Spark adds.
DRIVERS = {
    "jdbc:postgresql:": ("org.postgresql:postgresql:42.7.7", "org.postgresql.Driver"),
    "jdbc:mysql:": ("com.mysql:mysql-connector-j:9.3.0", "com.mysql.cj.jdbc.Driver"),
    "jdbc:mariadb:": ("org.mariadb.jdbc:mariadb-java-client:3.5.3", "org.mariadb.jdbc.Driver"),
    "jdbc:sqlite:": ("org.xerial:sqlite-jdbc:3.50.1.0", "org.sqlite.JDBC"),
    "jdbc:sqlserver:": (
        "com.microsoft.sqlserver:mssql-jdbc:12.10.0.jre11",
        "com.microsoft.sqlserver.jdbc.SQLServerDriver",
    ),
}
_SECRET = re.compile(r"(?i)(password|passwd|pwd|secret|token)=([^&;\s]*)")
_FETCH_ROWS = 10_000


def frame(spark: SparkSession, task: Reading) -> DataFrame:
    """The declared columns under our names, and a number as each row's place. Raises RecipeError."""
    from pyspark.errors import PySparkException
    from pyspark.sql import functions as F

    where = place_of(task)
    reader = spark.read.format("jdbc").options(**_options(task))
    try:
        table = reader.load()
    except PySparkException as error:
        raise task.error(f"{where} cannot be read: {shown(task, error)}") from None
    except Exception as error:
        if type(error).__module__.startswith("py4j"):
            raise task.error(f"{where} cannot be read: {shown(task, error)}") from None
        raise
    number = F.monotonically_increasing_id().cast("string")
    return delta.chosen(task, table, where, F.concat(F.lit(f"{where}#"), number))


def read_rows(task: Reading, batch: pa.RecordBatch) -> Cells:
    """The cells of one batch of `frame`."""
    return delta.read_rows(task, batch)


def package_for(url: str) -> str | None:
    """The driver that a URL needs, as Ivy names it."""
    return _driver(url)[0]


def _driver(url: str) -> tuple[str | None, str | None]:
    """The package and the class of the driver that a URL needs."""
    return next((driver for start, driver in DRIVERS.items() if url.startswith(start)), (None, None))


def place_of(task: Reading) -> str:
    """The source as a person may see it: no user, no password."""
    source = task.source
    url = _SECRET.sub(r"\1=...", source.url or "").split("?")[0]
    return f"{url} ({source.table or 'query'})"


def _options(task: Reading) -> dict[str, str]:
    source = task.source
    if not source.url or bool(source.query) == bool(source.table):
        raise task.error("reader jdbc needs url: and one of table: and query:.")
    if _SECRET.search(source.url):
        raise task.error("url holds a password: name an environment variable that does, with password_env:.")
    told = {"url": source.url, "fetchsize": str(_FETCH_ROWS)}
    _, driver = _driver(source.url)
    told |= {"driver": driver} if driver else {}
    told |= {"query": source.query} if source.query else {"dbtable": str(source.table)}
    for key, name in (("user", source.user_env), ("password", source.password_env)):
        if name is not None:
            if name not in os.environ:
                raise task.error(f"{key}_env names the environment variable {name}, which is not set.")
            told[key] = os.environ[name]
    return told


def shown(task: Reading, error: BaseException) -> str:
    """The first line of what the database said, without anything secret; what Py4J says before it tells nothing."""
    lines = [line.strip(": ") for line in str(error).splitlines() if line.strip(": ")]
    text = next(
        (line for line in lines if not line.startswith("An error occurred while calling")), type(error).__name__
    )
    for name in (task.source.password_env, task.source.user_env):
        if name and os.environ.get(name):
            text = text.replace(os.environ[name], "...")
    return _SECRET.sub(r"\1=...", text)[:300]
