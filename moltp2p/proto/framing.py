"""Frames on a stream of bytes: an unsigned varint, then that many bytes (spec 04).

Bytes go in as they arrive, frames come out; any split of the same bytes gives
the same frames and the same error at the same place.
"""

from __future__ import annotations

from typing import Final

from moltp2p.core.errors import PeerError, UsageError

# SPEC 04: "A length takes at most 9 bytes."
MAX_VARINT_BYTES: Final = 9


def encode_varint(value: int) -> bytes:
    """Return the shortest unsigned varint of `value` (multiformats unsigned-varint)."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode_frame(payload: bytes, max_bytes: int) -> bytes:
    """Return `payload` with its length before it.

    Raises:
        UsageError: `bad-frame` when it is empty, `frame-too-large` when it has
            more than `max_bytes` bytes.
    """
    if not payload:
        raise UsageError("bad-frame", "a frame carries at least one byte")
    if len(payload) > max_bytes:
        raise UsageError(
            "frame-too-large", f"{len(payload)} bytes, where {max_bytes} are allowed"
        )
    return encode_varint(len(payload)) + payload


class FrameDecoder:
    """Turns bytes into frames.

    Args:
        max_bytes: the longest payload to accept.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Take bytes as they arrived."""
        self._buffer += data

    def next_frame(self) -> bytes | None:
        """Return the next whole payload, or None when more bytes are needed.

        Raises:
            PeerError: `bad-frame` for an empty frame or a length not in its
                shortest spelling, `frame-too-large` before any of it is kept.
        """
        header = self._read_length()
        if header is None:
            return None
        start, length = header
        if len(self._buffer) < start + length:
            return None
        payload = bytes(self._buffer[start : start + length])
        del self._buffer[: start + length]
        return payload

    def end(self) -> None:
        """Take the end of the stream.

        Raises:
            PeerError: `bad-frame` when it cuts a frame short.
        """
        if self._buffer:
            raise PeerError("bad-frame", "the stream ended in the middle of a frame")

    def _read_length(self) -> tuple[int, int] | None:
        """Return where the payload starts and how long it is, once known."""
        value = 0
        for index, byte in enumerate(self._buffer[:MAX_VARINT_BYTES]):
            value |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                return index + 1, self._checked(value, last=byte, size=index + 1)
        if len(self._buffer) >= MAX_VARINT_BYTES:
            raise PeerError("bad-frame", "a length of more than 9 bytes")
        return None

    def _checked(self, value: int, *, last: int, size: int) -> int:
        if value == 0 or (last == 0 and size > 1):
            raise PeerError(
                "bad-frame", "an empty frame, or a length padded with zeros"
            )
        if value > self._max_bytes:
            raise PeerError(
                "frame-too-large",
                f"a frame of {value} bytes, where {self._max_bytes} are allowed",
            )
        return value
