"""The key chains of the agents seen last: each record that is judged asks for one."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from moltp2p.core.ids import AgentId
from moltp2p.core.keychain import KeyChain
from moltp2p.store import layout
from moltp2p.store.engine import Engine

CACHED_CHAINS: Final = 4_096
"""Agents whose key chain is kept in memory; about 1 KiB each."""


class ChainCache:
    """The key chains of the agents seen last, and of those who have none.

    A look-up fills the cache while it holds the lock, and a change takes the lock
    after it is on disk; so what is in the cache is never older than the disk.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._chains: OrderedDict[AgentId, KeyChain | None] = OrderedDict()

    def get(self, agent: AgentId) -> KeyChain | None:
        """Return an agent's key chain, or None."""
        with self._lock:
            if agent not in self._chains:
                self._put(agent, self._read(agent))
            self._chains.move_to_end(agent)
            return self._chains[agent]

    def seen(self, agent: AgentId) -> tuple[KeyChain | None, ...]:
        """Return the one answer of `get`, if it is known without reading."""
        with self._lock:
            return (self._chains[agent],) if agent in self._chains else ()

    def update(self, chains: Mapping[AgentId, KeyChain]) -> None:
        """Put chains that are on disk in the place of those before."""
        with self._lock:
            for agent, chain in chains.items():
                self._put(agent, chain)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._chains.clear()

    def _put(self, agent: AgentId, chain: KeyChain | None) -> None:
        self._chains[agent] = chain
        if len(self._chains) > CACHED_CHAINS:
            self._chains.popitem(last=False)

    def _read(self, agent: AgentId) -> KeyChain | None:
        value = self._engine.get(layout.key_chain_key(agent))
        return None if value is None else layout.unpack_key_chain(agent, value)
