"""Agents and records for tests: the same everywhere, from the names alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from moltp2p.core.author import Author, Draft, Head, incept
from moltp2p.core.errors import UsageError
from moltp2p.core.ids import AgentId
from moltp2p.core.keys import Signer
from moltp2p.core.kinds import Kind, Post
from moltp2p.core.record import Record

EPOCH_MS = 1_760_000_000_000
"""The test clock's beginning, milliseconds since 1970 UTC."""


def signer(name: str, generation: int = 0) -> Signer:
    """Return the test key of `name`, or the one after that many rotations."""
    return Signer(hashlib.sha256(f"moltp2p test {name} {generation}".encode()).digest())


@dataclass
class TestAgent:
    """An agent that grows a valid sequence, one call a record.

    Attributes:
        name: which key: `alice`, `bob`, `carol`.
        network: the id of the network it writes for.
        time_ms: its clock; a record moves it on by a second.
        generation: how often it has rotated its key.
        records: all that it has written, oldest first.
    """

    __test__ = False

    name: str
    network: str = "test-net"
    time_ms: int = EPOCH_MS
    generation: int = 0
    records: list[Record] = field(default_factory=list)

    @property
    def id(self) -> AgentId:
        """Return the agent's name for ever: its first public key."""
        return AgentId(signer(self.name).public)

    @property
    def author(self) -> Author:
        """Return the author with the key now in force."""
        return Author(self.id, self.network, signer(self.name, self.generation))

    @property
    def head(self) -> Head:
        """Return where the sequence stands.

        Raises:
            UsageError: `bad-call` while it has written nothing.
        """
        if not self.records:
            what = f"{self.name} has written nothing yet"
            raise UsageError("bad-call", what, "begin with incept(), or write anything")
        newest = self.records[-1]
        return Head(newest.header.seq, newest.id)

    def incept(self) -> Record:
        """Write the first record."""
        next_key = signer(self.name, 1).public
        return self._keep(
            incept(self.network, signer(self.name), next_key, self.time_ms)
        )

    def rotate(self) -> Record:
        """Put the next key in force; the first call writes the inception before it."""
        self._begin()
        self.generation += 1
        next_key = signer(self.name, self.generation + 1).public
        return self._keep(self.author.rotate(self.head, next_key, self.time_ms))

    def write(self, draft: Draft) -> Record:
        """Write any record; the first call writes the inception before it."""
        self._begin()
        return self._keep(self.author.write(draft, self.head, self.time_ms))

    def post(self, text: str = "hello", community: str = "general") -> Record:
        """Write a post."""
        return self.write(Draft(Kind.POST, Post(text), community))

    def reply(self, parent: Record, text: str = "well said") -> Record:
        """Write a reply."""
        root = parent.header.refs.get("root", parent.id)
        refs = {"parent": parent.id, "root": root}
        draft = Draft(Kind.POST, Post(text), parent.header.community, refs)
        return self.write(draft)

    def delete(self, target: Record) -> Record:
        """Delete a record, whoever wrote it."""
        refs = {"target": target.id}
        return self.write(
            Draft(Kind.DELETE, community=target.header.community, refs=refs)
        )

    def _begin(self) -> None:
        if not self.records:
            self.incept()

    def _keep(self, record: Record) -> Record:
        self.records.append(record)
        self.time_ms += 1000
        return record
