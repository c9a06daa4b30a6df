"""Curves that belong together on a log: their names, units, customary scales and families."""

from bisect import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from numpy.random import Generator


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Printed scale of a curve: values at the edges of its track, in the printed unit.

    `left` and `right` are edges of the upright page. With depth along the picture's width, left is
    the bottom row (position 0) and right the top row (position 1).
    """

    left: float
    right: float
    share: float = 1.0
    """Share of the logs of its member that have it."""
    log: bool = False
    unit: str = ""
    """Printed unit; that of the member if empty."""
    factor: float = 1.0
    """Printed value of one unit of the member."""

    def positions(self, values: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
        """Return positions across the track: 0 at the left edge, 1 at the right, not limited to
        them; NaN where the value is NaN or, on a logarithmic scale, not above 0."""
        printed = values * self.factor
        if not self.log:
            return (printed - self.left) / (self.right - self.left)
        logs = np.log(np.where(printed > 0, printed, np.nan))
        return (logs - np.log(self.left)) / (np.log(self.right) - np.log(self.left))

    def values(self, positions: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
        """Return the values, in the member's unit, at positions: the inverse of `positions`."""
        if self.log:
            return self.left * (self.right / self.left) ** positions / self.factor
        return (self.left + (self.right - self.left) * positions) / self.factor

    def shifted_to(self, values: Float[ndarray, "n"]) -> "Scale":
        """Shift by tenths of the scale until the middle of the values is inside the track, as an
        engineer sets the zero of SP."""
        there = self.positions(values[np.isfinite(values)])
        if not there.size:
            return self
        low, high = np.quantile(there, [0.02, 0.98])
        tenths = round(10 * ((float(low) + float(high)) / 2 - 0.5))
        shift = tenths / 10 * (self.right - self.left)
        return replace(self, left=self.left + shift, right=self.right + shift)


@dataclass(frozen=True, kw_only=True)
class Member:
    """A kind of curve, and how logs print it."""

    mnemonic: str
    title: str
    """Name in a header."""
    unit: str
    aliases: tuple[str, ...]
    """Names in LAS files of several vendors, the preferred first."""
    scales: tuple[Scale, ...]
    group: str = ""
    """Members of one group that are printed in one track take scales of one place in their
    `scales`: the same for resistivities, compatible ones for density and neutron."""
    bounds: tuple[float, float]
    """Least and greatest value that a tool can give."""
    coarse: tuple[float, float] | None = None
    """(limit, divisor): values whose median magnitude exceeds the limit are in another unit, and
    are divided. Files often name no unit, or a wrong one."""
    floating: bool = False
    """Its zero has no meaning: the scale is shifted to the values."""

    @property
    def log(self) -> bool:
        """True if it spans decades: its commonest scale is logarithmic."""
        return self.scales[0].log


@dataclass(frozen=True, kw_only=True)
class Family:
    """Members that are printed in one track."""

    name: str
    members: Mapping[str, float]
    """Share of its tracks that show each, by mnemonic."""


_OHM = (
    Scale(left=0.2, right=2000, log=True, share=0.62),
    Scale(left=0.2, right=200, log=True, share=0.06),
    Scale(left=0.2, right=20, log=True, share=0.03),
    Scale(left=1, right=1000, log=True, share=0.08),
    Scale(left=2, right=200, log=True, share=0.03),
    Scale(left=0.1, right=1000, log=True, share=0.05),
    Scale(left=0.2, right=20_000, log=True, share=0.03),
    Scale(left=0, right=50, share=0.05),
    Scale(left=0, right=100, share=0.03),
    Scale(left=0, right=20, share=0.02),
)
_PORES = (
    Scale(left=0.45, right=-0.15, share=0.36),
    Scale(left=30, right=-10, share=0.22, unit="PU", factor=100),
    Scale(left=45, right=-15, share=0.2, unit="PU", factor=100),
    Scale(left=0.45, right=-0.15, share=0.08),
    Scale(left=60, right=0, share=0.06, unit="PU", factor=100),
    Scale(left=0.30, right=-0.10, share=0.08),
)
_MICRO = (
    Scale(left=0, right=40, share=0.45),
    Scale(left=0, right=20, share=0.3),
    Scale(left=0, right=10, share=0.15),
    Scale(left=0.2, right=200, log=True, share=0.1),
)
_HOLE = (
    Scale(left=6, right=16, share=0.66),
    Scale(left=4, right=14, share=0.12),
    Scale(left=5, right=15, share=0.04),
    Scale(left=6, right=26, share=0.06),
    Scale(left=10, right=20, share=0.02),
    Scale(left=125, right=375, share=0.1, unit="MM", factor=25.4),
)
_METRE = 3.28084
"""Feet per metre."""


def _resistivity(mnemonic: str, title: str, aliases: str) -> Member:
    return Member(
        mnemonic=mnemonic,
        title=title,
        unit="OHMM",
        aliases=tuple(aliases.split()),
        scales=_OHM,
        group="resistivity",
        bounds=(0.02, 100_000),
    )


def _porosity(mnemonic: str, title: str, aliases: str) -> Member:
    return Member(
        mnemonic=mnemonic,
        title=title,
        unit="V/V",
        aliases=tuple(aliases.split()),
        scales=_PORES,
        group="porosity",
        bounds=(-0.3, 1.2),
        coarse=(1.0, 100),
    )


def _micro(mnemonic: str, title: str, aliases: str) -> Member:
    return Member(
        mnemonic=mnemonic,
        title=title,
        unit="OHMM",
        aliases=tuple(aliases.split()),
        scales=_MICRO,
        group="micro",
        bounds=(0.02, 2000),
    )


def _hole(mnemonic: str, title: str, aliases: str) -> Member:
    return Member(
        mnemonic=mnemonic,
        title=title,
        unit="IN",
        aliases=tuple(aliases.split()),
        scales=_HOLE,
        group="hole",
        bounds=(0, 50),
        coarse=(60, 25.4),
    )


_ALL = (
    Member(
        mnemonic="GR",
        title="GAMMA RAY",
        unit="GAPI",
        aliases=("GR", "GRGC", "SGR", "ECGR", "HGR", "GRC", "GRD", "GRS", "GRN", "GAM", "GAMMA"),
        scales=(
            Scale(left=0, right=150, share=0.6),
            Scale(left=0, right=200, share=0.13),
            Scale(left=0, right=100, share=0.12),
            Scale(left=0, right=120, share=0.06),
            Scale(left=10, right=110, share=0.04),
            Scale(left=0, right=300, share=0.05),
        ),
        bounds=(0, 2000),
    ),
    Member(
        mnemonic="SP",
        title="SPONTANEOUS POTENTIAL",
        unit="MV",
        aliases=("SP", "SPBL", "SPC", "SPR", "SPDH"),
        scales=(
            Scale(left=-100, right=0, share=0.3),
            Scale(left=-160, right=40, share=0.25),
            Scale(left=-80, right=20, share=0.2),
            Scale(left=-120, right=30, share=0.15),
            Scale(left=-200, right=0, share=0.1),
        ),
        bounds=(-2000, 2000),
        floating=True,
    ),
    _hole("CALI", "CALIPER", "CALI CAL DCAL CALD CALS HCAL C13 C1 CLDC LCAL CALX CALM MCAL"),
    _hole("CALY", "CALIPER Y", "CALY C24 C2 CALN CALM MCAL"),
    _hole("BS", "BIT SIZE", "BS BIT BITSIZE BDIA"),
    Member(
        mnemonic="TENS",
        title="TENSION",
        unit="LB",
        aliases=("TENS", "LTEN", "TEN", "LWTLB", "TENSION", "CTEN"),
        scales=(
            Scale(left=10_000, right=0, share=0.4),
            Scale(left=5000, right=0, share=0.3),
            Scale(left=0, right=5000, share=0.15),
            Scale(left=15_000, right=0, share=0.15),
        ),
        bounds=(0, 30_000),
    ),
    _resistivity("ILD", "DEEP RESISTIVITY", "ILD RILD RT LLD AT90 AHT90 AF90 RT90 HDRS RDEEP DIL"),
    _resistivity("ILM", "MEDIUM RESISTIVITY", "ILM RILM AT30 AHT30 AF30 RT30 HMRS RMED"),
    _resistivity(
        "SFL", "SHALLOW RESISTIVITY", "SFL SFLU RLL3 LL3 LL8 RLL8 LLS AT10 AHT10 AF10 RT10 SN RSHAL"
    ),
    _resistivity("RXO", "FLUSHED ZONE RESISTIVITY", "RXO MSFL RXOZ RXO8 MLL PROX RXOI MSFC"),
    Member(
        mnemonic="COND",
        title="DEEP CONDUCTIVITY",
        unit="MMHO",
        aliases=("CILD", "COND", "CIL", "CDEEP", "ECOND"),
        scales=(
            Scale(left=400, right=0, share=0.5),
            Scale(left=1000, right=0, share=0.4),
            Scale(left=2000, right=0, share=0.1),
        ),
        bounds=(-100, 20_000),
    ),
    _micro("MINV", "MICROINVERSE", "MINV MI RLML BMIN HMIN MIV"),
    _micro("MNOR", "MICRONORMAL", "MNOR MN RNML BMNO HMNO MNR"),
    Member(
        mnemonic="RHOB",
        title="BULK DENSITY",
        unit="G/C3",
        aliases=("RHOB", "RHOZ", "ZDEN", "DEN", "RHO8", "DENS", "DENB", "DENC"),
        scales=(
            Scale(left=1.95, right=2.95, share=0.36),
            Scale(left=2, right=3, share=0.22),
            Scale(left=1.95, right=2.95, share=0.2),
            Scale(left=1950, right=2950, share=0.08, unit="K/M3", factor=1000),
            Scale(left=1.65, right=2.65, share=0.06),
            Scale(left=2, right=3, share=0.08),
        ),
        group="porosity",
        bounds=(0.8, 3.5),
        coarse=(100, 1000),
    ),
    _porosity("NPHI", "NEUTRON POROSITY", "NPHI CNLS NPLS TNPH CNC CNCF CNPOR NPOR PHIN NPHL"),
    _porosity("DPHI", "DENSITY POROSITY", "DPHI DPOR DPLS DPHZ PORZ PHID PORD"),
    _porosity("SPHI", "SONIC POROSITY", "SPHI SPOR PORS PHIS"),
    Member(
        mnemonic="PE",
        title="PHOTOELECTRIC FACTOR",
        unit="B/E",
        aliases=("PE", "PEF", "PEFZ", "PEF8", "PDPE"),
        scales=(
            Scale(left=0, right=10, share=0.75),
            Scale(left=0, right=20, share=0.15),
            Scale(left=-10, right=10, share=0.1),
        ),
        bounds=(0, 40),
    ),
    Member(
        mnemonic="DRHO",
        title="DENSITY CORRECTION",
        unit="G/C3",
        aliases=("DRHO", "RHOC", "ZCOR", "HDRA", "DCOR", "CORR", "DECR"),
        scales=(
            Scale(left=-0.25, right=0.25, share=0.5),
            Scale(left=-0.75, right=0.25, share=0.15),
            Scale(left=-0.05, right=0.45, share=0.2),
            Scale(left=-0.5, right=0.5, share=0.15),
        ),
        bounds=(-0.8, 0.8),
        coarse=(1.5, 1000),
    ),
    Member(
        mnemonic="DT",
        title="SONIC TRANSIT TIME",
        unit="US/F",
        aliases=("DT", "DTC", "DTCO", "DT24", "AC", "DT4P", "DTLN", "DELT", "SONI"),
        scales=(
            Scale(left=140, right=40, share=0.6),
            Scale(left=150, right=50, share=0.12),
            Scale(left=190, right=40, share=0.06),
            Scale(left=240, right=40, share=0.06),
            Scale(left=100, right=50, share=0.06),
            Scale(left=500, right=100, share=0.1, unit="US/M", factor=_METRE),
        ),
        bounds=(30, 300),
        coarse=(150, _METRE),
    ),
)

MEMBERS: Mapping[str, Member] = {member.mnemonic: member for member in _ALL}
"""All members by mnemonic."""

FAMILIES: Mapping[str, Family] = {
    name: Family(name=name, members=members)
    for name, members in {
        "correlation": {
            "GR": 1.0,
            "SP": 0.6,
            "CALI": 0.65,
            "CALY": 0.1,
            "BS": 0.3,
            "TENS": 0.25,
        },
        "resistivity": {"ILD": 1.0, "ILM": 0.75, "SFL": 0.85, "RXO": 0.15},
        "conductivity": {"COND": 1.0, "ILD": 0.3},
        "porosity": {
            "RHOB": 0.75,
            "NPHI": 0.95,
            "DPHI": 0.35,
            "PE": 0.5,
            "DRHO": 0.6,
            "TENS": 0.1,
        },
        "sonic": {"DT": 1.0, "SPHI": 0.35, "NPHI": 0.3, "TENS": 0.15},
        "microlog": {"MINV": 1.0, "MNOR": 1.0, "CALI": 0.3},
    }.items()
}
"""All families by name; a member may be in several."""


def member_of(alias: str) -> Member | None:
    """Return the member that a mnemonic of a LAS file names, ignoring case; None if unknown.

    >>> member_of("rild").mnemonic
    'ILD'
    """
    name = alias.strip().upper()
    return next((one for one in _ALL if name == one.mnemonic or name in one.aliases), None)


def draw_members(rng: Generator, family: Family, there: Iterable[str]) -> tuple[str, ...]:
    """Draw which members of a family a track shows, of those that are there, in the family's
    order; none only if none is there. Density porosity is not printed beside the density that it
    is computed from: on compatible scales they are one line."""
    have = [name for name in family.members if name in {*there}]
    lots = rng.random(len(have))
    drawn = tuple(name for name, lot in zip(have, lots, strict=True) if lot < family.members[name])
    if "RHOB" in drawn:
        drawn = tuple(name for name in drawn if name != "DPHI")
    return drawn or tuple(have[:1])


def draw_scales(rng: Generator, names: Sequence[str]) -> dict[str, Scale]:
    """Draw a customary scale for each member of one track; those of one group take scales that
    go together."""
    lots, scales = dict[str, float](), dict[str, Scale]()
    for name in names:
        member = MEMBERS[name]
        lot = lots.setdefault(member.group or name, float(rng.random()))
        shares = [*accumulate(scale.share for scale in member.scales)]
        at = bisect(shares, lot * shares[-1])
        scales[name] = member.scales[min(at, len(member.scales) - 1)]
    return scales
