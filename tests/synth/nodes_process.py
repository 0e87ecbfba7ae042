"""A process that trains or samples on a Ray of three nodes, of which one is lost on the way.

`python -m tests.synth.nodes_process train|sample RECIPE RUNTIME ROOT PART OVERRIDE...`: the head has no cores, the two
others one each; once there is some work, the node that does it is killed without grace.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import conf
from conf import runs
from synth import cluster, sample, train

MADE = {"train": ("state/*/MANIFEST.json", 2), "sample": ("rows/shard-*", 3)}
TITLES = {"train": b"ray::RayTrainWorker", "sample": b"ray::Maker"}


def parents(title: bytes) -> set[int]:
    """Ids of the processes that started a process of that title: nodes' raylets."""
    found = set()
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and Path(f"/proc/{name}/cmdline").read_bytes().startswith(title):
                found.add(int(Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[1]))
        except OSError:
            continue
    return found


def lose(machines: Any, folder: Path, stage: str) -> None:
    """Kill a node that works, once some of the work is done."""
    pattern, number = MADE[stage]
    while True:
        at_work = parents(TITLES[stage])
        for node in machines.worker_nodes:
            if len(list(folder.glob(pattern))) >= number and node.all_processes["raylet"][0].process.pid in at_work:
                machines.remove_node(node, allow_graceful=False)
                print("lost a node", time.monotonic(), flush=True)
                return
        time.sleep(0.02)


def main(stage: str, recipe: str, runtime: str, root: str, part: str, *overrides: str) -> None:
    """Do the stage on nodes of which one is lost."""
    from ray.cluster_utils import Cluster

    place = {"node_ip_address": "127.0.0.1", "include_dashboard": False}
    machines = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **place})
    for _ in range(2):
        machines.add_node(wait=False, num_cpus=1, **place)
    machines.wait_for_nodes(120)
    os.environ["RAY_ADDRESS"] = machines.address
    config = conf.load(recipe, runtime, overrides, root)
    folder = Path(runs.locate(config, stage, part).folder)
    threading.Thread(target=lose, args=(machines, folder, stage), daemon=True).start()
    with cluster.start(config) as joined:
        result = {"train": train, "sample": sample}[stage].run(joined, config, part)
    print("done", time.monotonic(), result.outputs, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:6], *sys.argv[6:])
