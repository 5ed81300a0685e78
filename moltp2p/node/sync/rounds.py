"""Doing what `proto/sync/round.py` says, with one peer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, assert_never

import trio

from moltp2p.core.errors import LocalError, MoltError, PeerError
from moltp2p.core.ids import PeerId, RecordId
from moltp2p.net.background import open_background
from moltp2p.net.base import Network
from moltp2p.node.journal import Journal
from moltp2p.node.outage import PASSING
from moltp2p.node.pen import Incoming
from moltp2p.node.sync.bulk import QUEUED_PARTS, Bulk, Tally
from moltp2p.node.sync.fetching import Fetching, open_fetching
from moltp2p.node.sync.reconciling import compare
from moltp2p.proto.sync.fetch import MAX_ASKED, REFUSALS, AskRecords, End, Part
from moltp2p.proto.sync.initiator import Done, Narrower, Outcome, Refused
from moltp2p.proto.sync.ledger import Ledger
from moltp2p.proto.sync.messages import Same, Window
from moltp2p.proto.sync.plan import Result
from moltp2p.proto.sync.round import Fetch, Over, Probe, Reconcile, Round, Wait
from moltp2p.store.base import Store

WAIT_S: Final = 0.25
"""How often to look whether what others fetch has come."""

READ_PARTS: Final = 1
"""Parts that were read ahead and wait to be judged; then reading waits."""

FIRST_ASK: Final = 64
QUICK_S: Final = 2.0
"""The first ask of a round is for so many ids; it doubles while an answer takes no
longer than this, and is halved when one does: a slow peer is asked for little."""

PATIENCE_S: Final = 120.0
LEAST_PER_S: Final = 2.0
"""A round of more than so long that has gained less than so much a second makes
room for another."""

GUILTLESS: Final = frozenset(
    {
        "not-connected",
        "protocol-unsupported",
        "refused",
        "stream-reset",
        "too-busy",
        "too-many-streams",
    }
)
"""Codes that end a round and blame nobody."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What rounds share.

    Attributes:
        network: where peers are.
        store: what we hold.
        journal: judges and keeps what comes.
        ledger: what is known of ids.
    """

    network: Network
    store: Store
    journal: Journal
    ledger: Ledger


class RoundDriver:
    """One round with one peer.

    Args:
        tools: what rounds share.
        peer: with whom.
        windows: what to compare.
        fresh: whether the two may differ in much.

    Attributes:
        round: how far it is.
    """

    def __init__(
        self, tools: Tools, peer: PeerId, windows: Sequence[Window], *, fresh: bool
    ) -> None:
        self.round = Round(peer, windows, tools.ledger, fresh=fresh)
        self._tools = tools
        self._peer = peer
        topics = {topic for window in windows for topic in window.topics}
        self._bulk = Bulk(tools.journal, tools.ledger, topics, peer, trio.current_time)
        self._ask_size = FIRST_ASK
        self._is_news = False
        self._began = trio.current_time()

    async def run(self) -> Result:
        """Do the round to its end; a fault of the peer is reported, and in the result.

        Nothing of a peer's comes out as an error.
        """
        try:
            agreed = await self._run()
        except PeerError as error:
            if error.code not in GUILTLESS:
                self._tools.network.report(self._peer, error.code)
            return self._result(error.code)
        except LocalError as error:
            # The disk is full, or fails: the next round will see.
            return self._result(error.code, is_ours=error.code in PASSING)
        finally:
            self.round.close()
        return self._result("", agreed=agreed)

    def _result(
        self, code: str, *, agreed: bool = False, is_ours: bool = False
    ) -> Result:
        return Result(
            code=code,
            is_ours=is_ours,
            agreed=agreed,
            gained=self.round.gained,
            is_news=self._is_news,
            behind=self.round.behind,
        )

    async def _run(self) -> bool:
        while True:
            await self._fetch_all()
            self._check_pace()
            match step := self.round.step():
                case Probe(window) | Reconcile(window):
                    await self._compare(window, probe=isinstance(step, Probe))
                case Wait():
                    await trio.sleep(WAIT_S)
                case Fetch():
                    pass
                case Over(agreed):
                    return agreed
                case _:
                    assert_never(step)

    def _check_pace(self) -> None:
        elapsed_s = trio.current_time() - self._began
        if elapsed_s > PATIENCE_S and self.round.gained < LEAST_PER_S * elapsed_s:
            raise PeerError("too-slow", f"{self.round.gained} in {elapsed_s:.0f} s")

    # -- comparing -------------------------------------------------------------

    async def _compare(self, window: Window, *, probe: bool) -> None:
        tools = self._tools
        found = await compare(
            tools.network, self._peer, tools.store, window, probe=probe
        )
        if found.outcome is None:
            self.round.differs(tools.journal.clock_ms())
            return
        self._conclude(found.outcome)
        if isinstance(found.outcome, Done):
            # In a thread: it may be 65,536 ids, and others wait for this loop.
            now = trio.current_time()
            await trio.to_thread.run_sync(self.round.lacks, found.need, now)

    def _conclude(self, outcome: Outcome) -> None:
        match outcome:
            case Same():
                self.round.same()
            case Done():
                pass
            case Narrower(code, window):
                self.round.narrower(window, rest=code == "too-big")
            case Refused("narrower"):
                self.round.same()  # it keeps nothing of it
            case Refused(code):
                # A stranger's word must not become one of ours.
                known = code if code in REFUSALS else "refused"
                raise PeerError(known, "the peer does not compare that")
            case _:
                assert_never(outcome)

    # -- fetching --------------------------------------------------------------

    async def _fetch_all(self) -> None:
        """Fetch what there is to fetch; all of it is judged on return."""
        ids = self.round.fetch(self._ask_size, trio.current_time())
        if not ids:
            return
        async with open_fetching(self._tools.network, self._peer) as fetching:
            pipe = _Pipe(self._bulk, self._note)
            async with open_background() as nursery:
                nursery.start_soon(pipe.run, nursery.cancel_scope)
                while ids:
                    await self._ask(fetching, pipe, ids)
                    self._check_pace()
                    ids = self.round.fetch(self._ask_size, trio.current_time())
                await pipe.finish()
            pipe.check()

    async def _ask(
        self, fetching: Fetching, pipe: _Pipe, ids: tuple[RecordId, ...]
    ) -> None:
        began = trio.current_time()
        ended = await fetching.ask(AskRecords(ids), pipe.put)
        is_quick = trio.current_time() - began <= QUICK_S
        self._ask_size = self._ask_size * 2 if is_quick else self._ask_size // 2
        self._ask_size = min(max(self._ask_size, 1), MAX_ASKED)
        await pipe.end(ids, ended)

    def _note(self, ids: Sequence[RecordId], end: End, tally: Tally) -> None:
        """Tell the round what came of an answer that is judged by now."""
        if not tally.came <= set(ids):
            raise PeerError("unasked-record", "sent what was not asked for")
        self._is_news = self._is_news or tally.is_news
        absent = set(end.absent)
        done = tally.came | absent
        reached = [each for each in ids if each in done]
        self.round.left_out([each for each in ids if each not in done])
        self.round.came(reached, absent - tally.came, tally.kept)


@dataclass(frozen=True, slots=True)
class _Answered:
    """An answer whose parts have all been put: to which ask, and how it ended."""

    ids: tuple[RecordId, ...]
    end: End
    noted: trio.Event = field(default_factory=trio.Event)


@dataclass(frozen=True, slots=True)
class _Read:
    """A part that was read, and is to be judged."""

    incoming: Sequence[Incoming]


_Note = Callable[[Sequence[RecordId], End, Tally], None]
"""Told of an answer that is judged: what was asked, how it ended, what came of it."""


class _Pipe:
    """Parts on their way to the journal; a few wait, then whoever puts waits."""

    def __init__(self, bulk: Bulk, note: _Note) -> None:
        self._bulk = bulk
        self._note = note
        self._send, self._receive = trio.open_memory_channel[Part | _Answered](
            QUEUED_PARTS
        )
        self._finished = trio.Event()
        self._error: MoltError | None = None

    async def put(self, wires: tuple[bytes, ...]) -> None:
        """Have records judged."""
        await self._send.send(Part(wires))

    async def end(self, ids: tuple[RecordId, ...], end: End) -> None:
        """Say that all of the answer to an ask has been put.

        Who did not hold all that it named is asked for more once that has counted.
        """
        answered = _Answered(ids, end)
        await self._send.send(answered)
        if end.absent:
            await answered.noted.wait()

    async def finish(self) -> None:
        """Wait until all is judged."""
        self._send.close()
        await self._finished.wait()

    def check(self) -> None:
        """Raise what judging raised."""
        if self._error is not None:
            raise self._error

    async def run(self, putting: trio.CancelScope) -> None:
        """Judge until nothing more is put; what fails ends the putting too."""
        try:
            async with open_background() as nursery:
                send, receive = trio.open_memory_channel[_Read | _Answered](READ_PARTS)
                nursery.start_soon(self._read, send)
                await self._judge(receive)
        except (PeerError, LocalError) as error:
            self._error = error
            putting.cancel()
        finally:
            self._finished.set()

    async def _read(self, send: trio.MemorySendChannel[_Read | _Answered]) -> None:
        """Read parts, the next while the last one is judged."""
        async with send:
            async for piece in self._receive:
                match piece:
                    case Part(wires):
                        await send.send(_Read(await self._bulk.read(wires)))
                    case _Answered():
                        await send.send(piece)
                    case _:
                        assert_never(piece)

    async def _judge(
        self, receive: trio.MemoryReceiveChannel[_Read | _Answered]
    ) -> None:
        tally = Tally()
        async for piece in receive:
            match piece:
                case _Read(incoming):
                    await self._bulk.judge(incoming, tally)
                case _Answered(ids, end, noted):
                    self._note(ids, end, tally)
                    tally = Tally()
                    noted.set()
                case _:
                    assert_never(piece)
