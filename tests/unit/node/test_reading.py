"""What is read before it is judged."""

from __future__ import annotations

import dataclasses

import pytest

from moltp2p.core.record import Record
from moltp2p.core.selection import Selection
from moltp2p.core.topics import NetworkParams
from moltp2p.core.validate import Reading, Road, Ruling
from moltp2p.node.pen import Incoming
from moltp2p.node.reading import read_ahead
from moltp2p.testing.factories import TestAgent

NETWORK = NetworkParams("test-net")


def read(record: Record, selection: Selection | None) -> Reading | Ruling | None:
    incoming = [Incoming(record.wire(), Road.IMPORT)]
    (each,) = read_ahead(incoming, NETWORK, selection=selection)
    return each.reading


@pytest.mark.parametrize(
    ("selection", "is_taken"),
    [
        (None, True),
        (Selection(), True),
        (Selection(community="general"), True),
        (Selection(community="art"), False),
    ],
)
def test_what_was_not_asked_for_is_ruled_out_before_it_is_verified(
    selection: Selection | None, *, is_taken: bool
) -> None:
    bob = TestAgent("bob")
    forged = dataclasses.replace(bob.post(), body=b"other")

    found = read(bob.records[-1], selection)
    garbled = read(forged, selection)

    assert isinstance(found, Reading) is is_taken
    assert is_taken or (isinstance(found, Ruling) and found.code == "not-selected")
    assert isinstance(garbled, Ruling)
    assert garbled.code == "body-mismatch"  # what is no record is refused all the same


def test_the_key_chains_of_authors_come_along() -> None:
    bob, eve = TestAgent("bob"), TestAgent("eve")
    chosen = Selection(community="art", agent=bob.id)

    assert isinstance(read(bob.incept(), chosen), Reading)
    assert isinstance(read(eve.incept(), chosen), Ruling)
