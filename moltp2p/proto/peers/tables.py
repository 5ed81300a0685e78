"""Where addresses are kept so that no one range of the network fills the book.

The idea is that of Bitcoin's addrman, after Heilman et al. 2015. There are two
tables of buckets, one for addresses that somebody told of and one for those that
worked. A secret of the node's own decides which bucket an address belongs to:

    told    by the groups of the address and of whoever told of it, so that one
            group of tellers reaches at most 16 of 128 buckets
    tried   by the group of the address, which reaches at most 4 of 32 buckets

Who picks a bucket first, and then an address in it, meets a range by how many
buckets it reaches, however many addresses it has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

from moltp2p.core.ids import PeerId
from moltp2p.proto.address import Address
from moltp2p.proto.peers.entry import Entry

SECRET_BYTES: Final = 32

TOLD_BUCKETS: Final = 128  # SPEC 04: "128 buckets"
TOLD_BUCKETS_PER_SOURCE: Final = 16  # SPEC 04: "at most 16 of them"
TRIED_BUCKETS: Final = 32  # SPEC 04: "32 buckets"
TRIED_BUCKETS_PER_GROUP: Final = 4  # SPEC 04: "at most 4 of them"
BUCKET_ENTRIES: Final = 16  # SPEC 04: "A bucket holds at most 16 addresses"


class Tables:
    """The two tables.

    Args:
        secret: `SECRET_BYTES` that only this node knows.
    """

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self._entries: dict[Address, Entry] = {}
        self._of_peer: dict[PeerId, list[Entry]] = {}
        self._buckets: dict[tuple[bool, int], list[Entry]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def get(self, address: Address) -> Entry | None:
        """Return what is known of an address."""
        return self._entries.get(address)

    def of_peer(self, peer: PeerId) -> list[Entry]:
        """Return every address of a peer."""
        return list(self._of_peer.get(peer, ()))

    def add(self, entry: Entry, now: float) -> bool:
        """Keep an address; return False when its bucket has no room for it.

        Room is made by what failed most, if anything in the bucket has failed, and
        never by what works: filling a bucket again and again wins nothing.
        """
        entry.bucket = self._bucket(entry)
        inside = self._buckets.setdefault((entry.tried, entry.bucket), [])
        if len(inside) >= BUCKET_ENTRIES:
            worst = _worst(inside, now)
            if worst is None:
                return False
            self.remove(worst)
        inside.append(entry)
        self._entries[entry.address] = entry
        self._of_peer.setdefault(entry.address.peer, []).append(entry)
        return True

    def remove(self, entry: Entry) -> None:
        """Forget an address."""
        if self._entries.get(entry.address) is not entry:
            return
        del self._entries[entry.address]
        self._buckets[entry.tried, entry.bucket].remove(entry)
        of_peer = self._of_peer[entry.address.peer]
        of_peer.remove(entry)
        if not of_peer:
            del self._of_peer[entry.address.peer]

    def promote(self, entry: Entry, now: float) -> None:
        """Move an address that worked among those tried, if there is room."""
        if entry.tried:
            return
        self.remove(entry)
        entry.tried = True
        if not self.add(entry, now):
            entry.tried = False
            self.add(entry, now)

    def _bucket(self, entry: Entry) -> int:
        group = entry.group
        if entry.tried:
            way = self._draw("tried", str(entry.address)) % TRIED_BUCKETS_PER_GROUP
            return self._draw("tried", group, str(way)) % TRIED_BUCKETS
        source = entry.source or ""
        way = self._draw("told", group, source) % TOLD_BUCKETS_PER_SOURCE
        return self._draw("told", source, str(way)) % TOLD_BUCKETS

    def _draw(self, *words: str) -> int:
        """Return a number that nobody else can foresee."""
        text = "\0".join(words).encode()
        return int.from_bytes(hashlib.blake2b(text, key=self.secret).digest()[:8])


def _worst(inside: list[Entry], now: float) -> Entry | None:
    """Return what to give up of a full bucket: of those that worked, none that may."""
    spent = [
        each
        for each in inside
        if not each.dialling
        and (each.is_worthless(now) if each.tried else each.failures > 0)
    ]
    return max(spent, key=lambda each: each.failures, default=None)
