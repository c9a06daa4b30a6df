"""Depth of a LAS file: its column, its unit, its order."""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from veernet.errors import LasError
from veernet.las.header import Header, Item, number_of

Unit = Literal["ft", "m"]
"""Unit of depth."""

FEET: dict[Unit, float] = {"ft": 1.0, "m": 1 / 0.3048}
"""Feet per unit of depth."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A unit of depth in a file; `parts` of it make one `unit`."""

    unit: Unit
    parts: float = 1.0


def _named(scale: Scale, *names: str) -> dict[str, Scale]:
    return dict.fromkeys(names, scale)


_SCALES: dict[str, Scale] = {
    **_named(Scale(unit="ft"), "F", "FT", "FEET", "FOOT", "FTS", "'"),
    **_named(Scale(unit="ft"), "PIE", "PIES", "PIED", "PIEDS", "FUSS"),
    **_named(Scale(unit="ft", parts=0.3048 * 3937 / 1200), "FTUS", "USFT", "FT-US", "US-FT"),
    **_named(Scale(unit="ft", parts=12), "IN", "INCH", "INCHES", '"'),
    **_named(Scale(unit="ft", parts=120), ".1IN", "0.1IN", ".1INCH", "0.1INCH", ".1 IN", "0.1 IN"),
    **_named(Scale(unit="m"), "M", "MT", "MTS", "MTR", "MTRS", "METER", "METERS"),
    **_named(Scale(unit="m"), "METRO", "METRI", "MÈTRE", "MÈTRES", "MÉTRES"),
    **_named(Scale(unit="m"), "METRE", "METRES", "METROS", "М", "МЕТР", "МЕТРЫ", "МЕТРОВ"),
    # Cyrillic м in cp1251 and cp866, if nothing else in the file tells these from cp1252
    **_named(Scale(unit="m"), "Ì", "¬"),
    **_named(Scale(unit="m", parts=100), "CM", "СМ"),
    **_named(Scale(unit="m", parts=1000), "MM", "ММ"),
    **_named(Scale(unit="m", parts=1e-3), "KM", "КМ"),
}

_DEPTHS = {
    *("DEPT", "DEPTH", "DEP", "DPTH", "MD", "TDEP", "BDEP", "TVD", "TVDSS", "TVDMSL", "TVDKB"),
    *("DEPTHMD", "DMEA", "DBTM", "ГЛУБИНА", "ГЛУБ"),
}
_TIMES = {"TIME", "ETIM", "ETIME", "TIM", "DATE", "DATETIME", "TIMESTAMP"}
_TIME_UNITS = {
    *("S", "SEC", "SECS", "SECOND", "SECONDS", "MS", "MSEC", "US", "USEC", "MIN", "MINS", "MINUTE"),
    *("MINUTES", "H", "HR", "HRS", "HOUR", "HOURS", "D", "DAY", "DAYS", "HHMMSS", "HH:MM:SS"),
}

_IN_NAME = re.compile(r"(\w+)\s*[\[(]([^\[\]()]*)[\])]|([^\W_]+)_([^\W_]+)")


def depth_column(path: str, curves: list[Item]) -> tuple[int, list[str]]:
    """Return the index of the depth curve, and notes on the choice.

    It is the first curve, unless only others have a name for depth; of these, the first that is
    not a true vertical depth.

    Raises:
        LasError: the curves of the file are indexed by time.
    """
    first, unit = curves[0], curves[0].unit.upper().strip(".")
    named = [index for index, one in enumerate(curves) if _bare(one.mnemonic)[0] in _DEPTHS]
    if 0 in named:
        return 0, []
    if _bare(first.mnemonic)[0] in _TIMES or (unit in _TIME_UNITS and _scale(first.unit) is None):
        raise LasError(
            f"{path}: its curves go by time (the first is {first.mnemonic}, in {first.unit!r}); "
            "curves by depth are needed"
        )
    if not named:
        return 0, []
    along = [index for index in named if not curves[index].mnemonic.upper().startswith("TV")]
    at = (along or named)[0]
    return at, [f"depth is {curves[at].mnemonic}, column {at + 1}, and not the first one"]


def check_column(
    path: str, header: Header, curves: list[Item], index: int, columns: list[Float[ndarray, "n"]]
) -> None:
    """Check a depth column without a name for depth against STRT and STOP of the header.

    Raises:
        LasError: another column goes from STRT to STOP, and this one does not.
    """
    if _bare(curves[index].mnemonic)[0] in _DEPTHS:
        return
    start, stop = (number_of(header.well(name)) for name in ("STRT", "STOP"))
    if start is None or stop is None or start == stop:
        return
    fits = [{float(one[0]), float(one[-1])} == {start, stop} for one in columns]
    if any(fits) and not fits[index]:
        other = curves[fits.index(True)].mnemonic
        raise LasError(
            f"{path}: its first curve, {curves[index].mnemonic}, should be depth, but {other} goes "
            f"from {start:g} to {stop:g}, as STRT and STOP say; if that is depth, name it "
            "DEPT in ~C"
        )


def depth_scale(
    path: str,
    header: Header,
    curve: Item,
    ends: tuple[float, float],
    given: Unit | None,
) -> tuple[Scale, list[str]]:
    """Return the unit of depth, and notes on it: from the curve, its mnemonic, STRT, STOP or STEP.

    Args:
        ends: first and last depth, in that unit.
        given: unit given by the user; needed where the file has none, or two different ones.

    Raises:
        LasError: nothing gives the unit, or the sources of it disagree.
    """
    start, stop, step = (header.well(name) for name in ("STRT", "STOP", "STEP"))
    written = [(curve.mnemonic, curve.unit), (curve.mnemonic, _bare(curve.mnemonic)[1])]
    written += [(one.mnemonic, one.unit) for one in (start, stop, step)]
    known = [(name, scale) for name, unit in written if (scale := _scale(unit)) is not None]
    if not known:
        if given is not None:
            return Scale(unit=given), [
                f"depth is read as {given}, as its header gives no known unit"
            ]
        found = " or ".join(repr(one) for one in dict.fromkeys(unit for _, unit in written))
        raise LasError(
            f"{path}: depth is in {found}; known are ft, m, in, .1in, cm, mm and km. Say it: "
            "--las-unit ft or --las-unit m"
        )
    if given is not None and Scale(unit=given) not in [scale for _, scale in known]:
        name, unit = next((name, unit) for name, unit in written if _scale(unit) is not None)
        raise LasError(f"{path}: depth is in {unit!r}, as {name} says, and not in {given}")
    (name, scale), *others = known
    for other, another in others:
        limits = number_of(start), number_of(stop)
        if another == scale or other != start.mnemonic or _agree(ends, scale, limits, another):
            continue
        if given is not None:
            return Scale(unit=given), []
        raise LasError(
            f"{path}: depth is in {scale.unit} as {name} says, in {another.unit} as {other} says. "
            "Say it: --las-unit ft or --las-unit m"
        )
    if given not in (None, scale.unit):
        raise LasError(
            f"{path}: depth is in {scale.unit}, as {name} and the numbers say, and not in {given}"
        )
    return scale, []


def _agree(
    ends: tuple[float, float], scale: Scale, limits: tuple[float | None, float | None], other: Scale
) -> bool:
    """Return whether an end of the data matches the header's, which is in another unit."""

    def feet(depth: float, of: Scale) -> float:
        return depth / of.parts * FEET[of.unit]

    return any(
        limit is not None and end != 0 and abs(feet(limit, other) / feet(end, scale) - 1) < 1e-3
        for end, limit in zip(ends, limits, strict=True)
    )


def ordered(
    path: str, name: str, depth: Float[ndarray, "n"], lines: Int[ndarray, "n"]
) -> tuple[slice, Int[ndarray, "r"]]:
    """Return the slice that makes depths increase, and the rows that repeat the depth before them.

    Raises:
        LasError: depths neither increase nor decrease throughout.
    """
    if len(depth) < 2:
        raise LasError(f"{path}: {len(depth)} depths; needs two and more")
    if not np.isfinite(depth).all():
        line = int(lines[~np.isfinite(depth)][0])
        raise LasError(f"{path}: no depth ({name}) on line {line}")
    steps = np.diff(depth)
    up = np.count_nonzero(steps > 0) >= np.count_nonzero(steps < 0)
    if (wrong := np.flatnonzero(steps < 0 if up else steps > 0)).size:
        row = int(wrong[0]) + 1
        raise LasError(
            f"{path}: its depths ({name}) neither increase nor decrease throughout: line "
            f"{lines[row]} has {depth[row]:g} after {depth[row - 1]:g}"
        )
    return slice(None, None, 1 if up else -1), np.flatnonzero(steps == 0) + 1


def _scale(unit: str) -> Scale | None:
    unit = unit.strip().strip("[]()").upper()
    return _SCALES.get(unit, _SCALES.get(unit.strip(". ")))


def _bare(mnemonic: str) -> tuple[str, str]:
    """Split a mnemonic from a unit in it, as in DEPT(FT), DEPTH [m], DEPT_FT."""
    found = _IN_NAME.fullmatch(mnemonic.strip())
    if found and (unit := found[2] or found[4]) and _scale(unit):
        return (found[1] or found[3]).upper(), unit
    return mnemonic.upper().strip(" ."), ""
