"""A js-libp2p peer, as tests see it (js/peer.mjs)."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import trio

from moltp2p.core.ids import MessageId, PeerId
from tests.interop.js_process import JsError, JsProcess

WAIT_S: Final = 180.0
"""How long anything may take that a test waits for."""
GOODBYE_S: Final = 3.0
"""How long a peer may take to close; then we hang up on it."""
MESHSUB_1_1: Final = "/meshsub/1.1.0"
MESHSUB_1_2: Final = "/meshsub/1.2.0"


@dataclass(frozen=True, slots=True)
class JsOptions:
    """How a js peer is to be.

    Attributes:
        name: chooses its key; the same name is the same peer.
        protocols: the only meshsub protocols that it offers, best first.
        policy: `StrictNoSign` or `StrictSign`.
        listen: multiaddrs.
        gossipsub: options of js-libp2p's `gossipsub()`, by their own names.
        monitor: options of js-libp2p's `connectionMonitor`. It pings every peer, by
            default each 10 s; here more often, that short tests see it too.
    """

    name: str = "js"
    protocols: Sequence[str] = (MESHSUB_1_2, MESHSUB_1_1)
    policy: str = "StrictNoSign"
    listen: Sequence[str] = ("/ip4/127.0.0.1/tcp/0",)
    gossipsub: Mapping[str, object] = field(default_factory=dict)
    monitor: Mapping[str, object] = field(default_factory=lambda: {"pingInterval": 300})


@dataclass(frozen=True, slots=True)
class JsMessage:
    """A message that reached the js application."""

    topic: str
    data: bytes
    id: MessageId
    sender: PeerId


@dataclass(frozen=True, slots=True)
class Identity:
    """What a peer said of itself through identify."""

    agent: str | None
    protocols: Sequence[str]
    addresses: Sequence[str]


@dataclass(frozen=True, slots=True)
class JsPeerState:
    """What the js router holds of one of its peers.

    Attributes:
        protocol: of the stream that it writes to the peer; None without one.
        score: what its peer scoring makes of the peer.
    """

    protocol: str | None
    score: float


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """What a peer made of bytes on a stream of their own.

    Attributes:
        end: `closed` or `reset` by the peer, or still `open`.
        data: what it sent back.
    """

    end: str
    data: bytes


class JsPeer:
    """A running js-libp2p peer. Made by `open_js_peer`.

    Attributes:
        peer: who it is.
        addresses: where it listens, with `/p2p/<peer id>`.
        connected: the peers it is connected to.
        identified: what its peers said of themselves.
        messages: what reached its application, in order.
        mesh: by topic, the peers in its mesh.
        subscribers: by topic, the peers that it knows to be in the topic.
    """

    def __init__(self, stream: trio.SocketStream) -> None:
        self.peer = PeerId("")
        self.addresses: Sequence[str] = ()
        self.connected: set[PeerId] = set()
        self.identified: dict[PeerId, Identity] = {}
        self.messages: list[JsMessage] = []
        self.mesh: dict[str, set[PeerId]] = {}
        self.subscribers: dict[str, set[PeerId]] = {}
        self._stream = stream
        self._answers: dict[int, Mapping[str, Any]] = {}
        self._commands = 0
        self._writing = trio.Lock()
        self._news = trio.lowlevel.ParkingLot()
        self._ended = False

    async def until(self, claim: Callable[[], bool], within_s: float = WAIT_S) -> None:
        """Wait until `claim` holds; look again whenever the js side says something.

        Raises:
            AssertionError: it did not hold within `within_s` seconds.
            JsError: the peer has ended before.
        """
        with trio.move_on_after(within_s):
            while not claim():
                if self._ended:
                    raise JsError("the peer has ended")
                await self._news.park()
            return
        raise AssertionError(f"did not come about within {within_s} s; {self!r}")

    async def dial(self, address: str) -> PeerId:
        """Connect to a multiaddr.

        Raises:
            JsError: nobody, or the wrong peer, answered.
        """
        answer = await self._ask("dial", address=address)
        return PeerId(answer["peer"])

    async def subscribe(self, topic: str) -> None:
        """Join a topic."""
        await self._ask("subscribe", topic=topic)

    async def unsubscribe(self, topic: str) -> None:
        """Leave a topic."""
        await self._ask("unsubscribe", topic=topic)

    async def publish(self, topic: str, *data: bytes) -> list[int]:
        """Publish each of `data`; return to how many peers each was sent."""
        texts = [base64.b64encode(each).decode() for each in data]
        answer = await self._ask("publish", topic=topic, data=texts)
        return list(answer["recipients"])

    async def state(self, topic: str) -> dict[PeerId, JsPeerState]:
        """Return what the router holds of its peers, and note the topic's sets."""
        answer = await self._ask("state", topic=topic)
        self.mesh[topic] = {PeerId(each) for each in answer["mesh"]}
        self.subscribers[topic] = {PeerId(each) for each in answer["subscribers"]}
        return {
            PeerId(each["peer"]): JsPeerState(each["protocol"], each["score"])
            for each in answer["peers"]
        }

    async def send_raw(
        self, peer: PeerId, protocol: str, data: bytes, wanted_bytes: int = 1
    ) -> RawAnswer:
        """Send bytes of any kind on a stream of their own; return what came of it.

        Waits for `wanted_bytes`, the end of the stream, or three seconds. The
        stream is gone afterwards.
        """
        text = base64.b64encode(data).decode()
        answer = await self._ask(
            "raw", peer=peer, protocol=protocol, data=text, wanted=wanted_bytes
        )
        return RawAnswer(answer["end"], base64.b64decode(answer["data"]))

    def data(self, topic: str) -> list[bytes]:
        """Return the data of the messages that reached it on a topic, in order."""
        return [each.data for each in self.messages if each.topic == topic]

    async def _open(self, options: JsOptions) -> None:
        answer = await self._ask(
            "open",
            listen=list(options.listen),
            seed=hashlib.sha256(f"js {options.name}".encode()).hexdigest(),
            protocols=list(options.protocols),
            policy=options.policy,
            gossipsub=dict(options.gossipsub),
            monitor=dict(options.monitor),
        )
        self.peer = PeerId(answer["peer"])
        self.addresses = tuple(answer["addresses"])

    async def _close(self) -> None:
        """Have the peer say goodbye to its own, and end."""
        with trio.move_on_after(GOODBYE_S, shield=True):
            with suppress(JsError, trio.BrokenResourceError):  # ended before
                await self._ask("close")
        await trio.aclose_forcefully(self._stream)

    async def _ask(self, op: str, **arguments: object) -> Mapping[str, Any]:
        self._commands += 1
        number = self._commands
        line = json.dumps({"id": number, "op": op, **arguments}) + "\n"
        async with self._writing:
            await self._stream.send_all(line.encode())
        await self.until(lambda: number in self._answers)
        answer = self._answers.pop(number)
        if "error" in answer:
            raise JsError(f"{op}: {answer['error']}")
        return answer

    async def _listen(self) -> None:
        """Take in what the js side says, to its end."""
        rest = b""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for chunk in self._stream:
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._note(json.loads(line))
                self._news.unpark_all()
        self._ended = True
        self._news.unpark_all()

    def _note(self, line: Mapping[str, Any]) -> None:
        match line:
            case {"answer": number}:
                self._answers[number] = line
            case {"event": "connected", "peer": peer}:
                self.connected.add(PeerId(peer))
            case {"event": "disconnected", "peer": peer}:
                self.connected.discard(PeerId(peer))
            case {"event": "identified", "peer": peer}:
                self.identified[PeerId(peer)] = Identity(
                    line["agent"], line["protocols"], line["addresses"]
                )
            case {"event": "message"}:
                self.messages.append(_message(line))
            case {"event": "mesh", "topic": topic, "peers": peers}:
                self.mesh[topic] = set(map(PeerId, peers))
            case {"event": "subscribers", "topic": topic, "peers": peers}:
                self.subscribers[topic] = set(map(PeerId, peers))
            case _:
                raise AssertionError(f"peer.mjs said {line}")

    def __repr__(self) -> str:
        """Return what a failed wait should show."""
        return (
            f"JsPeer({self.peer} connected={sorted(self.connected)} mesh={self.mesh}"
            f" subscribers={self.subscribers} messages={len(self.messages)})"
        )


def _message(line: Mapping[str, Any]) -> JsMessage:
    return JsMessage(
        topic=line["topic"],
        data=base64.b64decode(line["data"]),
        id=MessageId(bytes.fromhex(line["id"])),
        sender=PeerId(line["from"]),
    )


@asynccontextmanager
async def open_js_peer(
    process: JsProcess, nursery: trio.Nursery, options: JsOptions
) -> AsyncIterator[JsPeer]:
    """Run a js-libp2p peer for the length of the block.

    Args:
        process: where it is to run.
        nursery: the test's; what runs there ends with the block.
        options: how the peer is to be.
    """
    with trio.fail_after(WAIT_S):
        await process.ready()
        stream = await trio.open_unix_socket(process.address)
    peer = JsPeer(stream)
    nursery.start_soon(peer._listen)
    try:
        await peer._open(options)
        yield peer
    finally:
        await peer._close()
