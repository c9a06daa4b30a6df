"""Docstrings begin with a verb, or with the noun that they describe."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = sorted((Path(__file__).parents[2] / "src" / "veernet").rglob("*.py"))
LOOSE = {"How", "Of", "That", "Those", "What", "Where", "Whether", "Who", "Which", "Why"}
"""Words that begin a docstring whose subject is missing."""
A_FOR_PER = re.compile(
    r"\b(?:one|px|bytes?|rows?|columns?|pixels?) an? "
    r"(?:class|curve|log|column|row|pixel|track|split|image|micro-batch)\b"
)
"""The likes of "px a row", where "px per row" is meant."""


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every string that stands alone as a statement, with its line."""
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield node.lineno, text


@pytest.mark.parametrize(
    "path", SOURCES, ids=lambda path: path.relative_to(SOURCES[0].parent).as_posix()
)
def test_docstrings_begin_with_a_verb_or_a_noun_and_say_per(path):
    found = [
        f"{path.name}:{line}: {text.split(chr(10))[0]}"
        for line, text in docstrings(ast.parse(path.read_text(encoding="utf-8")))
        if re.split(r"\W", text.strip(), maxsplit=1)[0] in LOOSE or A_FOR_PER.search(text)
    ]
    assert not found
