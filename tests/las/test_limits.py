"""No file keeps the reader busy for longer than its size explains."""

import contextlib
import time

import numpy as np
import pytest

from veernet.errors import LasError
from veernet.las import read_header, read_las
from veernet.las.header import HEADER_LINES

LONG, MANY, SECONDS = 128 * 1024, 8 * 1024, 5.0
"""Size of one line, and of many; the slowest takes a tenth of these seconds."""

HEAD = "~V\nVERS. 2.0 :\nWRAP. {wrap} :\n~W\nSTRT.FT 1 :\n{well}~P\n{parameters}~C\n"
CURVES, DATA = "DEPT.FT :\nGR.API :\n", "~A\n1 2\n3 4\n"


def of_size(piece, size):
    return piece * (size // len(piece))


def long_line(name, piece):
    """A line of one piece again and again: in every header, among the curves, and as data."""
    line = of_size(piece, LONG)
    yield (
        f"{name} in ~W",
        HEAD.format(wrap="NO", well=f"X. {line}\n", parameters="") + CURVES + DATA,
    )
    yield (
        f"{name} in ~P",
        HEAD.format(wrap="NO", well="", parameters=f"X. {line}\n") + CURVES + DATA,
    )
    head = HEAD.format(wrap="NO", well="", parameters="")
    yield f"{name} in ~C", f"{head}{CURVES}X. {line}\n{DATA}"
    yield f"{name} as depth", f"{head}D{line}\n{CURVES}{DATA}"
    yield f"{name} as data", f"{head}{CURVES}{DATA}{line}\n"
    yield f"{name} as first data", f"{head}{CURVES}~A\n{line}\n1 2\n"
    yield f"{name} as title", f"{head}{CURVES}~A {line}\n1 2\n3 4\n"


def many_lines(name, line):
    """One line again and again, in every section."""
    lines = of_size(line, MANY)
    yield f"{name} in ~W", HEAD.format(wrap="NO", well=lines, parameters="") + CURVES + DATA
    yield f"{name} in ~P", HEAD.format(wrap="NO", well="", parameters=lines) + CURVES + DATA
    for wrap in ("YES", "NO"):
        head = HEAD.format(wrap=wrap, well="", parameters="")
        yield f"{name} in ~C, wrapped {wrap}", f"{head}{CURVES}{lines}{DATA}"
        yield f"{name} as data, wrapped {wrap}", f"{head}{CURVES}~A\n{lines}"
    yield f"{name} alone", lines
    yield f"{name} after ~A", f"~A\n{lines}"


def files():
    for name, piece in {
        "digits": "1",
        "letters": "a",
        "spaces": " ",
        "tabs": "\t",
        "periods": ".",
        "colons": ":",
        "times": "12:30",
        "words": "ab_",
        "brackets": "a(",
        "closed brackets": "[a]",
        "commas": "1,",
        "hyphens": "1-",
        "run on": "1.5-",
        "points": "1.",
        "stars": "*",
        "quotes": '"',
        "quoted": '"a" ',
        "exponents": "1E",
        "tildes": "~",
    }.items():
        yield from long_line(name, piece)
    for name, line in {
        "~A": "~A\n",
        "~C": "~C\n",
        "a mnemonic": "GR.API : a\n",
        "a mnemonic with a colon": "GR:1.x\n",
        "a letter": "a\n",
        "a colon": ":\n",
        "a period": ".\n",
        "a number": "1\n",
        "two numbers": "1 2\n",
        "commas": "1,2\n",
        "text": "1 x\n",
        "a quote": '1 "\n',
        "nothing": "\n",
        "a return": "\r",
        "a comment": "#\n",
    }.items():
        yield from many_lines(name, line)


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in files()])
def test_the_time_grows_with_the_size_alone(tmp_path, text):
    path = tmp_path / "well.las"
    path.write_text(text, newline="")
    begun = time.process_time()
    for read in (read_las, read_header):
        with contextlib.suppress(LasError):
            read(path)
    assert time.process_time() - begun < SECONDS


def test_a_header_of_any_number_of_lines_is_refused(tmp_path):
    path = tmp_path / "well.las"
    head = HEAD.format(wrap="NO", well="", parameters="P. :\n" * HEADER_LINES)
    path.write_text(head + CURVES + DATA)
    with pytest.raises(LasError, match="well.las: headers of more than 20,000 lines, at line"):
        read_las(path)


def test_comments_blank_lines_and_data_are_no_header(tmp_path):
    path = tmp_path / "well.las"
    head = HEAD.format(wrap="NO", well="", parameters="#\n\n" * HEADER_LINES)
    rows = "".join(f"{100 + i / 2} {i}\n" for i in range(HEADER_LINES + 5))
    path.write_text(f"{head}{CURVES}~A\n{rows}")
    np.testing.assert_array_equal(read_las(path).curves["GR"], np.arange(HEADER_LINES + 5))


def test_curves_that_a_header_promises_take_no_memory(tmp_path):
    """10,000 curves at 10,000 depths would take 800 MB."""
    path = tmp_path / "well.las"
    head = HEAD.format(wrap="NO", well="", parameters="")
    names = "".join(f"C{i}. :\n" for i in range(10_000))
    path.write_text(f"{head}DEPT.FT :\n{names}~A\n" + "".join(f"{i}\n" for i in range(10_000)))
    found = read_las(path)
    assert len(found.curves) == 10_000
    assert (
        len(
            {
                id(values.base if values.base is not None else values)
                for values in found.curves.values()
            }
        )
        == 1
    )


@pytest.mark.parametrize("block", [7, 8, 10_000])
def test_the_size_of_a_block_changes_no_value(tmp_path, rng, monkeypatch, block):
    """Text, words for no value and plain numbers, across the edges of blocks."""
    values = np.round(rng.normal(size=(50, 3)), 3)
    words = rng.choice(["", "ERR", "-999.25", "1D2"], size=(50, 3), p=[0.7, 0.1, 0.1, 0.1])
    rows = [
        f"{depth} " + " ".join(word or f"{value:.3f}" for value, word in zip(*row, strict=True))
        for depth, row in enumerate(zip(values, words, strict=True))
    ]
    rows[31] = "31 0 sand 0"
    path = tmp_path / "well.las"
    head = HEAD.format(wrap="NO", well="", parameters="")
    path.write_text(f"{head}D.FT :\nA. :\nB. :\nC. :\n~A\n" + "\n".join(rows))
    monkeypatch.setattr("veernet.las.table.BLOCK", block)
    found = read_las(path)
    expected = np.where(words == "", values, np.where(words == "1D2", 100, np.nan))
    expected[31] = 0
    np.testing.assert_array_equal([found.curves[name] for name in "AC"], expected[:, [0, 2]].T)
    assert found.texts == {"B": "line 44 has 'sand'"}
