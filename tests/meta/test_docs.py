"""The pages of the documentation lead where they say, and what they show runs."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from veernet.cli.main import COMMANDS, command_class
from veernet.cli.words import options_of
from veernet.digitisation import CurveSummary
from veernet.digitisation.calibration import calibration_of, calibrations_of
from veernet.digitisation.track import CurveScale
from veernet.label import ImportSummary
from veernet.memory.plan import Choice
from veernet.recipes import multiclass
from veernet.synth.appearance import Appearance, field_infos, read_appearance
from veernet.train.settings import settle

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXTS = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in PAGES}

OPTIONS = {
    name: {one.name for one in options_of(command_class(name))} | {"--help"} for name in COMMANDS
}
OF_OTHERS = {"--nproc-per-node", "--max-restarts", "--shutdown-timeout", "--logdir"}
"""Options of torchrun and tensorboard."""
OF_NONE = {"--help", "--version", "--option", "--"}
"""Options of `veernet` itself, and what the reference says of options."""


def fenced(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def code(text: str) -> Iterator[str]:
    """Lines of code that a page shows outside of fences: indented ones, and spans in a sentence."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    for paragraph in re.split(r"\n\s*\n", text):
        if paragraph.startswith("    "):
            yield from paragraph.splitlines()
        else:
            yield from (" ".join(span.split()) for span in re.findall(r"`([^`]+)`", paragraph))


def headings(text: str) -> set[str]:
    """Anchors of a page, as GitHub makes them of its headings."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    found = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in found}


@pytest.mark.parametrize("page", TEXTS)
def test_every_relative_link_leads_to_a_file_and_a_heading(page):
    text = re.sub(r"```.*?```|`[^`]*`", "", TEXTS[page], flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (ROOT / page).parent / name if name else ROOT / page
        assert target.is_file(), link
        if anchor:
            assert anchor in headings(target.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("page", TEXTS)
def test_every_command_that_is_shown_has_this_name_and_these_options(page):
    for line in code(TEXTS[page]):
        shown = re.split(r"\s(?:\|\||&&|\|)\s", line)
        for part in shown:
            found = re.search(r"(?:^|[\s/])veernet(?: (?P<name>[a-z]+))?(?P<rest>\s.*)?$", part)
            if found is None or found["name"] is None:
                assert {*re.findall(r"(?<!\S)--[a-z-]*", part)} <= set().union(
                    OF_OTHERS, OF_NONE, *OPTIONS.values()
                ), line
                continue
            assert found["name"] in COMMANDS, line
            given = {*re.findall(r"(?<!\S)--[a-z-]+", found["rest"] or "")}
            assert given <= OPTIONS[found["name"]], line


def test_the_reference_names_every_command_once():
    named = re.findall(r"^\| `veernet (\w+)", TEXTS["docs/reference/command-line.md"], re.MULTILINE)
    assert sorted(named) == sorted(COMMANDS)


def test_the_index_links_to_every_page():
    linked = {*re.findall(r"\]\(([^)\s#]+\.md)\)", TEXTS["docs/README.md"])}
    pages = {str(page.relative_to(ROOT / "docs")) for page in PAGES[1:]} - {"README.md"}
    assert linked == pages


@pytest.mark.parametrize(
    ("section", "kind"), [("plan", Choice), ("digitise", CurveSummary), ("import", ImportSummary)]
)
def test_the_reference_has_every_name_of_the_json(section, kind):
    text = TEXTS["docs/reference/json.md"].split(f"\n## {section}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]*)\|", text, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named - {"peak"} == {field.name for field in fields(kind)}


def test_every_toml_on_the_pages_is_a_calibration_a_look_or_settings(tmp_path):
    kinds = {"calibration": 0, "part": 0, "look": 0, "settings": 0}
    for page, text in TEXTS.items():
        for block in fenced(text, "toml"):
            table = tomllib.loads(block)
            if "depth" in table or "section" in table:
                kinds["calibration"] += 1
                calibrations_of(table, where=page)
            elif "track" in table:  # a part, of which the rest does not matter
                kinds["part"] += 1
                table["depth"] = {"step": 0.5, "ties": [[0, 0], [1, 1]]}
                table["track"][0]["curve"] = [{"mnemonic": "GR", "left": 0, "right": 150}]
                calibration_of(table, where=page)
            elif "network" in table:
                kinds["settings"] += 1
                settle(multiclass().training, table, {}, {}, where=page)
            else:
                kinds["look"] += 1
                (tmp_path / "look.toml").write_text(block, encoding="utf-8")
                read_appearance(tmp_path / "look.toml")
                assert table.keys() <= field_infos(Appearance).keys(), "names of former versions"
            for curve in (curve for track in table.get("track", ()) for curve in track["curve"]):
                assert curve.keys() - {"change"} <= {field.name for field in fields(CurveScale)}
    assert kinds == {"calibration": 3, "part": 1, "look": 2, "settings": 1}


@pytest.mark.usefixtures("world")
def test_the_programs_of_the_batching_page_do_what_they_say(capsys):
    loop, loader, seal, processes = fenced(TEXTS["docs/how-to/batching.md"], "python")
    exec(compile(loop, "loop", "exec"), {})
    assert re.fullmatch(r"loss 0\.\d+ over \d micro-batches\n", capsys.readouterr().out)
    exec(compile(loader, "loader", "exec"), {})
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("0 {'epoch': 0, 'step': 1, ")
    assert last.startswith("1 {'epoch': 1, 'step': 2, ")
    exec(compile(seal, "seal", "exec"), {})
    assert capsys.readouterr().out == "True\n"
    exec(compile(processes, "processes", "exec"), {})
    message = r"loss 0\.\d+ of all, 3 micro-batches of this process\n"
    assert re.fullmatch(message, capsys.readouterr().out)


def test_the_program_of_the_page_on_digitising_does_what_it_says(world, capsys):
    (program,) = fenced(TEXTS["docs/how-to/digitise.md"], "python")
    exec(compile(program, "digitise", "exec"), {})
    assert (world / "well.las").exists()
    assert capsys.readouterr().out == "(1, 200) (1, 200)\n"
