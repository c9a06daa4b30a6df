"""Settings of a run as a table, and as TOML."""

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

Table = dict[str, Any]

AROUND = "archive", "first", "deterministic", "on_error", "plan"
"""Names of the settings that belong to a run and not to its training."""

_ABOUT = """\
# Settings of this run; its record is config.json. To repeat it, with any of them changed:
# veernet train --config settings.toml --out RUN
"""


def settings_of(config: Table) -> Table:
    """Return the settings in the config of a run, without what was found on the machine, those of
    the training at the top level; a setting that is None is left out."""
    return _without_none({**{name: config[name] for name in AROUND}, **config["training"]})


def to_toml(config: Table) -> str:
    """Return the settings in the config of a run as TOML, which gives the same settings when read;
    an archive whose name is not UTF-8 is left out."""
    table = settings_of(config)
    if not _is_utf8(table["archive"]):
        del table["archive"]
    inside = tables_in(table)
    lines = [_ABOUT, *(_line(name, table[name]) for name in table if name not in inside)]
    for name, inner in inside.items():
        lines += ["", f"[{name}]", *(_line(key, value) for key, value in inner.items())]
    return "\n".join(lines) + "\n"


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _line(name: str, value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return f"{name} = {text}"


def tables_in(table: Mapping[str, Any]) -> dict[str, Table]:
    """Return the tables inside a table."""
    return {name: value for name, value in table.items() if isinstance(value, dict)}


def _without_none(table: Table) -> Table:
    inside = {name: _without_none(inner) for name, inner in tables_in(table).items()}
    return {name: value for name, value in table.items() if value is not None} | inside


def plain(value: Any) -> Any:
    """Return a dataclass, or data of TOML, as JSON holds it."""
    return json.loads(json.dumps(value, default=_plain))


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)
