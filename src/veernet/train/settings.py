"""Settings of a run to start, merged as plain data: a recipe, then a file, then options.

In TOML, as in `--set`, the fields of `Training` stand at the top level, its network, loss and
schedule in tables of their names, and beside them what belongs to the run around the training:
`archive`, `first`, `deterministic`, `on_error` and the table `plan`.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from veernet.errors import OnError, OptionError, RunError
from veernet.files import read_toml, validate
from veernet.memory.plan import StoredPlan
from veernet.train.run import read_config_file
from veernet.train.toml import AROUND, Table, plain, settings_of, tables_in
from veernet.training import Training

_DECIDE_MEMORY = "network", "loss", "precision"
"""Settings that decide, with the effective batch, what memory a step takes."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Settings of a run that are not part of its training."""

    archive: str | None = None
    first: str | None = None
    """SHA-256 of the initial weights; None if they are to be drawn at random."""
    deterministic: bool = False
    on_error: OnError = "stop"
    plan: StoredPlan | None = None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of a run to start."""

    training: Training
    run: Surroundings
    plan_anew: bool
    """True if memory is to be planned: no plan and no pixel budget was given for such steps."""


def settle(
    recipe: Training, config: Table, weights: Table, options: Table, *, where: str
) -> Settings:
    """Merge settings, later ones over earlier ones, and validate the result.

    Args:
        config: settings from a file.
        weights: the network of the initial weights, if there are any.
        where: names of the file and the options, for errors.

    Raises:
        OptionError: a setting is unknown, of another type, or does not fit the others or the
            initial weights.
    """
    _check_network(config, weights, where)
    base = merged(plain(recipe), config)
    table = merged(merged(base, weights), options)
    around = {name: table.pop(name, None) for name in AROUND}
    given = {name: value for name, value in around.items() if value is not None}
    training = validate(Training, table, where=where, error=OptionError)
    run = validate(Surroundings, given, where=where, error=OptionError)
    budgets = [_schedule(one).get("pixel_budget") for one in (options, config)]
    if budgets[0] is not None or not _same_steps(base, table):
        run = replace(run, plan=None)
    follows_budget = budgets[0] is not None or (budgets[1] is not None and "plan" not in config)
    return Settings(training=training, run=run, plan_anew=run.plan is None and not follows_budget)


def _check_network(config: Table, weights: Table, where: str) -> None:
    """Refuse settings of a network that the initial weights do not have."""
    theirs = tables_in(weights).get("network", {})
    for name, value in tables_in(config).get("network", {}).items():
        if plain(value) != theirs.get(name, plain(value)):
            raise OptionError(
                f"{where}: network.{name} is {value}, and the initial weights are of a network "
                f"with {theirs[name]}; leave it out, or begin from other weights"
            )


def _schedule(table: Table) -> Table:
    return tables_in(table).get("schedule", {})


def _same_steps(one: Table, other: Table) -> bool:
    """Return whether a step takes the same memory under two tables of settings."""
    batches = [_schedule(table).get("effective_batch") for table in (one, other)]
    return batches[0] == batches[1] and all(
        plain(one.get(name)) == plain(other.get(name)) for name in _DECIDE_MEMORY
    )


def merged(table: Mapping[str, Any], over: Mapping[str, Any]) -> Table:
    """Return a table with `over` laid over it, name by name in the tables inside it too; a loss
    with its `kind` takes the place of another one whole, and so begins from its own defaults."""
    inside, over_inside = tables_in(table), tables_in(over)
    both = {name for name in over_inside if name in inside and "kind" not in over_inside[name]}
    return {
        **table,
        **over,
        **{name: merged(inside[name], over_inside[name]) for name in over if name in both},
    }


def read_settings(path: Path) -> Table:
    """Read settings: some or all in a TOML file, or those of a run in its config.json, which is
    known by its suffix.

    Raises:
        RunError: there is no such file, or it is damaged.
    """
    missing = f"{path}: no such settings of a run"
    if path.suffix.lower() != ".json":
        return read_toml(path, error=RunError, missing=missing)
    return settings_of(read_config_file(path, missing=missing).to_dict())


def parse_set(words: Iterable[str]) -> Table:
    """Read settings given as `key=value`, the key with dots and the value as in TOML, where a text
    may go without its quotation marks.

    Raises:
        OptionError: there is no key, or the value is none.
    """
    table: Table = {}
    for word in words:
        key, equals, text = word.partition("=")
        *around, name = [part.strip() for part in key.split(".")]
        if not equals or not all([*around, name]):
            raise OptionError(
                f"--set takes key=value, such as network.channels=[8,16]; got {word!r} (ARCHIVE "
                "comes before the options)"
            )
        inner: Table = {name: _value(word, text.strip())}
        for part in reversed(around):
            inner = {part: inner}
        table = merged(table, inner)
    return table


def _value(word: str, text: str) -> Any:
    try:
        found = tomllib.loads(f"value = {text}")
        if [*found] == ["value"]:
            return found["value"]
    except tomllib.TOMLDecodeError:
        if text and text[0] not in "[{\"'" and text.isprintable():
            return text
    raise OptionError(f"--set {word}: the value is neither TOML nor a word")
