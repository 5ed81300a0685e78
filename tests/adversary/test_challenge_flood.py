"""Applications by the thousand: each costs next to nothing, and argon2 has a budget."""

from __future__ import annotations

import dataclasses
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moltp2p.core.challenge.spelling import read, write
from moltp2p.core.challenge.statements import Statement
from moltp2p.core.challenge.testimony import (
    Apply,
)
from moltp2p.core.challenge.work import Ticket
from moltp2p.core.codec import decode, encode
from moltp2p.core.keys import Signer
from moltp2p.proto.challenge.challenger import Host, challenger
from moltp2p.proto.challenge.desk import Desk, DeskSettings
from moltp2p.proto.challenge.events import Done, Received
from moltp2p.proto.challenge.messages import encode_message
from moltp2p.proto.ratelimit import Rate
from moltp2p.testing.challenging import (
    FREE,
    NETWORK,
    Pair,
    party,
    visitor,
)
from moltp2p.testing.factories import signer
from moltp2p.testing.proofs import known_agent, peer_of, tickets
from moltp2p.testing.toy_tasks import word_toy
from tests.adversary.sessions import BEGUN, NOW, RECORDED, ended


def flood_of(name: str) -> bytes:
    """Return an application that will be refused, as dear as can be before Argon2."""
    alice = known_agent("alice")
    good = read(Statement.from_value(decode(RECORDED[0])), Apply)
    by: Signer = alice.author.signer
    paid = next(tickets(alice))
    other = {
        "stale": dataclasses.replace(good, ticket=Ticket(1, 1, 0)),
        "wrong-party": dataclasses.replace(good, peer=peer_of("carol")),
        "bad-signature": good,
        "weak": dataclasses.replace(good, ticket=paid),
    }
    if name == "garbage":
        return bytes(8_192)
    if name == "long":
        return encode(["apply", bytes(8_000), bytes(64)])
    said = other[name]
    signed_by = signer("mallory") if name == "bad-signature" else by
    return encode_message(write(said, signed_by, NETWORK))


FLOODS = ["garbage", "long", "stale", "wrong-party", "bad-signature", "weak"]


@pytest.mark.parametrize("name", FLOODS)
def test_an_application_that_is_refused_costs_less_than_a_millisecond(
    name: str,
) -> None:
    pair = Pair(desk=Desk(FREE, challengers=100 if name == "weak" else 0))
    own, frame, who = party(pair.issuer), flood_of(name), visitor(pair.subject)
    host = Host(own, word_toy, pair.desk)

    def refuse() -> float:
        begun_s = time.thread_time()
        machine = challenger(host, who, BEGUN)
        actions = machine.handle(Received(frame), NOW)
        spent_s = time.thread_time() - begun_s
        assert ended(actions) != "ok"
        return spent_s

    # The best of several: a busy machine makes single ones longer.
    assert min(refuse() for _ in range(20)) < 0.001


def test_a_flood_of_tickets_costs_so_many_argon2_and_no_more() -> None:
    settings = DeskSettings(sessions=64, visits=Rate(1e6, 1e6), hashes=Rate(2.0, 16))
    pair = Pair(desk=Desk(settings))
    own, who = party(pair.issuer), visitor(pair.subject)
    frame = RECORDED[0]
    asked = 0
    for number in range(1_000):
        machine = challenger(Host(own, word_toy, pair.desk), who, BEGUN)
        actions = machine.handle(Received(frame), NOW + number / 1_000)
        asked += not isinstance(actions[-1], Done)
        machine.close()

    assert asked == 17


@pytest.mark.slow
@given(st.lists(st.binary(max_size=60) | st.sampled_from(RECORDED), max_size=12))
def test_whatever_a_stranger_sends_a_session_ends_with_a_code(
    frames: list[bytes],
) -> None:
    for machine in (Pair().challenging(), Pair().applying()):
        for frame in frames:
            machine.handle(Received(frame), NOW)
        if not machine.is_done:
            machine.close()
        assert machine.handle(Received(b""), NOW) == ()
