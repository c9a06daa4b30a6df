"""Names of the fields of dataclasses, as files call them."""

import inspect
from collections.abc import Iterator
from dataclasses import is_dataclass
from difflib import get_close_matches
from typing import Any, get_args, get_type_hints

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails


def other_name(kind: type[Any], value: Any, found: ErrorDetails) -> str | None:
    """Return the present name of a missing field; for an unexpected name the other one by which the
    table around it has the same field. None if there is no other name."""
    if found["type"] in ("missing", "missing_argument"):
        former = {mark.validation_alias: name for name, mark in _renamed(kind) if not mark.alias}
        return former.get(str(found["loc"][-1]))
    if found["type"] != "unexpected_keyword_argument":
        return None
    *place, name = found["loc"]
    try:
        for part in place:
            value = value[part]
    except (LookupError, TypeError):  # tags of a union lie between
        return None
    for field, mark in _renamed(kind):
        if field == name and isinstance(value, dict) and mark.validation_alias in value:
            return str(mark.validation_alias)
    return None


def _renamed(kind: Any) -> Iterator[tuple[str, FieldInfo]]:
    """Yield the fields of a dataclass, and of those inside it, that files call otherwise."""
    for name, hint in _hints(kind).items():
        marks = getattr(hint, "__metadata__", ())
        yield from ((name, mark) for mark in marks if isinstance(mark, FieldInfo))
        yield from _renamed(hint)
    for inner in get_args(kind):
        yield from _renamed(inner)


def suggestion(kind: type[Any], found: ErrorDetails) -> str:
    """Return "did you mean …?" if a field of a dataclass, or of those inside it, is named like an
    unexpected name; empty if none is. A field of another table has that table's name before it."""
    *place, name = map(str, found["loc"])
    dotted = list(dict.fromkeys(_dotted(kind)))
    last = [one.rpartition(".")[2] for one in dotted]
    close = get_close_matches(name, last, 1, cutoff=0.65)
    if not close:
        return ""
    whole = dotted[last.index(close[0])]
    around = whole.removesuffix(close[0])
    if close[0] == name and around and f"{'.'.join(place)}.".startswith(around):
        return ""  # it is here, but under another tag of a union
    inside = place and close[0] != name
    return f"; did you mean {close[0] if inside else whole}?"


def _dotted(kind: Any, around: str = "") -> Iterator[str]:
    """Yield the names of all fields of a dataclass and of those inside it, with the tables around
    them."""
    for field, hint in _hints(kind).items():
        marks = getattr(hint, "__metadata__", ())
        alias = next((one.alias for one in marks if isinstance(one, FieldInfo) and one.alias), None)
        yield f"{around}{alias or field}"
        yield from _dotted(hint, f"{around}{alias or field}.")
    for inner in get_args(kind):
        yield from _dotted(inner, around)


def _hints(kind: Any) -> dict[str, Any]:
    owner: Any = kind if inspect.isclass(kind) else None  # marks of a field are instances
    return get_type_hints(owner, include_extras=True) if is_dataclass(owner) else {}
