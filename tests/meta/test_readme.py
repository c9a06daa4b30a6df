"""The README is short and runs as it stands."""

import re
from pathlib import Path

README = Path(__file__).parents[2].joinpath("README.md").read_text(encoding="utf-8")

MOST_WORDS = 900


def test_the_loop_in_the_readme_does_what_it_says(capsys):
    (loop,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(loop, "README.md", "exec"), {})
    assert re.fullmatch(r"loss 0\.\d+ over \d micro-batches\n", capsys.readouterr().out)


def test_the_readme_is_read_in_a_few_minutes():
    assert len(README.split()) <= MOST_WORDS
