"""Whether this machine has what Seedbed needs, each finding with its mend. Starts no engine."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from conf import Config
from conf.errors import StageError

GOOD, WARN, BAD = "good", "warn", "bad"
PYTHONS = ((3, 11), (3, 12))
PYTHON_SIDE_MB = 3000  # of the command, Spark's Python workers and Ray's processes beside JVM heap and object store
DISK_MB = 2000
SHARED_SCHEMES = ("s3", "gs", "gcs", "abfs", "abfss", "hdfs")
UNREADABLE_FEATURES = ("deletionVectors", "columnMapping", "v2Checkpoint")  # Ray and deltalake cannot read such tables
MB = 1 << 20


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: how it is, and what mends it where it is not good."""

    what: str
    state: str
    found: str
    mend: str = ""


def findings(config: Config) -> Iterator[Finding]:
    """Everything there is to check, for the recipe's root and runtime."""
    yield _python()
    yield _java()
    yield _jars()
    yield from _versions()
    yield _memory(config)
    yield _cores(config)
    yield _shared_memory(config)
    yield _ray(config)
    yield from _token_files()
    yield from _roots(config)
    yield from _tables(config)


def _python() -> Finding:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}.{sys.version_info[2]} at {sys.executable}"
    if sys.version_info[:2] in PYTHONS:
        return Finding("Python", GOOD, version)
    return Finding("Python", BAD, version, "make run PYTHON=python3.12 sets up a .venv with Python 3.11 or 3.12.")


def _java() -> Finding:
    from jobs.session import check_java

    try:
        return Finding("Java", GOOD, f"version {check_java()}")
    except StageError as error:
        found, _, mend = str(error).partition(" Spark needs")
        return Finding("Java", BAD, found, f"Spark needs{mend}")


def _jars() -> Finding:
    from jobs.session import DELTA_JARS, DELTA_PACKAGE, IVY

    missing = [name for name in DELTA_JARS if not (IVY / "jars" / name).is_file()]
    if not missing:
        return Finding("Delta's jars", GOOD, f"{len(DELTA_JARS)} in {IVY / 'jars'}")
    mend = f"The first run fetches {DELTA_PACKAGE} from Maven Central: it needs the network once."
    return Finding("Delta's jars", WARN, f"{len(missing)} of {len(DELTA_JARS)} are not in {IVY / 'jars'} yet", mend)


def _versions() -> Iterator[Finding]:
    """Packages that are not of the version that setup.py pins."""
    try:
        needed = importlib.metadata.requires("seedbed") or []
    except importlib.metadata.PackageNotFoundError:
        yield Finding(
            "packages", WARN, "Seedbed is not installed as a package", "pip install -e . in its folder, or make run."
        )
        return
    pins = [
        found
        for each in needed
        if "extra ==" not in each and (found := re.match(r"([\w.-]+)(?:\[[^\]]*\])?==([\w.]+)", each))
    ]
    other = [
        f"{name} {has or 'missing'} (tested with {pin})"
        for name, pin in (pin.groups() for pin in pins)
        if (has := _version(name)) != pin
    ]
    if other:
        yield Finding("packages", WARN, "; ".join(other), "make run installs the versions that were tested together.")
    else:
        yield Finding("packages", GOOD, f"{len(pins)} of the pinned versions")


def _version(name: str) -> str | None:
    """The installed version without its local part (`2.13.0+cpu` is 2.13.0)."""
    try:
        return importlib.metadata.version(name).partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return None


def _memory(config: Config) -> Finding:
    """Heap, object store and Python's side against what is free."""
    if config.runtime.ray.address:
        return Finding("memory", GOOD, "Ray runs elsewhere: its own concern")
    heap = _megabytes(config.runtime.spark.driver_memory)
    wanted = heap + config.runtime.ray.object_store_mb + PYTHON_SIDE_MB
    free = _available_mb()
    if free is None:
        return Finding("memory", WARN, "cannot be told here", f"About {wanted:,} MB are wanted.")
    store = config.runtime.ray.object_store_mb
    found = f"{free:,} MB free; Spark's heap {heap:,}, Ray's store {store:,}, the rest about {PYTHON_SIDE_MB:,}"
    if free >= wanted:
        return Finding("memory", GOOD, found)
    return Finding(
        "memory",
        WARN,
        found,
        "Close something, or lower spark.driver_memory and ray.object_store_mb in a runtime file: --runtime FILE.",
    )


def _megabytes(text: str) -> int:
    return int(text[:-1]) * (1024 if text.endswith("g") else 1)


def _available_mb() -> int | None:
    """Free memory, the container's limit included."""
    try:
        told = Path("/proc/meminfo").read_text("ascii")
        free = int(re.search(r"MemAvailable:\s+(\d+) kB", told)[1]) // 1024  # type: ignore[index]
    except (OSError, TypeError):
        return None
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text("ascii").strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text("ascii"))
        return min(free, (int(limit) - used) // MB) if limit.isdigit() else free
    except (OSError, ValueError):
        return free


def _cores(config: Config) -> Finding:
    has = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = config.runtime.ray.cpus or 1
    if has >= wanted or config.runtime.ray.address:
        return Finding("cores", GOOD, f"{has}")
    return Finding(
        "cores",
        WARN,
        f"{has}, and the runtime {config.runtime.name} counts on {wanted}",
        "It works, slower; a runtime file may say ray: {cpus: 1}.",
    )


def _shared_memory(config: Config) -> Finding:
    """Ray keeps its object store in /dev/shm, and is slow where that is small (as in containers)."""
    if not Path("/dev/shm").is_dir() or config.runtime.ray.address:  # noqa: S108 - looked at, not written to
        return Finding("shared memory", GOOD, "not used here")
    free = shutil.disk_usage("/dev/shm").free // MB  # noqa: S108
    if free >= config.runtime.ray.object_store_mb:
        return Finding("shared memory", GOOD, f"{free:,} MB free in /dev/shm")
    return Finding(
        "shared memory",
        WARN,
        f"{free:,} MB free in /dev/shm, Ray's store wants {config.runtime.ray.object_store_mb:,}",
        "Start the container with --shm-size=1g, or lower ray.object_store_mb.",
    )


def _ray(config: Config) -> Finding:
    """Which Ray is used, and whether there is a token where one is needed."""
    address = os.environ.get("RAY_ADDRESS") or config.runtime.ray.address
    if not address:
        return Finding("Ray", GOOD, "one of our own on 127.0.0.1, with a fresh token each time")
    if os.environ.get("RAY_AUTH_TOKEN") or (Path.home() / ".ray" / "auth_token").is_file():
        return Finding("Ray", GOOD, f"at {address}, a token is there")
    return Finding(
        "Ray",
        WARN,
        f"at {address}, and no token is there",
        "Put the cluster's token in RAY_AUTH_TOKEN or ~/.ray/auth_token, and set RAY_AUTH_MODE=token.",
    )


def _token_files() -> Iterator[Finding]:
    """A token file that others may read."""
    file = Path.home() / ".ray" / "auth_token"
    if file.is_file() and file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        yield Finding("Ray's token", WARN, f"others on this machine may read {file}", f"chmod 600 {file}")


def _roots(config: Config) -> Iterator[Finding]:
    """Whether tables and files can be written where they are to lie, and whether a cluster can reach them."""
    local = (config.runtime.spark.master or "").startswith("local")
    for root in dict.fromkeys([config.tables, config.files]):
        scheme = root.partition("://")[0] if "://" in root else ""
        if scheme:
            known = scheme in SHARED_SCHEMES or scheme == "file"
            yield Finding(
                "root",
                GOOD if known else WARN,
                f"{root} is a URI",
                "" if known else f"{', '.join(SHARED_SCHEMES)} are known to work.",
            )
        elif "/" not in root:
            yield Finding("root", GOOD, f"tables in the metastore, {root}")
        else:
            yield _writable(Path(root))
            if not local:
                yield Finding(
                    "shared paths",
                    WARN,
                    f"{root} is a path",
                    "Spark's and Ray's machines must all see it: a shared file system, or --root with a URI.",
                )


def _writable(root: Path) -> Finding:
    """A root on this machine: writable, with room, and with locks that hold."""
    there = next(path for path in (root, *root.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return Finding(
            "root",
            BAD,
            f"{root}: {error.strerror or error}",
            "--root names a folder that can be written to and locked.",
        )
    free = shutil.disk_usage(there).free // MB
    if free < DISK_MB:
        return Finding(
            "root", WARN, f"{root} has {free:,} MB free", f"Free some: a small recipe uses up to {DISK_MB:,} MB."
        )
    return Finding("root", GOOD, f"{root} can be written, {free:,} MB free")


def _tables(config: Config) -> Iterator[Finding]:
    """Table features that Ray and other readers do not know."""
    from jobs.plain_tables import opened
    from jobs.show import TABLES

    if "/" not in config.tables:
        return
    for name in TABLES:
        try:
            table = opened(config, name)
        except Exception as error:  # noqa: BLE001 - deltalake raises many kinds for a damaged log; all are this finding
            yield Finding(
                f"table {name}",
                BAD,
                f"cannot be read: {str(error).splitlines()[0][:200]}",
                "Restore its _delta_log from a copy, or delete the table: the next run makes it again.",
            )
            continue
        if table is None:
            continue
        features = [*(table.protocol().reader_features or [])]
        bad = [feature for feature in features if feature in UNREADABLE_FEATURES]
        if bad:
            mend = (
                "In Spark: ALTER TABLE ... SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'false'), "
                "then REORG TABLE ... APPLY (PURGE)."
            )
            yield Finding(f"table {name}", WARN, f"uses {', '.join(bad)}, which Ray and deltalake cannot read", mend)
        else:
            yield Finding(f"table {name}", GOOD, f"version {table.version()}, readable by all engines")
