"""What a judgement asks of a store: of all that it holds, or of what was read ahead."""

from __future__ import annotations

from moltp2p.core.errors import LocalError
from moltp2p.core.ids import AgentId, RecordId
from moltp2p.core.keychain import KeyChain
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams
from moltp2p.proto.quota import Limits
from moltp2p.store import layout, shelf_layout
from moltp2p.store.chain_cache import ChainCache
from moltp2p.store.engine import Source
from moltp2p.store.pages import load_sound
from moltp2p.store.shelves import is_over_quota


class HeldRecords:
    """A `Held`.

    Args:
        source: where entries are read.
        chains: the key chains seen last.
        network: whose topics cut the shelves.
        limits: of the shelves.
    """

    def __init__(
        self,
        source: Source,
        chains: ChainCache,
        network: NetworkParams,
        limits: Limits,
    ) -> None:
        self._source = source
        self._chains = chains
        self._network = network
        self._limits = limits

    def has(self, record: RecordId) -> bool:
        """Tell whether the record is held, and not damaged."""
        try:
            value = self._source.get(layout.record_key(record))
        except LocalError as error:
            if error.code not in layout.DAMAGE:
                raise
            return False
        return value is not None and layout.is_sound(record, value)

    def key_chain(self, agent: AgentId) -> KeyChain | None:
        """Return the agent's key chain, or None before its inception is held."""
        return self._chains.get(agent)

    def is_deleted(self, record: RecordId, agent: AgentId) -> bool:
        """Tell whether `agent` deleted `record`."""
        return self._source.get(layout.tombstone_key(record, agent)) is not None

    def is_dropped(self, record: RecordId) -> bool:
        """Tell whether the operator dropped the record's body, held or not."""
        return self._source.get(shelf_layout.dropped_key(record)) is not None

    def wants_body(self, record: RecordId) -> bool:
        """Tell whether the record is held without its body, and that is welcome."""
        with self._source.view() as view:
            stored = load_sound(record, view)
        return stored is not None and stored.lacks_body

    def is_over_quota(self, record: Record) -> bool:
        """Tell whether a record, not held, has no place on its shelf."""
        return is_over_quota(record, self._source, self._network, self._limits)
