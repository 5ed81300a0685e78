"""What the upper layers see of a store: LevelDB, or a dict in memory.

Calls block; a node makes them from a worker thread. Any number of threads may
read at once, and while one writes; writers take turns.

Damage is named and never hidden. What is damaged counts as not held (`has`), so
that it is asked for again; adding it again puts it right.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from moltp2p.core.author import Head
from moltp2p.core.facts import Held
from moltp2p.core.ids import AgentId, RecordId
from moltp2p.core.record import Record
from moltp2p.core.selection import Selection
from moltp2p.proto.sync.reconcile import ReconcileSet, SetSum
from moltp2p.store.arrivals import Arrived, Came, SeenPeer, Span
from moltp2p.store.policy import KEEP_ALL, KEEP_QUOTAS, Dropped, Policy, Retired
from moltp2p.store.progress import Progress, untold
from moltp2p.store.query import MAX_PAGE_RECORDS, Damage, Order, Page, Query, Stored

__all__ = [
    "KEEP_ALL",
    "KEEP_QUOTAS",
    "MAX_PAGE_RECORDS",
    "Added",
    "Damage",
    "Dropped",
    "Order",
    "Page",
    "Policy",
    "Query",
    "Retired",
    "Sitting",
    "Store",
    "Stored",
]


@dataclass(frozen=True, slots=True)
class Added:
    """What came of a batch, record by record.

    Attributes:
        is_new: whether it was new, and is now held; see `Store.add`.
        is_taken: whether it is new, and found another record at its place in its
            agent's sequence: one of the two is a fork's branch.
    """

    is_new: list[bool]
    is_taken: list[bool]


class Sitting(Protocol):
    """One batch: look-ups for judging it, each entry read once, and one write."""

    @property
    def held(self) -> Held:
        """Answer a judgement by what was held when it was first read."""
        ...

    def look_ahead(self, records: Iterable[Record]) -> None:
        """Read at once what judging and keeping these records will ask for.

        Raises:
            LocalError: `store-failed`.
        """
        ...

    def keep(
        self,
        records: Sequence[Record],
        received_at_ms: int,
        came: Sequence[Came] = (),
    ) -> Added:
        """Keep records as `Store.add` does, without reading again what was read.

        What was read does not count if others wrote since the sitting began.

        Raises:
            LocalError: as `Store.add`.
        """
        ...


class Store(Held, Protocol):
    """Signed records on this machine, and the indexes that find them."""

    def add(
        self,
        records: Sequence[Record],
        received_at_ms: int,
        came: Sequence[Came] = (),
    ) -> list[bool]:
        """Keep records that were judged, in one synced transaction.

        Members may depend on each other, in any order. A record held already
        changes nothing, except that a body it lacked is filled in. A deletion
        drops the body of its target, held or yet to come, when their author is
        one. A rotation removes what the key before it signed at its `seq` or
        later, and with a deletion so removed the bare header that it left, so that
        the record can come again whole. What a full shelf has no place for is removed,
        or set apart when all is kept (spec 11).

        Args:
            records: which.
            received_at_ms: our clock, milliseconds since 1970 UTC.
            came: how each of them came, which is noted if the policy says so.

        Returns:
            For each, whether it was new and is now held. False too for what the
            key chain no longer lets pass, or for which there is no place: others in
            the same batch, or since the record was judged, can have overtaken it.

        Raises:
            LocalError: `disk-full`, `store-failed`, `store-damaged`; nothing is
                half-written, and the same records can be added again. (A batch
                that the disk took and could not confirm may turn out to be held.)
        """
        ...

    def sit(self) -> Sitting:
        """Begin a batch of records that are judged and kept together, soon."""
        ...

    def retire(self, before_ms: int, cap_ms: int, max_records: int) -> Retired:
        """Remove some of what names a community and is older than the policy allows.

        Args:
            before_ms: earlier times go; besides, as long as more is held than the
                policy's budget, the oldest.
            cap_ms: what does not go for the budget's sake: this time and later.
            max_records: how many to look at; the rest is for the next step.

        Raises:
            LocalError: as `add`.
        """
        ...

    def last_arrival(self) -> int:
        """Return the number of the newest arrival; 0 where none is noted."""
        ...

    def arrivals(self, after: int, limit: int) -> list[Arrived]:
        """Return arrivals behind that number, oldest first.

        Raises:
            LocalError: `store-damaged`, `store-failed`.
        """
        ...

    def note_presence(self, spans: Sequence[Span], seen: Sequence[SeenPeer]) -> None:
        """Note since when the node has run, or heard peers, and which.

        Args:
            spans: what is so now, or has just ended; the same again with a later end.
            seen: peers that are connected, or were since this was last called.

        Raises:
            LocalError: as `add`.
        """
        ...

    def spans(self) -> list[Span]:
        """Return when the node ran, and when it had peers, as far as it was noted.

        Raises:
            LocalError: `store-damaged`, `store-failed`.
        """
        ...

    def horizon_ms(self) -> int:
        """Return the time below which `retire` has removed everything; 0 at first."""
        ...

    def bytes_held(self) -> int:
        """Return how many bytes the records take, their indexes not counted."""
        ...

    def drop(self, record: RecordId, now_ms: int) -> bool:
        """Drop a record's body, and take it by no road from now on.

        The record need not be held, nor ever come. Returns whether that is new.

        Raises:
            LocalError: as `add`.
        """
        ...

    def undrop(self, record: RecordId) -> bool:
        """Take a record's body again when it comes; return whether it was dropped.

        Raises:
            LocalError: as `add`.
        """
        ...

    def dropped(self, after: RecordId | None, limit: int) -> list[Dropped]:
        """Return bodies that were dropped, in order of ids.

        Args:
            after: the last id that was read before.
            limit: how many at most.

        Raises:
            LocalError: `store-failed`.
        """
        ...

    def forks(self, agent: AgentId, limit: int) -> list[tuple[int, RecordId]]:
        """Return where an agent has forked, and which records prove it.

        Raises:
            LocalError: `store-failed`.
        """
        ...

    def get(self, record: RecordId) -> Stored | None:
        """Return one record, or None.

        Raises:
            LocalError: `damaged-record`, `store-failed`.
        """
        ...

    def get_many(self, records: Sequence[RecordId]) -> list[Stored | None]:
        """Return several records as they are at one moment, in the order asked for.

        None stands for what is not held, or damaged.

        Raises:
            LocalError: `store-failed`.
        """
        ...

    def sums(self, topics: Sequence[int], since_ms: int, until_ms: int) -> list[SetSum]:
        """Return the sums of topics' sets, all at one moment.

        A topic's set is every record on it that is held: deleted and dropped ones too,
        and both branches of a fork; but nothing beyond a quota (spec 11).

        Args:
            topics: their numbers (`topic_number`).
            since_ms: the first time that counts; of the header's `time`.
            until_ms: the first time that does not; `INFINITY_MS` for no end.

        Raises:
            LocalError: `store-damaged`, `store-failed`.
        """
        ...

    def open_set(
        self, topic: int, since_ms: int, until_ms: int
    ) -> AbstractContextManager[ReconcileSet]:
        """Open the set of one topic, in the window that `sums` describes.

        It stands still while it is open, and is closed soon, by the thread that
        opened it: an engine may have to wait for it. Positions are within the window.

        Raises:
            LocalError: `store-damaged`, `store-failed`; from its methods too.
        """
        ...

    def page(self, query: Query) -> Page:
        """Return one page of records.

        Raises:
            UsageError: `bad-cursor`, `bad-query`, `bad-community`.
            LocalError: `store-failed`.
        """
        ...

    def head(self, agent: AgentId) -> Head | None:
        """Return the agent's newest record that is held, or was and is lost to damage.

        Raises:
            LocalError: `store-damaged`, `store-failed`.
        """
        ...

    def wires(self, records: Sequence[RecordId]) -> list[bytes | None]:
        """Return the wire bytes of each record; None for what is not held whole.

        Cheaper than `get`: nothing is parsed, and a checksum tells what is damaged.

        Raises:
            LocalError: `store-failed`.
        """
        ...

    def sequence(
        self, agent: AgentId, first: int, last: int, limit: int
    ) -> list[tuple[int, RecordId]]:
        """Return the places of an agent's sequence that are held, in order.

        Args:
            agent: whose.
            first: the lowest `seq`.
            last: the highest `seq`.
            limit: how many to return at most; a fork has more than one at a place.

        Raises:
            LocalError: `store-failed`.
        """
        ...

    def agents(self) -> Iterator[AgentId]:
        """Name all agents whose inception is held.

        Raises:
            LocalError: `store-failed`.
        """
        ...

    def count(self) -> int:
        """Return how many records are held."""
        ...

    def verify(self, progress: Progress = untold) -> Iterator[Damage]:
        """Read everything, and report what is not as it was written.

        Checks each record's checksum, id, body and signature, that every index
        entry stands for a record, and that every record has its entries. Reads a
        chunk at a time, so that memory is bounded and others can use the store
        meanwhile; what is added behind the place it reads at is not checked.
        `progress` is told how many entries were read.
        """
        ...

    def backup(self, created_ms: int) -> Generator[bytes]:
        """Yield a backup of this moment, a piece at a time; see `store.backup`.

        Nobody waits for it. Close it when it is not read to its end.

        Raises:
            LocalError: `damaged-record`, `store-failed`: no backup was made.
        """
        ...

    def survey(
        self, selection: Selection, about: Mapping[str, object]
    ) -> Generator[bytes]:
        """Yield all that is held at this moment, in frames; see `store.survey`.

        Nobody waits for it. Close it when it is not read to its end.

        Args:
            selection: which records.
            about: what else the head is to say.

        Raises:
            UsageError: `bad-community`.
            LocalError: `store-failed`, `store-damaged`.
        """
        ...

    def missing(self) -> Iterator[RecordId]:
        """Name the records that were held and are lost to damage.

        They count as not held and stand in no set, so that reconciliation brings
        them; each is forgotten here once it is held again.
        """
        ...

    def is_behind(self) -> bool:
        """Tell whether peers may hold records of this node's agent that are not here.

        So it is after a backup was put back, and after a repair that cannot tell all
        that was lost. Who wrote on now could write a second record at a place that
        is taken: a fork.
        """
        ...

    def fall_behind(self) -> None:
        """Note that peers may hold more of ours, as when a store was lost.

        Raises:
            LocalError: as `add`.
        """
        ...

    def caught_up(self) -> None:
        """Note that what peers hold of ours is here, as after a reconciliation."""
        ...

    def mend(self) -> None:
        """Get ready to write again, after writing failed; else do nothing.

        `add` does so first, too. This is for whoever wants to know whether it would.

        Raises:
            LocalError: `disk-full`, `store-failed`, `store-damaged`: not yet.
        """
        ...

    def close(self) -> None:
        """Let go of the files; further calls fail with `store-closed`."""
        ...
