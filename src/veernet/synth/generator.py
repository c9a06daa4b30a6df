"""The generator of logs, as an archive remembers it: a version, and a digest of what it draws."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version

from veernet.synth.logs import SynthLogs
from veernet.synth.shapes import shapes_of

VERSION = 1
"""Raised whenever a log comes out with other pixels, curves or traits than before."""

_NUMBERS = 256
"""Logs among which those are looked for that show what a look can do."""

_TIMES = 3
"""Logs with every trait: what a trait looks like is drawn too."""


@dataclass(frozen=True, kw_only=True)
class GeneratorRecord:
    """The generator that drew the logs of an archive."""

    version: int
    digest: str
    """SHA-256 of what was drawn of the archive's family: its first log, and a few short ones that
    together show every trait that short logs of the family have, three times."""
    packages: dict[str, str] = field(compare=False)
    """Versions of the packages that drew, by their names."""

    def __str__(self) -> str:
        return f"generator {self.version} ({self.digest[:8]})"


def generator_of(logs: SynthLogs) -> GeneratorRecord:
    """Record what draws `logs` now, in half a second for native ones.

    Raises:
        OptionError: there is nothing to take shapes of curves from.
    """
    digest = hashlib.sha256()
    for shape in () if logs.shapes is None else shapes_of(logs.shapes):
        digest.update(f"{shape.source} {shape.mnemonic} {len(shape.samples)}".encode())
        digest.update(shape.samples.tobytes())
    short = _short(logs)
    for family, number in [(logs, 0), *((short, number) for number in _telling(short))]:
        log = family.log(number)
        digest.update(json.dumps(asdict(family.row(number))).encode())
        for drawn in (log.grey, log.mask, log.curves.rows, log.curves.values):
            digest.update(drawn.tobytes())
    packages = ("veernet", "numpy", "opencv-python-headless", "pillow")
    return GeneratorRecord(
        version=VERSION,
        digest=digest.hexdigest(),
        packages={name: version(name) for name in packages},
    )


def _short(logs: SynthLogs) -> SynthLogs:
    """The family with pages that are drawn at once, as high as before."""
    least, greatest = logs.width
    return replace(logs, width=(min(least, 640), min(greatest, 960)), crop=None)


def _telling(logs: SynthLogs) -> Iterator[int]:
    """Numbers of the logs with a trait that fewer than `_TIMES` before them have."""
    seen = Counter[str]()
    for number in range(_NUMBERS):
        traits = logs.row(number).traits
        if any(seen[trait] < _TIMES for trait in traits):
            seen.update(traits)
            yield number
