"""Telling what training takes, without running it."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import torch
from rich.console import Console
from rich.table import Table
from tyro.conf import Positional

from veernet import recipes
from veernet.cli.console import print_json
from veernet.cli.options import (
    OPTIONAL_ARCHIVE,
    EndsFromRecipe,
    RecipeName,
    check_picture,
    device_of,
)
from veernet.errors import OptionError
from veernet.memory.estimate import PARTS
from veernet.memory.plan import Choice, plan, sample_sizes
from veernet.memory.plan import Plan as Found
from veernet.memory.system import drawback, format_bytes, parse_bytes, support
from veernet.report.charts import draw_stages
from veernet.synth.opening import open_archive
from veernet.terminal import one_line
from veernet.training import Precision


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Tell what training needs of memory, and how best to use what there is, without running it.

    For the logs of an archive, or for a range of sizes. Every precision and every choice of what to
    compute again is a line of the table: what the process takes at the widest log, how many of it
    fit together, what that makes of a step, and its time relative to a step without padding where
    all is kept. No choice changes what is learned, but for the precision.
    """

    archive: Annotated[Positional[Path | None], OPTIONAL_ARCHIVE] = None
    """Folder of the archive."""
    recipe: RecipeName = "multiclass"
    """Network, loss and effective batch; and the range of sizes, if there is no archive."""
    height: EndsFromRecipe = None
    """Least and greatest height, px."""
    width: EndsFromRecipe = None
    """Least and greatest width, px."""
    memory: str = "auto"
    """Like 8GiB: of the whole process on a CPU, of PyTorch on a GPU. auto: nine tenths of what is
    free."""
    precision: Precision | None = None
    """The only one to plan for. Not given: fp32, and bf16 unless this processor would take no less
    memory for it, and longer."""
    device: str = "auto"
    """auto, cpu, or cuda, which this machine need not have."""
    profile: Path | None = None
    """Picture to draw, .png or .svg: who needs the memory, at the widest log, for the best line."""
    json: bool = False
    """Print JSON instead, also where no plan fits, which ends with exit code 2 either way."""

    def run(self, console: Console) -> None:
        """Print the plan; fails if there is none that fits."""
        check_picture(profile=self.profile)
        recipe = recipes.RECIPES[self.recipe]
        absent = self.device.startswith("cuda") and not torch.cuda.is_available()
        if absent and self.memory == "auto":
            raise OptionError("--memory: how much? There is no GPU here to ask")
        device = torch.device("cuda") if absent else device_of(self.device)
        if self.archive is None:
            sizes = sample_sizes(self.height or recipe.logs.height, self.width or recipe.logs.width)
        elif self.height or self.width:
            raise OptionError("an archive has its own sizes; leave out --height and --width")
        else:
            sizes = open_archive(self.archive).split("train").sizes
        precisions, note = self._precisions(device)
        memory = parse_bytes(self.memory, device)
        found = plan(recipe.training, sizes, memory, device=device, precisions=precisions)
        if self.json:
            rows = [{"peak": choice.peak, **asdict(choice)} for choice in found.choices]
            best = found.choices.index(found.best) if found.fits else None
            told = {**asdict(found), "choices": rows, "best": best, "note": note}
            print_json(console, told)
        else:
            _print_plan(console, found, note)
        choice = found.best
        if self.profile is not None:
            draw_stages(self.profile, choice.widest.stages, title=_title(found, choice))
            if not self.json:
                console.print(f"wrote {one_line(self.profile)}", soft_wrap=True)

    def _precisions(self, device: torch.device) -> tuple[list[Precision], str | None]:
        """Return what to plan for, and what is to be said of it."""
        note = drawback(self.precision or "bf16", device)
        if self.precision is not None:
            return [self.precision], note
        if support("bf16", device) != "missing":
            return ["fp32", "bf16"], note
        return ["fp32"], f"{note}. It is left out; --precision bf16 plans for it all the same"


def _print_plan(console: Console, found: Found, note: str | None) -> None:
    h, w = found.size
    console.print(
        f"{format_bytes(found.memory)} of memory, widest log {h} × {w} px; * is the plan to train "
        "by",
        soft_wrap=True,
    )
    columns = (
        "",
        "",
        "checkpointing",
        "peak",
        "logs",
        "pixel budget",
        "batches",
        "padding",
        "time",
    )
    table = Table(*columns, box=None)
    for choice in found.choices:
        table.add_row(
            "*" if found.fits and choice is found.best else "",
            choice.precision,
            choice.activation_checkpointing,
            format_bytes(choice.peak),
            str(choice.images) if choice.images else "–",
            f"{choice.pixel_budget:,}" if choice.images else "does not fit",
            f"{choice.micro_batches:.1f}",
            f"{choice.padding_share:.1%}",
            f"{choice.cost:.2f}",
        )
    console.print(table)
    console.print(
        "checkpointing: activations that the backward computes again; peak: of the process at the "
        "widest log alone; logs: number of the widest that fit together; batches: micro-batches of "
        "a step; padding: share of the pixels computed; time: 1 is a step of the same precision "
        "without padding and without activation checkpointing",
        soft_wrap=True,
    )
    if note is not None:
        console.print(note, soft_wrap=True)
    if found.fits:
        _print_stages(console, found)


def _print_stages(console: Console, found: Found) -> None:
    table = Table(
        "MiB", "kept", "temporary", "workspace", title=_title(found, found.best), box=None
    )
    for stage in found.best.widest.stages:
        bytes_each = (getattr(stage, part) for part in PARTS[1:])
        table.add_row(stage.name or "in tiles", *(f"{n / 2**20:,.0f}" for n in bytes_each))
    console.print(table)


def _title(found: Found, choice: Choice) -> str:
    h, w = found.size
    what = f"{choice.precision}, activation checkpointing {choice.activation_checkpointing}"
    return f"a step on {h} × {w} px, {what}: {format_bytes(choice.widest.peak)}"
