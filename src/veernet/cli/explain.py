"""Help of a command: its docstrings as whole sentences, names for the values of its options, and
examples."""

import ast
import inspect
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import MISSING, fields
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from tyro.conf import arg

from veernet.cli.words import Option, options_of

T = TypeVar("T")

EXAMPLES = "Examples:"
"""First line of the last paragraph of a command's docstring; a command stands in every other."""

_VALUES = {
    "device": "DEVICE",
    "init_weights": "WEIGHTS",
    "max_las": "SIZE",
    "memory": "SIZE",
    "prefetch_bytes": "SIZE",
    "weights": "WEIGHTS",
    "well": "NAME",
}
"""Names of the values of options that take text."""


def explained(command: type[T]) -> type[T]:
    """Mark the options of a command with their help, and with what their values are called where
    the command does not say; return the command."""
    texts, hints = _texts(command), get_type_hints(command, include_extras=True)
    for field, option in zip(fields(command), options_of(command), strict=True):  # pyright: ignore[reportArgumentType]: a dataclass
        hint, text = hints[field.name], texts.get(field.name)
        marks: tuple[Any, ...] = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
        mark = arg(
            help=text,
            metavar=_unless_marked(marks, "metavar", _value(field.name, option, text or "")),
            help_behavior_hint=_unless_marked(
                marks, "help_behavior_hint", _default(field.default, text or "")
            ),
        )
        command.__annotations__[field.name] = Annotated[hint, mark]
    return command


def description(command: type[Any]) -> str:
    """Return a command's docstring with one line per paragraph, and one per example."""
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    return "\n\n".join(
        text if text.startswith(EXAMPLES) else " ".join(text.split()) for text in paragraphs
    )


def _texts(command: type[Any]) -> dict[str, str]:
    """Return the docstrings of a command's fields, each as one line; none where the source is not
    at hand."""
    with suppress(OSError):
        (tree,) = ast.parse(dedent(inspect.getsource(command))).body
        assert isinstance(tree, ast.ClassDef)
        return dict(_documented(tree))
    return {}


def _documented(tree: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, text in pairwise(tree.body):
        match field, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(found))),
            ):
                yield name, " ".join(found.split())
            case _:
                pass


def _unless_marked(marks: tuple[Any, ...], name: str, value: str | None) -> str | None:
    return None if any(getattr(one, name, None) is not None for one in marks) else value


def _value(name: str, option: Option, text: str) -> str | None:
    """Name the value of an option; None where tyro names it well: the choices of a literal."""
    match option.kinds:
        case (kind,) if kind is Path:
            found = "FOLDER" if text.startswith("Folder") else "FILE"
        case (kind,) if kind in (int, float):
            found = "N" if kind is int else "NUMBER"
        case _:
            found = _VALUES.get(name)
    return f"{found} ..." if found and option.many else found


def _default(default: object, text: str) -> str | None:
    """Describe the default of an option; None where tyro does, by its value."""
    if default is MISSING:
        return None
    if default is None:
        return "" if "If omitted" in text else "(optional)"
    return "" if default is False or default == () else None
