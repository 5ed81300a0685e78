"""The facade: one node, opened by `async with open_node(config)`.

open_node
├── store       opened first, closed last
├── journal     the one writer
├── retention   lets go of what is too old
├── authorship  the agent's keys; role agent alone
├── witness     proves forks that are noticed
└── gossip      network, pubsub, dialler, relay; not when offline
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import trio

from moltp2p.core.author import Draft
from moltp2p.core.errors import LocalError, UsageError
from moltp2p.core.ids import AgentId, PeerId, RecordId
from moltp2p.core.record import Record
from moltp2p.core.selection import Selection
from moltp2p.core.validate import Road, Ruling
from moltp2p.node.administration import Administration
from moltp2p.node.agents import Agents
from moltp2p.node.assembly import Parts, assemble
from moltp2p.node.authorship import Authorship
from moltp2p.node.config import Config
from moltp2p.node.events import Subscription
from moltp2p.node.exporting import Export
from moltp2p.node.feed import Feed
from moltp2p.node.home import Home
from moltp2p.node.pen import Incoming
from moltp2p.node.proving.proving import Proving
from moltp2p.node.reading import read_ahead
from moltp2p.node.readings import Readings
from moltp2p.node.settings import Role
from moltp2p.node.status import (
    PeerStatus,
    Status,
    SyncStatus,
    rulings_by_code,
    set_fingerprint,
    store_status,
)
from moltp2p.node.surveying import about
from moltp2p.node.world import World, real_world
from moltp2p.proto.admission.rules import Tally
from moltp2p.store.base import Dropped, Page, Query, Stored

if TYPE_CHECKING:  # libp2p takes a second, and an offline node goes without
    from moltp2p.node.online import Online


class Node:
    """A running node. Made by `open_node`; every call is safe from any task.

    Attributes:
        config: the settings it runs with.
    """

    def __init__(self, config: Config, parts: Parts) -> None:
        self.config = config
        self._store = parts.store
        self._journal = parts.journal
        self._hub = parts.hub
        self._authorship = parts.authorship
        self._online = parts.online
        self._proving = parts.proving
        self._presence = parts.presence
        self._opened_at = trio.current_time()

    @property
    def agent(self) -> AgentId | None:
        """Return whose records it authors; None for the other roles."""
        return None if self._authorship is None else self._authorship.agent

    @property
    def peer_id(self) -> PeerId | None:
        """Return who it is to its peers; None when it runs offline."""
        return None if self._online is None else self._online.network.peer_id

    @property
    def agents(self) -> Agents:
        """Return who counts as an agent here, and who can be asked to attest."""
        return self._journal.agents

    def now_ms(self) -> int:
        """Return this node's clock, milliseconds since 1970 UTC."""
        return self._journal.clock_ms()

    async def publish(self, *drafts: Draft) -> list[Record]:
        """Write records, all of them or none; they are on disk on return.

        Peers are told soon after; while more than can be sent waits already,
        this waits first.

        Raises:
            UsageError: `no-agent`; or the code by which others would refuse one.
            LocalError: `disk-full`, `store-failed`.
        """
        if self._online is not None:
            await self._online.relay.room()
        return await self._author().write(drafts)

    async def rotate(self, since: int | None = None) -> Record:
        """Put the agent's next key in force, and commit to one after it.

        Args:
            since: after a theft, the `seq` of the first record that the thief
                wrote: what the agent's older keys signed from there on is let go
                of, here and by everybody. None lets everything stand.

        Raises:
            UsageError: `no-agent`; `not-committed` when the last rotation is not
                before `since`.
            LocalError: `bad-key-file`, `home-failed`, `disk-full`, `store-failed`.
                Call it again, or restart: no key is lost whatever came of it.
        """
        authorship = self._author()
        record = await authorship.rotate(since)
        if self._online is not None:
            # The whole chain: others may lack what came before.
            for link in await authorship.chain():
                self._online.relay.tell(link)
        return record

    async def take(
        self, wires: Sequence[bytes], road: Road, selection: Selection | None = None
    ) -> list[Ruling]:
        """Judge and keep records from elsewhere; return a ruling for each.

        Args:
            wires: as they travel.
            road: how they came.
            selection: what to keep of them, and the key chains of its authors; the
                rest is ruled `not-selected`.

        Raises:
            LocalError: `disk-full`, `store-failed`; nothing was kept.
        """
        incoming = await trio.to_thread.run_sync(
            read_ahead,
            [Incoming(wire, road) for wire in wires],
            self._journal.params,
            self._store.has,
            selection,
        )
        return await self._journal.submit(
            lambda desk: desk.rule(incoming), len(incoming)
        )

    async def get(self, record: RecordId) -> Stored | None:
        """Return one record, or None when it is not held.

        One that is damaged, or lacks a body that is welcome, is asked of peers.

        Raises:
            LocalError: `damaged-record`.
        """
        try:
            stored = await trio.to_thread.run_sync(self._store.get, record)
        except LocalError as error:
            if error.code == "damaged-record":
                self._refetch([record])
            raise
        if stored is not None and stored.lacks_body:
            self._refetch([record], bodies=True)
        return stored

    async def query(self, query: Query) -> Page:
        """Return one page of records; what is damaged of it is asked of peers.

        Raises:
            UsageError: `bad-query`, `bad-cursor`.
        """
        page = await trio.to_thread.run_sync(self._store.page, query)
        self._refetch([each.record for each in page.damaged if each.record is not None])
        return page

    def _refetch(self, records: Sequence[RecordId], *, bodies: bool = False) -> None:
        if self._online is not None and records:
            self._online.syncing.refetch(records, bodies=bodies)

    async def export(
        self, selection: Selection | None = None, after: RecordId | None = None
    ) -> AsyncGenerator[list[Record]]:
        """Yield records oldest first, some at a time, and their authors' key chains.

        Args:
            selection: which ones; all by default.
            after: the last record of an export that was cut short, to go on behind
                it; not one of a key chain.

        Raises:
            UsageError: `not-found` or `bad-query` when `after` cannot be gone on from.
            LocalError: `store-failed`; `damaged-record` at the end, when some could
                not be read.
        """
        wanted = selection or Selection()
        export = await trio.to_thread.run_sync(Export, self._store, wanted, after)
        while (records := await trio.to_thread.run_sync(export.next)) is not None:
            yield records

    async def backup(self) -> AsyncGenerator[bytes]:
        """Yield a backup of the store as it is now, a piece at a time; without keys.

        Raises:
            LocalError: `damaged-record`, `store-failed`: it is worth nothing then.
        """
        pieces = self._store.backup(self.now_ms())
        try:
            while piece := await trio.to_thread.run_sync(next, pieces, None):
                yield piece
        finally:
            pieces.close()

    async def survey(self, selection: Selection | None = None) -> AsyncGenerator[bytes]:
        """Yield all that is held now, for whoever studies it; see `store.survey`.

        Raises:
            UsageError: `bad-community`.
            LocalError: `store-failed`, `store-damaged`.
        """
        if self._presence is not None:
            await self._presence.note()  # or the last seconds would be missing
        frames = self._store.survey(selection or Selection(), about(self.config))
        try:
            while piece := await trio.to_thread.run_sync(next, frames, None):
                yield piece
        finally:
            frames.close()

    def horizon_ms(self) -> int:
        """Return the time below which no post is kept, nor to be asked for.

        0 is none. It concerns what names a community (spec 11); reads the store.
        """
        return self._journal.retention.horizon_ms()

    async def drop(self, record: RecordId) -> bool:
        """Drop a record's body here for good, held or yet to come; the header stays.

        Returns:
            Whether it was not dropped before.

        Raises:
            LocalError: `disk-full`, `store-failed`, `store-damaged`.
        """
        # In the writer's turn, but no part of its batch, which is of records that were
        # judged: a sitting looks again once the store is past its version. Should the
        # batch fail, this fails too, though it is done; to do it again does no harm.
        now_ms = self.now_ms()
        return await self._journal.submit(lambda _: self._store.drop(record, now_ms))

    async def undrop(self, record: RecordId) -> bool:
        """Take a record's body when it comes again; return whether it was dropped.

        Raises:
            LocalError: as `drop`.
        """
        return await self._journal.submit(lambda _: self._store.undrop(record))

    async def dropped(self, after: RecordId | None, limit: int) -> list[Dropped]:
        """Return bodies that were dropped, in order of ids, behind `after`."""
        return await trio.to_thread.run_sync(self._store.dropped, after, limit)

    def subscribe(self, community: str | None = None) -> Subscription:
        """Return a live feed of what is new here, by whatever road.

        Args:
            community: only records posted there; None for everything.
        """
        return self._hub.subscribe(community)

    async def feed(self, after: int | None = None) -> Feed:
        """Return all arrivals behind a number, and those to come, in order.

        Args:
            after: the `number` of the last one known; 0 for all; None for what comes.

        Raises:
            UsageError: `no-arrivals` when this node does not note them, `bad-cursor`.
        """
        if not self.config.policy.arrivals:
            raise UsageError(
                "no-arrivals",
                f"a node of role {self.config.role.value} notes no order of arrivals",
                "ask a listener; or read on by time: moltp2p feed, export --since",
            )
        last = await trio.to_thread.run_sync(self._store.last_arrival)
        return Feed(self._store, self._hub, after, last)

    async def peers(self) -> list[PeerStatus]:
        """Return the connected peers, oldest connection first."""
        return [] if self._online is None else self._online.peers()

    async def connect(self, address: str) -> PeerId:
        """Connect to a peer at once.

        Args:
            address: a multiaddr with `/p2p/<peer id>`.

        Raises:
            UsageError: `offline`, `bad-address`, `self-dial`.
            PeerError: `dial-failed`, `wrong-peer`.
            LocalError: `too-many-connections`.
        """
        return await self._require_online().network.dial(address)

    def sync(self) -> AsyncIterator[SyncStatus]:
        """Compare with every connected peer now; yield how far that is.

        The last status is that of the end; iterate to it.

        Raises:
            UsageError: `offline`.
        """
        return self._require_online().syncing.sync()

    async def status(self) -> Status:
        """Return what there is to say of this node now."""
        journal = self._journal
        return Status(
            role=self.config.role.value,
            network=self.config.network.id,
            agent=self.agent,
            uptime_s=trio.current_time() - self._opened_at,
            store=store_status(
                records=await trio.to_thread.run_sync(self._store.count),
                fingerprint=await trio.to_thread.run_sync(
                    set_fingerprint, self._store, self.config.network
                ),
                waiting=len(journal.pen),
                outage=journal.outage,
            ),
            retention=await trio.to_thread.run_sync(self._journal.retention.status),
            rulings=rulings_by_code(journal.rulings),
            gossip=None if self._online is None else self._online.status(),
            sync=None if self._online is None else self._online.syncing.status(),
            proof=None if self._proving is None else self._proving.status(),
            census=await self._census(),
        )

    async def _census(self) -> Tally | None:
        if not self.config.network.admission:
            return None
        return await trio.to_thread.run_sync(self._journal.agents.tally)

    async def readings(self) -> Readings:
        """Return all that it counts."""
        online = self._online
        return Readings(
            status=await self.status(),
            network=None if online is None else online.network.stats(),
            pubsub=None if online is None else online.pubsub.stats(),
        )

    @property
    def admin(self) -> Administration:
        """Return the operator's hand on it.

        Raises:
            UsageError: `offline`.
        """
        return Administration(self._require_online())

    @property
    def proving(self) -> Proving:
        """Return what proves that its agent is one, and lets others prove it.

        Raises:
            UsageError: `no-agent`, `offline`.
        """
        self._author()
        if self._proving is None:
            raise _offline()
        return self._proving

    def _require_online(self) -> Online:
        if self._online is None:
            raise _offline()
        return self._online

    def _author(self) -> Authorship:
        if self._authorship is None:
            raise UsageError(
                "no-agent",
                f"a {self.config.role.value} never authors",
                "run a node with role agent, in a home made by `moltp2p init`",
            )
        return self._authorship


@asynccontextmanager
async def open_node(
    config: Config, *, offline: bool = False, world: World | None = None
) -> AsyncIterator[Node]:
    """Run a node for the length of the block: ready on entry, gone on exit.

    What the block raises comes out as it is; should a service of the node fail,
    its error ends the block and comes out.

    Args:
        config: from `load_config`, or made by hand.
        offline: open the store and nothing else; peers are told nothing.
        world: the clock, the dice, the disk and the network; the machine's by
            default.

    Raises:
        LocalError: `home-missing`, `home-failed`, `key-permissions`,
            `bad-key-file`, `bad-access-file`, `store-locked`, `store-damaged`,
            `newer-schema`, `other-network`, `port-in-use`.
        UsageError: `bad-address`.
    """
    world = world or real_world()
    home = Home(config.home)
    if config.role is Role.AGENT:
        home.check()
    else:
        home.create()
    try:
        async with AsyncExitStack() as stack:
            parts = await assemble(stack, config, home, world, offline=offline)
            yield Node(config, parts)
    except BaseExceptionGroup as group:  # callers catch codes, not groups
        error = _alone(group)
        raise error from error.__cause__


def _offline() -> UsageError:
    return UsageError("offline", "this node runs without a network")


def _alone(error: BaseException) -> BaseException:
    """Return what a group holds, when it is one thing; else the group."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
