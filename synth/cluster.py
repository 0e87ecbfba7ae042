"""The only `ray.init`: a Ray of our own on loopback with a token, or the cluster that is already there."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from conf import Config
from conf.errors import StageError
from conf.threads import spin

NAMESPACE = "seedbed"
START_TRIES = 3
_LOOPBACK = ("127.", "localhost:", "[::1]:")


@dataclass(frozen=True)
class Cluster:
    """A Ray that is connected."""

    address: str
    owned: bool  # started by us, so stopped by us


def address_of(config: Config) -> str | None:
    """Where a running cluster is: RAY_ADDRESS (set for submitted jobs) before the runtime's; None to start our own."""
    return os.environ.get("RAY_ADDRESS") or config.runtime.ray.address


@contextlib.contextmanager
def start(config: Config) -> Iterator[Cluster]:
    """Connect to Ray for the time of the context; a Ray that was connected before is used and left alone.

    Raises StageError where the cluster cannot be reached.
    """
    import ray

    if ray.is_initialized():
        yield Cluster(ray.get_runtime_context().gcs_address, owned=False)
        return
    with _quiet():
        address = address_of(config)
        try:
            _connect(address) if address else _own(config, START_TRIES)
        except Exception as error:  # ray.init raises many kinds; all mean the same to a person
            raise StageError(_mend(address, error)) from error
        try:
            yield Cluster(ray.get_runtime_context().gcs_address, owned=not address)
        finally:
            ray.shutdown()


def _own(config: Config, tries: int) -> None:
    """Start a Ray of our own; again where that was too slow: Ray gives a node 30 s, and machines are busy."""
    import ray

    try:
        _start(config)
    except Exception as error:
        if tries <= 1 or "timed out" not in str(error):
            raise
        ray.shutdown()
        _own(config, tries - 1)


def _start(config: Config) -> None:
    """Start a Ray that only this machine can reach, and that only knowers of a fresh token may use."""
    import ray

    runtime = config.runtime.ray
    if os.environ.get("RAY_AUTH_MODE") != "token":
        os.environ.pop("RAY_AUTH_MODE", None)  # unset, so that Ray itself turns tokens on for a cluster that it starts
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))  # or Ray would write one to the home folder
    _stay_on_loopback()
    ray.init(
        address="local",
        num_cpus=runtime.cpus,
        object_store_memory=runtime.object_store_mb << 20,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        namespace=NAMESPACE,
        runtime_env=_environment(),
    )


def _stay_on_loopback() -> None:
    """Have Ray listen on 127.0.0.1 alone, as it does on macOS (`_node_ip_address` would turn that into the outer one).

    The variable is for the processes that Ray starts; in this one it was read when ray was imported.
    """
    from ray._private import ray_constants

    os.environ[ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR] = "0"
    ray_constants.ENABLE_RAY_CLUSTER = False


def _connect(address: str) -> None:
    """Join a cluster that is running; on loopback where its head is (Ray would seek it at the outer address)."""
    import ray
    from ray._private.services import get_ray_address_from_environment

    place = get_ray_address_from_environment("auto", None) if address == "auto" else address
    if str(place).startswith(_LOOPBACK):
        _stay_on_loopback()
    ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, namespace=NAMESPACE)


def _environment() -> dict[str, dict[str, str]]:
    """What our own workers need: the driver's import path, little patience with a process group that is stuck, threads
    that wait quietly.
    """
    path = os.pathsep.join(each for each in sys.path if each)
    return {"env_vars": {"PYTHONPATH": path, "TORCH_PROCESS_GROUP_SHUTDOWN_TIMEOUT_S": "3", **spin()}}


def _mend(address: str | None, error: Exception) -> str:
    """What to tell a person whose Ray does not answer; never the token."""
    said = str(error).strip().splitlines()
    first = said[0][:300] if said else type(error).__name__
    if address:
        return (
            f"Ray at {address} cannot be reached: {first} Start it with `ray start --head`, check ray.address in the "
            "runtime file or RAY_ADDRESS, and that RAY_AUTH_MODE and the token are those of the cluster."
        )
    return f"Ray cannot be started on this machine: {first} `seedbed doctor` says what it needs."


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Ray's advice to developers off a user's screen."""
    told = {"RAY_TRAIN_ENABLE_PRINT_PATCH": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_DEDUP_LOGS": "0"}
    for name, value in told.items():
        os.environ.setdefault(name, value)
    logging.getLogger("ray").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning, module="ray")
        yield
