"""Gossip that vanishes on its way: which parts of an RPC are let through."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from moltp2p.core.errors import PeerError
from moltp2p.net.gossip.rpc_codec import MAX_FRAME_BYTES, decode_rpc, encode_rpc, frame
from moltp2p.proto.framing import FrameDecoder, encode_varint
from moltp2p.proto.gossip.rpc import IHave, Rpc

Part = TypeVar("Part")


def what_arrives(rpc: Rpc, loses: Callable[[], bool]) -> Rpc:
    """Return what of an RPC is not lost.

    Messages, and ids that are announced, asked for or refused, vanish one by one.
    Subscriptions, GRAFT and PRUNE do not: for want of room for these the driver
    ends the stream, and TCP loses nothing.
    """
    return replace(
        rpc,
        messages=_kept(rpc.messages, loses),
        ihave=tuple(
            IHave(each.topic, ids)
            for each in rpc.ihave
            if (ids := _kept(each.ids, loses))
        ),
        iwant=_kept(rpc.iwant, loses),
        idontwant=_kept(rpc.idontwant, loses),
    )


def _kept(parts: Iterable[Part], loses: Callable[[], bool]) -> tuple[Part, ...]:
    return tuple([part for part in parts if not loses()])


class Sieve:
    """Loses parts of what is said on one gossip stream; whole frames come out.

    What is no gossip passes as it is: whoever reads it shall see what was sent.
    """

    def __init__(self) -> None:
        self._decoder: FrameDecoder | None = FrameDecoder(MAX_FRAME_BYTES)
        self._pending = b""

    def pass_on(self, data: bytes, loses: Callable[[], bool] | None) -> bytes:
        """Return what of `data`, and of what came before, arrives now.

        Args:
            data: what was read; `b""` is the end.
            loses: draws; None where nothing is lost.
        """
        self._pending += data
        if self._decoder is None or not data:
            return self._rest()
        self._decoder.feed(data)
        return b"".join(self._frames(self._decoder, loses))

    def _frames(
        self, decoder: FrameDecoder, loses: Callable[[], bool] | None
    ) -> list[bytes]:
        found, taken = [], 0
        try:
            while (payload := decoder.next_frame()) is not None:
                found.append(_sifted(payload, loses))
                taken += len(encode_varint(len(payload))) + len(payload)
        except PeerError:  # what is no frame, or no RPC, is passed on as it came
            self._decoder = None
            return [*found, self._rest()[taken:]]
        self._pending = self._pending[taken:]
        return found

    def _rest(self) -> bytes:
        rest, self._pending = self._pending, b""
        return rest


def _sifted(payload: bytes, loses: Callable[[], bool] | None) -> bytes:
    if loses is not None:
        rpc = decode_rpc(payload)
        kept = what_arrives(rpc, loses)
        if kept != rpc:
            encoding = encode_rpc(kept)
            return frame([encoding]) if encoding else b""
    return frame([payload])
