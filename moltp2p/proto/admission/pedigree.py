"""Who attested whom, and why it counts or does not: a census explained (spec 07).

    agent ── attestation ── attester ── attestation ── attester …

An attester is looked into once, where it stands nearest to the agent that was asked
about: so two who attest each other end, and the tree has no more branches than there
is to say. Where this node has challenged an attester itself, nothing else matters.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from moltp2p.core.ids import AgentId, RecordId
from moltp2p.proto.admission.census import Census
from moltp2p.proto.admission.rules import Claim, Objection, Vouch
from moltp2p.proto.admission.view import MAX_DEPTH

MAX_BRANCHES: Final = 256
"""Attestations in one pedigree; those nearest to the agent are in it."""

COUNTS: Final = "counts"


@dataclass(frozen=True, slots=True)
class Branch:
    """An attestation, and whether it helps its subject to count.

    Attributes:
        attestation: the proof that it is in, of the agent that it is for.
        attester: who gave it, and who attests for that one.
        counts: whether it is one of those by which its subject counts.
        code: `counts`, or why it does not (spec 09, section 8).
        reason: the same in words.
        time_ms: when it was given, by the attester's clock.
        expires_ms: when it ceases to hold.
    """

    attestation: RecordId
    attester: Pedigree
    counts: bool
    code: str
    reason: str
    time_ms: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Pedigree:
    """How an agent stands, and who attests for it.

    Attributes:
        agent: who it is.
        state: what it may do: `unverified`, `verified` or `challenger`.
        depth: how far from this node's own challenges, from 0; None if it does not
            count.
        expires_ms: until when it counts, milliseconds since 1970 UTC, if nothing
            else happens; None if it does not count, or is this node's own agent
            without a proof.
        attested_by: attestations for it, those of its newest proof first.
        is_cut: whether attestations for it are left out here: they stand elsewhere
            in the tree, or are too far from its root, or too many.
    """

    agent: AgentId
    state: str
    depth: int | None
    expires_ms: int | None
    attested_by: tuple[Branch, ...] = ()
    is_cut: bool = False


def pedigree(
    census: Census,
    agent: AgentId,
    *,
    depth_limit: int = MAX_DEPTH,
    branch_limit: int = MAX_BRANCHES,
) -> Pedigree:
    """Return who attests for an agent, who for those, and so on.

    Args:
        census: who counts.
        agent: whom it is about; it need not be known.
        depth_limit: how many attestations in a row are followed.
        branch_limit: how many attestations there are in all, at most.
    """
    root = _Node(agent, 0)
    seen, waiting, left = {agent}, deque([root]), branch_limit
    while waiting:
        node = waiting.popleft()
        claims = census.claims(node.agent)
        needed = sum(len(claim.vouches) for claim in claims)
        is_own = node is not root and _is_direct(census, node.agent)
        if is_own or node.level >= depth_limit or needed > left:
            node.is_cut = needed > 0
            continue
        left -= needed
        for claim, vouch, objection in _judged(census, node.agent):
            child = _Node(vouch.issuer, node.level + 1)
            node.branches.append((claim, vouch, objection, child))
            if vouch.issuer in seen:
                child.is_cut = bool(census.claims(vouch.issuer))
            else:
                seen.add(vouch.issuer)
                waiting.append(child)
    return _frozen(census, root)


@dataclass(slots=True)
class _Node:
    agent: AgentId
    level: int
    is_cut: bool = False
    branches: list[tuple[Claim, Vouch, Objection | None, _Node]] = field(
        default_factory=list
    )


def _frozen(census: Census, node: _Node) -> Pedigree:
    place = census.place(node.agent)
    branches = (
        Branch(
            claim.record,
            _frozen(census, child),
            objection is None,
            COUNTS if objection is None else objection.value,
            _IN_WORDS[objection],
            vouch.time_ms,
            vouch.expires_ms,
        )
        for claim, vouch, objection, child in node.branches
    )
    return Pedigree(
        node.agent,
        census.state(node.agent).value,
        None if place is None else place.depth,
        _until_ms(census, node.agent),
        tuple(branches),
        node.is_cut,
    )


def _is_direct(census: Census, agent: AgentId) -> bool:
    place = census.place(agent)
    return place is not None and place.depth == 0


def _until_ms(census: Census, agent: AgentId) -> int | None:
    untils = [*census.untils_ms(agent), census.direct_until_ms(agent)]
    return max((each for each in untils if each is not None), default=None)


def _judged(
    census: Census, agent: AgentId
) -> Iterator[tuple[Claim, Vouch, Objection | None]]:
    """Yield all attestations for an agent, with what speaks against each."""
    place = census.place(agent)
    # One who does not count is asked for least where all who count may attest.
    depth = MAX_DEPTH if place is None else max(1, place.depth)
    for claim in census.claims(agent):
        against_all = census.view.objection_to(claim, depth)
        for vouch in claim.vouches:
            objection = census.view.objection(vouch, depth, claim)
            yield claim, vouch, objection or against_all


_IN_WORDS: Final = {
    None: "it counts",
    Objection.EXPIRED: "it has expired",
    Objection.FUTURE: "it is from the future",
    Objection.CHEATED: "who gave it had cheated before, as somebody has proved",
    Objection.UNVERIFIED: "who gave it does not count here",
    Objection.LOW: "who gave it stands no nearer to this node than its subject",
    Objection.BEYOND_DEPTH: "who gave it stands as far from this node as anybody may",
    Objection.YOUNG: "who gave it is not of age as a challenger",
    Objection.KEY_UNKNOWN: "no key of the one who gave it has signed it",
    Objection.REVOKED: "its subject has revoked the proof that it is in",
    Objection.WEAK_TICKET: "its ticket was drawn from too few challengers",
    Objection.TOO_FEW: "it would count, but too few others of its proof do",
}
