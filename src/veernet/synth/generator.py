"""Record of the generator of an archive's logs: a version, and a digest of drawn logs."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib.metadata import version

from veernet.synth.logs import SynthLogs
from veernet.synth.shapes import shapes_of

VERSION = 1
"""Version of the generator, raised whenever the pixels, curves or traits of a log change."""

_NUMBERS = 256
"""Number of logs searched for traits."""

_TIMES = 3
"""Number of logs in the digest per trait, since the appearance of a trait is random too."""


@dataclass(frozen=True, kw_only=True)
class GeneratorRecord:
    """The generator that drew the logs of an archive."""

    version: int
    digest: str
    """SHA-256 of logs of the archive's family: its first log, and a few short ones that together
    show every trait of the family's short logs three times."""
    packages: dict[str, str] = field(compare=False)
    """Versions of the packages that draw, by their names."""

    def __str__(self) -> str:
        return f"generator {self.version} ({self.digest[:8]})"


def generator_of(logs: SynthLogs) -> GeneratorRecord:
    """Record the generator that draws `logs` now, in half a second for full-size ones.

    Raises:
        OptionError: the folder of shapes has no usable LAS file.
    """
    digest = hashlib.sha256()
    for shape in () if logs.shapes is None else shapes_of(logs.shapes):
        digest.update(f"{shape.source} {shape.mnemonic} {len(shape.samples)}".encode())
        digest.update(shape.samples.tobytes())
    short = _short(logs)
    for family, number in [(logs, 0), *((short, number) for number in _telling(short))]:
        log = family.log(number)
        digest.update(json.dumps(family.row(number).written()).encode())
        for drawn in (log.grey, log.mask, log.curves.rows, log.curves.values):
            digest.update(drawn.tobytes())
    packages = ("veernet", "numpy", "opencv-python-headless", "pillow")
    return GeneratorRecord(
        version=VERSION,
        digest=digest.hexdigest(),
        packages={name: version(name) for name in packages},
    )


def _short(logs: SynthLogs) -> SynthLogs:
    """Return the family with short pages, which are fast to draw, at the same height."""
    least, greatest = logs.width
    return replace(logs, width=(min(least, 640), min(greatest, 960)), crop=None)


def _telling(logs: SynthLogs) -> Iterator[int]:
    """Yield the numbers of logs with a trait that fewer than `_TIMES` logs before them have."""
    seen = Counter[str]()
    for number in range(_NUMBERS):
        traits = logs.row(number).traits
        if any(seen[trait] < _TIMES for trait in traits):
            seen.update(traits)
            yield number
