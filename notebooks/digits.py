# Databricks notebook source
# MAGIC %md
# MAGIC # A hundred digits, grown
# MAGIC The whole way, one stage a cell: real rows in, cleaned, split, augmented, generated, judged, merged into one
# MAGIC Delta table, measured on real test rows. The cells call what `seedbed run digits` calls, so a stage that was
# MAGIC done before is skipped, here as there. Run it as a notebook, or as a script: `python notebooks/digits.py`.

# COMMAND ----------

import os
from contextlib import ExitStack

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pyarrow.dataset as ds

import conf
from conf import runs
from jobs import pipeline
from jobs.spark import read, session
from synth.cluster import start

# COMMAND ----------

# MAGIC %md
# MAGIC ## Where and what
# MAGIC Install the package first (`%pip install` of this repository, or open it as a folder of the workspace). On a
# MAGIC metastore runtime say `SEEDBED_RUNTIME=databricks`: tables are then `catalog.schema.digits_dataset` and so on, and
# MAGIC the session that is there is used. `SEEDBED_SET` lays values over the recipe, as `--set` does.

# COMMAND ----------

config = conf.load(
    "digits",
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
# MAGIC ## Real rows: read, clean, split
# MAGIC Every row is in train, val or test once and for good. What is refused goes to `quarantine`, with its reason.

# COMMAND ----------

for stage in ("ingest", "clean", "normalize"):
    for done in pipeline.run_one(config, stage):
        print(done.key, done.counts)

# COMMAND ----------

clean = read(spark, config, "clean")
clean.groupBy("row_split", "label").count().orderBy("row_split", "label").show(60)
clean.select("row_id", "row_origin", "row_split", "row_source", "label", "row_label_source").show(5, truncate=False)

# COMMAND ----------

train = clean.where("row_split = 'train'").orderBy("label", "row_id").limit(40).toPandas()
figure, places = plt.subplots(4, 10, figsize=(8, 3.6))
for place, image, label in zip(places.flat, train["image"], train["label"]):
    place.imshow(cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_UNCHANGED), cmap="gray")
    place.set_title(label, fontsize=8)
    place.axis("off")
plt.suptitle("real train rows")
plt.show()

# COMMAND ----------

# MAGIC %md
# MAGIC ## Augmented rows
# MAGIC Every child's bytes follow from its own id: one worker or many, the same rows.

# COMMAND ----------

for done in pipeline.run_one(config, "augment"):
    print(done.key, done.counts)

# COMMAND ----------

children = ds.dataset(runs.done(config, "augment").folder + "/rows").head(40).to_pandas()
figure, places = plt.subplots(4, 10, figsize=(8, 3.6))
for place, image, label in zip(places.flat, children["image"], children["label"]):
    place.imshow(cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_UNCHANGED), cmap="gray")
    place.set_title(label, fontsize=8)
    place.axis("off")
plt.suptitle("augmented rows")
plt.show()

# COMMAND ----------

# MAGIC %md
# MAGIC ## Generators: train, sample

# COMMAND ----------

for stage in ("train", "sample"):
    for done in pipeline.run_one(config, stage):
        print(done.key, done.counts, *done.notes)

# COMMAND ----------

for generator in config.recipe.generate:
    history = runs.read_json(runs.done(config, "train", generator.name).folder, "history.json")
    for name in sorted({name for entry in history for name in entry if "loss" in name or "likelihood" in name}):
        points = [(entry["step"], entry[name]) for entry in history if name in entry]
        plt.plot(*zip(*points), label=f"{generator.name} {name}")
plt.xlabel("step")
plt.legend(fontsize=8)
plt.show()

# COMMAND ----------

folders = [runs.done(config, "sample", each.name).folder for each in config.recipe.generate]
sampled = [ds.dataset(f"{folder}/rows").head(20).to_pandas() for folder in folders]
figure, places = plt.subplots(len(sampled), 20, figsize=(12, 0.9 * len(sampled)), squeeze=False)
for line, rows, generator in zip(places, sampled, config.recipe.generate):
    line[0].set_title(generator.name, fontsize=8, loc="left")
    for place, image in zip(line, rows["image"]):
        place.imshow(cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_UNCHANGED), cmap="gray")
        place.axis("off")
plt.show()

# COMMAND ----------

# MAGIC %md
# MAGIC ## Judge, accept or refuse, merge in one commit

# COMMAND ----------

for stage in ("score", "gate", "merge"):
    for done in pipeline.run_one(config, stage):
        print(done.key, done.counts, *done.notes)

# COMMAND ----------

dataset = read(spark, config, "dataset")
dataset.groupBy("row_origin", "row_split").count().orderBy("row_origin", "row_split").show()
made = dataset.where("row_origin = 'synthetic'")
made.select("row_id", "row_source", "label", "row_label_source").show(5, truncate=False)

# COMMAND ----------

# MAGIC %md
# MAGIC ## What it is worth, on real test rows

# COMMAND ----------

for stage in ("evaluate", "report"):
    for done in pipeline.run_one(config, stage):
        print(done.key, f"{done.seconds:.1f} s")

# COMMAND ----------

metrics = runs.read_json(runs.home(config), "metrics.json")
print(metrics["headline"]["text"])
print(metrics["verdict"]["text"])
for row in metrics["gain"]:
    print(f"{row['judge']:8} {row['arm']:10} error {100 * row['error']:5.1f} %  {row['words']}")

# COMMAND ----------

for judge, curve in metrics["curve"].items():
    errors = [100 * np.mean(each) for each in curve["error"]]
    plt.plot(curve["rows"], errors, "o-", label=f"{judge}, real rows alone")
for row in metrics["gain"]:
    if row["arm"] == "all":
        plt.axhline(100 * row["error"], linestyle="--", label=f"{row['judge']}, the grown set")
plt.xscale("log")
plt.xlabel("real train rows")
plt.ylabel("error on test, %")
plt.legend(fontsize=8)
plt.show()

# COMMAND ----------

engines.close()
print(f"report: {runs.home(config)}/report.html")
