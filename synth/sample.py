"""RAY entry: actors of `Sampler` make the planned rows, shard by shard, into staged Parquet.

A shard's name, rows and bytes follow from plan and checkpoint. So an actor that dies has its shard made again, a
restarted command keeps the shards that are whole, and the number of actors changes nothing.
"""

from __future__ import annotations

import functools
import importlib
import io
from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import ray

from conf import Config, runs
from conf.errors import RecipeError, StageError
from conf.progress import Bar, progress
from conf.runs import StageResult
from synth.cluster import Cluster
from synth.plan import Shard, shards
from synth.sampler import maker_of
from synth.ways import way_of
from udfs import records

MAX_RESTARTS = 4  # of an actor: more is not bad luck
QUEUE = 2  # shards that an actor has before it: the next is there when one is done
HELP_AFTER_S = 20.0  # without any answer
START_S = 120  # that an actor may take to import torch and load the checkpoint, on a busy machine


Told = tuple[str, float, str, str]  # checkpoint, temperature, conditions, the file of the rows to be near to


@dataclass(frozen=True)
class Staged:
    """What became of one shard."""

    rows: int
    hash_sum: int
    per_label: dict[str, int]


def run(cluster: Cluster, config: Config, part: str) -> StageResult:
    """Make the rows that the plan of the generator `part` asks for."""
    place = runs.locate(config, "sample", part)
    trained = place.inputs[f"train.{part}"]
    generator = next(each for each in config.recipe.generate if each.name == part)
    way = way_of(config.recipe, "sampling")
    plan = way.planned(config, generator, f"{runs.real_in(place).folder}/rows/row_split=train")
    wanted = shards(plan, way.shard_rows(config), way.BLOCK)
    checkpoint, folder = f"{trained.folder}/checkpoint", f"{place.folder}/rows"
    near, met = way.near(config, generator, checkpoint, runs.real_in(place).folder, place.folder)
    _clear(folder, keep=set() if runs.done_at(place.folder) else {shard.name for shard in wanted})
    with progress(f"sample {part}", sum(plan.values()), "rows") as bar:
        told = (checkpoint, generator.temperature, generator.rows.where or "", near)
        staged = _staged(wanted, told, folder, config, bar)
    _clear(folder, keep={shard.name for shard in wanted})
    return _result(plan, staged, maker_of(trained.outputs["checkpoint"], generator.temperature, met))


def _result(plan: dict[str, int], staged: list[Staged], maker: str) -> StageResult:
    """The counts, which must be those that were planned; rows planned under no label may have any."""
    labels = dict.fromkeys(
        [*(label for label in plan if label), *sorted({n for each in staged for n in each.per_label})]
    )
    per_label = {label: sum(each.per_label.get(label, 0) for each in staged) for label in labels}
    planned, made = sum(plan.values()), sum(each.rows for each in staged)
    if planned != made or any(label and per_label[label] != count for label, count in plan.items()):
        raise StageError(f"sample: {planned} rows were planned and {made} staged: {plan} against {per_label}.")
    digest = runs.digest(made, sum(each.hash_sum for each in staged))
    return StageResult({"planned": planned, "staged": made, "per_label": per_label}, {"rows": digest, "maker": maker})


def _staged(wanted: list[Shard], told: Told, folder: str, config: Config, bar: Bar) -> list[Staged]:
    """Have actors make all shards."""
    desk = Desk(_actors(min(config.runtime.sample.actors, len(wanted)), config, told), wanted, folder)
    found: list[Staged] = []
    patience, silent_s, timeout_s = 1, 0.0, float(max(START_S, config.runtime.sample.timeout_s))
    while desk.left:
        tick_s = min(HELP_AFTER_S, timeout_s)
        made = desk.answer(tick_s)
        if made is not None:
            found.append(made)
            bar.advance(made.rows)
            silent_s, timeout_s = 0.0, float(config.runtime.sample.timeout_s)
            continue
        silent_s += tick_s
        desk.help()
        if silent_s < timeout_s:
            continue
        if patience == 0:
            raise StageError(_stuck(list(desk.left.values()), timeout_s))
        desk.wake()
        patience, silent_s, timeout_s = patience - 1, 0.0, max(START_S, timeout_s)
    desk.close()
    return found


def _actors(number: int, config: Config, told: Told) -> list[Any]:
    """Actors that load the checkpoint themselves; each has a core, or its share of one where there are fewer."""
    there, on_gpu = ray.cluster_resources(), config.runtime.train.device == "gpu"
    if on_gpu and not there.get("GPU"):
        raise RecipeError("train.device is gpu, and Ray has no GPU: say cpu in the runtime file, or give Ray one.")
    share = {kind: min(1.0, there.get(kind, 0.0) / max(number, 1)) for kind in ("CPU", "GPU")}
    options = {"num_cpus": share["CPU"], "num_gpus": share["GPU"] if on_gpu else 0}
    kind = ray.remote(Maker).options(max_restarts=MAX_RESTARTS, max_task_retries=-1, **options)
    way, device = way_of(config.recipe, "sampling").__name__, "cuda" if on_gpu else "cpu"
    return [kind.remote(way, told, device) for _ in range(number)]


class Desk:
    """Who makes which shard.

    Each actor has one in work and one waiting. Where no answer comes, actors that have nothing to do make what the
    others owe, which may be lost with their machine; bytes are the same, and the first answer counts.
    """

    def __init__(self, actors: list[Any], wanted: list[Shard], folder: str) -> None:
        """Give the first shards out."""
        self.left = {shard.name: shard for shard in wanted}  # without an answer yet
        self._actors, self._waiting, self._folder = actors, deque(wanted), folder
        self._running: dict[ray.ObjectRef, tuple[Any, Shard]] = {}
        for actor in actors * QUEUE:
            self._give(actor)

    def answer(self, timeout_s: float) -> Staged | None:
        """The next shard's answer; None where none comes in time. Raises StageError naming the shard."""
        ready, _ = ray.wait(list(self._running), timeout=timeout_s)
        if not ready:
            return None
        actor, shard = self._running.pop(ready[0])
        if self.left.pop(shard.name, None) is None:  # somebody else has made it
            return self.answer(timeout_s)
        made = _answer(ready[0], shard)
        self._give(actor)
        return made

    def help(self) -> None:
        """Have actors that have nothing to do make what has no answer and is asked of one actor alone."""
        asked = Counter(shard.name for _, shard in self._running.values())
        for actor in self._idle():
            for shard in [shard for name, shard in self.left.items() if asked[name] == 1]:
                self._ask(actor, shard)
                asked[shard.name] += 1

    def wake(self) -> None:
        """Restart actors that gave no answer in time; their shards are tried again."""
        for actor in {actor._actor_id: actor for actor, _ in self._running.values()}.values():
            ray.kill(actor, no_restart=False)

    def close(self) -> None:
        """End all actors."""
        for actor in self._actors:
            ray.kill(actor)

    def _give(self, actor: Any) -> None:
        if self._waiting:
            self._ask(actor, self._waiting.popleft())

    def _ask(self, actor: Any, shard: Shard) -> None:
        self._running[actor.make.remote(shard, self._folder)] = (actor, shard)

    def _idle(self) -> list[Any]:
        busy = {actor._actor_id for actor, _ in self._running.values()}
        return [actor for actor in self._actors if actor._actor_id not in busy]


def _answer(ready: Any, shard: Shard) -> Staged:
    """The actor's answer. Raises StageError naming the shard."""
    try:
        return ray.get(ready)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        raise (cause if isinstance(cause, StageError) else StageError(f"{shard.name}: {cause!r}")) from error
    except ray.exceptions.RayError as error:
        raise StageError(
            f"{shard.name} was lost with its actor {MAX_RESTARTS + 1} times: {type(error).__name__}."
        ) from error


def _stuck(left: list[Shard], timeout_s: float) -> str:
    names = ", ".join(shard.name for shard in left[:4])
    return (
        f"sample: no shard for {timeout_s:.0f} s; waiting for {names}."
        " Raise sample.timeout_s, or lower sample.shard_rows."
    )


class Maker:
    """The actor: one sampler, shard after shard."""

    def __init__(self, way: str, told: Told, device: str) -> None:
        self._way, self._told, self._device = importlib.import_module(way), told, device

    @functools.cached_property
    def _sampler(self) -> Any:
        """Loaded with the first shard, so that a damaged checkpoint is that shard's error and no actor's death."""
        checkpoint, temperature, where, near = self._told
        return self._way.Sampler(checkpoint, temperature, device=self._device, where=where, near=near)

    def make(self, shard: Shard, folder: str) -> Staged:
        """Make a shard, or keep it where it is whole."""
        table = self._kept(shard, folder)
        if table is None:
            pieces = [self._sampler(piece.label, piece.start, piece.stop) for piece in shard.pieces]
            table = pa.concat_tables(pieces)
            runs.write_bytes(folder, shard.name, as_parquet(table, self._way.repeated(table)))
        return Staged(table.num_rows, hash_sum(table), labels_in(table, self._sampler.label_column))

    def _kept(self, shard: Shard, folder: str) -> pa.Table | None:
        """A shard made before, if it holds the rows that it should, hashes included."""
        system, path = runs.filesystem(f"{folder}/{shard.name}")
        if system.get_file_info(path).type != pafs.FileType.File:
            return None
        try:
            with system.open_input_file(path) as file:
                table = pq.ParquetFile(file).read()
        except (pa.ArrowException, OSError):
            return None
        sampler = self._sampler
        ids = pa.concat_arrays([sampler.ids(each.label, each.start, each.stop) for each in shard.pieces])
        if not table.schema.equals(sampler.schema) or not table.column("row_id").combine_chunks().equals(ids):
            return None
        return table if records.row_hashes(table).equals(table.column("row_hash").combine_chunks()) else None


def hash_sum(table: pa.Table) -> int:
    """The sum of the rows' hashes, modulo `runs.HASH_MODULUS`."""
    raw = bytes.fromhex("".join(table.column("row_hash").to_pylist()))
    return int(np.frombuffer(raw, ">u8").astype(np.uint64).sum(dtype=np.uint64)) % runs.HASH_MODULUS


def labels_in(table: pa.Table, column: str | None) -> dict[str, int]:
    """Rows of each label; none where the modality has no labels."""
    if column is None:
        return {}
    found = pc.value_counts(table.column(column).cast(pa.string())).to_pylist()
    return {str(each["values"]): each["counts"] for each in found}


def as_parquet(table: pa.Table, repeated: list[str]) -> bytes:
    """A table as the bytes of a Parquet file: the same for the same rows. `repeated` columns become dictionaries."""
    sink = io.BytesIO()
    pq.write_table(table.combine_chunks(), sink, compression="zstd", use_dictionary=repeated)
    return sink.getvalue()


def _clear(folder: str, keep: set[str]) -> None:
    """Delete files that are not of the plan: of a plan before, or drafts of a killed actor."""
    system, path = runs.filesystem(folder)
    for info in system.get_file_info(pafs.FileSelector(path, allow_not_found=True)):
        if info.base_name not in keep and info.type == pafs.FileType.File:
            system.delete_file(info.path)


if __name__ == "__main__":
    from conf.door import main
    from synth import sample as this  # by its name: Ray's workers import what is sent to them from there
    from synth.cluster import start

    main("sample", start, this.run)
