"""Complete runs: data, training, evaluation, report.

Each is a function whose docstring gives its command; `RECIPES` holds what it is made of, for those
who want a part of it.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from veernet import distributed
from veernet.console import one_line
from veernet.data.archive import SplitName
from veernet.data.raster import stand_up, write_picture
from veernet.data.schedule import Schedule
from veernet.digitise import Told, Written, digitise_file
from veernet.digitise.quality import RESIDUAL
from veernet.errors import OnError, RunError
from veernet.evaluate import evaluate, write_evaluation
from veernet.files import write_text
from veernet.losses import BCE, Tversky
from veernet.model import Network
from veernet.report import EVALUATIONS, write_report
from veernet.synth.logs import SynthLogs
from veernet.synth.look import PLAIN
from veernet.synth.make import make, open_archive
from veernet.train.checkpoint import load_weights
from veernet.train.config import Training
from veernet.train.fit import fit
from veernet.train.log import voice
from veernet.train.run import CONFIG, archive_of, check_name, read_config, start

MOST_STRETCHES = 3
"""Stretches off scale that are printed of a curve; the LAS file and the JSON list all."""

FIT = "does the calibration fit, and is the curve one that the network knows?"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a complete run is made of."""

    logs: SynthLogs
    counts: tuple[int, int, int]
    """Logs for training, validation and test."""
    training: Training


RECIPES = {
    "binary": Recipe(
        logs=SynthLogs(n_curves=1),
        counts=(1_600, 200, 200),
        training=Training(
            network=Network(planes=1),
            loss=BCE(positive_weight=42.0),
            schedule=Schedule(effective_batch=1),
        ),
    ),
    "multiclass": Recipe(
        logs=SynthLogs(n_curves=2),
        counts=(12_000, 1_500, 1_500),
        training=Training(network=Network(planes=3), loss=Tversky(), schedule=Schedule()),
    ),
    "demo": Recipe(
        logs=SynthLogs(n_curves=2, height=(64, 80), width=(160, 400), look=PLAIN),
        counts=(320, 16, 32),
        training=Training(
            network=Network(planes=3),
            loss=Tversky(),
            schedule=Schedule(pixel_budget=300_000),
            epochs=11,
            learning_rate=6e-3,
        ),
    ),
}


CALIBRATION = """\
# What the pixels of scan.png mean: depth runs down the page, values to the right.
depth_axis = "down"

[depth]
unit = "ft"
step = 0.5
ties = [[0.0, 1000.0], [{last}.0, {depth}]]    # [row, depth]
"""
"""Of a scan that `draw_scan` draws, without its tracks."""

CALIBRATION_TRACK = """
[[track]]              # its box: columns left to right, rows top to bottom
left = {left}
right = {right}
top = 0
bottom = {last}
"""
"""One of its tracks."""

CALIBRATION_CURVES = (
    """
[[track.curve]]
mnemonic = "GR"
unit = "API"
left = 0.0             # value at the left edge of the track
right = 150.0
trace = 1              # the network's first curve: the solid one
description = "Gamma ray"
""",
    """
[[track.curve]]
mnemonic = "ILD"
unit = "OHMM"
left = 0.2
right = 20.0
scale = "log"
trace = 2              # its second: dashed or dotted
description = "Deep resistivity"
""",
)
"""One a curve of the log."""


def binary(root: Path, *, device: torch.device, workers: int, console: Console) -> bool:
    """Train curve against background on 2,000 logs of one curve, batch 1, 50 epochs.

    veernet synth ARCHIVE --recipe binary && veernet train ARCHIVE --recipe binary --out RUN
    """
    return _complete("binary", root, device=device, workers=workers, console=console)


def multiclass(root: Path, *, device: torch.device, workers: int, console: Console) -> bool:
    """Train background and two curves on 15,000 logs, effective batch 16, 50 epochs.

    veernet synth ARCHIVE && veernet train ARCHIVE --out RUN
    """
    return _complete("multiclass", root, device=device, workers=workers, console=console)


def demo(root: Path, *, device: torch.device, workers: int, console: Console) -> bool:
    """The whole path on small logs, in minutes on two CPU cores.

        veernet demo

    Leaves an archive, a run, one unseen log as a scan with its calibration, its curves as LAS and
    CSV, and report.html, all in `root`. Run again, it goes on where it was stopped. False where its
    training was paused.
    """
    return _complete("demo", root, device=device, workers=workers, console=console)


def _complete(
    name: str, root: Path, *, device: torch.device, workers: int, console: Console
) -> bool:
    """Run a recipe from where it is to its end; True when it is there."""
    check_name(root)
    recipe, console = RECIPES[name], voice(console)
    distributed.once(lambda: _before_training(recipe, root, device, workers, console))
    if not fit(root / "run", device=device, workers=workers, console=console):
        console.print("paused; the same command goes on", soft_wrap=True)
        return False
    distributed.once(lambda: _after_training(recipe, root, device, console))
    return True


def _before_training(
    recipe: Recipe, root: Path, device: torch.device, workers: int, console: Console
) -> None:
    archive, run = root / "archive", root / "run"
    console.rule("1  draw logs")
    with bar(console, "logs", sum(recipe.counts)) as advance:
        make(archive, recipe.logs, recipe.counts, workers=max(1, workers), advance=advance)
    console.rule("2  train")
    if not (run / CONFIG).exists():
        start(run, open_archive(archive), recipe.training, device=device)


def _after_training(recipe: Recipe, root: Path, device: torch.device, console: Console) -> None:
    run = root / "run"
    console.rule("3  evaluate")
    summary = evaluate_run(run, "test", device=device, console=console)
    print_summary(console, summary)
    console.rule("4  digitise an unseen log")
    scan, calibration = draw_scan(root / "scan", recipe.logs, number=sum(recipe.counts))
    model, out = load_weights(run).to(device), root / "digitised"
    written = digitise_file(scan, calibration, model, out, overwrite=True)
    print_written(console, written)
    console.rule("5  report")
    write_report(root / "report.html", run, digitised=written.pictures)
    console.print(f"wrote {one_line(root / 'report.html')}", soft_wrap=True)


def evaluate_run(
    run: Path,
    split: SplitName,
    *,
    device: torch.device,
    console: Console,
    on_error: OnError = "stop",
) -> dict[str, Any]:
    """Evaluate the best weights of a run on a split of its archive, into the run's folder.

    With `skip`, logs that cannot be read are left out, and the summary says which, and why.

    Raises:
        RunError: none can be read.
    """
    config = read_config(run)
    archive = archive_of(run, config)
    model, logs = load_weights(run).to(device), archive.split(split)
    autocast, left_out = config.training.autocast, dict[str, str]()
    with bar(console, "logs", len(logs)) as advance:
        results = evaluate(
            model,
            logs,
            range(len(logs)),
            autocast=autocast,
            skip=left_out.__setitem__ if on_error == "skip" else None,
            advance=advance,
        )
    if not results:
        name, reason = next(iter(left_out.items()))
        raise RunError(
            f"{run}: none of the {len(logs)} logs of {split} could be read; {name}: {reason}"
        )
    folder = run / EVALUATIONS / split
    return write_evaluation(
        folder, model, logs, results, archive.classes, left_out=left_out, autocast=autocast
    )


def print_summary(console: Console, summary: dict[str, Any]) -> None:
    """Print the summary of an evaluation as a table."""
    for name, reason in summary["left_out"].items():
        console.print(f"left out {name}: {reason}", soft_wrap=True)
    columns = ("F1", "IoU", "F1 ±1", "IoU ±1", "R²", "10 %", "MAE", "r", "±1 px", "read")
    table = Table("", *columns, box=SIMPLE, padding=0, title=f"{summary['logs']} logs")
    for name, curve in summary["curves"].items():
        strict, near = curve["strict"], curve["within_1_px"]
        pixels = (strict["f1"], strict["iou"], near["f1"], near["iou"])
        read = curve["columns"]
        names = ("r2", "mae", "pearson_r", "within_1_px", "coverage")
        r2, *others = (read[name]["median"] for name in names)
        values = (*pixels, r2, read["r2"]["worst_tenth"], *others)
        told = ("–" if value is None else f"{value:.3f}" for value in values)
        table.add_row(name, *told)
    console.print(table)
    console.print(
        "±1: within 1 px; R², MAE, r: of the curves read, in heights of the track, medians over "
        "logs; 10 %: the R² that a tenth of these logs does not reach; ±1 px, read: share of "
        "columns, medians over the logs that have the curve"
    )
    for name, curve in summary["curves"].items():
        r2, mae, r, share = (
            curve["columns"][measure]["logs"] for measure in ("r2", "mae", "pearson_r", "coverage")
        )
        console.print(
            f"{name}: on {share} logs, nothing of it read on {curve['unread']}; R² over {r2} logs, "
            f"MAE over {mae}, r over {r}"
        )
        if curve["strict"]["f1"] is None:
            console.print(f"{name}: no score in pixels, for none of its pixels is labelled")
    console.print(
        f"of {summary['logs']} logs, {summary['nothing_read']} on which nothing was read, which "
        f"rank last with F1 0; {summary['unlabelled']} without any label"
    )


def print_written(console: Console, written: Written) -> None:
    """Print what is told of the curves as a table, the files, and what is to be looked at."""
    columns = ("curve", "unit", "read", "off scale", "confidence", "rounds")
    compared = any(one.compared is not None for one in written.told)
    against = ("compared", "covered", "MAE", "r") if compared else ()
    table = Table(*columns, *against, box=SIMPLE, padding=0)
    for one in written.told:
        shares = f"{one.read:.1%}", f"{one.off_scale_share:.1%}"
        figures = *shares, f"{one.confidence:.2f}", str(one.rounds)
        told = _figures_against(one) if against else ()
        table.add_row(one.mnemonic, one.unit, *figures, *told)
    console.print(table)
    if against:
        console.print(
            "compared: depths at which curve and reference are on scale; covered: share of those "
            "at which the reference is; of logarithmic scales MAE in decades and r of logarithms",
            soft_wrap=True,
        )
    files = (f"wrote {one_line(file)}" for file in written.files)
    console.print(*files, sep="\n", soft_wrap=True)
    for one in written.told:
        if compared and one.compared is None:
            console.print(
                f"{one.mnemonic}: the reference has no curve of that name; if it goes by another "
                'there, say so in the calibration, as las = "GR:1"',
                soft_wrap=True,
            )
        for line in _to_look_at(one):
            console.print(line, soft_wrap=True)


def _figures_against(one: Told) -> Iterator[str]:
    """Cells of a table about one curve against the reference."""
    yield "–" if one.compared is None else f"{one.compared:,}"
    yield "–" if one.coverage is None else f"{one.coverage:.1%}"
    decades = one.mae_decades is not None
    mae = one.mae_decades if decades else one.mae
    yield "–" if mae is None else f"{mae:.3f}{' dec' if decades else ''}"
    yield "–" if one.pearson_r is None else f"{one.pearson_r:.3f}"


def _to_look_at(one: Told) -> Iterator[str]:
    """Lines on what is to be doubted of a curve."""
    name, unit, some = one.mnemonic, one.depth_unit, one.off_scale
    if some:
        places = _first_of(
            [f"{s.edge} {s.first:.1f} to {s.last:.1f} {unit}" for s in one.off_scale]
        )
        yield (
            f"{name}: lies on an edge of its track, {places}: {one.off_scale_share:.1%} of "
            "the depths are off scale and have confidence 0"
        )
    if some and not one.wraps:
        yield f"{name}: if it goes round its track, say wraps = true in the calibration"
    yield from _against_reference(one)
    if one.off_scale_share > 0.5 or (some and one.wraps):
        yield f"{name}: the frame of the track may have been taken for it; look at its picture"
    if one.read == 0:
        yield f"{name}: nothing was read; look at its picture: {FIT}"
    elif one.read < 0.5:
        yield f"{name}: {one.read:.0%} of the depths have a value; look at its picture: {FIT}"


def _against_reference(one: Told) -> Iterator[str]:
    """Lines on where a curve is not as the reference has it."""
    name, unit = one.mnemonic, one.depth_unit
    if one.share_far:
        yield (
            f"{name}: more than {RESIDUAL:.0%} of the scale from the reference at "
            f"{one.share_far:.1%} of the depths compared, most at {one.largest_error_at:.1f} "
            f"{unit}: {one.largest_error:+.4g} {one.unit}"
        )
    if one.read_beyond:
        places = _first_of([f"{a:.1f} to {b:.1f} {unit}" for a, b in one.read_beyond])
        yield (
            f"{name}: has values where the reference is off scale or has none, and nothing is "
            f"compared: {places}"
        )


def _first_of(stretches: list[str]) -> str:
    """List the first `MOST_STRETCHES`, and say how many there are if there are more."""
    more = f", … ({len(stretches)} stretches)" if len(stretches) > MOST_STRETCHES else ""
    return ", ".join(stretches[:MOST_STRETCHES]) + more


def draw_scan(folder: Path, logs: SynthLogs, *, number: int) -> tuple[Path, Path]:
    """Draw a log as somebody would scan it, depth down the page, and its calibration file."""
    row, log = logs.row(number), logs.log(number)
    lowest = row.height - 1  # of the rows, which become columns from right to left
    last = row.width - 1
    scan, calibration = folder / "scan.png", folder / "calibration.toml"
    write_picture(scan, stand_up(log.grey))
    parts = [CALIBRATION.format(last=last, depth=1000 + last / 10)]
    for top, bottom in dict.fromkeys(curve.track for curve in row.curves):
        left, right = lowest - round(bottom), lowest - round(top)
        parts.append(CALIBRATION_TRACK.format(left=left, right=right, last=last))
        parts += [
            text
            for text, curve in zip(CALIBRATION_CURVES, row.curves, strict=False)
            if curve.track == (top, bottom)
        ]
    write_text(calibration, "".join(parts))
    return scan, calibration


@contextmanager
def bar(console: Console, what: str, total: int) -> Generator[Callable[[], None]]:
    """A progress bar; call what it yields once for each of `total`."""
    columns = TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)
