"""Asking a run to pause: Ctrl-C, SIGTERM, or so many steps."""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from types import FrameType

from rich.console import Console


class Pausing:
    """Whether a run was asked to pause. The first Ctrl-C and every SIGTERM ask, the second Ctrl-C
    stops at once."""

    def __init__(self, after: int | None, console: Console):
        self.after, self.console = after, console
        self.asked, self.interrupts, self.steps = False, 0, 0

    def __call__(self) -> bool:
        """Whether it was, after one more step."""
        self.steps += 1
        return self.asked or (self.after is not None and self.steps >= self.after)

    def hear(self, signum: int, _: FrameType | None) -> None:
        """Take a signal."""
        self.interrupts += signum == signal.SIGINT
        if self.interrupts > 1:
            raise KeyboardInterrupt
        if not self.asked:
            self.asked = True
            # Whoever reads what is printed may have been interrupted too.
            with suppress(OSError, RuntimeError, SystemExit):
                self.console.print("pausing after what is being done; Ctrl-C again stops at once")


@contextmanager
def listening(after: int | None, console: Console) -> Generator[Pausing]:
    """Hear the signals that ask for a pause while the block runs; in the main thread, for others
    get none."""
    pausing = Pausing(after, console)
    if threading.current_thread() is not threading.main_thread():
        yield pausing
        return
    before = {one: signal.signal(one, pausing.hear) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield pausing
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
