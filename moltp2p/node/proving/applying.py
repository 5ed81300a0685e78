"""The applicant's side of a node: from nothing to a proof, and to the next (spec 07).

nobody to ask ──▶ ticket ──▶ those it drew, some at a time ──▶ enough? ──▶ kind 7
      ▲             ▲                                            │
      │             └───────────── too few: another ticket ◀─────┘
      └── from the tenth day on: renew
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import trio

from moltp2p.core.author import Draft
from moltp2p.core.challenge.attested import QUORUM, Attested, Proof
from moltp2p.core.challenge.work import (
    MAX_NONCE,
    MAX_SIZE,
    Ticket,
    epoch_of,
    is_current,
    is_eligible,
    least_size,
    usual_size,
)
from moltp2p.core.errors import MoltError, PeerError
from moltp2p.core.ids import AgentId, agent_text, record_text
from moltp2p.core.kinds import Kind
from moltp2p.core.record import Record
from moltp2p.node.proving.account import Account, attested_by
from moltp2p.node.proving.challenge_means import Means
from moltp2p.node.proving.ticket_search import Found, search, tries_on_average
from moltp2p.node.proving.verify_stream import Ended, Line, converse
from moltp2p.proto.admission.register import Live
from moltp2p.proto.challenge.applicant import Challenged, applicant
from moltp2p.proto.challenge.events import Failed, Passed

TICK_S: Final = 0.5
"""How often to look whether there is somebody to ask, or something to do."""
BUSY_S: Final = 2.0
"""Until a challenger that had no time is asked again; then twice as long each time."""
FIRST_PAUSE_S: Final = 2.0
MAX_PAUSE_S: Final = 600.0
"""Before another ticket: twice as long after each that was not enough."""
PASSING: Final = frozenset({"busy", "too-slow", "dial-failed", "not-connected"})
"""The codes after which a challenger may be asked once more with one ticket."""
SPARE: Final = 1
"""Attestations beyond what is enough here, while the network is small: others may
have counted more challengers by then. More would use up slots that newcomers need;
but four it should be in the end, and slots of an epoch that is over are free."""
ALONE: Final = "no peers: a node proves its agent to others (run --bootstrap)"
NOBODY: Final = "nobody who counts can be asked yet"
MAX_ASKS: Final = 6
"""Of one challenger, with one ticket."""
MAX_DOUBLINGS: Final = 12
"""Of a ticket's size, one after each attempt that challengers found too weak: whoever
has just come knows fewer of them than they do."""


@dataclass(slots=True)
class Attempt:
    """What has become of one ticket.

    Attributes:
        found: the ticket.
        attested: what it has brought, by issuer.
        published: how many of those a proof has.
        asks: how often each challenger was asked.
        not_before: when each may be asked again; never is infinity.
        is_weak: whether a challenger has found its size too small.
    """

    found: Found
    attested: dict[AgentId, Attested] = field(default_factory=dict)
    published: int = 0
    asks: dict[AgentId, int] = field(default_factory=dict)
    not_before: dict[AgentId, float] = field(default_factory=dict)
    is_weak: bool = False

    def note(self, agent: AgentId, outcome: Ended) -> None:
        """Take note of how a session ended."""
        self.asks[agent] = self.asks.get(agent, 0) + 1
        again = outcome.code in PASSING and self.asks[agent] < MAX_ASKS
        pause_s = BUSY_S * 2.0 ** (self.asks[agent] - 1) if again else math.inf
        self.not_before[agent] = trio.current_time() + pause_s
        self.is_weak = self.is_weak or outcome.code == "weak-ticket"
        if isinstance(outcome.outcome, Passed):
            self.attested[agent] = outcome.outcome.attested

    def ready_at(self, agent: AgentId) -> float:
        """Return when a challenger may be asked; infinity for not again."""
        return self.not_before.get(agent, 0.0)


class Applying:
    """Gets its agent's proof, and keeps it fresh.

    Args:
        means: the node.

    Attributes:
        phase: what is going on, in a word: idle, waiting, ticket, asking.
        tries: Argon2id spent on the ticket that is looked for.
        attempt: what has become of the ticket in hand, if there is one.
        failures: tickets in a row that were not enough.
    """

    def __init__(self, means: Means) -> None:
        self.phase = "idle"
        self.tries = 0
        self.attempt: Attempt | None = None
        self.failures = 0
        self._weak = 0
        self._means = means
        self._wanted = trio.Event()
        self._anew = False
        self._waits_for = ""

    def want(self, *, anew: bool = False) -> None:
        """Try now, however long the last failure would have us wait.

        Args:
            anew: whether to renew a proof that is still good.
        """
        self._anew = self._anew or anew
        self._wanted.set()
        self._waits_for = ""  # to be told again

    def rest(self) -> None:
        """Try no more until it is wanted: the agent takes its proof back."""
        self._anew, self._wanted = False, trio.Event()

    @property
    def is_due(self) -> bool:
        """Tell whether a proof is missing, or to be renewed."""
        own = self._means.agents.own()
        if self._anew:
            return True
        return own.renew_ms is None or self._means.now_ms() >= own.renew_ms

    @property
    def _rests(self) -> bool:
        """Tell whether its agent took its proof back, and nobody wants another."""
        is_revoked = self._means.agents.own().revoked_ms is not None
        return is_revoked and not self._wanted.is_set()

    async def run(self) -> None:
        """Prove and renew, for ever; after a revocation only once it is asked for."""
        while True:
            self.phase = "idle"
            if not self._means.answering.solver.is_ready or self._rests:
                await trio.sleep(TICK_S)
                continue
            try:
                if self.is_due:
                    await self._prove()
                elif not await self._thicken():
                    await trio.sleep(TICK_S)
                self.failures = 0
            except MoltError as error:
                self.failures += 1
                pause_s = min(FIRST_PAUSE_S * 2 ** (self.failures - 1), MAX_PAUSE_S)
                told = {"code": error.code, "message": error.message}
                self._tell("failed", **told, hint=error.hint, again_s=pause_s)
                await self._pause(pause_s)

    async def _pause(self, pause_s: float) -> None:
        self._wanted = trio.Event()
        with trio.move_on_after(pause_s):
            await self._wanted.wait()

    async def _prove(self) -> None:
        """Make one attempt.

        Raises:
            PeerError: `not-enough` when the ticket did not bring enough.
            LocalError: the disk failed.
        """
        await self._wait_for_challengers()
        self.attempt = Attempt(await self._ticket())
        await self._ask(self.attempt)
        self._weak = min(self._weak + 1, MAX_DOUBLINGS) if self.attempt.is_weak else 0
        await self._publish(self.attempt)
        self._weak = 0

    async def _thicken(self) -> bool:
        """Go on with the ticket when the proof is hardly enough, as seen by now.

        Those who had begun to count by its time may become known here later, as they
        may have been known to others before. Returns whether it did anything.
        """
        attempt, own = self.attempt, self._means.agents.own()
        if attempt is None or own.time_ms is None or not self._is_usable(attempt):
            return False
        if self._missing(attempt, own.time_ms) <= 0 or not self._ready(attempt):
            return False
        await self._ask(attempt)
        if len(attempt.attested) > attempt.published and self._is_enough(attempt):
            await self._publish(attempt)
        return True

    async def _wait_for_challengers(self) -> None:
        self.phase, self._waits_for = "waiting", ""
        while not self._live():
            is_alone = not self._means.network.peers()
            why = ALONE if is_alone else NOBODY
            if why != self._waits_for:
                self._waits_for = why
                self._tell("waiting", message=why)
            await trio.sleep(TICK_S)

    async def _ticket(self) -> Found:
        """Find a ticket."""
        means = self._means
        self.phase, self.tries = "ticket", 0
        start = Ticket(
            epoch_of(means.now_ms()),
            min(usual_size(means.agents.known) << self._weak, MAX_SIZE),
            # Anywhere: two tries from one place would find one ticket.
            means.dice.randrange(MAX_NONCE // 2),
        )
        self._tell("ticket", tries=0, usual=tries_on_average(means.network_id))

        def tell(tries: int) -> None:
            self.tries = tries
            self._tell("ticket", tries=tries, usual=tries_on_average(means.network_id))

        return await search(means.network_id, means.agent, start, means.seek, tell)

    # -- asking ------------------------------------------------------------------

    async def _ask(self, attempt: Attempt) -> None:
        """Ask whom the ticket drew, until there is enough or nobody is left."""
        self.phase = "asking"
        while self._is_scant(attempt) and self._is_usable(attempt):
            if ready := self._ready(attempt):
                # No more than are missing: slots are few, and others need them.
                missing = self._missing(attempt, self._means.now_ms())
                at_once = min(missing, self._means.answering.solver.sessions)
                async with trio.open_nursery() as nursery:
                    for live in ready[:at_once]:
                        nursery.start_soon(self._apply, attempt, live)
            elif not self._drawn(attempt) or self._is_enough(attempt):
                return
            else:
                await trio.sleep(TICK_S)

    def _is_scant(self, attempt: Attempt) -> bool:
        return self._missing(attempt, self._means.now_ms()) > 0

    def _missing(self, attempt: Attempt, time_ms: int) -> int:
        """Return how many attestations are to be had yet: four, once slots are free."""
        wanted = QUORUM
        if attempt.found.ticket.epoch == epoch_of(self._means.now_ms()):
            wanted = min(self._means.agents.quorum(time_ms) + SPARE, QUORUM)
        return wanted - len(attempt.attested)

    def _is_enough(self, attempt: Attempt) -> bool:
        return len(attempt.attested) >= self._enough()

    def _enough(self) -> int:
        return self._means.agents.quorum(self._means.now_ms())

    def _is_usable(self, attempt: Attempt) -> bool:
        """Tell whether challengers still take the ticket."""
        ticket = attempt.found.ticket
        is_large = ticket.size >= least_size(self._means.agents.known)
        return is_large and is_current(ticket.epoch, self._means.now_ms())

    def _ready(self, attempt: Attempt) -> list[Live]:
        now = trio.current_time()
        return [
            live for live in self._drawn(attempt) if attempt.ready_at(live.agent) <= now
        ]

    def _drawn(self, attempt: Attempt) -> list[Live]:
        """Return those who can be asked, those first that count here."""
        ticket, value = attempt.found.ticket, attempt.found.value
        drawn = [
            live
            for live in self._live()
            if is_eligible(value, ticket.size, live.agent)
            and attempt.ready_at(live.agent) < math.inf
        ]
        self._means.dice.shuffle(drawn)
        return drawn

    def _live(self) -> Sequence[Live]:
        """Return who counts here, sets tasks that we know, and can be asked."""
        version = self._means.party().tasks.version
        return [live for live in self._means.counting() if version in live.says.tasks]

    async def _apply(self, attempt: Attempt, live: Live) -> None:
        """Apply to one challenger, and note how it ended."""
        name = agent_text(live.agent)
        self._tell("asked", agent=name)
        account = Account(self._means.answering.answer)
        ended = await self._session(attempt, live, account)
        attempt.note(live.agent, ended)
        if isinstance(ended.outcome, Passed):
            score = ended.outcome.attested.says.score
            count = len(attempt.attested)
            self._tell("attested", agent=name, score=score, attestations=count)
        else:
            self._tell("refused", agent=name, **account.told(ended))

    async def _session(self, attempt: Attempt, live: Live, account: Account) -> Ended:
        means, found = self._means, attempt.found
        try:
            stream = await means.open_stream(live)
        except PeerError as error:
            return Ended(Failed(error.code, error.message))
        try:
            other = Challenged(live.agent, stream.peer)
            machine = applicant(
                means.party(), other, found.ticket, found.value, means.moment()
            )
            hands = replace(means.hands(), ask=account.ask)
            ended = await converse(machine, Line(stream), hands)
        finally:
            await stream.close()
        await means.settle(stream.peer, ended)
        return ended

    # -- the proof ---------------------------------------------------------------

    async def _publish(self, attempt: Attempt) -> Record:
        """Publish what the ticket has brought.

        Raises:
            PeerError: `not-enough`.
            LocalError: the disk failed.
        """
        attested = tuple(attempt.attested.values())[:QUORUM]
        if not self._is_enough(attempt):
            raise _not_enough(f"{len(attested)} of {self._enough()} attestations")
        proof = Proof(attempt.found.ticket, attested)
        record = await self._means.publish(Draft(Kind.PROOF, proof))
        self._anew, attempt.published = False, len(attested)
        if self.is_due:
            raise _not_enough("the proof does not count here yet")
        own = self._means.agents.own()
        told = {"record": record_text(record.id), "expires_ms": own.expires_ms}
        self._tell("proved", **told, attested=attested_by(attested))
        return record

    def _tell(self, event: str, **fields: object) -> None:
        self._means.tell({"event": event} | fields)


def _not_enough(message: str) -> PeerError:
    return PeerError("not-enough", message, "another ticket is tried by itself")
