"""Where scenarios come from: those that are shipped, and files of one's own."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from moltp2p.core.errors import UsageError
from moltp2p.testing.sim.scenario import Scenario

SUFFIX: Final = ".toml"

SIMULATOR_LACKS: Final = {"slow.downlink_mbit": "it models uplinks alone"}
"""What only a mesh of real nodes can do, and why."""

_ADAPTER: Final = TypeAdapter(Scenario)


def shipped() -> dict[str, str]:
    """Return the name of each shipped scenario, and what it is about."""
    return {
        name: tomllib.loads(file.read_text("utf-8"))["about"]
        for name, file in sorted(_shipped_files().items())
    }


def load(name: str, overrides: Mapping[str, object] | None = None) -> Scenario:
    """Return a scenario.

    Args:
        name: of a shipped scenario, or the path of a TOML file.
        overrides: values put in place of the scenario's, by dotted name.

    Raises:
        UsageError: `unknown-scenario` when there is neither such a scenario nor
            such a file, `bad-scenario` when it is not one, `unsupported-setting`
            when it asks for what only a mesh of real nodes can do.
    """
    table = read_table(name)
    for dotted, value in (overrides or {}).items():
        put(table, dotted, value)
    refuse(table, SIMULATOR_LACKS, "the simulator")
    return build(table, name)


def read_table(name: str) -> dict[str, Any]:
    """Return what a scenario's file says, unchecked.

    Raises:
        UsageError: `unknown-scenario`, or `bad-scenario` when it is not TOML.
    """
    try:
        return tomllib.loads(_read(name))
    except tomllib.TOMLDecodeError as error:
        raise UsageError("bad-scenario", f"{name} is not TOML: {error}") from None


def refuse(table: Mapping[str, Any], lacks: Mapping[str, str], who: str) -> None:
    """Refuse what a scenario asks for and somebody cannot do.

    Args:
        table: the scenario.
        lacks: why not, by dotted name.
        who: cannot do it.

    Raises:
        UsageError: `unsupported-setting`, naming it.
    """
    for dotted, reason in lacks.items():
        found: Any = table
        for part in dotted.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        if found is not None:
            raise UsageError(
                "unsupported-setting",
                f"{dotted}: {who} cannot do that, {reason}",
                "leave it out of the scenario",
            )


def build(table: Mapping[str, Any], name: str) -> Scenario:
    """Return the scenario that a table is.

    Raises:
        UsageError: `bad-scenario`, naming every field that is wrong.
    """
    try:
        return _ADAPTER.validate_python(table)
    except ValidationError as error:
        raise UsageError("bad-scenario", f"{name}: {_told(error)}") from None


def parse_override(text: str) -> tuple[str, object]:
    """Return what `NAME=VALUE` says; the value is TOML.

    Raises:
        UsageError: `bad-scenario`.
    """
    name, _, value = text.partition("=")
    try:
        return name.strip(), tomllib.loads(f"value = {value}")["value"]
    except (tomllib.TOMLDecodeError, KeyError):
        hint = 'write NAME=VALUE, as in nodes.count=200 or sybils.targets="victim"'
        raise UsageError("bad-scenario", f"not a setting: {text}", hint) from None


def _shipped_files() -> Mapping[str, Traversable]:
    folder = files("moltp2p.testing") / "scenarios"
    return {
        file.name.removesuffix(SUFFIX): file
        for file in folder.iterdir()
        if file.name.endswith(SUFFIX)
    }


def _read(name: str) -> str:
    known = _shipped_files()
    if name in known:
        return known[name].read_text("utf-8")
    path = Path(name)
    if path.suffix != SUFFIX:
        raise UsageError(
            "unknown-scenario",
            f"no scenario is called {name}",
            "moltp2p sim --list names them; a file of your own ends in .toml",
        )
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("unknown-scenario", f"{name}: {error}") from None


def put(table: dict[str, Any], dotted: str, value: object) -> None:
    """Put a value into a table of tables, by its dotted name.

    Raises:
        UsageError: `bad-scenario` when a part of the name is no table.
    """
    *parents, last = dotted.split(".")
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise UsageError("bad-scenario", f"{dotted}: {parent} has no parts")
    table[last] = value


def _told(error: ValidationError) -> str:
    return "; ".join(_lines(error))


def _lines(error: ValidationError) -> Iterable[str]:
    for each in error.errors(include_url=False, include_context=False):
        where = ".".join(map(str, each["loc"]))
        yield f"{where}: {each['msg']}"
