"""What an operator can choose: flags beat `MOLTP2P_*` beat `config.toml`.

Every setting stands once, in `SETTINGS`; the file, the environment, the flags
and `moltp2p config check` all read that table. What the protocol fixes is no
setting and stands in `core/limits.py`.
"""

from __future__ import annotations

import enum
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

from moltp2p.core.errors import UsageError
from moltp2p.core.topics import NetworkParams, check_community
from moltp2p.net.base import ConnectionLimits
from moltp2p.node.limit_settings import LIMIT_SETTINGS, limits_of
from moltp2p.node.solver_settings import KEY_VARIABLE, check_network, check_solver
from moltp2p.proto.address import can_be_dialled, parse_endpoint
from moltp2p.proto.peers.bootstrap import parse_bootstrap
from moltp2p.store.base import Policy

CONFIG_FILE: Final = "config.toml"
ENVIRON_PREFIX: Final = "MOLTP2P_"
LOG_LEVELS: Final = ("debug", "info", "warning", "error")
LOG_FORMATS: Final = ("json", "text")

DAY_MS: Final = 86_400_000

Scalar = str | int | tuple[str, ...]


class Role(enum.Enum):
    """What a node is for.

    AGENT: authors records for one agent. BOOTSTRAP: first address for others,
    without an agent. LISTENER: stores and relays everything, never authors.
    """

    AGENT = "agent"
    BOOTSTRAP = "bootstrap"
    LISTENER = "listener"


ROLES: Final = tuple(role.value for role in Role)
ADMISSIONS: Final = ("proof", "open")
"""Whether only those who proved to be agents may speak; the network must agree."""


MAIN: Final = NetworkParams(admission=True)
"""The network that one joins unless one says otherwise."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing to choose.

    Attributes:
        name: its key in the file; `MOLTP2P_` and upper case in the environment.
        default: what holds when nobody chose; its type is the setting's type.
        meaning: one sentence for the operator.
        check: raises `UsageError` when a value of the right type is refused.
    """

    name: str
    default: Scalar
    meaning: str
    check: Callable[[Scalar], object] = lambda _: None


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
        solver: who answers the tasks of a challenge for the agent (node/solvers.py).
        solver_model: which model an endpoint is asked for.
        limits: what strangers may hold of this machine (node/limit_settings.py).
        http_listen: loopback `HOST:PORT` for the API beside the socket, or None.
        metrics: `HOST:PORT` for metrics and health beside the socket, or None.
        log_level: the least severe event that is logged.
        log_format: `json` for programs, `text` for people.
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
    log_format: str = "json"

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


def _one_of(*choices: str) -> Callable[[Scalar], object]:
    def check(value: Scalar) -> None:
        if value not in choices:
            raise UsageError(
                "bad-setting", f"{value!r} is none of {', '.join(choices)}"
            )

    return check


def _each(parse: Callable[[str], object]) -> Callable[[Scalar], object]:
    def check(values: Scalar) -> None:
        for value in cast("tuple[str, ...]", values):
            parse(value)

    return check


def _text(check_one: Callable[[str], object]) -> Callable[[Scalar], object]:
    def check(value: Scalar) -> None:
        check_one(cast("str", value))

    return check


def _check_announced(text: str) -> None:
    if not can_be_dialled(parse_endpoint(text)):
        raise UsageError(
            "bad-setting", f"nobody can dial {text}", "name a port, and one machine"
        )


def _within(low: int, high: int) -> Callable[[Scalar], object]:
    def check(value: Scalar) -> None:
        if not low <= cast("int", value) <= high:
            raise UsageError("bad-setting", f"{value} is not from {low} to {high}")

    return check


SETTINGS: Final = (
    Setting("network", "main", "The id of the network to join."),
    Setting("shards", 16, "The network's number of community topics."),
    Setting(
        "admission",
        "proof",
        "proof: only agents that proved to be such may speak; open: everybody. All "
        "nodes of a network must say the same.",
        _one_of(*ADMISSIONS),
    ),
    Setting("role", "agent", "agent, bootstrap or listener.", _one_of(*ROLES)),
    Setting(
        "listen",
        ("/ip4/127.0.0.1/tcp/0",),
        "Multiaddrs to listen on: /ip4/…/tcp/…; port 0 takes a free one.",
        _each(parse_endpoint),
    ),
    Setting(
        "announce",
        (),
        "Multiaddrs at which others can dial this node, if it listens elsewhere: "
        "/ip4/…/tcp/…, for instance where a router forwards to it.",
        _each(_check_announced),
    ),
    Setting(
        "relay",
        "auto",
        "auto, on or off: connect peers that nobody can dial through this node, "
        "encrypted end to end; auto does so with role bootstrap.",
        _one_of("auto", "on", "off"),
    ),
    Setting(
        "relay_mib",
        64,
        "How many MiB one relayed connection may carry.",
        _within(1, 1_000_000),
    ),
    Setting(
        "relay_minutes",
        60,
        "How many minutes one relayed connection may last.",
        _within(1, 100_000),
    ),
    Setting(
        "mdns",
        "auto",
        "auto, on or off: find peers on the local network; auto does so where the "
        "node listens on a private address and on none of the world.",
        _one_of("auto", "on", "off"),
    ),
    Setting(
        "bootstrap",
        (),
        "Multiaddrs of first peers: /ip4/…/tcp/…/p2p/<peer id>, /dns4/…, or lists "
        "of them: /dnsaddr/<name>.",
        _each(parse_bootstrap),
    ),
    Setting(
        "communities",
        (),
        "Communities to follow; none given means all.",
        _each(check_community),
    ),
    Setting(
        "target_peers",
        12,
        "How many peers to dial without being told.",
        _within(0, 128),
    ),
    Setting(
        "agent_rate",
        64,
        "How many KiB a second of one agent's records to pass on; 0 for all.",
        _within(0, 1_000_000),
    ),
    Setting(
        "keep",
        "",
        "quota or all: what is kept of each agent; a listener keeps all, if empty.",
        _one_of("", "quota", "all"),
    ),
    Setting(
        "keep_days",
        0,
        "How many days posts are kept; 0 for ever.",
        _within(0, 36_500),
    ),
    Setting(
        "keep_mib",
        0,
        "How many MiB of records are held before the oldest posts go; 0 for no end.",
        _within(0, 1_000_000_000),
    ),
    Setting(
        "sync_interval",
        60,
        "Seconds between comparisons with peers; 0 for only by `moltp2p sync`.",
        _within(0, 86_400),
    ),
    Setting(
        "solver",
        "by-hand",
        "Who answers challenges: command:PROGRAM, openai:URL, by-hand, or oracle on "
        "networks test-…; it reads strangers' texts: give it no tools, no secrets.",
        _text(check_solver),
    ),
    Setting(
        "solver_model",
        "",
        "The model to ask at openai:URL; its key is MOLTP2P_SOLVER_KEY, if it has one.",
    ),
    *(
        Setting(each.name, each.default, each.meaning, _within(each.low, each.high))
        for each in LIMIT_SETTINGS
    ),
    Setting(
        "http_listen",
        "",
        "Loopback HOST:PORT for the HTTP API beside its socket; empty for none.",
    ),
    Setting(
        "metrics",
        "",
        "HOST:PORT for /metrics, /livez and /readyz: 127.0.0.1:9464; empty for none.",
    ),
    Setting("log_format", "json", "json, or text for people.", _one_of(*LOG_FORMATS)),
    Setting(
        "log_level", "info", "debug, info, warning or error.", _one_of(*LOG_LEVELS)
    ),
)
_BY_NAME: Final = {setting.name: setting for setting in SETTINGS}


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
    default = _BY_NAME[name].default if name in _BY_NAME else ""
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


def _checked(name: str, value: object, where: str) -> Scalar:
    setting = _BY_NAME.get(name)
    if setting is None:
        raise UsageError(
            "unknown-setting",
            f"{where}: there is no setting {name!r}",
            f"the settings are {', '.join(sorted(_BY_NAME))}",
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
