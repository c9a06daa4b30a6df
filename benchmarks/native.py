"""What the pretrained weights make of native logs that no network was trained on.

    .venv/bin/python benchmarks/native.py [WEIGHTS]

Draws 100 logs of 480–640 × 3,200–12,800 px with all that the generator knows, by a seed of their
own, and evaluates the weights on them in pixels and in curve values. Logs that are done are kept in
benchmarks/native.jsonl, so that it may be stopped and goes on. Writes benchmarks/native.json, and
the figures by trait: what is hard.
"""

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from veernet.data.logs import sha256
from veernet.data.split import Split
from veernet.errors import VeerNetError
from veernet.evaluation.evaluate import LogResult, evaluate
from veernet.evaluation.summary import summarise
from veernet.files import validate
from veernet.synth.logs import SynthLogs
from veernet.weights import PRETRAINED, load_weights

OUT = Path(__file__).with_suffix(".json")
COUNT = 100
LOGS = SynthLogs(seed=3_000_017)


def results(weights: Path, split: Split) -> list[LogResult]:
    """Of all logs; those that an earlier run of the same weights left are not done again."""
    model, lines = load_weights(weights), OUT.with_suffix(".jsonl")
    message = sha256(weights)
    done = [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []
    done = [one["result"] for one in done if one["weights"] == message]
    found = [validate(LogResult, one, where=str(lines), error=VeerNetError) for one in done]
    with lines.open("a") as file:
        for index in range(len(found), COUNT):
            start = time.perf_counter()
            found += evaluate(model, split, [index])
            file.write(json.dumps({"weights": message, "result": asdict(found[-1])}) + "\n")
            file.flush()
            print(index, f"{time.perf_counter() - start:.1f} s", file=sys.stderr)
    return found


def main(weights: Path = PRETRAINED) -> None:
    split = LOGS.split(COUNT)
    found = results(weights, split)
    summary = asdict(summarise(found, LOGS.classes))
    traits = sorted({trait for row in split.rows for trait in row.traits})
    by_trait = {}
    for trait in traits:
        with_it = [r for r, row in zip(found, split.rows, strict=True) if trait in row.traits]
        one = summarise(with_it, LOGS.classes).curves
        by_trait[trait] = {
            "logs": len(with_it),
            "f1_within_1_px": [
                None if (f1 := c.within_1_px.f1) is None else round(f1, 3) for c in one.values()
            ],
            "median_r2": [c.columns.r2.median for c in one.values()],
            "of_logs": [c.columns.r2.logs for c in one.values()],
        }
    OUT.write_text(json.dumps({**summary, "by_trait": by_trait}, indent=2) + "\n")
    OUT.with_suffix(".jsonl").unlink()
    print(json.dumps(summary, indent=2))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
