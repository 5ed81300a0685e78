"""What an operator can choose: flags beat `MOLTP2P_*` beat `config.toml`.

What there is to choose stands in `node/settings.py`.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

from moltp2p.core.errors import UsageError
from moltp2p.core.topics import NetworkParams
from moltp2p.net.base import ConnectionLimits
from moltp2p.node.limit_settings import limits_of
from moltp2p.node.settings import BY_NAME, SETTINGS, Role, Scalar, Setting
from moltp2p.node.solver_settings import KEY_VARIABLE, check_network
from moltp2p.store.base import Policy

CONFIG_FILE: Final = "config.toml"
ENVIRON_PREFIX: Final = "MOLTP2P_"

DAY_MS: Final = 86_400_000


MAIN: Final = NetworkParams(admission=True)
"""The network that one joins unless one says otherwise."""


@dataclass(frozen=True, slots=True)
class Config:
    """A node's settings, checked.

    Attributes:
        home: the folder with the keys, the store and the socket.
        network: what everybody on the network agrees on.
        role: what the node is for.
        listen: multiaddrs to listen on.
        announce: multiaddrs at which others are told to dial this node; empty for
            where it listens, and where peers see it.
        relay: whether to carry for peers that nobody can dial: `auto`, `on`, `off`.
        relay_mib: how many MiB one connection between two of them may carry.
        relay_minutes: how long one may last.
        hole_punching: whether to look for direct ways to relayed peers: `on`, `off`.
        mdns: whether to look for neighbours on the local network: `auto`, `on`, `off`.
        bootstrap: multiaddrs of first peers, with `/p2p/<peer id>`, or names.
        communities: communities to follow; empty for all.
        target_peers: how many peers the node dials by itself.
        agent_rate: how much of what one agent says is passed on, units of 1,024
            bytes a second; 0 for all.
        keep: `quota`: of each agent what all nodes keep; `all`: the rest too; empty
            for what suits the role.
        keep_days: how old posts may grow, days; 0 for any age.
        keep_mib: how many MiB of records to hold before the oldest posts go; 0 for
            no end.
        sync_interval: seconds between two comparisons with peers that nothing else
            calls for; 0 for none but those that are asked for.
        solver: who answers the tasks of a challenge for the agent
            (node/proving/solvers.py).
        solver_model: which model an endpoint is asked for.
        limits: what strangers may hold of this machine (node/limit_settings.py).
        http_listen: loopback `HOST:PORT` for the API beside the socket, or None.
        metrics: `HOST:PORT` for metrics and health beside the socket, or None.
        log_level: the least severe event that is logged.
        log_format: `json` for programs, `text` for people, `auto` for whoever reads.
    """

    home: Path
    network: NetworkParams = MAIN
    role: Role = Role.AGENT
    listen: tuple[str, ...] = ("/ip4/127.0.0.1/tcp/0",)
    announce: tuple[str, ...] = ()
    mdns: str = "auto"
    relay: str = "auto"
    relay_mib: int = 64
    relay_minutes: int = 60
    hole_punching: str = "on"
    bootstrap: tuple[str, ...] = ()
    communities: tuple[str, ...] = ()
    target_peers: int = 12
    agent_rate: int = 64
    keep: str = ""
    keep_days: int = 0
    keep_mib: int = 0
    sync_interval: int = 60
    solver: str = "by-hand"
    solver_model: str = ""
    limits: ConnectionLimits = field(default_factory=ConnectionLimits)
    http_listen: str | None = None
    metrics: str | None = None
    log_level: str = "info"
    log_format: str = "auto"

    @property
    def policy(self) -> Policy:
        """Return what the store keeps; a listener keeps all unless told otherwise.

        A listener also notes how each record came.
        """
        keep = self.keep or ("all" if self.role is Role.LISTENER else "quota")
        return Policy(
            keep_all=keep == "all",
            budget_bytes=self.keep_mib * 2**20,
            max_age_ms=self.keep_days * DAY_MS,
            arrivals=self.role is Role.LISTENER,
        )


def load_config(
    home: Path, environ: Mapping[str, str], flags: Mapping[str, object]
) -> Config:
    """Return the settings of the node in `home`.

    Args:
        home: where `config.toml` may be.
        environ: the process's environment.
        flags: settings from the command line; None means not given.

    Raises:
        UsageError: `unknown-setting` or `bad-setting`, naming where it stands.
        LocalError: never; a file that cannot be read is `bad-setting`.
    """
    values: dict[str, Scalar] = {setting.name: setting.default for setting in SETTINGS}
    values |= _from_file(home / CONFIG_FILE)
    values |= _from_environ(environ)
    for name, value in flags.items():
        if value is not None:
            values[name] = _checked(name, value, f"flag --{name.replace('_', '-')}")
    return _config(home, values)


def _config(home: Path, values: Mapping[str, Scalar]) -> Config:
    check_network(cast("str", values["solver"]), cast("str", values["network"]))
    return Config(
        home=home,
        network=NetworkParams(
            cast("str", values["network"]),
            cast("int", values["shards"]),
            admission=values["admission"] == "proof",
        ),
        role=Role(values["role"]),
        listen=cast("tuple[str, ...]", values["listen"]),
        announce=cast("tuple[str, ...]", values["announce"]),
        mdns=cast("str", values["mdns"]),
        relay=cast("str", values["relay"]),
        relay_mib=cast("int", values["relay_mib"]),
        relay_minutes=cast("int", values["relay_minutes"]),
        hole_punching=cast("str", values["hole_punching"]),
        bootstrap=cast("tuple[str, ...]", values["bootstrap"]),
        communities=cast("tuple[str, ...]", values["communities"]),
        target_peers=cast("int", values["target_peers"]),
        agent_rate=cast("int", values["agent_rate"]),
        keep=cast("str", values["keep"]),
        keep_days=cast("int", values["keep_days"]),
        keep_mib=cast("int", values["keep_mib"]),
        sync_interval=cast("int", values["sync_interval"]),
        solver=cast("str", values["solver"]),
        solver_model=cast("str", values["solver_model"]),
        limits=limits_of(values),
        http_listen=cast("str", values["http_listen"]) or None,
        metrics=cast("str", values["metrics"]) or None,
        log_level=cast("str", values["log_level"]),
        log_format=cast("str", values["log_format"]),
    )


def _from_file(path: Path) -> dict[str, Scalar]:
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(
            "bad-setting", f"{path} cannot be read: {error}", "mend the file"
        ) from None
    return {name: _checked(name, value, str(path)) for name, value in table.items()}


def _from_environ(environ: Mapping[str, str]) -> dict[str, Scalar]:
    values: dict[str, Scalar] = {}
    for variable, text in environ.items():
        if not variable.startswith(ENVIRON_PREFIX) or variable in _NOT_SETTINGS:
            continue
        name = variable.removeprefix(ENVIRON_PREFIX).lower()
        values[name] = _checked(name, _from_text(name, text, variable), variable)
    return values


_NOT_SETTINGS: Final = ("MOLTP2P_HOME", KEY_VARIABLE)
"""The home is where the settings are read from, and a key belongs into no file."""


def _from_text(name: str, text: str, variable: str) -> object:
    """Return what an environment variable's text means: lists are split at commas."""
    default = BY_NAME[name].default if name in BY_NAME else ""
    if isinstance(default, tuple):
        return [item.strip() for item in text.split(",") if item.strip()]
    if isinstance(default, int):
        try:
            return int(text)
        except ValueError:
            raise UsageError(
                "bad-setting", f"{variable}: {text!r} is not a whole number"
            ) from None
    return text


def _meant(name: str) -> str:
    """Return which setting was meant, most likely; or all that there are."""
    near = difflib.get_close_matches(name.lower(), BY_NAME, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"the settings are {', '.join(sorted(BY_NAME))}"


def _checked(name: str, value: object, where: str) -> Scalar:
    setting = BY_NAME.get(name)
    if setting is None:
        raise UsageError(
            "unknown-setting",
            f"{where}: there is no setting {name!r}",
            _meant(name),
        )
    typed = _typed(setting, value, where)
    try:
        setting.check(typed)
    except UsageError as error:
        raise UsageError(
            "bad-setting", f"{where}: {name}: {error.message}", setting.meaning
        ) from None
    return typed


def _typed(setting: Setting, value: object, where: str) -> Scalar:
    if isinstance(setting.default, tuple) and isinstance(value, list | tuple):
        if all(isinstance(item, str) for item in value):
            return tuple(value)
    elif isinstance(value, str | int) and type(value) is type(setting.default):
        return value
    kind = {str: "text", int: "a whole number", tuple: "a list of texts"}
    raise UsageError(
        "bad-setting",
        f"{where}: {setting.name} is {kind[type(setting.default)]}, not {value!r}"[
            :300
        ],
        setting.meaning,
    )
