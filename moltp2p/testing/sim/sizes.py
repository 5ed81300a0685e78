"""How many bytes an RPC is on the wire, without encoding it.

A simulation counts millions of RPCs, and protobuf would be most of its work. The
sums below are those of protobuf's encoding as `net/gossip/rpc_codec.py` uses it, and
frames as spec 04 has them; tests compare both.
"""

from __future__ import annotations

from functools import lru_cache

from moltp2p.proto.gossip.rpc import MESSAGE_ID_BYTES, IHave, Rpc

_ID_FIELD_BYTES = 2 + MESSAGE_ID_BYTES
"""A tag, a length of one byte, and the id."""


def message_bytes(topic: str, data: bytes) -> int:
    """Return the size of a frame that holds one message and nothing else."""
    return _frame(_field(_field(len(data)) + _text(topic)))


def rpc_bytes(rpc: Rpc) -> int:
    """Return the size of a frame with this RPC."""
    size = sum(_field(2 + _text(each.topic)) for each in rpc.subscriptions)
    for message in rpc.messages:
        size += _field(_field(len(message.data)) + _text(message.topic))
    control = sum(map(_ihave, rpc.ihave)) + _ids(len(rpc.iwant))
    control += sum(_field(_text(topic)) for topic in rpc.graft)
    for prune in rpc.prune:
        backoff = 0 if prune.backoff_s is None else _varint(prune.backoff_s) + 1
        control += _field(_text(prune.topic) + backoff)
    control += _ids(len(rpc.idontwant))
    return _frame(size + (_field(control) if control else 0))


def _ihave(ihave: IHave) -> int:
    return _field(_text(ihave.topic) + _ID_FIELD_BYTES * len(ihave.ids))


def _ids(count: int) -> int:
    return _field(_ID_FIELD_BYTES * count) if count else 0


@lru_cache(maxsize=4096)
def _text(text: str) -> int:
    return _field(len(text.encode()))


def _field(length: int) -> int:
    """Return the size of a field with a length; our field numbers fit one byte."""
    return 1 + _varint(length) + length


def _frame(length: int) -> int:
    return _varint(length) + length


def _varint(value: int) -> int:
    return 1 if value < 0x80 else (value.bit_length() + 6) // 7
