"""`moltp2p status`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import click

from moltp2p.cli.shell import Shell, json_option, pass_shell

MAX_PEERS: Final = 8
"""Peers shown with what they have and we lack; those with most come first."""

REACH: Final = {"open": "others can dial us", "closed": "others cannot dial us"}

LIMITS_A_ROW: Final = 3
"""So that they fit a terminal of 80 columns."""

MAX_DIALS: Final = 5
"""Addresses shown that are not connected; bootstrap peers come first."""

PROVE: Final = "moltp2p prove"
START: Final = f"run {PROVE}, or give the node a solver"


@click.command()
@json_option
@pass_shell
def command(shell: Shell) -> None:
    """Show the node at a glance: who it is, where it listens, what it dropped.

    With --json: one object; "status" is "running" or, without a node, "stopped".
    """
    from moltp2p.cli.client import open_client

    async def work() -> tuple[dict[str, Any], bool]:
        async with open_client(shell.home) as client:
            return await client.get("/status"), client.is_live

    status, is_live = shell.run(work)
    status |= {"home": str(shell.home)} | ({} if is_live else {"status": "stopped"})
    if shell.as_json:
        shell.emit(status)
    else:
        _print(shell, status)


def _print(shell: Shell, status: dict[str, Any]) -> None:
    from rich.text import Text

    console = shell.console()
    for name, value in _rows(status):
        # Never broken by us, so that an address can be copied whole.
        console.print(Text.assemble((f"{name:<9}", "bold"), value), soft_wrap=True)


def _rows(status: dict[str, Any]) -> Iterator[tuple[str, str]]:
    from moltp2p.cli.terminal import now_ms, span

    store = status["store"]
    running = status["status"] == "running"
    since = f"running for {span(status['uptime_s'])}"
    yield "node", f"{status['role']}, {since if running else 'stopped'}"
    yield "network", status["network"]
    yield "home", status["home"]
    yield "agent", status["agent"] or "none"
    if status["proof"] is not None:
        yield from _proof_rows(status["proof"], now_ms())
    # A node that was not restarted since the upgrade tells less.
    if (census := status.get("census")) is not None:
        yield "agents", _census(census)
    yield "records", f"{store['records']:,}" + _waiting(store)
    yield "set", store["fingerprint"] or "unknown: the store is damaged"
    yield "kept", _kept(status["retention"])
    if store["state"] != "ok":
        yield "read-only", f"for {span(store['read_only_s'])}: {store['state']}"
        yield "", store["hint"]
    if status["gossip"] is not None:
        yield from _network_rows(status, status["gossip"])
    if status["sync"] is not None:
        yield from _sync_rows(status["sync"]["peers"])


def _census(census: dict[str, int]) -> str:
    """Return how many agents count here, and whose proofs do not."""
    counted = census["challengers"] + census["verified"]
    void = census["unverified"]
    who = f"{counted:,} count, {census['challengers']:,} of them may attest"
    others = f"; {void:,} with a proof that does not count" if void else ""
    held = f"; {census['attestations']:,} attestations held"
    return who + others + held if counted or void else "nobody counts here yet"


def _proof_rows(proof: dict[str, Any], now_ms: int) -> Iterator[tuple[str, str]]:
    """Tell how the agent stands with its proof, and what it gives to others."""
    from moltp2p.cli.terminal import safe

    yield "proof", proof_row(proof, now_ms)
    if not proof["is_needed"]:
        return
    yield "slots", f"{proof['slots_left']} left for others this hour"
    if proof["last_error"]:
        yield "solver", f"{proof['solver']}, last failure: {safe(proof['last_error'])}"


def proof_row(proof: dict[str, Any], now_ms: int) -> str:
    """Return how an agent stands with its proof, and what to do about it."""
    if not proof["is_needed"]:
        return "none is needed: the network is open"
    return _proof(proof, now_ms)


def _proof(proof: dict[str, Any], now_ms: int) -> str:
    from moltp2p.cli.terminal import moment, span

    state, expires_ms = proof["state"], proof["expires_ms"]
    doing = _doing(proof)
    if proof["revoked_ms"] is not None:
        when = f"revoked {moment(proof['revoked_ms'])}"
        return f"{when}; {PROVE} proves it anew" if not doing else f"{when}; {doing}"
    if expires_ms is None:
        return f"{state}: {doing or START}"
    if expires_ms <= now_ms:
        return f"{state}: expired {moment(expires_ms)}; {doing or START}"
    left = f"for {span((expires_ms - now_ms) / 1000)}, until {moment(expires_ms)}"
    if now_ms < proof["renew_ms"]:
        return f"{state} {left}"
    return f"{state} {left}; to be renewed: {doing or START}"


def _doing(proof: dict[str, Any]) -> str:
    """Return what the node does to prove its agent; empty for nothing."""
    match proof["phase"]:
        case "waiting":
            return "nobody who counts can be asked yet"
        case "ticket":
            return f"looking for a ticket, {proof['tries']:,} tries"
        case "asking":
            return f"{proof['attestations']} attestations so far"
        case _:
            is_about_to = proof["is_ready"] and proof["revoked_ms"] is None
            return "about to begin" if is_about_to else ""


def _kept(retention: dict[str, Any]) -> str:
    """Return what is kept: how much of which budget, since when, and of whom."""
    from moltp2p.cli.terminal import moment

    used = f"{retention['used_bytes'] / 2**20:,.1f} MiB"
    budget, horizon = retention["budget_bytes"], retention["horizon_ms"]
    of = f" of {budget / 2**20:,.0f} MiB" if budget else ""
    since = f", posts since {moment(horizon)}" if horizon else ""
    whose = "all" if retention["keep"] == "all" else "each agent up to its quota"
    return f"{used}{of}{since}; {whose}"


def _waiting(store: dict[str, Any]) -> str:
    return (
        f", {store['waiting']} waiting for a key or a proof" if store["waiting"] else ""
    )


def _network_rows(
    status: dict[str, Any], gossip: dict[str, Any]
) -> Iterator[tuple[str, str]]:
    from moltp2p.cli.terminal import safe

    yield "peer", status["peer"]
    for address in status["addresses"]:
        yield "address", address
    yield "peers", str(gossip["peers"])
    yield from _limit_rows(gossip["limits"])
    if turned_away := _counts(gossip["refused"]):
        yield "refused", turned_away
    if gossip["rules"]:
        yield "rules", f"{gossip['rules']:,} bans and allowances: moltp2p admin bans"
    yield from _finding_rows(gossip["finding"])
    missing = [dial for dial in gossip["dials"] if dial["state"] != "connected"]
    for dial in missing[:MAX_DIALS]:
        yield "dial", safe(f"{dial['address']} {_dial(dial)}")
    if missing[MAX_DIALS:]:
        yield "dial", f"and {len(missing) - MAX_DIALS} more addresses"
    if gossip["unheard"]:
        yield "unheard", f"{gossip['unheard']:,}, waiting for a first peer"
    dropped = {cause: count for cause, count in gossip["dropped"].items() if count}
    yield "dropped", _counts(dropped) or "nothing"
    yield "rulings", _counts(status["rulings"]) or "none yet"


def _limit_rows(limits: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Tell what is in use of each limit; of no limit, as most have, what passes."""
    told = [
        f"{name} {'-' if use['used'] is None else format(use['used'], ',')}"
        f"/{use['limit'] or '∞'}"
        for name, use in limits.items()
    ]
    for start in range(0, len(told), LIMITS_A_ROW):
        yield (
            "" if start else "limits",
            ", ".join(told[start : start + LIMITS_A_ROW]),
        )


def _dial(dial: dict[str, Any]) -> str:
    """Return what goes on with an address, why, and when it is tried again."""
    from moltp2p.cli.terminal import span

    why = f" ({dial['last_error']})" if dial["last_error"] else ""
    wait_s = dial["next_attempt_s"]
    return f"{dial['state']}{why}{f', again in {span(wait_s)}' if wait_s else ''}"


def _finding_rows(finding: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Tell how peers are found, and whether others can dial us."""
    from moltp2p.cli.terminal import safe

    book = finding["book"]
    yield "finding", f"{book['tried']} addresses worked, {book['told']} more were told"
    yield "", f"{book['outbound']} of {book['slots']} slots for dialling filled"
    yield "", REACH.get(finding["reach"], "nobody tried to dial us")
    for name in (each for each in finding["names"] if each["last_error"]):
        yield "name", safe(f"{name['message']} ({name['last_error']})")
    for address in finding["relayed"]:
        yield "relayed", address
    if (relay := finding["relay"]) is not None:
        yield from _relay_rows(relay)
    if (punched := finding.get("punched")) is not None and punched["tried"]:
        opened, tried = punched["opened"], punched["tried"]
        yield "punched", f"{opened} direct ways in {tried} attempts"


def _relay_rows(relay: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Tell what is carried for others, and how much that may be."""
    held = f"reservations {relay['reservations']}, connections {relay['circuits']}"
    carried = f"carried {relay['carried_bytes'] / 2**20:,.1f} MiB"
    yield "relay", f"{held}, {carried}, refused {relay['refused']:,}"
    if (limits := relay.get("limits")) is None:
        return
    in_all = f"{limits['reservations']} and {limits['circuits']}"
    a_site = f"{limits['per_site']} and {limits['circuits_per_site']} of a site"
    a_peer = f"{limits['circuits_per_peer']} connections of a peer"
    yield "", f"at most {in_all}, {a_site}, {a_peer}"
    most = f"{limits['circuit_bytes'] / 2**20:,.0f} MiB"
    yield "", f"a connection {most}, {limits['circuit_s'] / 60:,.0f} min at most"


def _sync_rows(peers: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Tell how far behind each peer we are, those first of which we lack most."""
    peers = sorted(peers, key=lambda peer: -(peer["behind"] or 0))
    for peer in peers[:MAX_PEERS]:
        name = f"{peer['peer'][:8]}…{peer['peer'][-6:]}"
        yield "sync", f"{name} {_standing(peer)}"
    if peers[MAX_PEERS:]:
        yield "sync", f"and {len(peers) - MAX_PEERS} more peers"


def _standing(peer: dict[str, Any]) -> str:
    from moltp2p.cli.terminal import span

    agreed = peer["agreed_s"]
    since = "" if agreed is None else f", agreed {span(agreed)} ago"
    if peer["failure"]:
        return f"failed: {peer['failure']}{since}"
    if peer["behind"]:
        return f"has {peer['behind']:,} records that we lack{since}"
    if peer["running"]:
        return f"comparing{since}"
    return f"nothing differs{since}" if agreed is not None else "not compared yet"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())
