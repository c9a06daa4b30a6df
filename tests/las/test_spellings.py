"""One small log, written in every way that files from the field are: it is read alike from all.

lasio is the oracle on every file that it reads rightly; where it does not, the case says what it
does (0.32), and the log as it was written down here is what counts.
"""

import logging
from dataclasses import dataclass

import lasio
import numpy as np
import pytest

from veernet.las import read_las

NAN = np.nan
DEPTH = np.array([1000, 1000.5, 1001, 1001.5])
TRUTH = {"GR": np.array([55.5, NAN, 57.25, 158]), "RHOB": np.array([2650.1, -0.25, NAN, 2680.5])}

VERSION = "~Version\nVERS. 2.0 : CWLS\nWRAP. NO :\n"
WELL = "~Well\nSTRT.FT 1000 :\nSTOP.FT 1001.5 :\nSTEP.FT 0.5 :\nNULL. -999.25 :\n"
CURVES = "~Curve\nDEPT.FT : Depth\nGR.API : Gamma ray\nRHOB.K/M3 : Density\n"
HEAD = VERSION + WELL + CURVES
ROWS = """1000.0 55.5 2650.1
1000.5 -999.25 -0.25
1001.0 57.25 -999.25
1001.5 158 2680.5
"""
PLAIN = f"{HEAD}~A\n{ROWS}"


@dataclass(frozen=True)
class Case:
    """A file with the log in it.

    lasio: what it does where it reads it wrong
    unit:  in which depth is to be told
    scale: so much of the file's own unit makes one of these
    """

    content: str | bytes
    lasio: str = ""
    unit: str = "ft"
    scale: float = 1.0

    @property
    def data(self):
        return self.content if isinstance(self.content, bytes) else self.content.encode()


def changed(*pairs, text=PLAIN):
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


def table(fields=lambda row: " ".join(row), *, nothing="-999.25", head=HEAD, commas=False):
    """The file with rows made by a function of their three values as text."""
    rows = [line.split() for line in ROWS.splitlines()]
    rows = [[nothing if one == "-999.25" else one for one in row] for row in rows]
    if commas:
        rows = [[one.replace(".", ",") for one in row] for row in rows]
    return f"{head}~A\n" + "".join(f"{fields(row)}\n" for row in rows)


def titles():
    for name in ("~A", "~ASCII", "~Ascii Log Data", "~A  DEPT  GR  RHOB", "  ~A", "~ASCII_DATA"):
        yield f"data {name}", Case(changed(("~A\n", f"{name}\n")))
    for name in ("~a", "~ascii", "~ascii log data", "~ A", "~LOG DATA"):
        yield f"data {name}", Case(changed(("~A\n", f"{name}\n")), "takes it for a header")
    for old, names in {
        "~Version": ("~V", "~VERSION INFORMATION", "~Version Information Block", "~Vers"),
        "~Well": ("~W", "~WELL INFORMATION BLOCK", "~Well Information"),
        "~Curve": ("~C", "~CURVE INFORMATION", "~Curves"),
    }.items():
        for name in names:
            yield f"header {name}", Case(changed((f"{old}\n", f"{name}\n")))
            wrong = "takes it for another section" if old == "~Curve" else ""
            low = changed((f"{old}\n", f"{name.lower()}\n"))
            yield f"header {name.lower()}", Case(low, wrong)
    for name in ("~Curve_Information", "~CURVE_INFORMATION"):
        yield f"header {name}", Case(changed(("~Curve\n", f"{name}\n")), "finds no curves")
    yield (
        "other sections",
        Case(changed(("~A\n", "~Parameter\nRM.OHMM 0.3 : mud\n~Other\na.b\n~A\n"))),
    )
    core = changed(("~A\n", "~Core\nX.Y : Z\n~A\n"))
    yield "a section ~Core", Case(core, "takes its lines for curves")
    order = VERSION + CURVES + WELL + "~A\n" + ROWS
    yield "curves before the well", Case(order)
    yield "a preamble of comments", Case("# a\n" * 3000 + "\n" + PLAIN)
    yield "a preamble of text", Case("Updated by somebody, 7/15/1999\n" + PLAIN)
    yield "comments", Case(changed(("GR.API", "# of tools\n\nGR.API"), ("1001.0", "#1\n \n1001.0")))
    comment = changed(("57.25 -999.25", "57.25 -999.25  # bad hole"))
    yield "a comment behind values", Case(comment, "counts its words as values")


def version_3():
    for delimiter, between in (("SPACE", "  "), ("COMMA", ","), ("TAB", "\t")):
        head = HEAD.replace("2.0", "3.0").replace("NO :\n", f"NO :\nDLM. {delimiter} :\n")
        for curves, data in (
            ("~Curve", "~ASCII | CURVE"),
            ("~Log_Definition", "~Log_Data | Log_Definition"),
            ("~LOG_DEFINITION", "~LOG_DATA | LOG_DEFINITION"),
            ("~Log_Definition[1]", "~Log_Data[1] | Log_Definition[1]"),
        ):
            text = table(between.join, head=head.replace("~Curve", curves)).replace("~A", data)
            wrong = "knows one spelling" if "LOG_D" in data else ""
            wrong = "counts columns between spaces" if delimiter == "COMMA" else wrong
            yield f"3.0 {delimiter} {data}", Case(text, wrong)
    text = table(",".join, head=head.replace("~Curve", "~Log_Definition").replace("TAB", "comma"))
    drilling = "~Drilling_Definition\nDEPT.FT :\nROP.FT/H :\n~Drilling_Data | Drilling_Definition\n"
    tops = "~Tops_Data | Tops_Definition\nViking, 1000, 1002\n"
    parts = f"{drilling}1,2\n", "~Log_Data | Log_Definition\n", f"{tops}"
    text = text.replace("~Log_Definition", f"{parts[0]}~Log_Definition")
    text = text.replace("~A\n", parts[1]) + parts[2]
    yield "3.0 drilling and tops", Case(text, "knows COMMA in capitals alone")


def versions():
    for said in ("1.2", "1.20", "2.1", "2", "CWLS 2.0"):
        wrong = "wants a number that it knows" if said in ("CWLS 2.0",) else ""
        yield f"VERS {said}", Case(changed(("VERS. 2.0", f"VERS. {said}")), wrong)
    close = changed(("VERS. ", "VERS."), ("WRAP. ", "WRAP."))
    yield "VERS and WRAP without spaces", Case(close, "knows no such version")
    yield "no ~V", Case(PLAIN.replace(VERSION, ""))
    twice = changed(("~Curve", "~Parameter\nVERS. 3.60Q : of a tool\n~Curve"))
    yield "VERS of a tool", Case(twice, "takes it for that of the file")
    yield "no STRT", Case(PLAIN.replace("STRT.FT 1000 :\n", ""))
    yield "a wrong STRT", Case(changed(("STRT.FT 1000", "STRT.FT 5")))
    yield "STRT twice", Case(changed(("STOP", "STRT.FT 7 :\nSTOP")))


def lines():
    for name, end in (("CR LF", "\r\n"), ("CR", "\r")):
        yield f"lines end in {name}", Case(PLAIN.replace("\n", end))
    yield (
        "lines end in this and that",
        Case(changed(("NO :\n", "NO :\r"), ("55.5 2650.1\n", "55.5 2650.1\r\n"))),
    )
    yield "no end of the last line", Case(PLAIN.rstrip("\n"))
    yield "blank lines at the end", Case(PLAIN + "\n \n\n")
    yield "an end of DOS", Case(PLAIN + "\x1a")
    yield "an end of a disk", Case(PLAIN.encode() + bytes(512), "takes NUL for a value")
    yield "spaces around lines", Case("\n".join(f"   {one}  " for one in PLAIN.split("\n")))
    yield "tabs in the header", Case(changed(("DEPT.FT :", "DEPT\t.FT\t:"), (". 2.0", ".\t2.0")))


def encodings():
    accents = changed(("~Curve", "COMP. Société Générale : Compañía\n~Curve"))
    yield "UTF-8", Case(accents.encode())
    yield "UTF-8 with a mark", Case(accents.encode("utf-8-sig"))
    yield "Latin-1", Case(accents.encode("latin-1"))
    for name in ("utf-16-le", "utf-16-be"):
        yield name, Case(accents.encode(name), "reads bytes")
        mark = "\N{ZERO WIDTH NO-BREAK SPACE}"
        yield f"{name} with a mark", Case((mark + accents).encode(name), "reads bytes")
    russian = changed(("~Curve", "COMP. Нефтегазгеология : КОМПАНИЯ\n~Curve"), (".FT", ".м"))
    for name in ("utf-8", "cp1251", "cp866"):
        yield f"Russian in {name}", Case(russian.encode(name), unit="m")
        unit = changed((".FT", ".м")).encode(name)
        yield f"a Russian unit in {name}", Case(unit, unit="m")


def delimiters():
    yield "tabs", Case(table("\t".join))
    yield "tabs and spaces", Case(table(" \t ".join))
    head = HEAD.replace("NO :\n", "NO :\nDLM. COMMA :\n")
    said = "counts columns between spaces"
    yield "commas, said", Case(table(",".join, head=head), said)
    yield "commas and spaces, said", Case(table(" , ".join, head=head), said)
    wrong = "makes decimal points of commas"
    yield "commas", Case(table(",".join), wrong)
    yield "commas and spaces", Case(table(", ".join), wrong)
    yield "a comma at the end", Case(table(lambda row: ",".join(row) + ","), wrong)
    yield "commas, nothing for no value", Case(table(",".join, nothing=""), wrong)
    yield (
        "commas said, nothing for no value",
        Case(table(",".join, head=head, nothing=""), "has text"),
    )
    yield "tabs, nothing for no value", Case(table("\t".join, nothing=""), "shifts columns")
    tab = HEAD.replace("NO :\n", "NO :\nDLM. TAB :\n")
    yield "tabs said, nothing for no value", Case(table("\t".join, head=tab, nothing=""), "shifts")
    yield "tabs said, spaces come", Case(table("  ".join, head=tab), "finds one column")
    yield "commas said, spaces come", Case(table("  ".join, head=head), "finds one column")
    yield "semicolons", Case(table(";".join), "knows none")
    yield "semicolons and decimal commas", Case(table(";".join, commas=True), "knows none")
    yield "decimal commas", Case(table(commas=True))
    yield "decimal commas between tabs", Case(table("\t".join, commas=True))
    yield (
        "decimal commas, NULL too",
        Case(table(commas=True, head=HEAD.replace("-999.25", "-999,25"))),
    )
    yield "decimal commas, NULL not", Case(table(commas=True, nothing="-999.25"))


def wrapped():
    head = HEAD.replace("NO", "YES")
    yield "WRAP YES", Case(table(lambda row: f"{row[0]}\n  {row[1]} {row[2]}", head=head))
    yield "WRAP YES, one a line", Case(table("\n".join, head=head), "takes one column")
    two = table(lambda row: f"{row[0]} {row[1]}\n{row[2]}", head=head)
    yield "WRAP YES, the depth not alone", Case(two)
    yield "WRAP YES, and it is not", Case(table(head=head))
    yield "WRAP NO, and it is", Case(table(lambda row: f"{row[0]}\n  {row[1]} {row[2]}"))
    yield (
        "no WRAP, and it is",
        Case(
            table(
                lambda row: f"{row[0]}\n  {row[1]} {row[2]}", head=HEAD.replace("WRAP. NO :\n", "")
            )
        ),
    )
    yield "no WRAP", Case(changed(("WRAP. NO :\n", "")))
    run = table(lambda row: f"{row[0]}\n{row[1]} {row[2]}", head=head)
    yield "WRAP YES, numbers run on", Case(changed((".25 -", ".25-"), text=run))


def no_values():
    yield "NULL", Case(PLAIN)
    for word in ("NaN", "nan", "-NaN", "-999.2500"):
        yield f"no value {word}", Case(table(nothing=word))
    for word in ("-9999", "-9999.25", "-999", "-99999"):
        yield f"no value {word}", Case(table(nothing=word), "keeps it, as NULL says another")
    words = "(null) NULL null ERR #N/A N/A NA - -- --- * ******** -1.#IND 1.#QNAN 1.#INF -1.#IND00"
    for word in f"{words} INF -inf ? . ABSENT #DIV/0! #VALUE! NONE".split():
        yield f"no value {word}", Case(table(nothing=word), "keeps it, or makes text of the column")
    for said in ("0", "1e30", "-32768", "9999", "-999.250000"):
        head = HEAD.replace("-999.25", said)
        yield f"NULL {said}", Case(table(nothing=said, head=head))
    yield "NULL XX", Case(table(nothing="xx", head=HEAD.replace("-999.25", "XX")), "keeps text")
    yield "NULL empty", Case(PLAIN.replace("NULL. -999.25", "NULL."), "keeps the number")
    yield "NULL without space", Case(PLAIN.replace("NULL. -", "NULL.-"), "keeps the number")
    yield "no NULL", Case(PLAIN.replace("NULL. -999.25 :\n", ""), "keeps the number")


def numbers():
    for word in ("158.", "+158", "1.58E+02", "1.58e2", ".158E3", "00158", "158.0000000"):
        yield f"number {word}", Case(changed((" 158 ", f" {word} ")))
    for word in ("1.58D+02", "1.58d2"):
        yield f"number {word}", Case(changed((" 158 ", f" {word} ")), "has text")
    wrong = "keeps the other sign as text"
    yield "a minus of print", Case(changed((" -0.25", " \N{MINUS SIGN}0.25")), wrong)
    yield "numbers run on", Case(changed(("1000.5 -999.25 -0.25", "1000.5-999.25-0.25")))
    run = changed((" -0.25", "-0.25"), (" -999.25\n", "-999.25\n"))
    yield "numbers run on in three lines", Case(run)
    two = changed(("1001.0 57.25 -999.25", "1001.0 57.25********"))
    yield "stars run on", Case(two, "finds two values")


def texts():
    for place in (1, 2, 3):
        head = HEAD.splitlines()
        head.insert(head.index("DEPT.FT : Depth") + place, "WHAT. : Text")
        for word in ("sand", "2013-05-01", "00:00:01", "a,b", '"fine, brown sand"', "01.05.2013"):
            rows = [row.split() for row in ROWS.splitlines()]
            for row in rows:
                row.insert(place, word)
            text = "\n".join([*head, "~A", *(" ".join(row) for row in rows)])
            wrong = "makes two values of a date" if word == "01.05.2013" and place < 3 else ""
            yield f"{word} in column {place}", Case(text, wrong)
    head = f"{HEAD}WHAT. : Text\n"
    yield "two words last", Case(table(lambda row: f"{' '.join(row)} fine sand", head=head))
    once = table(lambda row: f"{' '.join(row)} {'sand' if row[0] == '1001.0' else 5}", head=head)
    yield "text on one line", Case(once)


def units():
    for unit in ("F", "ft", "Feet", "FOOT", "[FT]", "(ft)", "FT."):
        yield f"unit {unit}", Case(changed((".FT", f".{unit}")))
    for unit in ("m", "M", "METRES", "meters", "METER", "м", "МЕТР", "mtr", "mts"):
        yield f"unit {unit}", Case(changed((".FT", f".{unit}")), unit="m")
    for unit, parts in ((".1IN", 120), ("0.1IN", 120), (".1in", 120), ("IN", 12), ("inches", 12)):
        yield f"unit {unit}", Case(changed((".FT", f".{unit}")), scale=parts)
    for unit, parts in (("cm", 100), ("MM", 1000)):
        yield f"unit {unit}", Case(changed((".FT", f".{unit}")), unit="m", scale=parts)
    for name in ("DEPT(FT).", "DEPTH [ft].", "DEPT_FT.", "MD(FT)."):
        yield f"mnemonic {name}", Case(changed(("DEPT.FT", name), (".FT", ".")))
    yield "the unit of STRT alone", Case(changed(("DEPT.FT", "DEPT.")))
    yield "the unit of depth alone", Case(changed(("STRT.FT", "STRT."), ("STOP.FT", "STOP.")))
    other = changed(("STRT.FT 1000", "STRT.M 304.8"), ("STOP.FT 1001.5", "STOP.M 305.2572"))
    yield "STRT in another unit, and right", Case(other)


def mnemonics():
    yield "lower case", Case(changed(("GR.", "gr."), ("RHOB", "Rhob"), ("DEPT", "dept")))
    for line in ("DEPTH.FT : Depth", ".DEPT.FT : Depth", "DEPT .FT :", "DEPT.FT"):
        yield f"line {line}", Case(changed(("DEPT.FT : Depth", line)))
    for line in (
        *("GR .API", "GR.", "GR", "GR.API", "GR.API:Gamma", "GR.API 30 310 01 00 : Gamma ray"),
        *("GR. : from 12:30 : on", "GR : Gamma ray", "GR.1000 lbf : pull", "GR.API\t:\tGamma"),
    ):
        wrong = "passes it over" if line == "GR" else ""
        yield f"line {line}", Case(changed(("GR.API : Gamma ray", line)), wrong)
    yield "a ruler", Case(changed(("DEPT.FT", "-------- ----\nDEPT.FT")))
    yield "a column more", Case(table(lambda row: " ".join([*row, "7"])))
    yield "a curve more", Case(table(head=f"{HEAD}SP.MV :\n"))


def cases():
    kinds = titles, version_3, versions, lines, encodings, delimiters, wrapped, no_values, numbers
    for kind in (*kinds, texts, units, mnemonics):
        yield from kind()


CASES = [*cases()]
assert len({name for name, _ in CASES}) == len(CASES)


def read_by_lasio(path):
    """Depth and curves, with what stands for no value besides NULL taken out as by the reader."""
    logging.disable(logging.CRITICAL)
    try:
        las = lasio.read(path, ignore_header_errors=True, engine="normal")
    finally:
        logging.disable(logging.NOTSET)
    return np.asarray(las.index, dtype=float), {
        name: np.asarray(las[name], dtype=float) for name in TRUTH
    }


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES])
def test_the_log_is_read_alike_however_it_is_spelled(tmp_path, case, capfd):
    path = tmp_path / "well.las"
    path.write_bytes(case.data)
    las = read_las(path)
    assert capfd.readouterr() == ("", "")
    np.testing.assert_array_equal(las.depth, DEPTH / case.scale)
    assert las.unit == case.unit
    for name, values in TRUTH.items():
        np.testing.assert_array_equal(las.curves[las.find(name)], values)
    if not case.lasio:
        depth, curves = read_by_lasio(path)
        np.testing.assert_array_equal(las.depth, depth / case.scale)
        for name, values in curves.items():
            np.testing.assert_array_equal(las.curves[name], values)
