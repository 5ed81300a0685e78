"""Who counts at this node: the register of `proto`, filled from the store.

The journal tells it of each record that is kept, in the worker thread. Whoever else
asks looks things up, from any thread: nothing here waits, or is changed by asking.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import trio

from moltp2p.core.challenge.testimony import VALID_MS
from moltp2p.core.ids import AgentId, PublicKey, RecordId
from moltp2p.core.kinds import Kind
from moltp2p.core.record import Record
from moltp2p.proto.admission.pedigree import Pedigree, pedigree
from moltp2p.proto.admission.register import LIVE_MS, Live, Register
from moltp2p.proto.admission.rules import State, Tally
from moltp2p.store.base import MAX_PAGE_RECORDS, Order, Query, Store

RENEW_MS: Final = 345_600_000
"""So long before it expires, a proof is renewed: from the tenth day on."""

_COUNTED: Final = frozenset({Kind.PROOF, Kind.FRAUD, Kind.REVOCATION})


@dataclass(frozen=True, slots=True)
class OwnProof:
    """How this node's agent stands, as others see it.

    Attributes:
        state: what it may do.
        record: its newest proof; None when it has none.
        time_ms: when that was written.
        expires_ms: until when its proofs let it speak; None when it never could.
        renew_ms: when it should renew them.
        revoked_ms: when it took them back; None when it proved itself since, or never
            did so.
    """

    state: State
    record: RecordId | None = None
    time_ms: int | None = None
    expires_ms: int | None = None
    renew_ms: int | None = None
    revoked_ms: int | None = None


class Agents:
    """What is known of agents. An `Admission`.

    Args:
        me: this node's agent, if it has one.
        store: read for key chains, and once for all that was kept before.
        clock_ms: our clock, milliseconds since 1970 UTC.

    Attributes:
        register: what follows from the records.
    """

    def __init__(
        self, me: AgentId | None, store: Store, clock_ms: Callable[[], int]
    ) -> None:
        self._me = me
        self._store = store
        self._clock_ms = clock_ms
        self.register = Register(me, self.owns, clock_ms())

    def load(self) -> None:
        """Learn from all that is held; blocks.

        Raises:
            LocalError: `store-failed`.
        """
        kinds = Query(kinds=_COUNTED, order=Order.OLDEST_FIRST)
        self.register.note_all(self._read(kinds))
        if self._me is not None:
            given = Query(agent=self._me, kinds=frozenset({Kind.ATTESTATION}))
            self.register.note_all(self._read(given))
        lately = (max(self._clock_ms() - LIVE_MS, 0), RecordId(bytes(32)))
        live = frozenset({Kind.AVAILABILITY})
        query = Query(kinds=live, order=Order.OLDEST_FIRST, after=lately)
        self.register.note_all(self._read(query))
        self.register.meet(self._store.agents())

    # -- what anybody may ask --------------------------------------------------------

    def state(self, agent: AgentId) -> State:
        """Return what an agent may do; this node's own by its proof."""
        if agent == self._me and not self.register.untils_ms(agent):
            return State.UNVERIFIED
        return self.register.now.state(agent)

    def admitted_until_ms(self, agent: AgentId) -> int | None:
        """Return until when an agent's proofs admit what it says, or None."""
        return self.register.admitted_until_ms(agent)

    def has_room(self, record: Record) -> bool:
        """Tell whether there is room for testimony by one who never counted."""
        return self.register.has_room(record)

    def owns(self, agent: AgentId, key: PublicKey) -> bool:
        """Tell whether a key is, or was, an agent's."""
        if PublicKey(agent) == key:
            return True
        chain = self._store.key_chain(agent)
        return chain is not None and any(link.key == key for link in chain.links)

    def own(self) -> OwnProof:
        """Return how this node's agent stands."""
        if self._me is None:
            return OwnProof(State.UNVERIFIED)
        claims = self.register.now.claims(self._me)
        expires_ms = self.register.admitted_until_ms(self._me)
        newest_ms = claims[0].time_ms if claims else -1
        revoked_ms = self.register.now.revoked_ms(self._me)
        is_revoked = revoked_ms is not None and revoked_ms >= newest_ms
        return OwnProof(
            self.state(self._me),
            claims[0].record if claims else None,
            claims[0].time_ms if claims else None,
            expires_ms,
            None if expires_ms is None else expires_ms - RENEW_MS,
            revoked_ms if is_revoked else None,
        )

    async def pedigree(self, agent: AgentId) -> Pedigree:
        """Return who attests for an agent, and why that counts here or does not."""
        return await trio.to_thread.run_sync(pedigree, self.register.now, agent)

    def challengers(self, now_ms: int) -> list[Live]:
        """Return who says that it can be asked, the one heard from last first."""
        return self.register.challengers(now_ms)

    def tally(self) -> Tally:
        """Return who counts in figures; this node's own agent goes by its proof."""
        census = self.register.now
        standings = census.standings()
        if self._me is not None:
            standings[census.state(self._me)] -= 1
            standings[self.state(self._me)] += self.has_proof(self._me)
        return Tally(
            standings[State.UNVERIFIED],
            standings[State.VERIFIED],
            standings[State.CHALLENGER],
            self.known,
            census.view.claims.vouches,
            self.quorum(self._clock_ms()),
        )

    @property
    def known(self) -> int:
        """Return how many challengers there are, in the last day, that count."""
        return self.register.known(self._clock_ms())

    def quorum(self, time_ms: int) -> int:
        """Return how many attestations a proof of a time needs, if all is known."""
        return self.register.now.bars()[-1].quorum(time_ms, 1)

    @property
    def counts_nobody(self) -> bool:
        """Tell whether nobody counts here but this node's own agent."""
        return not self.register.now.agents().keys() - {self._me}

    def has_proof(self, agent: AgentId) -> bool:
        """Tell whether an agent has a proof, whether or not it counts here."""
        return bool(self.register.now.claims(agent))

    def is_believed(self, agent: AgentId) -> bool:
        """Tell whether an agent counts as challenged by this node now."""
        return self.register.now.direct_until_ms(agent) is not None

    # -- the journal's ---------------------------------------------------------------

    def believe(self, agent: AgentId, now_ms: int) -> set[AgentId]:
        """Count an agent as challenged from now on; return whom that moves."""
        return self.register.believe(agent, now_ms, now_ms + VALID_MS)

    def note(self, record: Record) -> set[AgentId]:
        """Learn from a record that was accepted; return who may be admitted by it."""
        return self.register.note(record)

    def advance(self, now_ms: int) -> set[AgentId]:
        """Move the clock on; return whom that moves."""
        return self.register.advance(now_ms)

    def rekey(self, agent: AgentId) -> set[AgentId]:
        """Learn that a key chain is another; return whom that moves."""
        return self.register.rekey(agent, self._store.has)

    def _read(self, query: Query) -> Iterator[Record]:
        query = dataclasses.replace(query, deleted=True, limit=MAX_PAGE_RECORDS)
        while True:
            page = self._store.page(query)
            yield from (stored.record for stored in page.records)
            if not page.more:
                return
            query = dataclasses.replace(query, cursor=page.cursor, after=None)
