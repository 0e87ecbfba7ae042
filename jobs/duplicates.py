"""Copies: exact ones by a hash of the pixels, near ones by a perceptual hash and a check of the content.

Near copies are found without comparing all pairs. Two 64-bit hashes that differ in at most d bits agree wholly in at least one of d + 1
bands (pigeonhole), so only rows that share a band's value are compared; a pair that shares several is reported in the first alone.
Groups are stars around one row, never chains: rows are taken in a fixed order, and each that is not yet in a star becomes the hub of its
near copies. What this gives up: a block of more than MAX_BLOCK rows of one band value is cut by the next band too, which may miss pairs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from conf.schema import Duplicates
from jobs.staging import lay_down

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

HASH_BITS = 64
MAX_MEAN_DIFFERENCE = 6.0  # grey levels between thumbnails: a re-encoded or resized copy differs by 1 to 3, another picture by 15 and more
MAX_BLOCK = 20_000  # rows compared with one another, some seconds' work
MAX_PAIRS_ON_DRIVER = 200_000  # some 40 MB; beyond, stars are made in rounds on the workers
_CHUNK = 512
_PAIRS = pa.schema([("first", pa.string()), ("second", pa.string()), ("distance", pa.int64())])
_SEPARATOR = ":"


def mark_exact(facts: DataFrame, rule: Duplicates, has_label_stage: bool) -> DataFrame:
    """Facts with `rank`, `node`, `is_node` and, where already known, `fate`, `row_reason` and `row_detail`.

    `rank` is 0 for given test rows, 1 for given val rows, 2 for all others. Rows of equal pixels and rank are copies; `node` names the one
    that stands for them. A copy of a given test or val row is refused, and so are copies whose labels conflict: nobody knows which is right.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    rank = F.when(F.col("given") == "test", 0).when(F.col("given") == "val", 1).otherwise(2)
    alike = Window.partitionBy("pixels")
    copies = Window.partitionBy("pixels", "rank")
    order = F.concat_ws(_SEPARATOR, F.col("rank"), F.col("known").isNull().cast("int"), salted("star", "row_id"), "row_id")
    best_first = copies.orderBy(F.col("label").isNull(), F.col("given").isNull(), F.col("known").isNull(), "row_id")
    marked = facts.withColumn("rank", rank).withColumns(
        {
            "top": F.min("rank").over(alike),
            "labels": F.array_sort(F.collect_set("label").over(copies)),
            "place": F.row_number().over(best_first),
            "node": F.first(order).over(best_first),
        }
    )
    merged = (F.col("place") > 1) & F.lit(rule.exact == "drop")
    unlabelled = F.col("label").isNull() & ((F.col("rank") < 2) | F.lit(not has_label_stage))
    reason = (
        F.when(F.col("rank") > F.col("top"), F.when(F.col("top") == 0, "copy_of_test").otherwise("copy_of_val"))
        .when(F.size("labels") > 1, "label_conflict")
        .when(~merged & unlabelled, "label_missing")
    )
    detail = (
        F.when(reason == "label_conflict", F.concat(F.lit("copies are labelled "), F.concat_ws(", ", "labels")))
        .when(reason == "label_missing", "no label, and the recipe has no label stage that would give one")
        .when(reason.isNotNull(), "the pixels are the same")
    )
    fate = F.when(reason.isNotNull(), "refused").when(merged, "merged")
    columns = {"row_reason": reason, "row_detail": detail, "fate": fate, "is_node": (F.col("place") == 1) & reason.isNull()}
    return marked.withColumns(columns).drop("top", "labels", "place")


def salted(salt: str, *columns: str, seed: int | None = None) -> Column:
    """16 hex digits: a hash of the columns that draws of other salts do not know of."""
    from pyspark.sql import functions as F

    told = [F.lit(salt), *([F.lit(str(seed))] if seed is not None else []), *(F.col(column) for column in columns)]
    return F.substring(F.sha2(F.concat_ws("|", *told), 256), 1, 16)


def row_id_of(node: Column) -> Column:
    """The row_id at a node's end."""
    from pyspark.sql import functions as F

    return F.element_at(F.split(node, _SEPARATOR), -1)


# ---- near copies ----


def near_pairs(nodes: DataFrame, max_distance_bits: int) -> DataFrame:
    """Pairs (first < second) of nodes with close hashes and close content; a null `second` notes a block that was cut.

    `nodes` has node, look (the hash) and thumb.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F
    from pyspark.sql.pandas.types import from_arrow_schema

    bands = bands_of(max_distance_bits)
    values = F.array(*(_band(F.col("look"), start, width) for start, width in bands))
    blocked = nodes.select("node", "look", "thumb", F.posexplode(values).alias("band", "value"))
    shared = blocked.withColumn("others", F.count("*").over(Window.partitionBy("band", "value"))).where("others > 1").drop("others")
    ordered = shared.sortWithinPartitions("band", "value", "node")
    return ordered.mapInArrow(_pair_finder(max_distance_bits), from_arrow_schema(_PAIRS))


def bands_of(max_distance_bits: int) -> list[tuple[int, int]]:
    """(first bit, width) of max_distance_bits + 1 bands that cover the hash."""
    edges = [HASH_BITS * place // (max_distance_bits + 1) for place in range(max_distance_bits + 2)]
    return [(start, stop - start) for start, stop in zip(edges, edges[1:], strict=False)]


def _band(look: Column, start: int, width: int) -> Column:
    from pyspark.sql import functions as F

    if width == HASH_BITS:
        return look
    return F.shiftrightunsigned(look, start).bitwiseAND(F.lit((1 << width) - 1))


def _pair_finder(max_distance_bits: int) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def find(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for band, block in _blocks(batches):
            nodes = block.column("node").to_pylist()
            looks = block.column("look").to_numpy().astype(np.uint64)
            thumbs = np.stack([np.frombuffer(each, np.uint8) for each in block.column("thumb").to_pylist()])
            for rows, was_cut in _bounded(looks, band, max_distance_bits):
                first, second, distance = close_pairs(looks[rows], thumbs[rows], band, max_distance_bits)
                found = [sorted((nodes[rows[a]], nodes[rows[b]])) for a, b in zip(first, second, strict=True)]
                noted = [[nodes[rows[0]], None]] if was_cut else []
                told = [*found, *noted]
                distances = [*distance.tolist(), *([len(rows)] if was_cut else [])]
                if told:
                    firsts, seconds = zip(*told, strict=True)
                    yield pa.record_batch([pa.array(firsts), pa.array(seconds, pa.string()), pa.array(distances)], schema=_PAIRS)

    return find


def _blocks(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[int, pa.Table]]:
    """Runs of rows of one band and value, whole, however the batches cut them."""
    held: list[pa.RecordBatch] = []
    key: tuple[int, int] | None = None
    for batch in batches:
        band, value = batch.column("band").to_numpy(), batch.column("value").to_numpy()
        starts = np.flatnonzero(np.r_[True, (band[1:] != band[:-1]) | (value[1:] != value[:-1])]) if len(band) else []
        for start, stop in zip(starts, [*starts[1:], len(band)], strict=True):
            found = (int(band[start]), int(value[start]))
            if found != key and held and key:
                yield key[0], pa.Table.from_batches(held)
                held = []
            key = found
            held.append(batch.slice(int(start), int(stop - start)))
    if held and key:
        yield key[0], pa.Table.from_batches(held)


def _bounded(looks: NDArray[np.uint64], band: int, bits: int) -> Iterator[tuple[NDArray[np.int64], bool]]:
    """Rows to compare with one another: the block, or its parts of one value in the next band where it is too large."""
    rows = np.arange(len(looks))
    if len(rows) <= MAX_BLOCK:
        yield rows, False
        return
    bands = bands_of(bits)
    start, width = bands[(band + 1) % len(bands)]
    values = (looks >> np.uint64(start)) & np.uint64(2**width - 1)
    for value in np.unique(values):
        part = rows[values == value]
        for begin in range(0, len(part), MAX_BLOCK):
            yield part[begin : begin + MAX_BLOCK], True


def close_pairs(
    looks: NDArray[np.uint64], thumbs: NDArray[np.uint8], band: int, bits: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of a block: hashes within `bits`, `band` the first band in which they agree, thumbnails within MAX_MEAN_DIFFERENCE."""
    firsts, seconds, distances = [], [], []
    for start in range(0, len(looks), _CHUNK):
        differing = looks[start : start + _CHUNK, None] ^ looks[None, :]  # (chunk, N)
        distance = np.bitwise_count(differing)
        row, column = np.nonzero((distance <= bits) & (np.arange(len(looks))[None, :] > np.arange(start, start + len(differing))[:, None]))
        for earlier, width in bands_of(bits)[:band]:
            agree = (differing[row, column] >> np.uint64(earlier)) & np.uint64(2**width - 1) == 0
            row, column = row[~agree], column[~agree]
        gap = np.abs(thumbs[start + row].astype(np.int16) - thumbs[column]).mean(axis=1)
        near = gap <= MAX_MEAN_DIFFERENCE
        firsts.append(start + row[near])
        seconds.append(column[near])
        distances.append(distance[row[near], column[near]].astype(np.int64))
    return np.concatenate(firsts), np.concatenate(seconds), np.concatenate(distances)


# ---- stars ----


def hubs_of(spark: SparkSession, pairs: DataFrame, folder: str) -> DataFrame:
    """(node, hub) of every node that has a near copy; a hub is its own."""
    few = pairs.select("first", "second").limit(MAX_PAIRS_ON_DRIVER + 1).collect()
    if len(few) <= MAX_PAIRS_ON_DRIVER:
        found = stars((row["first"], row["second"]) for row in few)
        return spark.createDataFrame(sorted(found.items()), "node string, hub string").coalesce(1)
    return stars_in_rounds(spark, pairs, folder)


def merge_near(marked: DataFrame, hubs: DataFrame) -> DataFrame:
    """Rows of a star merged into its hub where they have the hub's label or none, and no split of their own."""
    from pyspark.sql import functions as F

    labels = marked.where("is_node").join(hubs.where("node = hub"), "node").select("hub", F.col("label").alias("hub_label"))
    starred = hubs.where("node != hub").join(labels, "hub").select("node", "hub_label")
    alike = F.col("label").isNull() | (F.col("label") == F.col("hub_label"))
    gone = F.col("fate").isNull() & F.col("hub_label").isNotNull() & F.col("given").isNull() & alike
    joined = marked.join(starred, "node", "left")
    merged = {"fate": F.when(gone, "merged").otherwise(F.col("fate")), "is_node": F.col("is_node") & ~F.coalesce(gone, F.lit(False))}
    return joined.withColumns(merged).drop("hub_label")


def stars(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """node -> hub: nodes in their order; each that is in no star yet becomes the hub of its neighbours that are in none."""
    neighbours: dict[str, list[str]] = defaultdict(list)
    for first, second in pairs:
        neighbours[first].append(second)
        neighbours[second].append(first)
    hub: dict[str, str] = {}
    for node in sorted(neighbours):
        if node not in hub:
            hub[node] = node
            for other in neighbours[node]:
                hub.setdefault(other, node)
    return hub


def stars_in_rounds(spark: SparkSession, pairs: DataFrame, folder: str) -> DataFrame:
    """The same stars, made on the workers: in each round every node that comes before all its undecided neighbours becomes a hub.

    That gives the hubs of the one-by-one order (Blelloch, Fineman, Shun 2012, "Greedy sequential maximal independent set and matching are
    parallel on average"), in about log n rounds as the order is random.
    """
    from pyspark.sql import functions as F

    pairs = pairs.select("first", "second")
    both = pairs.union(pairs.select(F.col("second"), F.col("first"))).toDF("node", "other")
    both = lay_down(spark, both, folder, "near/links")
    live, chosen, turn = both, None, 0
    while not live.isEmpty():
        lowest = live.groupBy("node").agg(F.min("other").alias("other"))
        hubs = lay_down(spark, lowest.where("node < other").select(F.col("node").alias("hub")), folder, f"near/hubs-{turn}")
        chosen = hubs if chosen is None else chosen.union(hubs)
        claimed = live.join(hubs, live["other"] == hubs["hub"], "left_semi").select("node")
        gone = lay_down(spark, hubs.toDF("gone").union(claimed.toDF("gone")).distinct(), folder, f"near/gone-{turn}")
        rest = live.join(gone, live["node"] == gone["gone"], "left_anti").join(gone, F.col("other") == gone["gone"], "left_anti")
        live = lay_down(spark, rest, folder, f"near/live-{turn}")
        turn += 1
    assert chosen is not None
    members = both.join(chosen, both["other"] == chosen["hub"]).groupBy("node").agg(F.min("hub").alias("hub"))
    own = chosen.select(F.col("hub").alias("node"), F.col("hub"))
    return own.union(members.join(own.select("node"), "node", "left_anti"))
