"""What a network trained by the demo makes of logs that its generator never drew.

    .venv/bin/python -m veernet demo --out demo
    .venv/bin/python benchmarks/held_out.py demo

Evaluates the weights on 64 logs of each of several looks, of the demo's sizes, by a seed never
trained on: its own look first; then with a range outside of what it was trained on, one at a time;
then all that the generator knows. Writes benchmarks/held_out.json.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from veernet.evaluation.evaluate import evaluate
from veernet.evaluation.summary import summarise
from veernet.recipes import RECIPES
from veernet.synth.appearance import PLAIN, Appearance
from veernet.weights import load_weights

OUT = Path(__file__).with_suffix(".json")
COUNT, SEED = 64, 1_000_003
LOGS = RECIPES["demo"].logs
LOOKS = {
    "as trained": PLAIN,
    "logarithmic grids": replace(PLAIN, log_grid=1.0),
    "grain of 10 to 20 grey levels": replace(PLAIN, grain=(10, 20)),
    "bleed of 0.8 to 1.1 px": replace(PLAIN, bleed=(0.8, 1.1)),
    "faded ink": replace(PLAIN, faded=1.0),
    "a darker grid, 210 to 255": replace(PLAIN, grid_darkness=(210, 255)),
    "photocopies with folds and stains": replace(PLAIN, photocopy=1.0, folds=1.0, stains=1.0),
    "wrapped and hatched": replace(PLAIN, wrapped=1.0),
    "off scale, with gaps": replace(PLAIN, off_scale=1.0, gaps=1.0),
    "thick and thin": replace(PLAIN, dotted=0.0, thick_thin=1.0),
    "all that the generator knows": Appearance(),
}


def rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 3)


def main(run: Path) -> None:
    model, results = load_weights(run / "run"), dict[str, Any]()
    for name, appearance in LOOKS.items():
        logs = replace(LOGS, appearance=appearance, seed=SEED)
        split = logs.split(COUNT)
        summary = summarise(evaluate(model, split, range(COUNT)), logs.classes)
        results[name] = {
            curve: {
                "f1_within_1_px": rounded(found.within_1_px.f1),
                "median_r2": rounded(found.columns.r2.median),
                "of_logs": found.columns.r2.logs,
            }
            for curve, found in summary.curves.items()
        }
        print(name, results[name])
    OUT.write_text(json.dumps({"logs_each": COUNT, "looks": results}, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
