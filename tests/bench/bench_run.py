"""What a new user feels: `seedbed run digits` from nothing to the report, then the same command again.

Whole processes, set-up done, two cores. The second run must find everything done and start no engine.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
RERUNS = 3


def timed(root: Path) -> float:
    """Seconds of one whole command."""
    began = time.monotonic()
    command = [sys.executable, "-m", "jobs.cli", "run", "digits", "--root", str(root)]
    subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - began


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        first = timed(Path(folder) / "root")
        again = sorted(timed(Path(folder) / "root") for _ in range(RERUNS))[RERUNS // 2]
        stages = {
            path.parent.parent.name + "/" + path.parent.name: json.loads(path.read_text())["seconds"]
            for path in Path(folder).glob("root/digits/stages/*/*/DONE.json")
        }
    rows = [
        {"case": "seedbed run digits", "measured_s": round(first, 1), "bar_s": 120, "aim_s": 90, "met": first <= 120},
        {"case": "the same again, unchanged", "measured_s": round(again, 2), "bar_s": 3, "met": again <= 3},
    ]
    for row in rows:
        met = "met" if row["met"] else "MISSED"
        print(f"{row['case']:<28} {row['measured_s']:>7} s   bar {row['bar_s']} s   {met}")
    for stage, seconds in sorted(stages.items(), key=lambda item: -item[1]):
        print(f"    {stage:<40} {seconds:>6.1f} s")
    if given.out:
        Path(given.out).write_text(json.dumps({"rows": rows, "stage_seconds": stages}, indent=1))


if __name__ == "__main__":
    main()
