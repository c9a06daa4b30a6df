"""Depth sections of a calibration file, as tables of TOML, each with its depths and tracks."""

from typing import Any, TypeAlias, cast

from veernet.errors import CalibrationError

MAX_SECTIONS = 100
"""Most depth sections of one scan."""

Table: TypeAlias = dict[str, Any]
"""Table of a TOML file, of which nothing is known yet."""

_SINGULAR = {
    "sections": "section",
    "tracks": "track",
    "curves": "track.curve",
    "changes": "track.curve.change",
}
"""Names of tables by what they may be called by mistake."""

_COMMON = ("depth_axis", "size", "section")
"""Names at the top of a file that hold for all sections."""


def section_tables(table: Table, *, where: str) -> list[tuple[str, Table]]:
    """Split the table of a calibration file into one table per section, each with what is common to
    all and its name as `section`; and `where` it stands, for messages.

    Raises:
        CalibrationError: a table is called by another name, or stands outside the sections; or
            sections have no name, or the same.
    """
    _check_spelling(table, where)
    if "section" not in table:
        return [(where, table)]
    parts = _tables(table["section"])
    if not parts:
        raise CalibrationError(f"{where}: sections are written [[section]], each with its name")
    if given := [name for name in ("depth", "track") if name in table]:
        raise CalibrationError(
            f"{where}: {' and '.join(given)} outside the sections; each section has its own, "
            "[section.depth] and [[section.track]]"
        )
    names = [_name_of(part, n, where) for n, part in enumerate(parts, start=1)]
    if len({name.upper() for name in names}) < len(names) or len(names) > MAX_SECTIONS:
        raise CalibrationError(
            f"{where}: sections need different names, also but for capitals, and are at most "
            f"{MAX_SECTIONS}; got {', '.join(names[:9])}"
        )
    own = [{key: value for key, value in part.items() if key != "name"} for part in parts]
    return [
        (f"{where}: section {name}", {**table, **part, "section": name})
        for name, part in zip(names, own, strict=True)
    ]


def _name_of(part: Table, number: int, where: str) -> str:
    """Return the name of a section, which has nothing that is common to all."""
    name: Any = part.get("name")
    if not isinstance(name, str) or not name:
        raise CalibrationError(f'{where}: section {number} needs a name, such as name = "repeat"')
    if common := [one for one in _COMMON if one in part]:
        raise CalibrationError(
            f"{where}: section {name}: {common[0]} is common to all sections; write it at the top"
        )
    return name


def _tables(value: Any) -> list[Table]:
    """Return the tables of a list; none of anything else."""
    if not isinstance(value, list):
        return []
    return [one for one in cast("list[Any]", value) if isinstance(one, dict)]


def _check_spelling(table: Table, where: str) -> None:
    """Check that tables of which there may be several are written as such, and in the singular."""
    whole = [table, *_tables(table.get("section"))]
    if any("curve" in one or isinstance(one.get("track"), dict) for one in whole):
        raise CalibrationError(
            f"{where}: tracks are written [[track]], and the curves of each [[track.curve]] after "
            "it"
        )
    tracks = [track for one in whole for track in _tables(one.get("track"))]
    curves = [curve for track in tracks for curve in _tables(track.get("curve"))]
    for one in (*whole, *tracks, *curves):
        for name in _SINGULAR:
            if name in one:
                raise CalibrationError(
                    f"{where}: {name}: no such name here; it is written [[{_SINGULAR[name]}]]"
                )
