"""What both sides of libp2p's circuit relay, version 2, say to each other.

RELAYED ── hop: RESERVE ──▶ RELAY
DIALLER ── hop: CONNECT ──▶ RELAY ── stop: CONNECT ──▶ RELAYED
        ◀──────────── bytes, secured end to end ─────────▶
"""

from __future__ import annotations

from typing import Final, TypeVar

import base58
import trio
from google.protobuf.message import DecodeError, Message
from libp2p.relay.circuit_v2.pb.circuit_pb2 import PeerId as PbPeer

from moltp2p.core.errors import PeerError, UsageError
from moltp2p.core.ids import PeerId
from moltp2p.net.base import Stream
from moltp2p.proto.address import parse_peer_id
from moltp2p.proto.framing import encode_frame

HOP: Final = "/libp2p/circuit/relay/0.2.0/hop"
STOP: Final = "/libp2p/circuit/relay/0.2.0/stop"

MAX_MESSAGE_BYTES: Final = 4_096
TALK_S: Final = 10.0
"""How long one message may take: the relay's CONNECT waits for another peer."""

M = TypeVar("M", bound=Message)


async def send_message(stream: Stream, message: Message) -> None:
    """Send one message."""
    data = message.SerializeToString()
    await stream.send_all(encode_frame(data, MAX_MESSAGE_BYTES))


async def receive_message(stream: Stream, kind: type[M], within_s: float = TALK_S) -> M:
    """Return one message, and take not a byte behind it: those are the peers' own.

    Raises:
        PeerError: `malformed`, `bad-frame`, `frame-too-large`, `too-slow`,
            `stream-reset`.
    """
    with trio.move_on_after(within_s):
        data = await _exactly(stream, await _length(stream))
        try:
            return kind.FromString(data)
        except DecodeError as error:
            raise PeerError("malformed", str(error)) from error
    raise PeerError("too-slow", f"said nothing for {within_s:g} s")


async def _length(stream: Stream) -> int:
    length = shift = 0
    while shift < 21:
        (byte,) = await _exactly(stream, 1)
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            if not 0 < length <= MAX_MESSAGE_BYTES:
                raise PeerError("frame-too-large", f"a message of {length} bytes")
            return length
    raise PeerError("bad-frame", "a length without an end")


async def _exactly(stream: Stream, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = await stream.receive_some(count - len(data))
        if not piece:
            raise PeerError("stream-reset", "ended in the middle of a message")
        data += piece
    return data


def peer_bytes(peer: PeerId) -> bytes:
    """Return a peer id's bytes."""
    return base58.b58decode(peer)


def read_peer(peer: PbPeer) -> PeerId:
    """Return the peer that a message names.

    Raises:
        PeerError: `malformed` when it is none of an Ed25519 key.
    """
    try:
        return parse_peer_id(base58.b58encode(peer.id[:64]).decode())
    except UsageError as error:
        raise PeerError("malformed", error.message) from None
