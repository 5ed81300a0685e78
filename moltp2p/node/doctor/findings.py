"""What probes and a running node's status mean, each with its remedy. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from moltp2p.core.limits import MAX_AHEAD_MS
from moltp2p.node.doctor.check import Check, Probe, fail, note, ok, skipped
from moltp2p.node.doctor.versions import Comparison, compare
from moltp2p.node.settings import Role
from moltp2p.proto.address import Scope, parse_endpoint, scope_of

NOTED_SKEW_MS: Final = 30_000
"""A clock that is further off is worth knowing; at ten minutes records are refused."""

EARLIEST_MS: Final = 1_767_225_600_000
"""The first of January 2026: a clock before that was never set."""

SETTLED_S: Final = 30.0
"""After that long a connected peer has said which topics it is in."""

REMEDIES: Final[Mapping[str, str]] = {
    "name-unknown": "ask the operator for the name; `dig TXT _dnsaddr.<name>` shows "
    "what is there",
    "name-server-failed": "is this machine online? see /etc/resolv.conf, or name the "
    "peer by its IP address",
    "dial-timed-out": "is this machine online, and the port open on both sides' "
    "firewalls? try `nc -vz <address> <port>`",
    "dial-refused": "the machine is there but no node listens on that port: is the "
    "node running, and the port the right one?",
    "dial-no-route": "this machine has no way there; for /ip6/… it needs IPv6: see "
    "`ip -6 route`",
    "dial-turned-away": "it has no room for more, or it bans this machine's address: "
    "try again later, find another first peer, or ask its operator",
    "wrong-peer": "ask the operator for its new /p2p/…: a node's id changes when its "
    "peer.key was lost",
    "dial-failed": "something listens there that is no libp2p node with Noise and "
    "yamux: is it the right port?",
    "protocol-unsupported": "it is a libp2p node of something else, or of another "
    "major version: compare `moltp2p version` on both",
    "self-dial": "take this node's own address out of `bootstrap`",
}
MEANINGS: Final[Mapping[str, str]] = {
    "dial-timed-out": "nothing answers there",
    "dial-refused": "the connection is refused",
    "dial-no-route": "there is no way to that address",
    "dial-turned-away": "it hangs up at once",
    "wrong-peer": "another node answers there",
    "dial-failed": "what answers there makes no secure connection",
    "protocol-unsupported": "the node there does not speak to others of moltp2p",
}
"""What a code means of a first peer, where the message is more than one can use."""

_OTHERWISE: Final = "try again; if it stays so, tell the peer's operator"


def judge_probe(
    probe: Probe, network: str, release: str, *, hung_up: bool = False
) -> Check:
    """Say what came of dialling one first peer.

    Args:
        probe: what came of it.
        network: the id of our network.
        release: what we run, such as `0.1.0`.
        hung_up: whether it ends the running node's connections within moments.
    """
    versions = compare(probe.software, probe.protocols, release)
    if probe.code in {"", "protocol-unsupported"} and versions.apart:
        return _apart(probe, versions, release)
    if probe.code:
        remedy = REMEDIES.get(probe.code, _OTHERWISE)
        why = MEANINGS.get(probe.code, probe.message)
        return fail("bootstrap", f"{probe.target}: {why}", remedy, probe.code)
    if probe.networks is not None and network not in probe.networks:
        others = ", ".join(sorted(probe.networks)) or "none"
        return fail(
            "bootstrap",
            f"{probe.target} answers, but it is on network {others}, not {network}",
            f"join its network with --network, or find a peer of {network}",
        )
    if hung_up:
        return fail(
            "bootstrap",
            f"{probe.target} answers a stranger, and hangs up on this node",
            "it bans this node's peer id (moltp2p status), or two nodes have the same "
            "peer.key: ask its operator, or see that each node has a home of its own",
            "hung-up",
        )
    said = "" if probe.networks else "; it did not say on which network it is"
    told = f"{probe.told} others" if probe.told else "nobody else yet"
    theirs = f"; it runs {versions.theirs}" if versions.is_newer is not None else ""
    return ok("bootstrap", f"{probe.target} answers, and names {told}{said}{theirs}")


def _apart(probe: Probe, versions: Comparison, release: str) -> Check:
    """Say that a peer's release and ours do not understand each other."""
    theirs = versions.theirs or "another release"
    says = (
        f"{probe.target}: they run {theirs} (protocols {', '.join(versions.apart)}), "
        f"this is moltp2p {release}, which speaks none of those"
    )
    remedy = (
        "upgrade this node: CONTRIBUTING.md tells how"
        if versions.is_newer
        else "ask its operator to upgrade, and find another first peer until then"
    )
    return fail("bootstrap", says, remedy, "protocol-unsupported")


def judge_first_peers(known: int, role: Role) -> Check:
    """Say what it means that there is no first peer to dial.

    Args:
        known: addresses that the node knows all the same.
        role: what the node is for.
    """
    if known:
        return ok("bootstrap", f"none to dial now; {known} addresses are known")
    if role is Role.BOOTSTRAP:
        return note(
            "bootstrap",
            "no first peer is configured: it waits for others to dial it",
            "to join a network that there is, set `bootstrap` in config.toml",
        )
    return fail(
        "bootstrap",
        "no first peer is configured, and none is known from before",
        "give `run` a --bootstrap address, or set `bootstrap` in config.toml; a first "
        "node of a network needs none and waits for others",
    )


def judge_clock(ahead_ms: Iterable[int], now_ms: int) -> Check:
    """Compare our clock with those of peers, by their median."""
    found = list(ahead_ms)
    remedy = "set the clock: `timedatectl set-ntp true`"
    if now_ms < EARLIEST_MS:
        when = datetime.fromtimestamp(now_ms / 1000, UTC)
        return fail("clock", f"it says {when:%Y-%m-%d}, so it was never set", remedy)
    if not found:
        return skipped("clock", "no peer to compare it with")
    off_ms = round(statistics.median(found))
    way = "behind" if off_ms > 0 else "ahead of"
    says = f"{abs(off_ms) / 1000:,.0f} s {way} what peers say"
    if abs(off_ms) >= MAX_AHEAD_MS:
        return fail("clock", f"{says}: records will be refused", remedy)
    if abs(off_ms) >= NOTED_SKEW_MS:
        return note("clock", says, remedy)
    return ok("clock", f"within {max(1, abs(off_ms) // 1000)} s of what peers say")


def judge_peers(peers: Sequence[Mapping[str, Any]], network: str, role: Role) -> Check:
    """Say how many peers a running node has, and whether they are of its network."""
    if not peers and role is Role.BOOTSTRAP:
        return note(
            "peers", "nobody has come yet", "hand out its address: moltp2p status"
        )
    if not peers:
        return fail(
            "peers",
            "none is connected",
            "see the checks that failed; if no other did, whom it knows is away: give "
            "`run` another --bootstrap address. It keeps trying by itself",
        )
    dialled = sum(bool(each["outbound"]) for each in peers)
    says = f"{len(peers)} connected, {dialled} of them dialled by this node"
    settled = [each for each in peers if each["connected_s"] >= SETTLED_S]
    if settled and not any(each["topics"] for each in settled):
        return fail(
            "peers",
            f"{says}; none is in a topic of network {network}",
            "they are of another network: compare `network` on both sides",
        )
    return ok("peers", says)


def judge_reach(finding: Mapping[str, Any], role: Role) -> Check:
    """Say whether others can dial this node, or are told where they could.

    Args:
        finding: how a running node finds peers, as its status tells.
        role: what the node is for.
    """
    need = "it can dial others, which is enough; to be dialled,"
    if role is Role.BOOTSTRAP:
        need = "a first address is of use to those who can dial it:"
    announced, seen = finding["announced"], finding["seen"]
    if finding["reach"] == "open":
        return ok(
            "reachable", f"others reached it at {', '.join(finding['reached_at'])}"
        )
    if finding["relayed"]:
        relays = ", ".join(each.partition("/p2p/")[0] for each in finding["relayed"])
        return ok("reachable", f"others reach it through a relay: {relays}")
    if finding["reach"] == "closed":
        return note(
            "reachable",
            f"peers tried to dial it at {', '.join(announced) or 'its IP'}, in vain",
            f"{need} open the port in the firewall, or forward it and name it in "
            "`announce`",
        )
    wide = [
        each for each in announced if scope_of(parse_endpoint(each).ip) is Scope.WORLD
    ]
    if wide:
        return ok("reachable", f"others are told to dial {', '.join(wide)}")
    as_seen = f"; peers see it come from {', '.join(seen)}" if seen else ""
    return note(
        "reachable",
        f"nobody outside of this site is told of an address{as_seen}",
        f"{need} forward a port to it and name it in `announce`",
    )
