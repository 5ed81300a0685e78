"""What a node already holds, as far as a judgement depends on it."""

from __future__ import annotations

from typing import Final, Protocol

from moltp2p.core import keychain
from moltp2p.core.codec import MAX_INT
from moltp2p.core.ids import AgentId, RecordId
from moltp2p.core.keychain import KeyChain
from moltp2p.core.kinds import Kind
from moltp2p.core.record import Record


class Held(Protocol):
    """Look-ups that a store answers."""

    def has(self, record: RecordId) -> bool:
        """Tell whether the record is held."""
        ...

    def key_chain(self, agent: AgentId) -> KeyChain | None:
        """Return the agent's key chain, or None before its inception is seen."""
        ...

    def is_deleted(self, record: RecordId, agent: AgentId) -> bool:
        """Tell whether `agent` deleted `record`."""
        ...

    def is_dropped(self, record: RecordId) -> bool:
        """Tell whether the operator dropped the record's body, held or not."""
        ...

    def wants_body(self, record: RecordId) -> bool:
        """Tell whether the record is held without its body, and that is welcome.

        It is not when the author deleted it, or the operator dropped it.
        """
        ...

    def is_over_quota(self, record: Record) -> bool:
        """Tell whether a record, not held, has no place on its shelf (spec 11)."""
        ...


class Admission(Protocol):
    """Look-ups that whoever knows who counts answers (spec 07)."""

    def admitted_until_ms(self, agent: AgentId) -> int | None:
        """Return until when an agent's proofs admit what it says.

        None when it has never counted.
        """
        ...

    def has_room(self, record: Record) -> bool:
        """Tell whether there is room for testimony by one who never counted."""
        ...


class Facts(Held, Admission, Protocol):
    """All look-ups that `judge` makes."""


class Everybody:
    """The admission of a network that is open to all."""

    def admitted_until_ms(self, agent: AgentId) -> int | None:  # noqa: ARG002
        """Return the end of time."""
        return MAX_INT

    def has_room(self, record: Record) -> bool:  # noqa: ARG002
        """Tell that there is room."""
        return True


EVERYBODY: Final = Everybody()


class Overlay:
    """Facts, and on top of them a batch that was judged and is not yet stored.

    It lets the records of one batch depend on each other: a rotation, and the
    first record by the new key.

    Args:
        below: what is stored.
        admission: who may speak.
    """

    def __init__(self, below: Held, admission: Admission = EVERYBODY) -> None:
        self._below = below
        self._admission = admission
        self._held: set[RecordId] = set()
        self._chains: dict[AgentId, KeyChain] = {}
        self._deleted: set[tuple[RecordId, AgentId]] = set()
        self._filled: set[RecordId] = set()

    def note(self, record: Record) -> None:
        """Count a record as held from now on."""
        header = record.header
        self._held.add(record.id)
        if record.body is not None:
            self._filled.add(record.id)
        chain = keychain.advance(self.key_chain(header.agent), record)
        if chain is not None:
            self._chains[header.agent] = chain
        if header.kind == Kind.DELETE:
            self._deleted.add((header.refs["target"], header.agent))

    def has(self, record: RecordId) -> bool:
        """Tell whether the record is held."""
        return record in self._held or self._below.has(record)

    def key_chain(self, agent: AgentId) -> KeyChain | None:
        """Return the agent's key chain, or None before its inception is seen."""
        return self._chains.get(agent) or self._below.key_chain(agent)

    def is_deleted(self, record: RecordId, agent: AgentId) -> bool:
        """Tell whether `agent` deleted `record`."""
        key = (record, agent)
        return key in self._deleted or self._below.is_deleted(record, agent)

    def is_dropped(self, record: RecordId) -> bool:
        """Tell whether the operator dropped the record's body, held or not."""
        return self._below.is_dropped(record)

    def wants_body(self, record: RecordId) -> bool:
        """Tell whether the record is held without its body, and that is welcome."""
        return record not in self._filled and self._below.wants_body(record)

    def is_over_quota(self, record: Record) -> bool:
        """Tell whether a record has no place beside those that are stored.

        What this batch brings may push it out besides: the store sees to that.
        """
        return self._below.is_over_quota(record)

    def admitted_until_ms(self, agent: AgentId) -> int | None:
        """Return until when an agent's proofs admit what it says."""
        return self._admission.admitted_until_ms(agent)

    def has_room(self, record: Record) -> bool:
        """Tell whether there is room for testimony by one who never counted."""
        return self._admission.has_room(record)
