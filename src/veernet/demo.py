"""Run the whole path: draw logs, train, evaluate, digitise an unseen log, report."""

from pathlib import Path

import torch
from rich.console import Console

from veernet import distributed
from veernet.data.raster import to_depth_down, write_picture
from veernet.digitisation import Calibration, CurveScale, Depth, Track, digitise_file
from veernet.files import write_text
from veernet.recipes import Recipe
from veernet.report.page import write_report
from veernet.report.tables import print_summary, print_written
from veernet.synth.generator import LogFamily
from veernet.synth.make import make
from veernet.synth.opening import open_archive
from veernet.terminal import bar, one_line
from veernet.train.log import rank0_console
from veernet.train.run import CONFIG, check_name, start
from veernet.train.score import evaluate_run
from veernet.train.trainer import fit
from veernet.weights import load_weights

CURVES = (
    CurveScale(mnemonic="GR", unit="API", left=0.0, right=150.0, description="Gamma ray"),
    CurveScale(
        mnemonic="ILD",
        unit="OHMM",
        left=0.2,
        right=20.0,
        scale="log",
        curve_class=2,
        description="Deep resistivity",
    ),
)
"""Scales of the two curves of the demo's scan: the solid one, and the broken one."""


def run_recipe(
    recipe: Recipe, root: Path, *, device: torch.device, workers: int, console: Console
) -> bool:
    """Run a recipe in folder `root` from where it is to its end; return True once it is there.

    Leaves an archive, a run, one unseen log as a scan with its calibration, its curves as LAS and
    CSV, and report.html. Called again, it goes on where it was stopped.
    """
    check_name(root)
    console = rank0_console(console)
    distributed.on_rank0(lambda: _before_training(recipe, root, device, workers, console))
    if not fit(root / "run", device=device, workers=workers, console=console):
        console.print("paused; the same command goes on", soft_wrap=True)
        return False
    distributed.on_rank0(lambda: _after_training(recipe, root, device, console))
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
    print_summary(console, evaluate_run(run, "test", device=device, console=console))
    console.rule("4  digitise an unseen log")
    scan, calibration = draw_scan(root / "scan", recipe.logs, number=sum(recipe.counts))
    model, out = load_weights(run).to(device), root / "digitised"
    written = digitise_file(scan, calibration, model, out, weights=run, overwrite=True)
    print_written(console, written)
    console.rule("5  report")
    write_report(root / "report.html", run, digitised=written.pictures)
    console.print(f"wrote {one_line(root / 'report.html')}", soft_wrap=True)


def draw_scan(folder: Path, logs: LogFamily, *, number: int) -> tuple[Path, Path]:
    """Draw a log as a scan of it would look, with depth down the page, and write its
    calibration."""
    row, log = logs.row(number), logs.log(number)
    scan, path = folder / "scan.png", folder / "calibration.toml"
    write_picture(scan, to_depth_down(log.grey))
    lowest, last = row.height - 1, row.width - 1  # rows become columns from right to left
    calibration = Calibration(
        depth=Depth(ties=((0.0, 1000.0), (last, 1000 + last / 10)), step=0.5),
        tracks=tuple(
            Track(
                left=lowest - round(bottom),
                right=lowest - round(top),
                top=0,
                bottom=last,
                curves=tuple(
                    scale
                    for scale, curve in zip(CURVES, row.curves, strict=False)
                    if curve.track == (top, bottom)
                ),
            )
            for top, bottom in dict.fromkeys(curve.track for curve in row.curves)
        ),
    )
    write_text(path, calibration.to_toml(about="Meaning of the pixels of scan.png."))
    return scan, path
