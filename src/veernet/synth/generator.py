"""Record of the generator of an archive's logs: a version, and a digest of drawn logs."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version

from jaxtyping import Float
from numpy import ndarray

from veernet.synth.logs import SynthLogs
from veernet.synth.printed import PrintedLogs
from veernet.synth.shapes import shapes_of
from veernet.synth.wells import read_wells

LogFamily = SynthLogs | PrintedLogs
"""Any family of synthetic logs."""

VERSION, PRINTED_VERSION = 1, 2
"""Versions of the generators of `SynthLogs` and of `PrintedLogs`, each raised whenever the pixels,
curves or traits of a log of its family change."""

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


def generator_of(logs: LogFamily) -> GeneratorRecord:
    """Record the generator that draws `logs` now, in half a second for full-size ones.

    Raises:
        OptionError: the folder of shapes has no usable LAS file.
    """
    digest = hashlib.sha256()
    for name, samples in _curves_of_files(logs):
        digest.update(f"{name} {len(samples)}".encode())
        digest.update(samples.tobytes())
    short = _short(logs)
    for family, number in [(logs, 0), *((short, number) for number in _telling(short))]:
        log = family.log(number)
        digest.update(json.dumps(family.row(number).written()).encode())
        for drawn in (log.picture, log.mask, log.curves.rows, log.curves.values):
            digest.update(drawn.tobytes())
        if log.curves.covered is not None:
            words = [asdict(word) for word in log.words]
            digest.update(log.curves.covered.tobytes() + json.dumps(words).encode())
    packages = ("veernet", "numpy", "opencv-python-headless", "pillow")
    return GeneratorRecord(
        version=PRINTED_VERSION if isinstance(logs, PrintedLogs) else VERSION,
        digest=digest.hexdigest(),
        packages={name: version(name) for name in packages},
    )


def _curves_of_files(logs: LogFamily) -> Iterator[tuple[str, Float[ndarray, "n"]]]:
    """Yield the curves of LAS files that logs are drawn from, with file and mnemonic."""
    match logs:
        case SynthLogs(shapes=str() as folder):
            for shape in shapes_of(folder):
                yield f"{shape.source} {shape.mnemonic}", shape.samples
        case PrintedLogs(wells=str() as folder):
            for well in read_wells(folder):
                for mnemonic, values in well.curves.items():
                    yield f"{well.source} {mnemonic}", values
        case _:
            pass


def _short(logs: LogFamily) -> LogFamily:
    """Return the family with short pages, which are fast to draw, at the same height."""
    least, greatest = logs.width
    return replace(logs, width=(min(least, 640), min(greatest, 960)), crop=None)


def _telling(logs: LogFamily) -> Iterator[int]:
    """Yield the numbers of logs with a trait that fewer than `_TIMES` logs before them have."""
    seen = Counter[str]()
    for number in range(_NUMBERS):
        traits = logs.row(number).traits
        if any(seen[trait] < _TIMES for trait in traits):
            seen.update(traits)
            yield number
