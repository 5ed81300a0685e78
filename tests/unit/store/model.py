"""A store that anybody can see to be right: a list, and loops over it."""

from __future__ import annotations

from collections.abc import Sequence

from moltp2p.core import keychain
from moltp2p.core.author import Head
from moltp2p.core.ids import AgentId, RecordId
from moltp2p.core.keychain import KeyChain
from moltp2p.core.kinds import CHAIN_KINDS, Kind, can_be_deleted
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams, topic_number
from moltp2p.proto.quota import kept, shelf_of, volume_of
from moltp2p.proto.sync.reconcile import SetSum
from moltp2p.store.base import KEEP_QUOTAS, Order, Policy, Query, Stored


class Model:
    """What a `Store` holds, by the words of `Store.add`."""

    def __init__(self, network: NetworkParams, policy: Policy = KEEP_QUOTAS) -> None:
        self.network = network
        self.policy = policy
        self.held: list[Record] = []
        self.chains: dict[AgentId, KeyChain] = {}

    def add(self, records: Sequence[Record]) -> list[bool]:
        order = sorted(
            records, key=lambda record: record.header.kind not in CHAIN_KINDS
        )
        chain_count = sum(record.header.kind in CHAIN_KINDS for record in records)
        order[:chain_count] = sorted(
            order[:chain_count], key=lambda record: record.header.seq
        )
        new = [record.id for record in order if self._add(record)]
        if not self.policy.keep_all:
            self._let_go([r for r in self.held if not self.is_within_quota(r)])
        new = [record for record in new if self.find(record)]
        flags = []
        for record in records:
            flags.append(record.id in new)
            if record.id in new:
                new.remove(record.id)
        return flags

    def find(self, record: RecordId) -> Record | None:
        return next((held for held in self.held if held.id == record), None)

    def is_within_quota(self, record: Record) -> bool:
        """Tell whether a record that is held has its place on its shelf."""
        shelf = shelf_of(record.header, self.network)
        if shelf is None:
            return True
        volumes = [
            volume_of(each)
            for each in self.held
            if each.header.agent == record.header.agent
            and shelf_of(each.header, self.network) == shelf
        ]
        return volume_of(record) in kept(volumes, self.policy.limits.of(shelf))

    def sum(self, topic: int) -> SetSum:
        """Return the sum of a topic's set."""
        return SetSum.of(
            record.id
            for record in self.held
            if topic_number(self.network, record.header.community) == topic
            and self.is_within_quota(record)
        )

    def is_deleted(self, record: Record) -> bool:
        return can_be_deleted(record.header) and any(
            held.header.kind == Kind.DELETE
            and held.header.agent == record.header.agent
            and held.header.refs["target"] == record.id
            for held in self.held
        )

    def head(self, agent: AgentId) -> Head | None:
        places = [
            (record.header.seq, record.id)
            for record in self.held
            if record.header.agent == agent
        ]
        return Head(*max(places)) if places else None

    def page(self, query: Query) -> list[Stored]:
        found = [
            Stored(record, 0, self.is_deleted(record))
            for record in self.held
            if query.community in (None, record.header.community)
            and query.agent in (None, record.header.agent)
            and query.parent in (None, record.header.refs.get("parent"))
            and (query.kinds is None or record.header.kind in query.kinds)
            and (query.deleted or not self.is_deleted(record))
        ]
        by_seq = query.agent is not None
        return sorted(
            found,
            key=lambda stored: (
                stored.record.header.seq if by_seq else stored.record.header.time_ms,
                stored.record.id,
            ),
            reverse=query.order is Order.NEWEST_FIRST,
        )

    def _add(self, record: Record) -> bool:
        held = self.find(record.id)
        if held is not None:
            self._replace(record if held.body is None else held)
            return False
        agent, chain = record.header.agent, self.chains.get(record.header.agent)
        if record.header.kind in CHAIN_KINDS:
            if keychain.objection(chain, record) is not None:
                return False
            chain = keychain.advance(chain, record)
            assert chain is not None
            self.chains[agent] = chain
            self._forget_superseded(agent, chain)
        elif chain is not None and keychain.is_superseded(chain, record.header):
            return False
        self.held.append(record)
        for each in list(self.held):
            self._replace(each)
        return True

    def _replace(self, record: Record) -> None:
        """Put a record in place of its twin, without its body if it is deleted."""
        kept = record.without_body() if self.is_deleted(record) else record
        places = [each.id for each in self.held]
        self.held[places.index(record.id)] = kept

    def _forget_superseded(self, agent: AgentId, chain: KeyChain) -> None:
        self._let_go(
            [
                record
                for record in self.held
                if record.header.agent == agent
                and keychain.is_superseded(chain, record.header)
            ]
        )

    def _let_go(self, gone: Sequence[Record]) -> None:
        """Remove records, and the bare headers that deletions among them left."""
        was_deleted = [record for record in self.held if self.is_deleted(record)]
        self.held = [record for record in self.held if record not in gone]
        for record in was_deleted:
            if record in self.held and not self.is_deleted(record):
                self.held.remove(record)
