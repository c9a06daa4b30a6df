"""Settings of the allocator of memory, made before PyTorch is imported."""

import ctypes
import os
from contextlib import suppress

MMAP_THRESHOLD = 1 << 20
"""Size from which the CPU's allocator returns a freed block to the system, bytes."""


def configure_allocator() -> None:
    """Make freed memory return to the system at once, and large blocks use large pages; call it
    first.

    On a GPU: expandable segments, in place of blocks that are never joined. On a CPU, glibc keeps
    freed blocks of up to 32 MiB in a heap that shrinks from its end only; blocks from
    `MMAP_THRESHOLD` on return instead. Then more pages are new, so PyTorch asks for large pages.
    Settings in the environment are kept.
    """
    if "PYTORCH_CUDA_ALLOC_CONF" not in os.environ:
        os.environ.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    options = {"MALLOC_MMAP_THRESHOLD_": -3, "MALLOC_TRIM_THRESHOLD_": -1}  # parameters of mallopt
    with suppress(OSError, AttributeError):  # other systems have no glibc
        libc = ctypes.CDLL("libc.so.6")
        for name, option in options.items():
            if name not in os.environ:
                libc.mallopt(option, MMAP_THRESHOLD)
