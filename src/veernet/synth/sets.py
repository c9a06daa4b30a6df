"""Sets of synthetic logs that recipes draw: a family of logs, and their number in every split."""

from dataclasses import dataclass
from typing import Literal

from veernet.synth.appearance import PLAIN
from veernet.synth.generator import LogFamily
from veernet.synth.logs import SynthLogs
from veernet.synth.printed import PrintedLogs

SetName = Literal["binary", "multiclass", "curves", "demo"]


@dataclass(frozen=True, kw_only=True)
class LogSet:
    """Logs to draw for one task."""

    logs: LogFamily
    counts: tuple[int, int, int]
    """Number of logs for training, validation and test."""


SETS: dict[SetName, LogSet] = {
    "binary": LogSet(logs=SynthLogs(n_curves=1), counts=(1_600, 200, 200)),
    "multiclass": LogSet(logs=SynthLogs(n_curves=2), counts=(12_000, 1_500, 1_500)),
    "curves": LogSet(logs=PrintedLogs(), counts=(12_000, 1_500, 1_500)),
    "demo": LogSet(
        logs=SynthLogs(n_curves=2, height=(64, 80), width=(160, 400), appearance=PLAIN),
        counts=(320, 16, 32),
    ),
}
"""Sets by the name of their recipe."""
