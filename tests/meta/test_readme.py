"""The README is short and runs as it stands."""

import re
from pathlib import Path

README = Path(__file__).parents[2].joinpath("README.md").read_text(encoding="utf-8")

MOST_WORDS = 900


def test_the_programs_in_the_readme_do_what_they_say(capsys, world):
    """In a folder with an archive, a scan and its calibration."""
    digitising, loop = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(digitising, "README.md", "exec"), {})
    assert (world / "scan.las").exists()
    capsys.readouterr()
    exec(compile(loop, "README.md", "exec"), {})
    assert re.fullmatch(r"(loss 0\.\d+ over \d micro-batches\n){2}", capsys.readouterr().out)


def test_the_readme_is_read_in_a_few_minutes():
    assert len(README.split()) <= MOST_WORDS
