"""Check the words of a command line before tyro reads them: a misspelt, repeated or missing option,
or a value of the wrong type, gives an error of one line that suggests what was meant."""

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
"""Other spellings of commands and options, accepted as these."""

FORMER = {
    "--in-flight": "--prefetch-bytes",
    "--keep": "--keep-checkpoints",
    "--look": "--appearance",
    "--piece": "--crop",
    "--recipe-json": "--config",
    "--start-from": "--init-weights",
}
"""Former names of options, with the present names, which are suggested."""

HELP = {"-h", "--help"}

_FLAG = re.compile(r"--?(?!inf|nan)[A-Za-z]", re.IGNORECASE)
"""Match the beginning of an option, but not of a negative number."""

_NUMBERS = {int: "a whole number", float: "a number"}


@dataclass(frozen=True, kw_only=True)
class Option:
    """One field of a command, as an option or positional argument."""

    name: str
    """Name on the command line, such as --out; for a positional argument, its name in the help."""
    positional: bool
    required: bool
    many: bool
    """True if it takes any number of values, or groups of values, and may be repeated."""
    kinds: tuple[Any, ...]
    """Types of its values, or of the values of one group; empty for a switch."""


def options_of(command: type[Any]) -> list[Option]:
    """List the options of a command, one per field."""
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
    """Return the name of the command that the first word asks for.

    Raises:
        OptionError: there is no such command.
    """
    name = SPELLINGS.get(word, word)
    if name in commands:
        return name
    if word.startswith("-"):
        raise OptionError(f"the command comes first, and then its options; got {word!r} first")
    raise OptionError(f"no command {word!r}{_meant(name, commands)} (`veernet --help` lists all)")


def checked(name: str, command: type[Any], words: Iterable[str]) -> list[str]:
    """Rewrite the words after a command's name for tyro: every option once, by its present name,
    with the values of all its repetitions, and then the positional arguments.

    Raises:
        OptionError: an option is misspelt, or is repeated and takes one value only; a value or a
            positional argument is missing, is one too many, or has another type.
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
        if option.many:  # the last group leaves required positional arguments their words
            short = must - len(loose) if number == len(groups) else 0
            most = min(len(values), max(len(values) - short, most))
        loose += values[most:]
        _check_values(option, values[:most])
        taken.setdefault(option.name, []).extend(values[:most])
    _check_given(name, options, [*loose, *rest], {*taken})
    joined = (_joined(flag, values) for flag, values in taken.items())
    return [*chain.from_iterable(joined), "--", *loose, *rest]


def _option_of(name: str, options: list[Option], flag: str) -> Option:
    flags = {one.name: one for one in options if not one.positional}
    if flag not in flags:
        message = f"{name} has no option {flag}{_meant(flag, flags)}"
        raise OptionError(f"{message} (`veernet {name} --help` lists all)")
    return flags[flag]


def _joined(flag: str, values: list[str]) -> list[str]:
    """Join an option to its values with `=`, since the first value may look like an option itself.

    Raises:
        OptionError: a later value looks like an option, and tyro would take it for one.
    """
    for value in values[1:]:
        if re.match(r"-(?!inf|nan)[^\d.]", value, re.IGNORECASE):
            raise OptionError(f"{flag} {value}: only its first value may begin with a hyphen")
    return [f"{flag}={values[0]}", *values[1:]] if values else [flag]


def _respelt(word: str) -> str:
    """Return a word with its option in the present spelling, and with hyphens."""
    if not _FLAG.match(word):
        return word
    flag, *value = word.split("=", 1)
    flag = flag.replace("_", "-")
    return "=".join([SPELLINGS.get(flag, flag), *value])


def _groups(words: list[str]) -> list[tuple[str, list[str]]]:
    """Split words into options, each with the words up to the next option; the first group, with no
    name, holds the words before the first option."""
    groups: list[tuple[str, list[str]]] = [("", [])]
    for word in words:
        if _FLAG.match(word):
            flag, *value = word.split("=", 1)
            groups.append((flag, value))
        else:
            groups[-1][1].append(word)
    return groups


def _check_values(option: Option, values: list[str]) -> None:
    n, label = len(option.kinds), option.name
    if option.many and (not values or len(values) % n):
        each = "one value or more" if n == 1 else f"groups of {n} values"
        raise OptionError(f"{label} takes {each}; got {' '.join(values) or 'none'}")
    if len(values) < n:
        each = "a value" if n == 1 else f"{n} values"
        raise OptionError(f"{label} takes {each}; got {' '.join(values) or 'none'}")
    for value, kind in zip(values, cycle(option.kinds), strict=False):
        choices = [*map(str, get_args(kind))] if get_origin(kind) is Literal else []
        if choices and value not in choices:
            raise OptionError(f"{label} is {' or '.join(choices)}; got {value!r}")
        try:
            kind(value) if kind in _NUMBERS else None
        except ValueError as wrong:
            raise OptionError(f"{label} takes {_NUMBERS[kind]}; got {value!r}") from wrong


def _check_given(name: str, options: list[Option], loose: list[str], given: set[str]) -> None:
    """Check that every required option and positional argument is given, and that there are no more
    words than positions."""
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
    """Return "did you mean …?" if a name is similar to `word`, or its present name if it was
    renamed; empty if neither."""
    if (now := FORMER.get(word)) in {*names}:
        return f"; it is {now} now"
    close = get_close_matches(word.lower(), [*names], 1)
    return f"; did you mean {close[0]}?" if close else ""
