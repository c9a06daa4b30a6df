"""What the generator draws changes with its version, and not without.

Run as a script, it writes `golden.json` anew, if the version of what changed was raised:
  test_generator.py
"""

import hashlib
import json
import re
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from processor import processor
from veernet.synth import generator, printed
from veernet.synth.appearance import PLAIN, Appearance, field_infos
from veernet.synth.logs import SynthLogs
from veernet.synth.printed import PrintedLogs

GOLDEN = Path(__file__).parent / "golden.json"
"""The packages and the processor that drew logs of a version, and those logs: digests of their
pixels, curves and metadata, and what other packages or processors must come near."""

PACKAGES = "numpy", "opencv-python-headless", "pillow"

EVERY_NUISANCE_SHARES: dict[str, Any] = {
    **{
        name: 0.5
        for name in field_infos(Appearance)
        if isinstance(getattr(PLAIN, name), int | float)
    },
    "two_tracks": 0.3,
    "three_tracks": 0.3,
    "dotted": 0.2,
    "dash_dot": 0.3,
    "thick_thin": 0.3,
    "wrapped": 0.4,
    "clipped": 0.2,
    "off_scale": 0.2,
    "hatched": 0.8,
    "absent": 0.2,
    "grid": 0.8,
    "jpeg": 0.4,
    "bilevel": 0.3,
}
EVERY_NUISANCE = Appearance(**EVERY_NUISANCE_SHARES)

FAMILIES = {
    "plain": (SynthLogs(height=(80, 100), width=(200, 300), seed=3, appearance=PLAIN), 6),
    "as it comes": (SynthLogs(height=(64, 90), width=(150, 250), seed=5), 12),
    "native": (SynthLogs(width=(3200, 3300), seed=2), 1),
    "every nuisance": (
        SynthLogs(height=(480, 500), width=(500, 700), seed=11, appearance=EVERY_NUISANCE),
        24,
    ),
    "pieces": (SynthLogs(height=(80, 100), width=(300, 400), crop=(40, 90), seed=7), 6),
    "shapes": (
        SynthLogs(height=(80, 100), width=(300, 400), seed=13, appearance=PLAIN, shapes=""),
        8,
    ),
    "printed": (PrintedLogs(height=(200, 300), width=(500, 900), seed=17), 24),
    "printed from wells": (PrintedLogs(height=(200, 260), width=(400, 600), seed=19, wells=""), 6),
}
"""And how many logs of each are drawn."""


def write_las_files(folder: Path) -> None:
    """Curves that end far from where they began, linear and over decades, and one with a gap."""
    depth = np.arange(420.0)
    for name, curves in {
        "a.las": {"GR": depth % 97 + depth / 4, "ILD": 10 ** (depth / 150)},
        "b.las": {"DT": np.abs(depth - 130), "SP": np.where(depth == 205, -999.25, depth % 31)},
    }.items():
        head = ["~Version", "VERS. 2.0 :", "WRAP. NO :", "~Well", "NULL. -999.25 :", "~Curve"]
        names = ["DEPT.FT :", *(f"{mnemonic}. :" for mnemonic in curves), "~A"]
        rows = np.stack([depth, *curves.values()], axis=1)
        lines = [" ".join(f"{value:.3f}" for value in row) for row in rows]
        (folder / name).write_text("\n".join([*head, *names, *lines]) + "\n")


@pytest.fixture(scope="module")
def las_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("las")
    write_las_files(folder)
    return str(folder)


def mean(curve) -> float:
    """Mean of a curve where it is; 0 if it is nowhere."""
    return round(float(np.nanmean(curve)), 4) if np.isfinite(curve).any() else 0.0


def drawn(family: str, las_files: str) -> dict:
    """Digests of the logs of a family, and of each one what rounding moves little."""
    logs, n = FAMILIES[family]
    match logs:
        case SynthLogs(shapes=str()):
            logs = replace(logs, shapes=las_files)
        case PrintedLogs(wells=str()):
            logs = replace(logs, wells=las_files)
        case _:
            pass
    digests = {name: hashlib.sha256() for name in ("grey", "mask", "curves", "metadata")}
    near = []
    for number in range(n):
        row, log = logs.row(number), logs.log(number)
        digests["metadata"].update(json.dumps(row.written()).encode())
        digests["grey"].update(log.picture.tobytes())
        digests["mask"].update(log.mask.tobytes())
        digests["curves"].update(log.curves.rows.tobytes() + log.curves.values.tobytes())
        if log.curves.covered is not None:
            words = [(word.text, word.kind, word.box, word.curve) for word in log.words]
            digests["curves"].update(log.curves.covered.tobytes() + json.dumps(words).encode())
        near.append(
            {
                "size": [row.height, row.width],
                "traits": [*row.traits],
                "sources": [f"{curve.source} {curve.mnemonic}" for curve in row.curves],
                "tracks": [[round(edge, 3) for edge in curve.track] for curve in row.curves],
                "grey": round(float(log.grey.mean()), 3),
                "mask": [int((log.mask == k + 1).sum()) for k in range(len(row.curves))],
                "columns": [int(np.isfinite(rows).sum()) for rows in log.curves.rows],
                "row": [*map(mean, log.curves.rows)],
                "value": [*map(mean, log.curves.values)],
            }
        )
    return {
        "version": version_of(family),
        "digests": {name: d.hexdigest() for name, d in digests.items()},
        "logs": near,
    }


def golden() -> dict:
    return json.loads(GOLDEN.read_text())


def version_of(family: str) -> int:
    printed = isinstance(FAMILIES[family][0], PrintedLogs)
    return generator.PRINTED_VERSION if printed else generator.VERSION


def drawn_by() -> dict:
    """What a log may differ with, but for the generator."""
    return {"packages": {name: version(name) for name in PACKAGES}, "processor": processor()}


@pytest.mark.parametrize("family", FAMILIES)
def test_logs_are_to_the_bit_those_of_their_version(family, las_files):
    """If this fails, logs have changed: raise the version of their generator, and run this file.

    Other packages, or another processor, may round otherwise: there every log is near what it was.
    """
    expected, found = golden(), drawn(family, las_files)
    before = expected["families"][family]
    assert before["version"] == version_of(family), "run this file"
    if drawn_by() == {name: expected[name] for name in drawn_by()}:
        assert found["digests"] == before["digests"]
    check_near(found["logs"], before["logs"])


def check_near(found: list[dict], before: list[dict]) -> None:
    """Check logs but for the rounding of another package or processor."""
    assert len(found) == len(before)
    for one, other in zip(found, before, strict=True):
        for name in ("size", "traits", "sources"):
            assert one[name] == other[name]
        np.testing.assert_allclose(one["tracks"], other["tracks"], atol=1)
        np.testing.assert_allclose(one["grey"], other["grey"], atol=2)
        np.testing.assert_allclose(one["mask"], other["mask"], rtol=0.02, atol=10)
        np.testing.assert_allclose(one["columns"], other["columns"], atol=2)
        np.testing.assert_allclose(one["row"], other["row"], atol=0.5)
        np.testing.assert_allclose(one["value"], other["value"], atol=0.01)


def test_the_digests_are_of_logs_with_every_trait_that_there_is():
    message = {
        t for of in golden()["families"].values() for log in of["logs"] for t in log["traits"]
    }
    height, width = (480, 500), (500, 700)
    for logs in (SynthLogs(height=height, width=width), PrintedLogs(height=height, width=width)):
        assert message >= {trait for i in range(300) for trait in logs.row(i).traits}


def test_the_record_of_printed_logs_changes_with_what_is_said_to_cover_curves_and_with_words(
    monkeypatch,
):
    monkeypatch.setattr(generator, "_NUMBERS", 8)
    logs = PrintedLogs(height=(100, 120), width=(200, 240))
    before = generator.generator_of(logs)
    monkeypatch.setattr(printed, "_cut", lambda *_: [])
    wordless = generator.generator_of(logs)
    monkeypatch.setattr(
        printed, "coverage", lambda _, lines, *__: np.zeros((len(lines), 240), "u1")
    )
    assert len({one.digest for one in (before, wordless, generator.generator_of(logs))}) == 3
    assert before.version == generator.PRINTED_VERSION


def test_another_machine_must_draw_nearly_the_same(las_files):
    """Another seed is not near, nor are logs without their hatching or a pen of another width."""
    logs, n = FAMILIES["plain"]
    before = golden()["families"]["plain"]["logs"]
    for other in (
        replace(logs, seed=4),
        replace(logs, appearance=replace(PLAIN, line_width=(2, 2))),
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(FAMILIES, "plain", (other, n))
            found = drawn("plain", las_files)["logs"]
        with pytest.raises(AssertionError):
            check_near(found, before)


def write() -> None:
    """Write `golden.json` anew; it is refused where logs changed and the version did not."""
    with TemporaryDirectory() as folder:
        write_las_files(Path(folder))
        families = {family: drawn(family, folder) for family in FAMILIES}
    new = {**drawn_by(), "families": families}
    old = golden() if GOLDEN.exists() else new
    same_drawer = all(new[name] == old[name] for name in drawn_by())
    changed = [
        family
        for family in FAMILIES.keys() & old["families"].keys()
        if families[family]["digests"] != old["families"][family]["digests"]
        and families[family]["version"] == old["families"][family]["version"]
    ]
    if same_drawer and changed:
        raise SystemExit(
            f"{', '.join(sorted(changed))}: drawn otherwise; raise their version first"
        )
    text = json.dumps(new, indent=1)
    text = re.sub(r'(?s)\{\s+"size".*?\}', lambda log: " ".join(log[0].split()), text)
    GOLDEN.write_text(text + "\n")


if __name__ == "__main__":
    write()
