"""What actors, rows and files cost: rows/s from checkpoint to staged Parquet, against one bare thread's forward and
encode.

The bare thread makes blocks of the same size from ready noise, turns them to uint8 and to PNG, and throws them
away. Ours also draws each row's noise by its id, makes lineage and hashes, and writes Parquet. Start-up of actors
is not in the ratio and is told beside it. The bare loop runs before and after.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import prepared

BARS = {1: 0.8, 2: 1.6}
SHARD_ROWS, SHARDS_PER_ACTOR = 1024, 24
REPOSITORY = Path(__file__).resolve().parents[2]


def bare(checkpoint: str, rows: int) -> float:
    """Rows/s of forward and encode on one thread."""
    import torch

    from synth.encode import from_tensor
    from synth.models import SAMPLE_BLOCK
    from synth.sampler import Sampler
    from udfs import image

    torch.set_num_threads(1)
    model = Sampler(checkpoint).model
    noise, condition = torch.randn(SAMPLE_BLOCK, model.noise_width), torch.arange(SAMPLE_BLOCK) % 10
    began = time.perf_counter()
    with torch.inference_mode():
        for block in range(-10, rows // SAMPLE_BLOCK):
            if block == 0:
                began = time.perf_counter()
            image.encode(from_tensor(model.sample(noise, condition)))
    return rows / (time.perf_counter() - began)


def bare_apart(checkpoint: str, rows: int) -> float:
    """The bare loop in a process of its own, as an actor is one."""
    command = [sys.executable, __file__, "--bare", checkpoint, "--rows", str(rows)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True, cwd=REPOSITORY).stdout.strip())


def through_actors(root: Path, part: str, actors: int) -> dict[str, float]:
    """Rows/s between the first shards and the last, and the seconds that all of it took."""
    from conf import runs
    from synth import sample
    from synth.cluster import start

    per_label = SHARD_ROWS * SHARDS_PER_ACTOR * actors // 10
    plans = [f"generate.{place}.rows.per_label={per_label}" for place in (0, 1)]
    short = "generate.1.train.max_steps=30"
    config = prepared.config_of(root, short, *plans, sample={"actors": actors, "shard_rows": SHARD_ROWS})
    with start(config) as cluster:
        began = time.perf_counter()
        sample.run(cluster, config, part)
        whole = time.perf_counter() - began
    folder = Path(runs.locate(config, "sample", part).folder) / "rows"
    seconds, shards = prepared.between_files(folder, "shard-*.parquet", 2 * actors)
    return {"rows_per_s": shards * SHARD_ROWS / seconds, "whole_s": whole, "planned": per_label * 10}


def trained(root: Path, part: str) -> str:
    """A short training's checkpoint: rows cost the same whatever they look like."""
    from conf import runs
    from synth import train
    from synth.cluster import start

    config = prepared.config_of(root, "generate.1.train.max_steps=30")
    prepared.clean(config)
    with start(config) as cluster:
        runs.finish(runs.locate(config, "train", part), train.run(cluster, config, part), 0.0)
    return f"{runs.locate(config, 'train', part).folder}/checkpoint"


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="")
    parser.add_argument("--bare", default="", help="only the bare loop, with this checkpoint")
    parser.add_argument("--rows", type=int, default=8192)
    given = parser.parse_args()
    if given.bare:
        print(bare(given.bare, given.rows))
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for part in ("image_gan", "image_mixture"):
            checkpoint = trained(Path(folder) / "root", part)
            for actors, bar in BARS.items():
                before = bare_apart(checkpoint, given.rows)
                ours = through_actors(Path(folder) / "root", part, actors)
                after = bare_apart(checkpoint, given.rows)
                alone = (before + after) / 2
                ratio = ours["rows_per_s"] / alone
                numbers = {"bare_rows_per_s": alone, "bare_before": before, "bare_after": after, **ours, "ratio": ratio}
                case, met = f"sampling {part}, {actors} actor{'s' if actors > 1 else ''}", ratio >= bar
                rows.append({"case": case, "bar": bar, "met": met, **{k: round(v, 3) for k, v in numbers.items()}})
                print(
                    f"{case:<34} {ours['rows_per_s']:>8.0f} / {alone:>8.0f} rows/s = {ratio:.2f}   bar {bar}   "
                    f"{'met' if met else 'MISSED'}   "
                    f"(bare before {before:.0f}, after {after:.0f}; whole {ours['whole_s']:.1f} s)"
                )
    if given.out:
        Path(given.out).write_text(json.dumps({"rows": rows}, indent=1))


if __name__ == "__main__":
    sys.path.insert(0, str(REPOSITORY))
    main()
