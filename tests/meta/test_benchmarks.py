"""Benchmarks, which no test runs, use names that exist."""

import ast
import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest

from veernet.model import ActivationCheckpointing

FOLDER = Path(__file__).parents[2] / "benchmarks"


def programs(text: str) -> Iterator[ast.Module]:
    """A file, and the programs that it has in strings and runs in other processes."""
    whole = ast.parse(text)
    yield whole
    for node in ast.walk(whole):
        if isinstance(node, ast.Constant) and "\nfrom veernet" in str(node.value):
            yield ast.parse(str(node.value))


def imported(text: str) -> Iterator[tuple[str, str]]:
    for program in programs(text):
        for node in ast.walk(program):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("veernet"):
                yield from ((str(node.module), alias.name) for alias in node.names)


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=lambda path: path.name)
def test_a_benchmark_imports_names_that_exist_also_in_the_programs_it_runs(path):
    for module, name in imported(path.read_text(encoding="utf-8")):
        assert hasattr(import_module(module), name), f"{module}.{name}"


@pytest.mark.parametrize("name", ["bf16", "memory"])
def test_rows_measured_before_are_found_by_the_names_of_activation_checkpointing(name):
    rows = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))["rows"]
    assert {row.split()[-1] for row in rows} <= {*get_args(ActivationCheckpointing)}
