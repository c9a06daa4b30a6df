"""Origin of a digitisation: which software, weights, scan and calibration it comes from."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy import ndarray

import veernet
from veernet.data.logs import sha256
from veernet.digitisation.calibration import Calibration
from veernet.distributed import digest
from veernet.model import VeerNet
from veernet.terminal import one_line
from veernet.weights import weights_file


@dataclass(frozen=True, kw_only=True)
class Source:
    """One thing that a digitisation comes from."""

    name: str
    """Name of its file, or `in memory`."""
    sha256: str
    """SHA-256 of the file; of what is in memory, of its content."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Sources of a digitisation; the same for the same files at any time and place."""

    version: str
    """Version of VeerNet."""
    weights: Source
    """Weights; in memory, the parameters of the network."""
    scan: Source
    """Scan; in memory, its pixels."""
    calibration: Source
    """Calibration; in memory, its text as TOML."""

    def lines(self) -> Iterator[str]:
        """Yield the lines that say so in a LAS file."""
        yield f"VeerNet {self.version}; weights {self.weights.name} sha256 {self.weights.sha256}"
        yield f"scan {self.scan.name} sha256 {self.scan.sha256}"
        yield f"calibration {self.calibration.name} sha256 {self.calibration.sha256}"


def origin_of(
    scan: str | Path | ndarray,
    calibration: str | Path | Calibration,
    weights: str | Path | VeerNet,
) -> Origin:
    """Name what a digitisation comes from: files by their names, all by their digests."""
    return Origin(
        version=veernet.__version__,
        weights=_of_weights(weights),
        scan=_of_pixels(scan) if isinstance(scan, ndarray) else _of_file(Path(scan)),
        calibration=(
            _in_memory(hashlib.sha256(calibration.to_toml().encode()).hexdigest())
            if isinstance(calibration, Calibration)
            else _of_file(Path(calibration))
        ),
    )


def _of_weights(weights: str | Path | VeerNet) -> Source:
    if not isinstance(weights, str | Path):
        parameters = weights.state_dict()  # a compiled network has the same by longer names
        named = sorted((name.removeprefix("_orig_mod."), p) for name, p in parameters.items())
        return _in_memory(digest(named))
    file = weights_file(weights)
    return Source(name=one_line(Path(weights).name), sha256=sha256(file))


def _of_pixels(scan: ndarray) -> Source:
    shape = f"{scan.shape}{scan.dtype}".encode()
    return _in_memory(hashlib.sha256(shape + np.ascontiguousarray(scan).tobytes()).hexdigest())


def _of_file(path: Path) -> Source:
    return Source(name=one_line(path.name), sha256=sha256(path))


def _in_memory(sha: str) -> Source:
    return Source(name="in memory", sha256=sha)
