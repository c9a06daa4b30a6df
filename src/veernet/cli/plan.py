"""`veernet plan`."""

from dataclasses import asdict, dataclass
from importlib import import_module
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
from veernet.memory.plan import MemoryPlan as Found
from veernet.memory.system import drawback, format_bytes, parse_bytes, support
from veernet.synth.opening import open_archive
from veernet.terminal import one_line
from veernet.training import Precision


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Estimate the memory of training, and plan how best to use what there is, without running it.

    Plans for the logs of an archive, or for a range of sizes. The table has one line per precision
    and choice of activation checkpointing: the memory of the process at the widest log, how many of
    the widest logs fit together, the micro-batches of a step, and its time relative to a step
    without padding or checkpointing. Of these choices only the precision changes what is learned.

    Examples:
        veernet plan archive --memory 8GiB
        veernet plan --height 480 640 --width 3200 12800 --memory 16GiB
        veernet plan archive --device cuda --memory 24GiB --precision bf16
    """

    archive: Annotated[Positional[Path | None], OPTIONAL_ARCHIVE] = None
    """Folder of the archive."""
    recipe: RecipeName = "multiclass"
    """Recipe for the network, loss and effective batch; without ARCHIVE, for the range of sizes
    too."""
    height: EndsFromRecipe = None
    """Least and greatest height, px."""
    width: EndsFromRecipe = None
    """Least and greatest width, px."""
    memory: str = "auto"
    """Memory to plan for, such as 8GiB: of the whole process on a CPU, of PyTorch on a GPU. auto:
    90 % of what is free."""
    precision: Precision | None = None
    """Precision to plan for. If omitted: fp32, and bf16 unless it saves no memory on this processor
    and takes longer."""
    device: str = "auto"
    """auto, cpu, or cuda; this machine need not have a GPU to plan for one."""
    profile: Path | None = None
    """Picture (.png or .svg) of the memory that each part of a step needs at the widest log, for
    the best plan."""
    json: bool = False
    """Print JSON instead of a table. The exit code is 2 if no plan fits, as without it."""

    def run(self, console: Console) -> None:
        """Print the plan; raise OptionError if no choice fits."""
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
        import_module("veernet.cli.train")  # the plan counts the libraries that a training loads
        found = plan(recipe.training, sizes, memory, device=device, precisions=precisions)
        if self.json:
            rows = [{"peak": choice.peak, **asdict(choice)} for choice in found.choices]
            best = found.choices.index(found.best) if found.fits else None
            printed = {**asdict(found), "choices": rows, "best": best, "note": note}
            print_json(console, printed)
        else:
            _print_plan(console, found, note)
        choice = found.best
        if self.profile is not None:
            from veernet.report.charts import draw_stages  # a training does not load it

            draw_stages(self.profile, choice.widest.stages, title=_title(found, choice))
            if not self.json:
                console.print(f"wrote {one_line(self.profile)}", soft_wrap=True)

    def _precisions(self, device: torch.device) -> tuple[list[Precision], str | None]:
        """Return the precisions to plan for, and a note on them, if any."""
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
    console.print(_table(found))
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


def _table(found: Found) -> Table:
    """Tabulate the choices, one per row, with * at the best."""
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
    return table


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
