"""As whom a peer stands at the door of a challenger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pytest

from moltp2p.core.ids import PeerId
from moltp2p.net.base import PeerInfo
from moltp2p.node.proving.challenge_means import Means
from tests.acquaintances import peer


@dataclass
class At:
    """A network in which everybody is at one IP."""

    ip: str

    def info(self, who: PeerId) -> PeerInfo:
        version = 6 if ":" in self.ip else 4
        address = f"/ip{version}/{self.ip}/tcp/1/p2p/{who}"
        return PeerInfo(who, address, outbound=False, connected_at=0.0, faults=0)


@dataclass
class House:
    network: At


def stands_as(ip: str, number: int = 1) -> str:
    return Means.visitor(cast("Any", House(At(ip))), peer(number)).address


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("9.0.0.1", "9.0.0.1", True),
        ("9.0.0.1", "::ffff:9.0.0.1", True),
        ("9.0.0.1", "9.0.0.2", False),
        ("2a00::1", "2a00::ffff:2", True),  # one /64 has more than anybody can count
        ("2a00::1", "2a00:0:0:1::1", False),
    ],
)
def test_one_stranger_has_one_address(one: str, other: str, same: bool) -> None:
    assert (stands_as(one, 1) == stands_as(other, 2)) is same


def test_this_machines_own_are_told_apart() -> None:
    assert stands_as("127.0.0.1", 1) != stands_as("127.0.0.1", 2)
