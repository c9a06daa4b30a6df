"""Memory of the machine, its size and peaks; and the precisions that its processor has units
for."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Literal

import torch
from pydantic import ByteSize, TypeAdapter, ValidationError

from veernet.errors import OptionError
from veernet.training import Precision

Support = Literal["native", "emulated", "missing"]
"""Way in which a device convolves in a precision.

native:   in units for this precision
emulated: in units for float32, on numbers that oneDNN widens on the way
missing:  without oneDNN, which has no such convolutions for the processor; PyTorch's own write
          every pixel out as often as the kernel reads it
"""


class PeakMemory:
    """Peak memory since the object was made, beyond the memory in use then, bytes.

    On a GPU it is the memory that PyTorch's allocator handed out. On a CPU it is the resident size
    of this process as Linux reports it; 0 on other systems.
    """

    def __init__(self, device: torch.device):
        self.device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            self.before = torch.cuda.memory_allocated(device)
            return
        try:
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
            self.before = rss()
        except OSError:
            self.before = None

    def peak(self) -> int:
        """Peak so far, bytes."""
        if self.before is None:
            return 0
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) - self.before
        return max(0, rss("VmHWM") - self.before)


def rss(field: str = "VmRSS") -> int:
    """Resident memory of this process, bytes: now (VmRSS) or its peak (VmHWM); 0 on other systems
    than Linux."""
    return _kilobytes_field("/proc/self/status", field) or 0


def parse_bytes(text: str, device: torch.device) -> int:
    """Parse "8GiB", "800 MB" and the like to bytes; "auto" is nine tenths of what is free, shared
    by the processes that `torchrun` launched on a machine without GPUs.

    Raises:
        OptionError: the text is no amount of memory.
    """
    if text == "auto":
        sharing = 1 if device.type == "cuda" else int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        return 9 * available_memory(device) // 10 // sharing
    try:
        return int(TypeAdapter(ByteSize).validate_python(text))
    except ValidationError as wrong:
        raise OptionError(
            f"memory is given as auto, or like 8GiB or 800MB; got {text!r}"
        ) from wrong


def available_memory(device: torch.device) -> int:
    """Memory that this process could hold, bytes: what it holds now, plus what is free; on a system
    that does not say what is free, all that it has.

    Raises:
        OptionError: the system, as Windows, says neither in a way that Python knows.
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device)
    known = [_kilobytes_field("/proc/meminfo", "MemAvailable"), *_container()]
    rooms = [room for room in known if room is not None]
    if rooms:
        return rss() + min(rooms)
    if not hasattr(os, "sysconf"):  # as on Windows
        raise OptionError("the memory of this system is not known; give some by --memory 8GiB")
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _kilobytes_field(path: str, field: str) -> int | None:
    """Read a field in kB of one of Linux's tables, as bytes; None if there is none."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith(field)), None)


def _container() -> list[int]:
    """List what the limits of a container leave, bytes; cached files count as free."""
    rooms: list[int] = []
    for folder, limit, used, cached in (
        ("/sys/fs/cgroup", "memory.max", "memory.current", ("active_file", "inactive_file")),
        (
            "/sys/fs/cgroup/memory",
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
            ("total_active_file", "total_inactive_file"),
        ),
    ):
        with suppress(OSError, ValueError):  # no such limit
            at = Path(folder)
            stat = dict(line.split() for line in (at / "memory.stat").read_text().splitlines())
            cache = sum(int(stat[name]) for name in cached if name in stat)
            most, now = (int((at / name).read_text()) for name in (limit, used))
            rooms.append(max(0, most - now + cache))
    return rooms


def format_bytes(n: int) -> str:
    """Format bytes as MiB or GiB."""
    return f"{n / 2**30:.2f} GiB" if n >= 1 << 30 else f"{n / 2**20:.0f} MiB"


def support(precision: Precision, device: torch.device) -> Support:
    """Return how a device convolves in a precision; a GPU is taken to be native.

    oneDNN is asked, which heeds `ONEDNN_MAX_CPU_ISA`.
    """
    if device.type != "cpu" or precision in ("fp32", "fp64"):
        return "native"
    if not torch.backends.mkldnn.is_available():
        return "missing"
    if precision == "fp16":
        return "native" if torch.ops.mkldnn._is_mkldnn_fp16_supported() else "missing"
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return "missing"
    cpu = torch.cpu
    has_units = cpu._is_avx512_bf16_supported() or not cpu._is_avx512_supported()  # pyright: ignore[reportPrivateUsage]
    return "native" if has_units else "emulated"


def drawback(precision: Precision, device: torch.device) -> str | None:
    """Describe what a precision costs on a processor without units for it; None if it has them.

    Measured by `benchmarks/bf16.py`.
    """
    match support(precision, device):
        case "native":
            return None
        case "emulated":
            cost = "less memory than fp32, and longer"
        case "missing":
            cost = "no less memory than fp32, and several times as long"
    return f"{precision} takes {cost}: this processor has no units for it"
