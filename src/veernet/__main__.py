"""`veernet` and `python -m veernet`, which `torchrun -m veernet` starts too."""

import os
import signal
import sys
from types import FrameType


def main() -> None:
    """Run the command line; Ctrl-C ends it with one line and exit code 130, from here on."""
    _open_closed()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    if os.environ.get("NO_COLOR"):
        os.environ.setdefault("PYTHON_TYRO_ANSI_CODES", "False")  # tyro reads it on import
    from veernet.cli.main import (
        main as run,  # takes seconds, in which there is nothing to lose
    )

    run()


def _open_closed() -> None:
    """Open the null device for streams that the command was started without (`>&-`); else a picture
    could get the number of one, and a library write into it."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
            setattr(sys, name, os.fdopen(number, mode))


def _end(_: int, __: FrameType | None) -> None:
    """End at once: a raised KeyboardInterrupt may be swallowed while a library is imported."""
    os.write(2, b"veernet: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    main()
