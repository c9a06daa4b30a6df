"""`veernet` and `python -m veernet`, which `torchrun -m veernet` starts too."""

import os
import signal
from types import FrameType


def main() -> None:
    """Run the command line; Ctrl-C ends it with one line and exit code 130, from here on."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    if os.environ.get("NO_COLOR"):
        os.environ.setdefault("PYTHON_TYRO_ANSI_CODES", "False")  # read where tyro is imported
    from veernet.cli import main as run  # takes seconds, in which nothing is there to be lost

    run()


def _end(_: int, __: FrameType | None) -> None:
    """End at once: an interrupt that is raised may be lost in what a library does when imported."""
    os.write(2, b"veernet: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    main()
