"""Native logs of the multiclass recipe for real: time, what is on them, and kills in between.

    .venv/bin/python benchmarks/factory.py [LOGS]

Makes an archive of 500 logs (or LOGS) with `veernet synth`; counts what is on them with `veernet
inspect`; then makes it again elsewhere, killed three times at random moments by SIGKILL to all its
processes and started again, and compares every file. Writes benchmarks/factory.json.
"""

import hashlib
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from veernet import Archive
from veernet.data.logs import class_counts
from veernet.recipes import RECIPES

OUT = Path(__file__).with_suffix(".json")
VEERNET = Path(sys.executable).with_name("veernet")
KILLS = 3
LOGS = RECIPES["multiclass"].logs
ALL = sum(RECIPES["multiclass"].counts)


def synth(root: Path, count: int) -> list[str]:
    return [str(VEERNET), "synth", str(root), "--train", str(count), "--val", "0", "--test", "0"]


def digests(root: Path) -> dict[str, str]:
    """Of every file, by its place in the archive."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def made_between_kills(root: Path, count: int, seconds: float) -> list[dict[str, int]]:
    """Make an archive, killed at random moments; what was there at each."""
    found: list[dict[str, int]] = []
    for _ in range(KILLS):
        process = subprocess.Popen(
            synth(root, count), stdout=subprocess.DEVNULL, start_new_session=True
        )
        time.sleep(random.uniform(0.1, 0.25) * seconds)
        assert process.poll() is None, "it was done before it was killed"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        strays = [path for path in root.rglob(".*") if path.is_file()]
        whole = len([*root.rglob("images/[0-9]*")])
        found.append({"whole_logs": whole, "half_written_files": len(strays)})
    subprocess.run(synth(root, count), check=True, stdout=subprocess.DEVNULL)
    return found


def seen(root: Path) -> dict[str, Any]:
    """What is on the logs of an archive, and its shapes."""
    split = Archive.open(root).split("train")
    shares = []
    for index in range(len(split)):
        counts = class_counts(split.log(index).mask)
        shares.append(counts[0] / counts.sum())
    inspect = [VEERNET, "inspect", root, "--quick", "--json"]
    survey = json.loads(subprocess.run(inspect, check=True, capture_output=True).stdout)["train"]
    pixels = split.sizes.prod(1)
    return {
        "megapixels": round(float(pixels.sum() / 1e6), 1),
        "background_share": {
            "of_all_pixels": round(float(np.average(shares, weights=pixels)), 4),
            "of_logs_min_median_max": [
                round(float(x), 4) for x in np.quantile(shares, [0, 0.5, 1])
            ],
            "logs_between_95_and_99_percent": sum(bool(0.95 <= share <= 0.99) for share in shares),
        },
        "heights": survey["heights"],
        "widths": survey["widths"],
        "logs_with": dict(survey["traits"]),
    }


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        calm, killed = Path(folder) / "calm", Path(folder) / "killed"
        start = time.monotonic()
        subprocess.run(synth(calm, count), check=True, stdout=subprocess.DEVNULL)
        seconds = time.monotonic() - start
        figures: dict[str, Any] = {
            "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}",
            "logs": count,
            "seconds": round(seconds, 1),
            f"hours_{ALL}_logs": round(seconds / count * ALL / 3600, 2),
            "gb": round(sum(p.stat().st_size for p in calm.rglob("*") if p.is_file()) / 1e9, 2),
            **seen(calm),
        }
        figures["mpx_s"] = round(figures["megapixels"] / seconds, 1)
        figures["at_kills"] = made_between_kills(killed, count, seconds)
        a, b = digests(calm), digests(killed)
        figures["files"] = len(a)
        figures["files_that_differ"] = sum(a.get(name) != b.get(name) for name in {*a, *b})
    print(json.dumps(figures, indent=2))
    OUT.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
