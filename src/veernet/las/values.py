"""Values in the data of a LAS file: numbers, and words for none."""

import math

NO_VALUE = {
    *("", ".", "?", "NAN", "NULL", "(NULL)", "<NULL>", "NIL", "NONE", "NA", "N/A", "N.A.", "NAV"),
    *("#N/A", "#NA", "#N/D", "#Н/Д", "#NV", "#NULL!", "#VALUE!", "#REF!", "#DIV/0!", "#NUM!"),
    *("#NAME?", "#ERR", "ERR", "ERROR", "ABSENT", "MISSING", "NODATA", "NO_DATA"),
}
"""Words for no value, in capitals; any run of stars or hyphens, 1.#QNAN, 1.#IND and 1.#INF also
mean no value."""

LONGEST = 64
"""Most characters of a value that can be a number."""


def number_in(value: str, no_value: set[str] = NO_VALUE) -> float | None:
    """Parse a value: its number, NaN if it stands for no value, None if it is text."""
    if not value.strip("*") or not value.strip("-"):
        return math.nan
    word = value[: LONGEST + 1].upper()
    if word in no_value or word.lstrip("+-").startswith("1.#"):
        return math.nan
    if len(word) > LONGEST or "_" in word:
        return None
    word = word.replace("\N{MINUS SIGN}", "-")
    for spelling in (word, word.replace("D", "E")):  # Fortran writes 1D+02
        try:
            return float(spelling)
        except ValueError:
            continue
    return None
