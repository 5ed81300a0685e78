"""Whoever has a thousand addresses in four ranges gets few of a node's slots.

The node meets honest peers and an attacker's, over hours of a clock of its own, and
each kind tells of its own. The attacker's nodes always answer; the honest come and
go. See Heilman et al. 2015, "Eclipse attacks on Bitcoin's peer-to-peer network".
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from moltp2p.core.ids import PeerId
from moltp2p.proto.address import Address
from moltp2p.proto.peers.address_book import AddressBook
from moltp2p.proto.peers.book_file import encode_book, read_secret, restore_book
from moltp2p.proto.peers.dial_plan import DialPlan
from tests.acquaintances import WALL_MS, address, peer, records, spread

HONEST, ATTACKERS, GROUPS = 200, 1_000, 4
SAMPLE = 16
ROUND_S = 15.0


def honest(number: int) -> Address:
    """Return an honest peer's address: ten of them in each of twenty groups."""
    group, host = divmod(number, 10)
    return address(number + 1, f"{40 + group}.7.0.{host + 1}")


def attacker(number: int) -> Address:
    """Return one of the attacker's addresses, in one of its four groups."""
    group, host = divmod(number, ATTACKERS // GROUPS)
    return address(10_000 + number, f"66.{group}.{host // 250}.{host % 250 + 1}")


class Victim:
    """A node, and the network as it meets it.

    Args:
        seed: of all chance in its life.
        honest_share: how many of the honest answer when they are dialled.
    """

    def __init__(self, seed: int, honest_share: float = 0.7) -> None:
        self.dice = random.Random(seed)
        self.now = 0.0
        self.honest = [honest(n) for n in range(HONEST)]
        self.attackers = [attacker(n) for n in range(ATTACKERS)]
        self._evil = {each.peer for each in self.attackers}
        self._share = honest_share
        self._open(b"")

    def _open(self, saved: bytes) -> None:
        secret = read_secret(saved) or self.dice.randbytes(32)
        self.book = AddressBook(peer(0), secret)
        restore_book(self.book, saved, self.now, int(self.now))
        self.plan = DialPlan(self.book, self.dice, 12, 4)
        self.outbound: dict[PeerId, Address] = {}

    def restart(self) -> None:
        """End and begin again: nobody is connected, and the book is as it was."""
        self._open(encode_book(self.book, self.plan, self.now, int(self.now)))

    def tell(self, teller: Address, whom: Sequence[Address]) -> None:
        told = records(self.dice.sample(whom, SAMPLE))
        self.book.learn(teller.peer, teller.endpoint.ip, told, self.now, WALL_MS)

    def is_evil(self, each: Address) -> bool:
        return each.peer in self._evil

    def live(self, rounds: int) -> None:
        """Dial, be told, and let now and then an honest peer go."""
        for _ in range(rounds):
            self.now += ROUND_S
            for each in self.plan.due(self.now):
                self._dial(each)
            if self.outbound and self.dice.random() < 0.1:
                self._lose(self.dice.choice(list(self.outbound)))

    def _dial(self, each: Address) -> None:
        if not self.is_evil(each) and self.dice.random() > self._share:
            self.plan.failed(each, "dial-failed", self.now)
            return
        surplus = self.plan.reached(each, self.now)
        self.plan.connected(each.peer, self.now, outbound=each)
        self.outbound[each.peer] = each
        self.tell(each, self.attackers if self.is_evil(each) else self.honest)
        if surplus is not None:
            self.plan.disconnected(surplus, self.now)
            self.outbound.pop(surplus, None)

    def _lose(self, gone: PeerId) -> None:
        if not self.is_evil(self.outbound[gone]):
            del self.outbound[gone]
            self.plan.disconnected(gone, self.now)

    def attack(self, times: int) -> None:
        """Let the attacker's peers dial the node, and tell all that they can."""
        for _ in range(times):
            self.tell(self.dice.choice(self.attackers), self.attackers)

    @property
    def evil_share(self) -> float:
        """Return the attacker's part of the outbound peers."""
        evil = sum(map(self.is_evil, self.outbound.values()))
        return evil / len(self.outbound)


SEEDS = [*range(4), *(pytest.param(n, marks=pytest.mark.long) for n in range(4, 60))]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_flood_after_a_while_gets_at_most_half(seed: int) -> None:
    victim = Victim(seed)
    victim.tell(victim.honest[0], victim.honest)
    victim.live(40)
    victim.attack(500)
    victim.live(400)

    assert len(victim.outbound) >= 8
    assert victim.evil_share <= 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_a_flood_before_anything_else_gets_at_most_half(seed: int) -> None:
    victim = Victim(seed)
    victim.attack(500)
    victim.tell(victim.honest[0], victim.honest)
    victim.live(400)

    assert len(victim.outbound) >= 8
    assert victim.evil_share <= 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_a_flood_and_a_restart_get_at_most_half(seed: int) -> None:
    victim = Victim(seed)
    victim.tell(victim.honest[0], victim.honest)
    victim.live(40)
    victim.attack(500)
    victim.live(40)
    for _ in range(3):
        victim.restart()
        victim.live(20)
        assert len(victim.outbound) >= 8
        assert victim.evil_share <= 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_few_honest_peers_outnumbered_hundredfold_get_half(seed: int) -> None:
    victim = Victim(seed, honest_share=1.0)
    victim.honest = victim.honest[::10]
    victim.attack(500)
    victim.tell(victim.honest[0], victim.honest)
    victim.live(400)

    assert len(victim.outbound) >= 8
    assert victim.evil_share <= 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_anchors_outlive_a_restart_amid_a_flood(seed: int) -> None:
    victim = Victim(seed, honest_share=1.0)
    victim.tell(victim.honest[0], victim.honest)
    victim.live(40)
    anchors = {each.address.peer for each in victim.plan.anchors(victim.now)}
    victim.attack(500)
    victim.restart()

    assert {each.peer for each in victim.plan.due(victim.now)} == anchors
    assert len(anchors) == 4


def test_what_the_attacker_tells_fills_its_own_buckets_alone() -> None:
    victim = Victim(1)
    for number in range(60):
        victim.tell(spread(number), victim.honest)
    known = {each.address for each in victim.book}
    victim.attack(2_000)

    kept = {each.address for each in victim.book if not victim.is_evil(each.address)}
    evil = len(list(victim.book)) - len(kept)
    assert kept == known
    assert evil <= GROUPS * GROUPS * 16  # one bucket for each pair of groups
