# Databricks notebook source
# MAGIC %md
# MAGIC # Four years of a share's prices, grown
# MAGIC The whole way for time series without labels, one stage a cell; what each step makes of a window; and a checkpoint
# MAGIC that forecasts and fills gaps. The cells call what `seedbed run share-prices` calls. Run it as a notebook, or as a
# MAGIC script: `python notebooks/series.py`.

# COMMAND ----------

import os
from contextlib import ExitStack

import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa

import conf
from conf import runs
from jobs import pipeline
from jobs.spark import read, session
from synth.cluster import start
from synth.series.sampler import Sampler
from udfs.series.compiled import compile_series_steps
from udfs.series.windows import stacked

# COMMAND ----------

# MAGIC %md
# MAGIC ## Where and what
# MAGIC `SEEDBED_RUNTIME=databricks` uses the session that is there. `SEEDBED_SET` lays values over the recipe, as `--set`
# MAGIC does. For recordings of your own, `seedbed new NAME --from PATH` writes the recipe to load here.

# COMMAND ----------

config = conf.load(
    "share-prices",
    os.environ.get("SEEDBED_RUNTIME", "local"),
    os.environ.get("SEEDBED_SET", "").split(),
)
print(config.recipe.about)
for planned in pipeline.plan(config):
    print(f"{planned.key:22} {planned.action:8} {planned.why}")

# COMMAND ----------

engines = ExitStack()
spark = engines.enter_context(session(config))
ray = engines.enter_context(start(config))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Real windows: read, mended, cut, split by time

# COMMAND ----------

for stage in ("ingest", "clean", "normalize"):
    for done in pipeline.run_one(config, stage):
        print(done.key, {name: count for name, count in done.counts.items() if name != "sources"})

# COMMAND ----------

clean = read(spark, config, "clean")
clean.groupBy("row_split").count().orderBy("row_split").show()
length, channels = config.recipe.series.length, config.recipe.series.channels
rows = clean.where("row_split = 'train'").orderBy("row_id").limit(200).select("row_id", "series").toArrow()
windows = stacked(rows.column("series").combine_chunks(), length, len(channels))

# COMMAND ----------

# MAGIC %md
# MAGIC ## What steps do
# MAGIC A child's draws come from its id: the same id, the same window, wherever it is made.

# COMMAND ----------

ids = [f"{place:040x}" for place in range(len(windows))]
steps = ("series.magnitude_warp", "series.time_warp", "series.window_slice", "series.jitter")
figure, places = plt.subplots(1, len(steps), figsize=(12, 2.5))
for place, name in zip(places, steps):
    made, _ = compile_series_steps([name], length, len(channels)).apply(windows, ids, config.recipe.seed)
    place.plot(windows[0, :, 0], label="real")
    place.plot(made[0, :, 0], label=name)
    place.legend()
plt.show()

# COMMAND ----------

# MAGIC %md
# MAGIC ## Children, and the generator: train, sample

# COMMAND ----------

for stage in ("augment", "train", "sample"):
    for done in pipeline.run_one(config, stage):
        print(done.key, done.counts, *done.notes)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Forecasts
# MAGIC The same checkpoint makes what is missing of a window around what is known, which stays as it is.

# COMMAND ----------

sampler = Sampler(runs.done(config, "train", config.recipe.generate[0].name).folder + "/checkpoint")
known = np.repeat(windows[:1], 50, axis=0)
known[:, length // 2 :] = np.nan
ends = sampler.complete(known, [""] * len(known), pa.array(ids[: len(known)]))
plt.plot(ends[:, :, 0].T, color="tab:orange", alpha=0.2)
plt.plot(windows[0, :, 0], color="tab:blue")
plt.title(f"{channels[0]}: fifty ways on from the middle, and what happened")
plt.show()

# COMMAND ----------

# MAGIC %md
# MAGIC ## Judged, accepted or refused, merged in one commit

# COMMAND ----------

for stage in ("score", "gate", "merge"):
    for done in pipeline.run_one(config, stage):
        print(done.key, done.counts, *done.notes)

# COMMAND ----------

dataset = read(spark, config, "dataset")
dataset.groupBy("row_origin", "row_split").count().orderBy("row_origin", "row_split").show()

# COMMAND ----------

# MAGIC %md
# MAGIC ## What they are worth

# COMMAND ----------

for stage in ("evaluate", "report"):
    for done in pipeline.run_one(config, stage):
        print(done.key, f"{done.seconds:.1f} s")

# COMMAND ----------

metrics = runs.read_json(runs.home(config), "metrics.json")
print(metrics["headline"]["text"])
for row in metrics["gain"]:
    print(f"{row['judge']:11} {row['arm']:10} {metrics['error']} {row['error']:.4f}  {row['words']}")
for judge, curve in metrics["curve"].items():
    plt.plot(curve["rows"], [sum(each) / len(each) for each in curve["error"]], marker="o", label=judge)
plt.xlabel("real train rows")
plt.ylabel(metrics["error"])
plt.legend()
plt.show()

# COMMAND ----------

engines.close()
print(f"report: {runs.home(config)}/report.html")
