"""Rows of the table: what peers say on streams, and the streams themselves."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import trio
from libp2p.identity.identify.pb.identify_pb2 import Identify
from libp2p.peer.id import ID

from moltp2p.core.errors import PeerError
from moltp2p.core.ids import PublicKey
from moltp2p.core.verdict import Verdict
from moltp2p.net.finding.peer_records import open_record
from moltp2p.net.gossip.rpc_codec import MAX_FRAME_BYTES, decode_rpc, encode_rpc
from moltp2p.net.hardening import UNREAD_BYTES, BoundedYamux
from moltp2p.net.identify import read_introduction
from moltp2p.net.memory import memory_peer_id
from moltp2p.net.negotiation import agree, propose
from moltp2p.proto.address import parse_ip, peer_id_of
from moltp2p.proto.framing import FrameDecoder
from moltp2p.proto.gossip.events import Judged, Validate
from moltp2p.proto.peers import peer_exchange
from moltp2p.proto.peers.address_book import AddressBook
from moltp2p.proto.peers.book_file import encode_book, read_secret, restore_book
from moltp2p.proto.peers.dial_plan import DialPlan
from tests.fuzz import corpus, mutations
from tests.fuzz.parser import Parser, Read
from tests.lone_router import BOB, CAROL, LoneRouter
from tests.patience import PATIENCE_S
from tests.tripwire.bare import Fake, header

PROTOCOLS = ("/meshsub/1.2.0", "/meshsub/1.1.0", "/moltp2p/peers/1.0.0")
MULTISTREAM = b"\x13/multistream/1.0.0\n"


# Frames.


def _frames(data: bytes) -> None:
    """Read frames at once and in pieces: with the same frames, and the same end."""
    assert _decoded([data]) == _decoded(_pieces(data))


def _pieces(data: bytes) -> list[bytes]:
    step = max(1 + len(data) % 7, len(data) // 16)
    return [data[at : at + step] for at in range(0, len(data), step)]


def _decoded(pieces: list[bytes]) -> tuple[list[bytes], str]:
    decoder = FrameDecoder(MAX_FRAME_BYTES)
    found = []
    try:
        for piece in pieces:
            decoder.feed(piece)
            while (payload := decoder.next_frame()) is not None:
                found.append(payload)
        decoder.end()
    except PeerError as error:
        return found, error.code
    return found, ""


# Gossip.


def _rpc(data: bytes) -> None:
    rpc = decode_rpc(data)
    assert rpc.is_within_limits()
    plain = tuple(replace(each, stamped=False) for each in rpc.messages)
    assert decode_rpc(encode_rpc(rpc)) == replace(rpc, messages=plain)


def _router() -> Read:
    """Let a router among two peers hear RPCs of one, and judge as it falls."""
    alone = LoneRouter(BOB, CAROL)
    dice = random.Random(1)

    def read(data: bytes) -> None:
        for action in alone.hear(BOB, decode_rpc(data)):
            if isinstance(action, Validate):
                verdict = dice.choice(list(Verdict))
                alone.tell(Judged(action.message_id, verdict))
        if dice.random() < 0.05:
            alone.beat()

    return read


# Agreeing on a protocol, and the muxer.


class _Said:
    """A stream on which the other end has said something."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces[::-1]

    async def read(self, max_bytes: int) -> bytes:
        return self._pieces.pop() if self._pieces else b""

    async def write(self, piece: bytes) -> None: ...

    def put_back(self, data: bytes) -> None: ...


def _quiet() -> None:
    """Keep libp2p from telling of each case, as `net.host.open_host` does."""
    logging.getLogger("libp2p").setLevel(logging.CRITICAL)


def _negotiates(side: Callable[..., Coroutine[Any, Any, str]]) -> Read:
    _quiet()

    def read(data: bytes) -> None:
        whole, split = (
            _outcome(side(_Said(pieces), PROTOCOLS))
            for pieces in ([data], _pieces(data))
        )
        assert whole == split

    return read


def _outcome(talk: Coroutine[Any, Any, str]) -> str:
    """Run what never waits to its end."""
    try:
        talk.send(None)
    except StopIteration as end:
        return str(end.value)
    except PeerError as error:
        return error.code
    raise AssertionError("it waits for something")


def _tokens() -> list[bytes]:
    """Return what openers and those who answer them say."""
    said = [[b"ls"], [b"na"], [b"/strange/1.0.0", PROTOCOLS[1].encode()]]
    said += [[protocol.encode()] for protocol in PROTOCOLS]
    return [
        MULTISTREAM + b"".join(bytes((len(one) + 1,)) + one + b"\n" for one in tokens)
        for tokens in said
    ]


def _muxer() -> Read:
    _quiet()
    return _yamux


async def _yamux(data: bytes) -> None:
    """Let a muxer hear a peer to its end, however many streams it opens."""
    muxer = BoundedYamux(Ending(data), MALLORY, outbound=False)  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_take_streams, muxer)
        with trio.fail_after(PATIENCE_S):
            await muxer.handle_incoming()
        nursery.cancel_scope.cancel()
    assert muxer.event_shutting_down.is_set()
    assert muxer.stream_buffers.unread_bytes <= UNREAD_BYTES  # type: ignore[attr-defined]


async def _take_streams(muxer: BoundedYamux) -> None:
    async for _ in muxer.new_stream_receive_channel:
        pass


class Ending(Fake):
    """A connection that ends after what it says."""

    async def read(self, n: int | None = None) -> bytes:
        return self._take(n)


MALLORY = ID.from_string(memory_peer_id(b"mallory"))


def _sessions() -> list[bytes]:
    """Return what a peer says to a muxer: streams opened, used, closed and reset."""
    opened = header(1, 1, 1, 0) + header(0, 0, 1, 5) + b"hello"
    return [
        opened,
        opened + header(0, 4, 1, 0),
        opened + header(1, 8, 1, 0),
        opened + header(1, 0, 1, 65536) + header(0, 0, 1, 3) + b"you",
        header(0, 1, 3, 2) + b"hi" + header(0, 0, 3, 2) + b"ho",
        header(2, 1, 0, 77) + header(2, 2, 0, 78),
        opened + header(3, 0, 0, 0),
    ]


# Peer exchange.


def _ask(data: bytes) -> None:
    peer_exchange.decode_ask(data)


def _answer(data: bytes) -> None:
    peer_exchange.decode_answer(data)


def _introduction(data: bytes) -> None:
    read_introduction(data)


def _introductions() -> list[bytes]:
    said = Identify(agent_version="moltp2p/0.1.0", protocols=PROTOCOLS)
    return [said.SerializeToString()]


def _records() -> Read:
    """Let a book learn what records say, and dial it in vain."""
    book = AddressBook(OWN, bytes(32))
    plan = DialPlan(book, random.Random(1), 8, 4)

    def read(data: bytes) -> None:
        record = open_record(data)
        book.learn(SOMEBODY, WORLD, [record], 0.0, record.seq)
        for address in plan.due(0.0):
            plan.failed(address, "dial-failed", 0.0)

    return read


def _book_file(data: bytes) -> None:
    book = AddressBook(OWN, read_secret(data) or bytes(32))
    restore_book(book, data, 0.0, 0)


def _books() -> list[bytes]:
    book = AddressBook(OWN, bytes(32))
    plan = DialPlan(book, random.Random(1), 8, 4)
    told = [
        open_record(each) for each in corpus.inputs("04-transport", "peer-record")[:2]
    ]
    book.learn(SOMEBODY, WORLD, told, 0.0, told[0].seq)
    return [encode_book(book, plan, 0.0, 0)]


WORLD = parse_ip("9.9.9.9")
OWN, SOMEBODY = (peer_id_of(PublicKey(bytes([each]) * 32)) for each in (1, 2))


def _rpcs() -> list[bytes]:
    return corpus.inputs("05-gossip", "rpc")


ROWS = (
    Parser("yamux", _sessions, mutations.raw, _muxer),
    Parser("frames", _rpcs, mutations.framed(mutations.raw), lambda: _frames),
    Parser("rpc", _rpcs, mutations.protobuf, lambda: _rpc),
    Parser("router", _rpcs, mutations.protobuf, _router, lasts=100),
    Parser("multistream", _tokens, mutations.raw, lambda: _negotiates(agree)),
    Parser("multistream answer", _tokens, mutations.raw, lambda: _negotiates(propose)),
    Parser(
        "ask",
        lambda: corpus.inputs("04-transport", "ask"),
        mutations.cbor,
        lambda: _ask,
    ),
    Parser(
        "answer",
        lambda: corpus.inputs("04-transport", "answer"),
        mutations.cbor,
        lambda: _answer,
    ),
    Parser(
        "peer record",
        lambda: corpus.inputs("04-transport", "peer-record"),
        mutations.protobuf,
        _records,
        lasts=5_000,
    ),
    Parser("introduction", _introductions, mutations.protobuf, lambda: _introduction),
    Parser("address book", _books, mutations.raw, lambda: _book_file),
)
