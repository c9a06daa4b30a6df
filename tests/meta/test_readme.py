"""The README runs as it stands."""

import re
from pathlib import Path

from veernet.cli.main import COMMANDS
from veernet.digitisation import read_calibration

README = Path(__file__).parents[2].joinpath("README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_loop_and_the_seal_in_the_readme_do_what_they_say(capsys):
    loop, seal = blocks("python")
    exec(compile(loop, "README.md", "exec"), {})
    assert re.fullmatch(r"loss 0\.\d+ over \d micro-batches\n", capsys.readouterr().out)
    exec(compile(seal, "README.md", "exec"), {})
    assert capsys.readouterr().out == "True\n"


def test_the_calibration_in_the_readme_is_one(tmp_path):
    (tmp_path / "c.toml").write_text(blocks("toml")[0], encoding="utf-8")
    assert read_calibration(tmp_path / "c.toml").curves[0].mnemonic == "GR"


def test_the_readme_names_every_command():
    assert {*re.findall(r"^\| `veernet (\w+)", README, re.MULTILINE)} == {*COMMANDS}
