"""Pause a run on request: Ctrl-C, SIGTERM, a closed terminal, or a number of steps."""

import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from types import FrameType

from rich.console import Console

PAUSED = 75
"""Exit code 75 of a command whose training was paused, so that commands chained with && stop
too: EX_TEMPFAIL of Unix, which Python has there alone."""


class StopRequest:
    """Request to pause a run. The first Ctrl-C, and every SIGTERM or SIGHUP, requests a pause; the
    second Ctrl-C stops at once."""

    def __init__(self, after: int | None, console: Console):
        self.after, self.console = after, console
        self.requested, self.interrupts, self.steps = False, 0, 0

    def __call__(self) -> bool:
        """Count one step and return whether a pause was requested."""
        self.steps += 1
        return self.requested or (self.after is not None and self.steps >= self.after)

    def on_signal(self, signum: int, _: FrameType | None) -> None:
        """Handle a signal."""
        self.interrupts += signum == signal.SIGINT
        if self.interrupts > 1:
            raise KeyboardInterrupt
        if not self.requested:
            self.requested = True
            # The reader of our output may have been interrupted too.
            with suppress(OSError, RuntimeError, SystemExit):
                self.console.print("pausing after what is being done; Ctrl-C again stops at once")


@contextmanager
def stop_signals(after: int | None, console: Console) -> Generator[StopRequest]:
    """Install handlers for the signals that request a pause during the block (main thread only). If
    SIGHUP is ignored, as under `nohup`, it stays so; Windows has none."""
    pausing = StopRequest(after, console)
    if threading.current_thread() is not threading.main_thread():
        yield pausing
        return
    asking = [signal.SIGINT, signal.SIGTERM]
    if (hangup := getattr(signal, "SIGHUP", None)) and signal.getsignal(hangup) != signal.SIG_IGN:
        asking.append(hangup)
    before = {one: signal.signal(one, pausing.on_signal) for one in asking}
    try:
        yield pausing
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def end_if_paused(done: bool) -> None:
    """Exit with `PAUSED` if training is not done; under `torchrun`, which would then restart it,
    with 0."""
    from veernet import distributed  # PyTorch, which the help does without

    if not done:
        sys.exit(0 if distributed.launched() else PAUSED)
