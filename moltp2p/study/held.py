"""Records and arrivals as a survey's frames have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from moltp2p.core.ids import PeerId, RecordId
from moltp2p.core.kinds import Kind
from moltp2p.core.trusted import Trusted, read_trusted
from moltp2p.store.arrivals import ROADS, Came
from moltp2p.store.survey import ARRIVAL_ROW, ROW

_TEXTUAL: Final = (Kind.POST, Kind.PROFILE)


@dataclass(frozen=True, slots=True)
class Held:
    """A record in a frame.

    Attributes:
        id: its id.
        said: what it says.
        received_ms: the node's clock when it was stored.
        state: 0, or 1 if its author deleted it, 2 if the operator dropped its body.
    """

    id: RecordId
    said: Trusted
    received_ms: int
    state: int

    def texts(self) -> Mapping[str, Any]:
        """Return what the body of a post or a profile says; nothing once deleted."""
        fields = self.said.fields
        if self.state or fields["kind"] not in _TEXTUAL:
            return {}
        return self.said.texts()


def records_in(payload: bytes) -> Iterator[Held]:
    """Yield the records of a frame."""
    at, size = 0, ROW.size
    while at < len(payload):
        record, received, state, wire_bytes = ROW.unpack_from(payload, at)
        end = at + size + wire_bytes
        said = read_trusted(payload[at + size : end])
        yield Held(RecordId(record), said, received, state)
        at = end


def arrivals_in(payload: bytes) -> Iterator[tuple[int, RecordId, Came]]:
    """Yield the number, the record and the rest of each arrival of a frame."""
    at = 0
    while at < len(payload):
        number, record, came, road, size = ARRIVAL_ROW.unpack_from(payload, at)
        at += ARRIVAL_ROW.size
        peer = PeerId(payload[at : at + size].decode()) if size else None
        at += size
        yield number, RecordId(record), Came(came, ROADS[road], peer)
