"""Letters of single strokes, as plotters drew them."""

STROKES = {
    "0": "103041453616050110",
    "1": "052620 1030",
    "2": "05163645440040",
    "3": "05163645443313 334241301001",
    "4": "30360242",
    "5": "460603334241301001",
    "6": "3616050110304142331302",
    "7": "064610",
    "8": "13040516364544331302011030414233",
    "9": "1030414536160504133344",
    "A": "002640 1232",
    "B": "00063645443303 3342413000",
    "C": "4536160501103041",
    "D": "00062644422000",
    "E": "46060040 0333",
    "F": "460600 0333",
    "G": "45361605011030414323",
    "H": "0006 4046 0343",
    "I": "2026 1030 1636",
    "J": "4641301001",
    "K": "0006 460340",
    "L": "060040",
    "M": "0006234640",
    "N": "00064046",
    "O": "103041453616050110",
    "P": "00063645443303",
    "Q": "103041453616050110 2240",
    "R": "00063645443303 2340",
    "S": "453616050413334241301001",
    "T": "0646 2620",
    "U": "060110304146",
    "V": "062046",
    "W": "0610233046",
    "X": "0046 0640",
    "Y": "062346 2320",
    "Z": "06460040",
    "-": "1333",
    "/": "0046",
    ".": "1011",
    "%": "0046 0506 4041",
}
"""Polylines of each letter, as pairs of digits (x from 0 to 4, y from 0 to 6 upwards)."""

ADVANCE = 5.6
"""Width of a letter with the space behind it, in units of the strokes."""


def width(text: str, height: float) -> float:
    """Width of a text whose letters are `height` px high."""
    return ADVANCE * len(text) * height / 6


def path(text: str, x: float, y: float, height: float, *, slant: float = 0.0) -> str:
    """Return SVG path data of a text that begins at `x` on the line `y`; `slant` leans it right."""
    unit, parts = height / 6, list[str]()
    for number, letter in enumerate(text.upper()):
        for stroke in STROKES.get(letter, "").split():
            points = [
                (
                    x + unit * (ADVANCE * number + int(a) + slant * int(b)),
                    y - unit * int(b),
                )
                for a, b in zip(stroke[::2], stroke[1::2], strict=True)
            ]
            parts.append("M" + "L".join(f"{px:.2f} {py:.2f}" for px, py in points))
    return "".join(parts)
