"""One session of a challenge on one stream: the machine decides, trio carries.

stream ──frames──▶ events ──▶ machine.handle ──▶ actions ──┬─▶ stream
ticket's value, answers ──▲   (a worker thread)            ├─▶ Argon2, in a thread
                                                           ├─▶ the solver
                                                           └─▶ the journal
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar, assert_never

import trio

from moltp2p.core.challenge.attested import Attested
from moltp2p.core.challenge.work import ticket_value
from moltp2p.core.errors import MoltError, PeerError
from moltp2p.net.base import Stream
from moltp2p.net.streams import FrameReader, FrameWriter
from moltp2p.proto.challenge.events import (
    Answered,
    Ask,
    ChallengeAction,
    ChallengeEvent,
    Closed,
    Done,
    Failed,
    Hashed,
    HashTicket,
    Keep,
    Passed,
    Received,
    Send,
    TimedOut,
)
from moltp2p.proto.challenge.machine import Machine
from moltp2p.proto.challenge.messages import MAX_MESSAGE_BYTES

Result = TypeVar("Result")

EVENTS: Final = 4
"""What has happened and the machine has not heard; more waits in the stream."""

FAULTS: Final = frozenset(
    {
        "bad-statement",
        "malformed",
        "not-canonical",
        "too-deep",
        "bad-frame",
        "frame-too-large",
        "wrong-party",
        "bad-ticket",
        "not-eligible",
        "unfair-limit",
        "reveal-mismatch",
        "wrong-world",
        "bad-attestation",
    }
)
"""The codes with which a session ends by the peer's fault, and is counted against it;
any other may happen to honest peers."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a session ended, and whether the peer is to blame.

    Attributes:
        outcome: what the machine said.
        is_fault: whether the peer did what no honest one does.
    """

    outcome: Passed | Failed
    is_fault: bool = False

    @property
    def code(self) -> str:
        """Return `passed`, or why not."""
        return self.outcome.code if isinstance(self.outcome, Failed) else "passed"

    @property
    def message(self) -> str:
        """Return the same for a person."""
        return self.outcome.message if isinstance(self.outcome, Failed) else ""


class Compute(Protocol):
    """Runs what takes milliseconds off the loop: `trio.to_thread.run_sync`."""

    async def __call__(self, work: Callable[..., Result], *args: Any) -> Result:  # noqa: ANN401 - any work
        """Return what the work returns."""
        ...


@dataclass(frozen=True, slots=True)
class Hands:
    """What carries out what a machine decides.

    Attributes:
        network: the network's name.
        ask: puts tasks before the solver; never raises, ends before the limit.
        keep: publishes an attestation; it is on disk on return.
        compute: runs the machine, which signs and words.
        hash: runs Argon2id.
    """

    network: str
    ask: Callable[[Ask], Awaitable[tuple[str | None, ...]]]
    keep: Callable[[Attested], Awaitable[object]]
    compute: Compute
    hash: Compute


class Line:
    """The frames of a stream.

    Args:
        stream: read and written by nobody else.
    """

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._reader = FrameReader(stream, MAX_MESSAGE_BYTES)
        self._writer = FrameWriter(stream, MAX_MESSAGE_BYTES)

    async def receive(self) -> bytes:
        """Return the next frame's payload; nothing at the end."""
        return await self._reader.receive()

    async def send(self, payload: bytes) -> None:
        """Send a frame."""
        await self._writer.send(payload)


async def converse(
    machine: Machine, line: Line, hands: Hands, heard: bytes | None = None
) -> Ended:
    """Run a session to its end.

    Args:
        machine: one side of it.
        line: the other side.
        hands: what the machine has at its disposal.
        heard: the payload of a frame that was read from the stream already.

    Returns:
        How it ended; also when the peer went away, or the disk failed.
    """
    return await _Session(machine, line, hands).run(heard)


class _Session:
    def __init__(self, machine: Machine, line: Line, hands: Hands) -> None:
        self._machine = machine
        self._line = line
        self._hands = hands
        self._tell, self._told = trio.open_memory_channel[ChallengeEvent](EVENTS)

    async def run(self, heard: bytes | None) -> Ended:
        try:
            async with trio.open_nursery() as nursery:
                if heard is not None:
                    self._tell.send_nowait(Received(heard))
                nursery.start_soon(self._listen)
                ended = await self._talk(nursery)
                nursery.cancel_scope.cancel()
        finally:
            self._machine.close()
        return ended

    async def _talk(self, nursery: trio.Nursery) -> Ended:
        actions: Sequence[ChallengeAction] = self._machine.first
        while True:
            try:
                outcome = await self._perform(actions, nursery)
            except MoltError as error:  # the stream, the disk, or a store behind
                return _failed(error)
            if outcome is not None:
                # Whoever was told that it was refused did not find the fault.
                is_ours = any(isinstance(each, Send) for each in actions)
                return _ended(outcome, is_ours=is_ours)
            event: ChallengeEvent = TimedOut()
            with trio.move_on_at(self._machine.deadline):
                event = await self._told.receive()
            now = trio.current_time()
            if isinstance(event, _Garbled):
                return _failed(event.error)
            actions = await self._hands.compute(self._machine.handle, event, now)

    async def _perform(
        self, actions: Sequence[ChallengeAction], nursery: trio.Nursery
    ) -> Passed | Failed | None:
        """Do what the machine wants, in order; return how the session ended, if so."""
        for action in actions:
            match action:
                case Send(payload):
                    await self._line.send(payload)
                case Keep(attested):
                    await self._hands.keep(attested)
                case HashTicket():
                    nursery.start_soon(self._hash, action)
                case Ask():
                    nursery.start_soon(self._ask, action)
                case Done(outcome):
                    return outcome
                case _:
                    assert_never(action)
        return None

    async def _listen(self) -> None:
        """Turn frames into events, one at a time: the peer waits for the machine."""
        try:
            while payload := await self._line.receive():
                await self._tell.send(Received(payload))
        except PeerError as error:
            if error.code != "stream-reset":
                await self._tell.send(_Garbled(error))
                return
        await self._tell.send(Closed())

    async def _hash(self, wanted: HashTicket) -> None:
        value = await self._hands.hash(
            ticket_value, self._hands.network, wanted.subject, wanted.ticket
        )
        await self._tell.send(Hashed(value))

    async def _ask(self, ask: Ask) -> None:
        await self._tell.send(Answered(await self._hands.ask(ask)))


@dataclass(frozen=True, slots=True)
class _Garbled(Closed):
    """What came is no frame; the machine need not see it."""

    error: PeerError


def _failed(error: MoltError) -> Ended:
    return _ended(Failed(error.code, error.message), is_ours=True)


def _ended(outcome: Passed | Failed, *, is_ours: bool) -> Ended:
    is_fault = is_ours and isinstance(outcome, Failed) and outcome.code in FAULTS
    return Ended(outcome, is_fault)
