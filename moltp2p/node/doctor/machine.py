"""Checks of this machine: its settings, home, store, disk, and where it listens.

None needs a running node, and none changes anything but what opening the store does.
All of them block.
"""

from __future__ import annotations

import errno
import shutil
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from moltp2p.core.errors import MoltError
from moltp2p.node.config import Config, load_config
from moltp2p.node.doctor.check import Check, fail, failed_with, note, ok
from moltp2p.node.home import Home
from moltp2p.node.settings import Role
from moltp2p.proto.address import Endpoint, Scope, parse_endpoint, scope_of

MIN_FREE_BYTES: Final = 64 * 2**20
LOW_FREE_BYTES: Final = 2**30
"""Less free disk than the first is a failure, less than the second a note."""

FORWARD: Final = "to be reached: --listen /ip4/0.0.0.0/tcp/4001, and open that port"


def check_settings(
    home: Path, environ: Mapping[str, str], flags: Mapping[str, object]
) -> tuple[Check, Config | None]:
    """Return whether the settings can be read, and what they are."""
    try:
        config = load_config(home, environ, flags)
    except MoltError as error:
        return failed_with("settings", error), None
    says = f"{config.role.value} on network {config.network.id!r}"
    return ok("settings", says), config


def check_home(config: Config) -> Check:
    """Look for the home, its keys, and who may read them."""
    home = Home(config.home)
    try:
        home.check()
        if config.role is Role.AGENT:
            home.agent_key()
            home.next_key()
        if (config.home / "peer.key").exists():
            home.peer_key(_draw_nothing)
    except MoltError as error:
        return failed_with("home", error)
    return ok("home", f"{config.home}, its keys are whole and nobody else's")


def _draw_nothing(_count: int) -> bytes:
    raise AssertionError("the key is there")


def check_disk(home: Path) -> Check:
    """Look how much room is left where the home is, or would be."""
    place = next(each for each in (home, *home.parents) if each.exists())
    free = shutil.disk_usage(place).free
    says = f"{free / 2**30:,.1f} GiB free at {place}"
    remedy = "make room, or move the home to a larger disk with --home"
    if free < MIN_FREE_BYTES:
        return fail("disk", f"{free / 2**20:,.0f} MiB free at {place}", remedy)
    return note("disk", says, remedy) if free < LOW_FREE_BYTES else ok("disk", says)


def check_store(config: Config) -> Check:
    """Open the store of a node that does not run."""
    folder = Home(config.home).records
    if not folder.exists():
        return ok("store", "there is none yet; the first run makes it")
    # LevelDB is not needed where there is no store.
    from moltp2p.store.leveldb import open_store  # noqa: PLC0415

    try:
        store = open_store(folder, config.network, config.policy)
    except MoltError as error:
        return failed_with("store", error)
    try:
        return ok("store", f"{store.count():,} records")
    except MoltError as error:
        return failed_with("store", error)
    finally:
        store.close()


def check_running_store(state: str, hint: str, records: int) -> Check:
    """Judge what a running node says of its store."""
    if state == "ok":
        return ok("store", f"{records:,} records")
    return fail("store", f"the node is read-only: {state}", hint, state)


def check_listening(config: Config) -> list[Check]:
    """Try to listen where a node that does not run would."""
    if not config.listen:
        return [note("listen", "nowhere: this node only dials", FORWARD)]
    found = [_try(parse_endpoint(each)) for each in config.listen]
    failures = [each for each in found if each is not None]
    endpoints = [parse_endpoint(each) for each in config.listen]
    return failures or [judge_listening(endpoints)]


def _try(endpoint: Endpoint) -> Check | None:
    """Return why one cannot listen there, if so."""
    family = socket.AF_INET if endpoint.ip.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((str(endpoint.ip), endpoint.port))
            sock.listen(1)
    except OSError as error:
        return _cannot(endpoint, error)
    return None


def _cannot(endpoint: Endpoint, error: OSError) -> Check:
    if error.errno == errno.EADDRINUSE:
        return fail(
            "listen",
            f"another program listens on {endpoint}",
            f"find it with `ss -ltnp 'sport = :{endpoint.port}'`; stop it, or listen "
            "on another port",
            "port-in-use",
        )
    remedies = {
        errno.EACCES: "ports below 1024 are for root; choose one above",
        errno.EPERM: "ports below 1024 are for root; choose one above",
        errno.EADDRNOTAVAIL: "this machine has no such address; see `ip addr`",
        errno.EAFNOSUPPORT: "this machine has no IPv6; listen on /ip4/…",
    }
    remedy = remedies.get(error.errno or 0, "listen on another address")
    says = f"cannot listen on {endpoint}: {error.strerror}"
    return fail("listen", says, remedy, "cannot-listen")


def judge_listening(endpoints: Iterable[Endpoint]) -> Check:
    """Say from where a node that listens there could be reached."""
    listed = list(endpoints)
    shown = ", ".join(map(str, listed[:4])) + (", …" if listed[4:] else "")
    if not listed:
        return note("listen", "nowhere: this node only dials", FORWARD)
    if all(scope_of(each.ip) is Scope.MACHINE for each in listed):
        says = f"{shown}: only programs on this machine can reach it"
        return note("listen", says, FORWARD)
    return ok("listen", shown)
