"""Training and sampling on real Ray: any number of workers, killed, hung, begun again."""

from __future__ import annotations

import dataclasses
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import ray

from conf import Config, runs
from conf.errors import RecipeError, StageError
from synth import checkpoint, sample, train
from tests import listening


def on(config: Config, **parts: dict[str, Any]) -> Config:
    """The config with another runtime: `on(config, train={"workers": 2})`."""
    changed = {name: getattr(config.runtime, name).model_copy(update=values) for name, values in parts.items()}
    return dataclasses.replace(config, runtime=config.runtime.model_copy(update=changed))


def trained(cluster: Any, config: Config, part: str = "image_mixture") -> Path:
    """Train and mark it; the stage's folder."""
    result = train.run(cluster, config, part)
    return Path(runs.finish(runs.locate(config, "train", part), result, 0.0).folder)


def shard_bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "rows").iterdir())}


def sampled(cluster: Any, config: Config, part: str = "image_mixture") -> tuple[runs.StageResult, dict[str, bytes]]:
    """Sample afresh; the result and the shards' bytes."""
    folder = Path(runs.locate(config, "sample", part).folder)
    for path in (folder / "rows").glob("*"):
        path.unlink()
    result = sample.run(cluster, config, part)
    return result, shard_bytes(folder)


@pytest.fixture
def digits_config(config_for: Callable[..., Config], cleaned: Callable[[Config, int], Config]) -> Config:
    """The digits recipe with 300 clean train rows and 30 shards to sample."""
    return on(cleaned(config_for("digits", "generate.0.rows.per_label=400"), 300), sample={"shard_rows": 128})


@pytest.mark.slow
def test_sums_on_two_workers_give_the_weights_of_one_process(ray_session: Any, digits_config: Config) -> None:
    alone = trained(ray_session, digits_config)
    names = sorted(path.name for path in alone.iterdir() if not path.name.startswith("grid-"))
    assert (
        names == ["DONE.json", "checkpoint", "fitted.json", "history.json"] and len(list(alone.glob("grid-*.png"))) == 1
    )
    first = (alone / "checkpoint" / checkpoint.WEIGHTS).read_bytes()
    together = trained(ray_session, on(digits_config, train={"workers": 2}))
    assert together == alone and (alone / "checkpoint" / checkpoint.WEIGHTS).read_bytes() == first


@pytest.mark.slow
def test_sampling_with_one_and_three_actors_gives_the_same_bytes(ray_session: Any, digits_config: Config) -> None:
    trained(ray_session, digits_config)
    one, bytes_of_one = sampled(ray_session, on(digits_config, sample={"actors": 1}))
    three, bytes_of_three = sampled(ray_session, on(digits_config, sample={"actors": 3}))
    assert len(bytes_of_one) > 20 and bytes_of_one == bytes_of_three
    assert one == three and one.counts["planned"] == one.counts["staged"] == 4000


def test_shards_that_are_whole_are_kept_and_others_made_again(ray_session: Any, digits_config: Config) -> None:
    trained(ray_session, digits_config)
    result, whole = sampled(ray_session, digits_config)
    rows = Path(runs.locate(digits_config, "sample", "image_mixture").folder) / "rows"
    kept = rows / "shard-00003.parquet"
    before = kept.stat().st_mtime_ns
    damaged = rows / "shard-00001.parquet"
    damaged.write_bytes(damaged.read_bytes()[:500])
    (rows / "shard-00002.parquet").unlink()
    (rows / "shard-09999.parquet").write_bytes(b"of another plan")
    (rows / ".shard-00002.parquet.77.draft").write_bytes(b"half")
    again = sample.run(ray_session, digits_config, "image_mixture")
    assert again == result and shard_bytes(rows.parent) == whole
    assert kept.stat().st_mtime_ns == before


def strike(rows: Path, number: int, how: int, struck: list[int], makers: Callable[[], list[int]]) -> threading.Thread:
    """Once `number` shards are there, send a signal to one actor."""

    def wait() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if len(list(rows.glob("shard-*"))) >= number and makers():
                struck.append(makers()[0])
                os.kill(struck[0], how)
                return
            time.sleep(0.005)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGSTOP, marks=pytest.mark.slow)])
def test_an_actor_that_dies_or_hangs_has_its_shard_made_again(
    ray_session: Any, digits_config: Config, ray_processes: Callable[[str], list[int]], how: int
) -> None:
    config = on(digits_config, sample={"actors": 1, "timeout_s": 8})
    trained(ray_session, config)
    expected, whole = sampled(ray_session, config)
    rows = Path(runs.locate(config, "sample", "image_mixture").folder) / "rows"
    for path in rows.glob("*"):
        path.unlink()
    struck: list[int] = []
    thread = strike(rows, 3, how, struck, lambda: ray_processes("ray::Maker"))
    result = sample.run(ray_session, config, "image_mixture")
    thread.join()
    assert struck, "no actor was struck"
    assert result == expected and shard_bytes(rows.parent) == whole


@pytest.mark.timeout(60)  # Ray itself would wait for them
def test_more_workers_than_there_are_is_refused(ray_session: Any, digits_config: Config) -> None:
    config = on(digits_config, train={"workers": 64})
    with pytest.raises(RecipeError, match=r"train\.workers is 64"):
        train.run(ray_session, config, "image_mixture")


def test_an_unknown_preset_or_option_is_refused_with_the_nearest(
    ray_session: Any, config_for: Callable[..., Config], cleaned: Callable[[Config, int], Config]
) -> None:
    config = cleaned(config_for("digits", "generate.0.options={max_round: 3}"), 100)
    with pytest.raises(RecipeError, match="nearest is max_rounds"):
        train.run(ray_session, config, "image_mixture")


def test_a_label_without_train_rows_is_refused(
    ray_session: Any, config_for: Callable[..., Config], cleaned: Callable[[Config, int], Config]
) -> None:
    config = cleaned(config_for("digits", "labels=['0','1','2','3','4','5','6','7','8','9','ten']"), 100)
    with pytest.raises(StageError, match="'ten'"):
        train.run(ray_session, config, "image_mixture")


def test_ray_listens_on_loopback_alone_and_asks_for_a_token(ray_session: Any) -> None:
    assert ray_session.address.startswith("127.0.0.1:")
    assert all(node["NodeManagerAddress"] == "127.0.0.1" for node in ray.nodes())
    assert os.environ["RAY_AUTH_TOKEN"] and os.environ["RAY_AUTH_MODE"] == "token"
    heard = listening.addresses()
    assert {"raylet", "gcs_server"} <= heard.keys()
    assert not {name for name, places in heard.items() if not all(map(listening.is_loopback, places))}
