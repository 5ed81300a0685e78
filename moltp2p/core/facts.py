"""What a node already holds, as far as a judgement depends on it."""

from __future__ import annotations

from typing import Protocol

from moltp2p.core import keychain
from moltp2p.core.ids import AgentId, RecordId
from moltp2p.core.keychain import KeyChain
from moltp2p.core.kinds import Kind
from moltp2p.core.record import Record


class Facts(Protocol):
    """Look-ups that `judge` makes; a store answers them."""

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


class Overlay:
    """Facts, and on top of them a batch that was judged and is not yet stored.

    It lets the records of one batch depend on each other: a rotation, and the
    first record by the new key.
    """

    def __init__(self, below: Facts) -> None:
        self._below = below
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
