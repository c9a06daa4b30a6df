"""The words of a command line, checked before they are read: what is misspelt, given twice, missing
or no number is told in one line, with what was meant.
"""

import re
from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields
from difflib import get_close_matches
from itertools import chain, cycle
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from tyro.conf import Positional

from veernet.errors import OptionError

SPELLINGS = {"digitize": "digitise", "--digitized": "--digitised"}
"""Other spellings of commands and options, which are taken for them."""

FORMER = {
    "--in-flight": "--prefetch-bytes",
    "--keep": "--keep-checkpoints",
    "--look": "--appearance",
    "--piece": "--crop",
    "--recipe-json": "--config",
    "--start-from": "--init-weights",
}
"""Former names of options; what they are called now is suggested."""

HELP = {"-h", "--help"}

_FLAG = re.compile(r"--?(?!inf|nan)[A-Za-z]", re.IGNORECASE)
"""Beginning of an option, which a negative number has not."""

_NUMBERS = {int: "a whole number", float: "a number"}


@dataclass(frozen=True, kw_only=True)
class Option:
    """What a field of a command takes."""

    name: str
    """As it is written, like --out; the word of the help for one that has its place."""
    positional: bool
    required: bool
    many: bool
    """Whether it takes any number of values, or of groups of them, and may be given again."""
    kinds: tuple[Any, ...]
    """Types of its values, or of a group; empty for a switch."""


def options_of(command: type[Any]) -> list[Option]:
    """The options of a command, whose fields they are."""
    hints = get_type_hints(command, include_extras=True)
    return [
        _option(field.name, hints[field.name], required=field.default is MISSING)
        for field in fields(command)
    ]


def _option(name: str, hint: Any, *, required: bool) -> Option:
    marks: tuple[Any, ...] = ()
    if get_origin(hint) is Annotated:
        hint, *rest = get_args(hint)
        marks = tuple(rest)
    if get_origin(hint) in (Union, UnionType):
        one, *others = (one for one in get_args(hint) if one is not type(None))
        hint = str if others else one
    many = get_origin(hint) is tuple and get_args(hint)[-1] is Ellipsis
    if many:
        hint = get_args(hint)[0]
    kinds = get_args(hint) if get_origin(hint) is tuple else (hint,)
    positional = Positional in marks
    word = next((one.metavar for one in marks if getattr(one, "metavar", None)), name.upper())
    return Option(
        name=word if positional else f"--{name.replace('_', '-')}",
        positional=positional,
        required=required,
        many=many,
        kinds=() if hint is bool else kinds,
    )


def command_of(word: str, commands: Iterable[str]) -> str:
    """The name of the command that the first word asks for.

    Raises:
        OptionError: there is none of that name.
    """
    name = SPELLINGS.get(word, word)
    if name in commands:
        return name
    if word.startswith("-"):
        raise OptionError(f"the command comes first, and then its options; got {word!r} first")
    raise OptionError(f"no command {word!r}{_meant(name, commands)} (`veernet --help` lists all)")


def checked(name: str, command: type[Any], words: Iterable[str]) -> list[str]:
    """The words behind the name of a command as tyro takes them: an option once, by its present
    name, with the values of every time that it was given, and then the words that have their place.

    Raises:
        OptionError: one is misspelt, or given twice where only one can hold; a value or a word is
            missing, one too many, or of another type.
    """
    words = [*words]
    end = words.index("--") if "--" in words else len(words)
    words, rest = [_respelt(word) for word in words[:end]], words[end + 1 :]
    if not HELP.isdisjoint(words):
        return ["--help"]
    options = options_of(command)
    must = sum(one.required for one in options if one.positional) - len(rest)
    (_, loose), *groups = _groups(words)
    taken = dict[str, list[str]]()
    for number, (flag, values) in enumerate(groups, start=1):
        option = _option_of(name, options, flag)
        if option.name in taken and not option.many:
            raise OptionError(f"{option.name} was given twice, and only one can hold")
        if not option.kinds and any(word.startswith(f"{flag}=") for word in words):
            raise OptionError(f"{flag} takes no value")
        most = len(option.kinds)
        if option.many:  # words that must have a place, and have none before, have it at the end
            short = must - len(loose) if number == len(groups) else 0
            most = min(len(values), max(len(values) - short, most))
        loose += values[most:]
        _check_values(option, values[:most])
        taken.setdefault(option.name, []).extend(values[:most])
    _check_given(name, options, [*loose, *rest], {*taken})
    told = (_joined(flag, values) for flag, values in taken.items())
    return [*chain.from_iterable(told), "--", *loose, *rest]


def _option_of(name: str, options: list[Option], flag: str) -> Option:
    flags = {one.name: one for one in options if not one.positional}
    if flag not in flags:
        told = f"{name} has no option {flag}{_meant(flag, flags)}"
        raise OptionError(f"{told} (`veernet {name} --help` lists all)")
    return flags[flag]


def _joined(flag: str, values: list[str]) -> list[str]:
    """An option and its values, of which the first may look like an option itself.

    Raises:
        OptionError: a later one does, which tyro would take for an option.
    """
    for value in values[1:]:
        if re.match(r"-(?!inf|nan)[^\d.]", value, re.IGNORECASE):
            raise OptionError(f"{flag} {value}: only its first value may begin with a hyphen")
    return [f"{flag}={values[0]}", *values[1:]] if values else [flag]


def _respelt(word: str) -> str:
    """A word with an option by its present name, and with hyphens."""
    if not _FLAG.match(word):
        return word
    flag, *value = word.split("=", 1)
    flag = flag.replace("_", "-")
    return "=".join([SPELLINGS.get(flag, flag), *value])


def _groups(words: list[str]) -> list[tuple[str, list[str]]]:
    """Options, each with the words up to the next one; the words before the first one are with no
    name, as the first of the groups."""
    groups: list[tuple[str, list[str]]] = [("", [])]
    for word in words:
        if _FLAG.match(word):
            flag, *value = word.split("=", 1)
            groups.append((flag, value))
        else:
            groups[-1][1].append(word)
    return groups


def _check_values(option: Option, values: list[str]) -> None:
    n, told = len(option.kinds), option.name
    if option.many and (not values or len(values) % n):
        each = "one value or more" if n == 1 else f"groups of {n} values"
        raise OptionError(f"{told} takes {each}; got {' '.join(values) or 'none'}")
    if len(values) < n:
        each = "a value" if n == 1 else f"{n} values"
        raise OptionError(f"{told} takes {each}; got {' '.join(values) or 'none'}")
    for value, kind in zip(values, cycle(option.kinds), strict=False):
        choices = [*map(str, get_args(kind))] if get_origin(kind) is Literal else []
        if choices and value not in choices:
            raise OptionError(f"{told} is {' or '.join(choices)}; got {value!r}")
        try:
            kind(value) if kind in _NUMBERS else None
        except ValueError as wrong:
            raise OptionError(f"{told} takes {_NUMBERS[kind]}; got {value!r}") from wrong


def _check_given(name: str, options: list[Option], loose: list[str], given: set[str]) -> None:
    """Check that there is a word for every place and a place for every word, and what must be
    given is."""
    places = [one for one in options if one.positional]
    absent = [one.name for one in [one for one in places if one.required][len(loose) :]]
    absent += [
        one.name for one in options if one.required and not one.positional | (one.name in given)
    ]
    if absent:
        raise OptionError(f"{name} needs {' and '.join(absent)}; see `veernet {name} --help`")
    if len(loose) > len(places) and not any(one.many for one in places):
        takes = " ".join(one.name for one in places) or "options alone"
        raise OptionError(f"{name} takes {takes}; {loose[len(places)]!r} is one word too many")


def _meant(word: str, names: Iterable[str]) -> str:
    """A question whether a name was meant that is much like a word, or was called so; empty where
    none is."""
    if (now := FORMER.get(word)) in {*names}:
        return f"; it is {now} now"
    close = get_close_matches(word.lower(), [*names], 1)
    return f"; did you mean {close[0]}?" if close else ""
