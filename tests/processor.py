"""The processor that runs the tests: another one rounds otherwise."""

import re
from pathlib import Path


def processor() -> str:
    """Family, model and stepping of the processor, on Linux."""
    path = Path("/proc/cpuinfo")
    one = path.read_text().split("\n\n")[0] if path.exists() else ""
    return "\n".join(re.findall(r"(?m)^(?:cpu family|model|model name|stepping)\s*: .*$", one))
