"""What the header of a LAS file says of its well."""

import lasio
import pytest

from veernet.errors import LasError
from veernet.las import Item, WellHeader, read_header
from veernet.las.header import item_of

HEAD = """~Version
VERS. {version} : CWLS
WRAP. NO :
~Well
STRT.FT 1000.0 : START
STOP.FT 1000.5 : STOP
STEP.FT 0.5 :
NULL. -999.25 : NULL
{lines}
~Curve
DEPT.FT :
GR.API :
~Parameter
{parameters}
~A
1000.0 55.5
1000.5 56.5
"""


@pytest.fixture
def header(tmp_path):
    def read(*lines, version="2.0", parameters=(), ends="\n", encoding="utf-8"):
        text = HEAD.format(
            version=version, lines="\n".join(lines), parameters="\n".join(parameters)
        )
        (tmp_path / "well.las").write_bytes(text.replace("\n", ends).encode(encoding))
        found = read_header(tmp_path / "well.las")
        sections = {"W": found.well, "P": found.parameters}
        return {name: {item.mnemonic: item for item in items} for name, items in sections.items()}

    return read


@pytest.mark.parametrize("version", ["1.2", "1.20", "1.0", "1"])
@pytest.mark.parametrize("ends", ["\n", "\r", "\r\n"])
def test_the_data_of_version_1_stand_behind_the_colon(header, version, ends):
    lines = (
        "COMP.  COMPANY: ACME OIL",
        "WELL.     WELL   : ACME NO. 1",
        "LOC .  LOCATION : 12-34: N",
        "FLD.  FIELD :",
    )
    found = header(*lines, version=version, parameters=["RM.OHMM 0.3 : Mud"], ends=ends)
    assert found["W"]["COMP"] == Item(mnemonic="COMP", value="ACME OIL", description="COMPANY")
    assert found["W"]["WELL"].value == "ACME NO. 1"
    assert found["W"]["FLD"].value == ""
    assert [found["W"][name].value for name in ("STRT", "NULL")] == ["1000.0", "-999.25"]
    assert found["P"]["RM"].value == "0.3"


def test_items_of_version_1_that_were_written_as_in_2_are_read_as_meant(header):
    found = header("COMP. ACME OIL : COMPANY", "WELL. WELL : WELL", version="1.2")["W"]
    assert (found["COMP"].value, found["WELL"].value) == ("ACME OIL", "WELL")


LINES = [
    "COMP. ACME OIL : COMPANY",
    "COMP.  : COMPANY",
    "COMP.ACME : COMPANY",
    "COMP . ACME OIL",
    "  COMP   .   ACME: OIL :   COMPANY  ",
    "DATE. 12:30 01-02-2003 : LOG DATE",
    "WELL. Heinen #1-4: : with a colon too many",
    "KB.FT 1,203 : kelly bushing",
    "BS.IN 8.5 : bit",
    "BS.IN 8.5:bit",
    "LIM.1000 lbf 5 : pull",
    "UWI. 15-131-20042 : API no. 15",
    "COMP : ACME OIL",
    "COMP : ACME OIL : COMPANY",
    ".COMP. ACME : leading period",
    "COMP. ACME OIL",
    "EKB.[FT] 12 : brackets",
    "EKB.(FT) 12 : brackets",
    "EKB.FT. 12 : period",
    "TLI.FT 100.0 : TOP LOG INTERVAL",
    "É.M 5 : accent",
    "A B.M 5 : a space in the mnemonic",
]
"""As lasio reads them in every section."""


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("kind", ["well", "parameters", "curves"])
def test_lines_of_headers_are_read_as_by_lasio(line, kind):
    names = {"well": "Well", "parameters": "Parameter", "curves": "Curves"}
    theirs = lasio.reader.read_header_line(line, section_name=names[kind])
    ours = item_of(line, kind)
    unit = theirs["unit"].strip("[]()")
    assert ours is not None
    expected = theirs["name"], unit, theirs["value"], theirs["descr"]
    assert (ours.mnemonic, ours.unit, ours.value, ours.description) == expected


def test_units_with_a_period_before_them_keep_it():
    for kind in ("well", "curves"):
        depth = item_of("DEPT..1IN 5 : depth", kind)
        assert depth is not None
        assert (depth.unit, depth.mnemonic) == (".1IN", "DEPT")
    resistivity = item_of("Res..OHMM : resistivity", "curves")
    assert resistivity is not None
    assert resistivity.unit == "OHMM"


@pytest.mark.parametrize(
    ("line", "value", "description"),
    [
        ("TIM. 12:30:45 : start: of the run", "12:30:45", "start: of the run"),
        ("TIM. hh:mm : as written", "hh:mm", "as written"),
        ("URL. http://a.b/c : address", "http://a.b/c", "address"),
        ("TDEP. 3,083 : depth: of the logger", "3,083", "depth: of the logger"),
    ],
)
def test_the_first_colon_of_a_parameter_that_is_no_time_ends_its_value(line, value, description):
    found = item_of(line, "parameters")
    assert found is not None
    assert (found.value, found.description) == (value, description)


def test_items_that_cannot_be_written_again_are_passed_over(header):
    lines = "BAD. \x1b[31m : red", "A B. 5 : two words", "COMP. ACME\tOIL : COMPANY", "no item"
    found = header(*lines, ". 5 : none", parameters=["OK. 1 :", "\x07A. 2 :"])
    assert [*found["W"]][4:] == ["COMP"]
    assert found["W"]["COMP"].value == "ACME OIL"
    assert [*found["P"]] == ["OK"]


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("utf-8", "Société Générale, Нефтегаз, 油田"),
        ("utf-8-sig", "Société Générale, Нефтегаз, 油田"),
        ("utf-16", "Société Générale, Нефтегаз, 油田"),
        ("utf-16-le", "Société Générale, Нефтегаз, 油田"),
        ("utf-16-be", "Société Générale, Нефтегаз, 油田"),
        ("latin-1", "Société Générale, Ñuñoa, Øst"),
        ("cp1252", "Société “Générale” – Ñuñoa"),
        ("cp1251", "Нефтегазгеология, скважина № 5, ГК"),
        ("cp866", "Нефтегазгеология, скважина № 5, ГК"),
    ],
)
def test_words_are_read_in_the_encodings_of_the_field(header, encoding, words):
    found = header(f"COMP. {words} : COMPANY", encoding=encoding)
    assert found["W"]["COMP"].value == words


def test_a_broken_byte_spoils_no_other_word(tmp_path):
    text = HEAD.format(version=2.0, lines="COMP. Нефтегаз :\nFLD. я :", parameters="")
    data = text.encode()
    at = data.index("я".encode())
    (tmp_path / "well.las").write_bytes(data[:at] + data[at + 1 :])
    found = {item.mnemonic: item.value for item in read_header(tmp_path / "well.las").well}
    assert found["COMP"] == "Нефтегаз"


@pytest.mark.parametrize("title", ["~Parameter", "~P", "~PARAMETER INFORMATION", "~Log_Parameter"])
def test_parameters_are_found_by_every_name_of_their_section(tmp_path, title):
    text = HEAD.format(version=3.0, lines="", parameters="RM.OHMM 0.3 : Mud")
    drilling = "~Drilling_Parameter\nRIG. 5 :\n~Perforation_Definition\nSHOT. 6 :\n"
    path = tmp_path / "well.las"
    path.write_text(drilling + text.replace("~Parameter", title))
    assert [item.mnemonic for item in read_header(path).parameters] == ["RM"]


def test_a_file_without_data_has_a_header_all_the_same(tmp_path):
    path = tmp_path / "well.las"
    path.write_text("~W\nCOMP. ACME :\n")
    expected = WellHeader(well=(Item(mnemonic="COMP", value="ACME"),), parameters=())
    assert read_header(path) == expected
    path.write_text("COMP. ACME :\n")
    with pytest.raises(LasError, match="well.las: not a LAS file: no section"):
        read_header(path)


def test_lines_that_are_left_out_of_a_header_are_told(tmp_path):
    lines = "COMP. A : first\nCOMP. B : second\nWELL. 1 :\nWELL. 1 :\nCOUNTY NAME. X\nFLD. \x07 :"
    (tmp_path / "well.las").write_text(HEAD.format(version=2.0, lines=lines, parameters="none"))
    found = read_header(tmp_path / "well.las")
    assert {"COMP": "A", "WELL": "1"}.items() <= {i.mnemonic: i.value for i in found.well}.items()
    first = HEAD[: HEAD.index("{lines}")].count("\n") + 1
    results = [*(found.left_out)]
    assert results[0] == f"line {first + 1} of ~W has COMP again"
    assert results[1:] == [
        *(f"line {first + n} of ~W names nothing that LAS can hold" for n in (4, 5)),
        f"line {first + 10} of ~P names nothing that LAS can hold",
    ]
