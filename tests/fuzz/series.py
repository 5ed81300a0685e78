"""Spoiling what comes in parts: the frames of a session, the items of a sequence."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence

from moltp2p.core.errors import PeerError
from moltp2p.core.sequence import SequenceDecoder
from moltp2p.proto.framing import FrameDecoder, encode_varint
from tests.fuzz.mutations import Mutation, raw

LONGEST_FRAME_BYTES = 1 << 22
"""Of the seeds; what a session allows, its own reader says."""


def joined(payloads: Iterable[bytes]) -> bytes:
    """Return payloads as frames, one after the other; also empty ones."""
    return b"".join(encode_varint(len(each)) + each for each in payloads)


def frames(data: bytes, max_bytes: int) -> list[bytes]:
    """Return the payloads of the frames in `data`.

    Raises:
        PeerError: as a session's stream would.
    """
    decoder = FrameDecoder(max_bytes)
    decoder.feed(data)
    found = []
    while (payload := decoder.next_frame()) is not None:
        found.append(payload)
    return found


def items(data: bytes) -> list[bytes]:
    """Return the items of a CBOR sequence.

    Raises:
        PeerError: it is none.
    """
    decoder = SequenceDecoder()
    decoder.feed(data)
    found = []
    while (item := decoder.next_item()) is not None:
        found.append(item)
    return found


def session(inner: Mutation) -> Mutation:
    """Return a mutation of whole sessions: one frame, or their order."""
    return _parts(inner, lambda data: frames(data, LONGEST_FRAME_BYTES), joined)


def sequence(inner: Mutation) -> Mutation:
    """Return a mutation of CBOR sequences: one item, or their order."""
    return _parts(inner, items, b"".join)


def _parts(
    inner: Mutation,
    split: Callable[[bytes], list[bytes]],
    join: Callable[[Iterable[bytes]], bytes],
) -> Mutation:
    def mutate(rng: random.Random, seed: bytes, corpus: Sequence[bytes]) -> bytes:
        try:
            parts = split(seed)
            others = split(rng.choice(corpus))
        except PeerError:
            return raw(rng, seed, corpus)
        if not parts or not others or rng.random() < 0.05:
            return raw(rng, seed, corpus)
        _spoil(rng, parts, others, inner)
        return join(parts)

    return mutate


def _spoil(
    rng: random.Random, parts: list[bytes], others: list[bytes], inner: Mutation
) -> None:
    place, other = rng.randrange(len(parts)), rng.randrange(len(parts))
    match rng.randrange(10):
        case 0:
            del parts[place]
        case 1:
            parts[place:place] = [parts[other]] * rng.choice((1, 2, 50))
        case 2:
            parts[place], parts[other] = parts[other], parts[place]
        case 3:
            parts[place:place] = [rng.choice(others)]
        case _:
            parts[place] = inner(rng, parts[place], others)
