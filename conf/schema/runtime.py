"""What a runtime may say: where the work is done and with how much."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from conf.schema.parts import Name, Part, Positive


class SparkRuntime(Part):
    """Where Spark runs."""

    master: str | None = "local[2,4]"
    driver_memory: str = Field(default="2g", pattern=r"^\d+[mg]$")
    shuffle_partitions: Positive = 2
    confs: dict[str, str] = {}


class RayRuntime(Part):
    """Where Ray runs; `address` null starts one on this machine."""

    address: str | None = None
    cpus: Positive | None = 2
    object_store_mb: Positive = 512


class TrainRuntime(Part):
    """Who trains: `workers` 0 trains in the driver's process, more train together."""

    workers: int = Field(default=0, ge=0, le=1024)
    threads: Positive = 2
    device: Literal["cpu", "gpu"] = "cpu"
    timeout_s: Positive = 600
    checkpoint_every: Positive = 500


class SampleRuntime(Part):
    """Who samples."""

    actors: Positive = 2
    shard_rows: Positive = 2000
    timeout_s: Positive = 600


class JudgeRuntime(Part):
    """Who judges: `tasks` at a time, of `threads` each; without an answer for `timeout_s`, somebody else is asked."""

    tasks: Positive = 2
    threads: Positive = 1
    timeout_s: Positive = 3600


class Runtime(Part):
    """Where the work is done and with how much."""

    name: Name
    about: str = ""
    tables: str | None = None
    files: str | None = None
    spark: SparkRuntime = SparkRuntime()
    ray: RayRuntime = RayRuntime()
    train: TrainRuntime = TrainRuntime()
    sample: SampleRuntime = SampleRuntime()
    judge: JudgeRuntime = JudgeRuntime()
