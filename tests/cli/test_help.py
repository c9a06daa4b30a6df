"""The help of a command reads as sentences, and its examples are commands."""

import inspect
import re
import shlex
import sys
from dataclasses import fields
from typing import Any

import pytest
import tyro

from veernet.cli.explain import EXAMPLES
from veernet.cli.main import COMMANDS, command_class, main
from veernet.cli.words import checked

UNREADABLE = re.compile(r"\(default: (None|False)?\)|[ [](STR|INT|FLOAT|PATH)\b(?! +Index| +COCO)")
"""Words of the parser that tell a reader nothing; PATH only where a file or a folder is meant."""


def shown(command, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["veernet", command, "--help"])
    with pytest.raises(SystemExit):
        main()
    return capsys.readouterr().out


def examples(command):
    _, _, last = inspect.cleandoc(command_class(command).__doc__ or "").partition(f"{EXAMPLES}\n")
    return [line.strip() for line in last.splitlines()]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_example_in_the_help_is_a_line_that_the_command_takes(command, monkeypatch, capsys):
    lines, message = examples(command), shown(command, monkeypatch, capsys)
    assert 1 <= len(lines) <= 3
    for line in lines:
        assert f"\n    {line}\n" in message
        program, name, *words = shlex.split(line)
        assert (program, name) == ("veernet", command)
        kind: Any = command_class(command)
        found = tyro.cli(kind, args=checked(command, kind, words))
        given = {
            field.name for field in fields(kind) if getattr(found, field.name) != field.default
        }
        assert {word[2:].replace("-", "_") for word in words if word[:2] == "--"} <= given


@pytest.mark.parametrize("command", COMMANDS)
def test_an_option_is_explained_without_the_line_breaks_of_the_source(command, monkeypatch, capsys):
    """On a terminal so wide that nothing else breaks a line."""
    monkeypatch.setenv("COLUMNS", "900")
    message = shown(command, monkeypatch, capsys)
    assert not UNREADABLE.search(message)
    kind: Any = command_class(command)
    source = inspect.getsource(kind)
    texts = re.findall(r'^    \w+: [^\n]*\n    """(.*?)"""$', source, re.DOTALL | re.MULTILINE)
    assert len(texts) == len(fields(kind))
    for text in texts:
        assert " ".join(text.split()) in message


def test_the_values_of_options_are_called_what_they_are(monkeypatch, capsys):
    message = shown("synth", monkeypatch, capsys)
    assert re.search(r"--height LEAST GREATEST\b", message)
    assert re.search(r"--appearance FILE\b", message)
    assert re.search(r"--curves FOLDER\b", message)
