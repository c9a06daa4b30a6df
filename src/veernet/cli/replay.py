"""`veernet replay`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console
from rich.table import Table
from tyro.conf import Positional, arg

from veernet.cli.console import print_json
from veernet.cli.options import device_of
from veernet.train.fault import fault_rows, replay


@dataclass(frozen=True, kw_only=True)
class Replay:
    """Run a step with a non-finite loss or gradient again, log by log, without updating weights.

    `veernet train` writes such a step to RUN/faults, and prints its folder.

    Examples:
        veernet replay run/faults/000123
    """

    folder: Annotated[Positional[Path], arg(metavar="STEP")]
    """Folder of the step, inside RUN/faults."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, …"""
    json: bool = False
    """Print JSON instead of a table."""

    def run(self, console: Console) -> None:
        """Run the step again, and print which logs make it non-finite."""
        replayed = replay(self.folder, device=device_of(self.device))
        logs, whole, fault = fault_rows(replayed), replayed.whole, replayed.fault
        loss, norm = whole.loss.item(), whole.grad_norm.item()
        if self.json:
            both = {"then": fault.loss, "now": f"{loss:g}", "finite": whole.applied, "logs": logs}
            print_json(console, {"step": fault.step, "epoch": fault.epoch, **both})
            return
        table = Table("log", "height", "width", "loss", "gradient", box=None)
        for log in logs:
            table.add_row(
                log["file_name"],
                *(str(log[k]) for k in ("height", "width")),
                *(log[k] for k in ("loss", "grad_norm")),
            )
        console.print(table)
        bad = [log["file_name"] for log in logs if not log["finite"]]
        console.print(
            f"step {fault.step}, epoch {fault.epoch + 1}: loss {loss:g}, gradient {norm:g}; then "
            f"{fault.loss} and {fault.grad_norm}. Not finite alone: {', '.join(bad) or 'none'}",
            soft_wrap=True,
        )
