# Databricks notebook source
# MAGIC %md
# MAGIC # Two hundred texts, grown
# MAGIC The whole way for texts, one stage a cell, and what each step makes of a text. The cells call what
# MAGIC `seedbed run word-senses` calls. Run it as a notebook, or as a script: `python notebooks/text.py`.

# COMMAND ----------

import os
from contextlib import ExitStack

import matplotlib.pyplot as plt

import conf
from conf import runs
from jobs import pipeline
from jobs.spark import read, session
from synth.cluster import start
from udfs.text.compiled import compile_text_steps
from udfs.text.privacy import mask_private
from udfs.text.voice import to_active, to_passive

# COMMAND ----------

# MAGIC %md
# MAGIC ## Where and what
# MAGIC `SEEDBED_RUNTIME=databricks` uses the session that is there. `SEEDBED_SET` lays values over the recipe, as `--set`
# MAGIC does. For texts of your own, `seedbed new NAME --from PATH --label COLUMN` writes the recipe to load here.

# COMMAND ----------

config = conf.load(
    "word-senses",
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
# MAGIC ## Real texts: read, repaired, split

# COMMAND ----------

for stage in ("ingest", "clean", "normalize"):
    for done in pipeline.run_one(config, stage):
        print(done.key, {name: count for name, count in done.counts.items() if name != "sources"})

# COMMAND ----------

clean = read(spark, config, "clean")
clean.groupBy("row_split", "label").count().orderBy("row_split", "label").show()
clean.select("row_id", "row_split", "label", "text").limit(5).toPandas()

# COMMAND ----------

# MAGIC %md
# MAGIC ## What steps do
# MAGIC A child's draws come from its id: the same id, the same text, wherever it is made.

# COMMAND ----------

senses = [row["text"] for row in clean.where("row_split = 'train'").orderBy("row_id").limit(4).collect()]
ids = [f"{place:040x}" for place in range(len(senses))]
for name in ("text.synonym_replacement", "text.word_deletion", "text.keyboard_typos", "text.grammar_errors"):
    made, _ = compile_text_steps([(name, {"p": 0.3})]).apply(senses, ids, config.recipe.seed)
    print(name, *[f"  {before} -> {after}" for before, after in zip(senses, made)], sep="\n")
print(to_passive("The committee will publish the report on Friday."))
print(to_active("The old bridge was repaired by two engineers."))
print(mask_private(["Write to ann@example.org or call +44 20 7946 0958."]))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Children, judged, accepted or refused, merged in one commit

# COMMAND ----------

for stage in ("augment", "score", "gate", "merge"):
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
