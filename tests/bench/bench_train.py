"""What Ray Train and our loop cost: steps/s of the GAN through `synth.train` with one worker, against a plain torch
loop.

Both train the same model on the same rows with the same batches in size, on one thread. Ours also keeps averaged
weights, looks after finiteness, checks quality, draws grids and writes states; the plain loop does nothing but
steps. Start-up of the worker is not in the ratio and is told beside it. Plain loops run before and after, so that a
machine that slows down does not decide.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import prepared

BAR = 0.95
STEPS, CHECK_EVERY, BATCH = 1000, 250, 64  # checks as often as the shipped preset has them: twelve in 3,000 steps
REPOSITORY = Path(__file__).resolve().parents[2]


def plain(steps: int) -> float:
    """Steps/s of a loop without anything around it."""
    import torch

    from synth.models import image_gan

    torch.set_num_threads(1)
    torch.manual_seed(0)
    images, labels = prepared.pixels()
    rows = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
    known = torch.from_numpy(labels)
    model = image_gan.build(image_gan.Config(), 1, prepared.SIZE, prepared.SIZE, 10)
    phases = model.phases()
    settings = [(p.module.parameters(), p.learning_rate, p.betas) for p in phases]
    optimisers = [torch.optim.AdamW(*each, weight_decay=0.0, fused=True) for each in settings]
    began = time.perf_counter()
    for step in range(-20, steps):
        if step == 0:
            began = time.perf_counter()
        for phase, optimiser in zip(phases, optimisers, strict=True):
            chosen = torch.randint(len(rows), (BATCH,))
            batch = {"image": rows[chosen], "label": known[chosen], "index": chosen, "progress": torch.tensor(0.5)}
            loss = phase.module(batch)["loss"]
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
    return steps / (time.perf_counter() - began)


def plain_apart(steps: int) -> float:
    """The plain loop in a process of its own, as the worker is one."""
    command = [sys.executable, __file__, "--plain", str(steps)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True, cwd=REPOSITORY).stdout.strip())


def under_ray(root: Path, workers: int) -> dict[str, float]:
    """Steps/s of `synth.train` between the first check and the last, and the seconds that all of it took."""
    from conf import runs
    from synth import train
    from synth.cluster import start

    said = f"{{max_steps: {STEPS}, batch_size: {BATCH}, quality_every: {CHECK_EVERY}, patience: 1000}}"
    runtime: dict[str, Any] = {"workers": workers, "threads": 1}
    config = prepared.config_of(root, f"generate.1.train={said}", train=runtime)
    prepared.clean(config)
    with start(config) as cluster:
        began = time.perf_counter()
        train.run(cluster, config, "image_gan")
        whole = time.perf_counter() - began
    seconds, checks = prepared.between_files(Path(runs.locate(config, "train", "image_gan").folder), "grid-*.png", 0)
    rate = checks * CHECK_EVERY / seconds
    return {"steps_per_s": rate, "whole_s": whole, "start_s": whole - STEPS / rate}


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="")
    parser.add_argument("--plain", type=int, default=0, help="only the plain loop, of so many steps")
    given = parser.parse_args()
    if given.plain:
        print(plain(given.plain))
        return
    rows = []
    for workers in (1, 0):
        before = plain_apart(STEPS // 4)
        with tempfile.TemporaryDirectory() as folder:
            ours = under_ray(Path(folder) / "root", workers)
        after = plain_apart(STEPS // 4)
        bare = (before + after) / 2
        ratio = ours["steps_per_s"] / bare
        case = f"GAN step, Ray Train with {workers} worker" if workers else "GAN step, Ray Train in process"
        numbers = {"plain_steps_per_s": bare, "plain_before": before, "plain_after": after, **ours, "ratio": ratio}
        rows.append({"case": case, "bar": BAR, "met": ratio >= BAR, **{k: round(v, 3) for k, v in numbers.items()}})
        print(
            f"{case:<34} {ours['steps_per_s']:>7.1f} / {bare:>7.1f} steps/s = {ratio:.2f}   bar {BAR}   "
            f"{'met' if ratio >= BAR else 'MISSED'}   "
            f"(plain before {before:.1f}, after {after:.1f}; start-up {ours['start_s']:.1f} s)"
        )
    if given.out:
        Path(given.out).write_text(json.dumps({"rows": rows}, indent=1))


if __name__ == "__main__":
    sys.path.insert(0, str(REPOSITORY))
    main()
