# Databricks notebook source
# MAGIC %md
# MAGIC # A hundred rows of a table, grown
# MAGIC The whole way for a table, one stage a cell, and what its generator can be asked for beside the dataset: rows that
# MAGIC meet conditions, missing cells, how likely a row is. The cells call what `seedbed run breast-cancer` calls. Run it
# MAGIC as a notebook, or as a script: `python notebooks/table.py`.

# COMMAND ----------

import os
from contextlib import ExitStack

import matplotlib.pyplot as plt
import numpy as np
import pyarrow.dataset as ds

import conf
from conf import runs
from jobs import pipeline
from jobs.spark import read, session
from synth.cluster import start
from synth.tables.sampler import Sampler
from udfs.table.form import to_matrix

# COMMAND ----------

# MAGIC %md
# MAGIC ## Where and what
# MAGIC `SEEDBED_RUNTIME=databricks` uses the session that is there. `SEEDBED_SET` lays values over the recipe, as `--set`
# MAGIC does. For a table of your own, `seedbed new NAME --from PATH --label COLUMN` writes the recipe to load here.

# COMMAND ----------

config = conf.load(
    "breast-cancer",
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
# MAGIC ## Real rows: read, clean, split, measured

# COMMAND ----------

for stage in ("ingest", "clean", "normalize"):
    for done in pipeline.run_one(config, stage):
        print(done.key, {name: count for name, count in done.counts.items() if name != "sources"})

# COMMAND ----------

label = config.recipe.label_column
clean = read(spark, config, "clean")
clean.groupBy("row_split", label).count().orderBy("row_split", label).show()
clean.drop("row_parents", "row_flags").limit(5).toPandas()

# COMMAND ----------

measured = runs.read_json(runs.done(config, "normalize").folder, "statistics.json")["columns"]
for name, facts in list(measured.items())[:5]:
    print(f"{name:20} {facts['rows']} rows, from {facts['min']} to {facts['max']}, mean {facts['mean']:.4g}")

# COMMAND ----------

# MAGIC %md
# MAGIC ## The generator: train, sample

# COMMAND ----------

for stage in ("train", "sample"):
    for done in pipeline.run_one(config, stage):
        print(done.key, done.counts, *done.notes)

# COMMAND ----------

real = clean.where("row_split = 'train'").toPandas()
generator = config.recipe.generate[0].name
made = ds.dataset(runs.done(config, "sample", generator).folder + "/rows").to_table().to_pandas()
shown = [name for name, said in config.recipe.columns.items() if said.type in ("number", "integer")][:8]
figure, places = plt.subplots(2, 4, figsize=(12, 5))
for place, name in zip(places.flat, shown):
    edges = np.histogram_bin_edges(np.concatenate([real[name].dropna(), made[name].dropna()]), 20)
    place.hist(real[name].dropna(), edges, density=True, alpha=0.6, label="real")
    place.hist(made[name].dropna(), edges, density=True, alpha=0.6, label="generated")
    place.set_title(name, fontsize=8)
places.flat[0].legend(fontsize=8)
plt.tight_layout()
plt.show()

# COMMAND ----------

# MAGIC %md
# MAGIC ## What else the generator can be asked for
# MAGIC Conditions are met while a row is drawn, none is thrown away. A missing cell is drawn given the others of its row,
# MAGIC or a row is made anew around the values of some columns.

# COMMAND ----------

checkpoint = runs.done(config, "train", generator).folder + "/checkpoint"
classes = list(config.recipe.task.classes)
asked = Sampler(checkpoint, where=f"{label}={classes[-1]}")
asked("", 0, 5).to_pandas()[[label, *shown]]

# COMMAND ----------

sampler = Sampler(checkpoint)
rows = ds.dataset(runs.real(config).folder + "/rows/row_split=train").head(5)
whole = to_matrix(rows, sampler.form)
holed = whole.copy()
holed[:, 0] = np.nan
print(
    f"{sampler.form.modelled[0].name}: real {whole[:, 0]}, imputed {sampler.impute(holed, rows.column('row_id'))[:, 0]}"
)
made = sampler.complete(whole, np.arange(whole.shape[1]) == whole.shape[1] - 1, rows.column("row_id"))
print(f"around the same labels: {sampler.form.modelled[0].name} {made[:, 0]}")
print(f"log-likelihood of these rows: {sampler.log_likelihood(whole).round(1)}")

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

# COMMAND ----------

# MAGIC %md
# MAGIC ## What it is worth, how like the real rows, what it gives away

# COMMAND ----------

for stage in ("evaluate", "report"):
    for done in pipeline.run_one(config, stage):
        print(done.key, f"{done.seconds:.1f} s")

# COMMAND ----------

metrics = runs.read_json(runs.home(config), "metrics.json")
print(metrics["headline"]["text"])
for row in metrics["gain"]:
    print(f"{row['judge']:9} {row['arm']:10} {metrics['error']} {row['error']:.4f}  {row['words']}")

# COMMAND ----------

engines.close()
print(f"report: {runs.home(config)}/report.html")
