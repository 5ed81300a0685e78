"""This node's agent: its keys, and the records it writes with them."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from moltp2p.core.author import Author, Draft, Head, incept
from moltp2p.core.errors import UsageError
from moltp2p.core.ids import AgentId, PublicKey
from moltp2p.core.keychain import KeyChain
from moltp2p.core.keys import Signer
from moltp2p.core.record import Record
from moltp2p.node.desk import Desk
from moltp2p.node.home import Draw, Home
from moltp2p.node.journal import Journal
from moltp2p.store.base import Store


class Authorship:
    """Writes as the agent whose keys are in a home.

    Attributes:
        agent: whose records it writes.
    """

    def __init__(
        self, network: str, home: Home, store: Store, journal: Journal, draw: Draw
    ) -> None:
        key = home.agent_key()
        self.agent: AgentId = AgentId(key.owner)
        self._network = network
        self._home = home
        self._store = store
        self._journal = journal
        self._draw = draw
        self._signer = Signer(key.seed)
        # Two at once would prepare one key and commit to another.
        self._rotating = trio.Lock()

    @property
    def signer(self) -> Signer:
        """Return the key now in force."""
        return self._signer

    async def begin(self) -> list[Record]:
        """Write the agent's first record, or finish a rotation that was cut short.

        An agent that has written before and whose store is empty writes nothing: it is
        behind until peers have told it what it wrote (see `catch_up`).

        Returns:
            The key chain that was there already; others may not have heard of it.

        Raises:
            UsageError: `wrong-key` when the key files are not those of the key chain.
            LocalError: `bad-key-file`, `home-failed`, `disk-full`, `store-failed`.
        """
        chain = await trio.to_thread.run_sync(self._store.key_chain, self.agent)
        if chain is None and self._has_written():
            await trio.to_thread.run_sync(self._store.fall_behind)
            return []
        if chain is None:
            await self._incept()
        await trio.to_thread.run_sync(self._settle_stored)
        await trio.to_thread.run_sync(self._home.note_written)
        return [] if chain is None else await self.chain()

    async def head(self) -> Head | None:
        """Return the agent's newest record here, or None.

        Raises:
            LocalError: `store-damaged`, `store-failed`.
        """
        return await trio.to_thread.run_sync(self._store.head, self.agent)

    @property
    def is_behind(self) -> bool:
        """Whether peers may hold records of the agent that are not here."""
        return self._store.is_behind()

    async def catch_up(self) -> bool:
        """Write from now on, once what peers hold of the agent's is here.

        Returns:
            Whether it may write; not while even its first record is missing.

        Raises:
            UsageError: `wrong-key` when the key files are not the newest.
            LocalError: as `begin`.
        """
        chain = await trio.to_thread.run_sync(self._store.key_chain, self.agent)
        if chain is None:
            return False
        await trio.to_thread.run_sync(self._settle_stored)
        # At the desk, since whoever writes looks there whether it may.
        await self._journal.submit(lambda _: self._store.caught_up())
        return True

    def _has_written(self) -> bool:
        """Tell whether the agent has written; its first key rotates only by that."""
        return self._home.has_written or self._signer.public != PublicKey(self.agent)

    async def write(self, drafts: Sequence[Draft]) -> list[Record]:
        """Write all of `drafts`, or none; they are on disk on return.

        Raises:
            UsageError: the code by which others would refuse one.
            LocalError: `disk-full`, `store-failed`.
        """
        author = Author(self.agent, self._network, self._signer)
        return await self._journal.submit(
            lambda desk: desk.write(author, drafts), len(drafts)
        )

    async def rotate(self, since: int | None) -> Record:
        """Put the next key in force, and commit to one after it.

        Args:
            since: the first place in the sequence that is not to stand; None
                after the newest record that is held.

        Raises:
            UsageError: `not-committed` when the last rotation is not before it.
            LocalError: `bad-key-file`, `home-failed`, `disk-full`, `store-failed`.
                Call it again, or restart: no key is lost whatever came of it.
        """
        async with self._rotating:
            await trio.to_thread.run_sync(self._settle_stored)
            return await self._rotate(since)

    async def _rotate(self, since: int | None) -> Record:
        following = await trio.to_thread.run_sync(self._home.next_key)
        after = await trio.to_thread.run_sync(self._home.prepare_rotation, self._draw)
        signer = Signer(following.seed)
        author = Author(self.agent, self._network, signer)

        def write(desk: Desk) -> list[Record]:
            head = (
                desk.require_head(self.agent)
                if since is None
                else desk.head_before(self.agent, since)
            )
            return desk.keep_own([author.rotate(head, after.public, desk.now_ms)])

        with trio.CancelScope(shield=True):
            (record,) = await self._journal.submit(write)
            # Before the files, so that what follows is signed by the key in force
            # even when they cannot be written.
            self._signer = signer
            await trio.to_thread.run_sync(self._settle, following.public)
        return record

    async def chain(self) -> list[Record]:
        """Return the agent's inception and rotations, oldest first."""
        return await trio.to_thread.run_sync(self._chain)

    async def _incept(self) -> None:
        following = await trio.to_thread.run_sync(self._home.next_key)

        def write(desk: Desk) -> list[Record]:
            key, now_ms = following.public, desk.now_ms
            return desk.keep_own([incept(self._network, self._signer, key, now_ms)])

        await self._journal.submit(write)

    def _settle_stored(self) -> None:
        """Finish a rotation that was stored, and whose key files were not written."""
        chain = self._store.key_chain(self.agent)
        if chain is not None:
            self._settle(chain.current.key)

    def _settle(self, in_force: PublicKey) -> None:
        """Bring the key files in line with the stored key chain."""
        self._home.settle_rotation(in_force)
        key = self._home.agent_key()
        if key.public != in_force:
            raise UsageError(
                "wrong-key",
                "agent.key is not the key that the agent rotated to",
                "put back the newest copy of the key files",
            )
        self._signer = Signer(key.seed)

    def _chain(self) -> list[Record]:
        chain: KeyChain | None = self._store.key_chain(self.agent)
        links = () if chain is None else chain.links
        held = [self._store.get(link.record) for link in links]
        return [stored.record for stored in held if stored is not None]
