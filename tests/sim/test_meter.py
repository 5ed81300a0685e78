from __future__ import annotations

import random
from hashlib import sha256

from moltp2p.core.ids import MessageId, PeerId
from moltp2p.proto.gossip.events import Validate
from moltp2p.proto.gossip.settings import SEEN_S
from moltp2p.testing.sim import messages
from moltp2p.testing.sim.messages import Published
from moltp2p.testing.sim.meter import Memory, Meter, Safety

TOPIC = "/moltp2p/1/sim/shard/0"


def key_of(data: bytes) -> MessageId:
    return MessageId(sha256(data).digest())


def published(meter: Meter, at_s: float = 1.0) -> bytes:
    """Let node 7 publish the first message, and return it."""
    data = messages.make(0, 7, 50)
    meter.publishes(Memory(), Published(0, at_s, 7, TOPIC), key_of(data))
    return data


def handed_out(data: bytes) -> Validate:
    return Validate(PeerId("n1"), TOPIC, key_of(data), data)


def test_a_message_says_who_published_it_and_which_it_is() -> None:
    data = messages.make(number=3, publisher=70_000, size_bytes=200)

    assert len(data) == 200
    assert messages.is_valid(data)
    assert messages.publisher_of(data) == 70_000
    assert messages.number_of(data) == 3


def test_a_forged_message_is_invalid_and_unlike_any_other(rng: random.Random) -> None:
    forged = {messages.forge(rng, 100) for _ in range(50)}

    assert len(forged) == 50
    assert not any(map(messages.is_valid, forged))


def test_a_delivery_is_noted_with_its_delay() -> None:
    meter, memory = Meter(), Memory()
    data = published(meter, at_s=1.0)

    meter.accepts(4, memory, key_of(data), data, 1.25)

    assert list(meter.published[0].receivers) == [4]
    assert list(meter.published[0].delays_s) == [0.25]
    assert meter.traffic.deliveries == 1
    assert meter.safety.is_kept


def test_accepting_what_is_invalid_is_a_breach(rng: random.Random) -> None:
    meter, data = Meter(), messages.forge(rng, 100)

    meter.accepts(4, Memory(), key_of(data), data, 1.0)

    assert meter.safety == Safety(invalid_accepted=1)


def test_accepting_a_message_twice_is_a_breach() -> None:
    meter, memory = Meter(), Memory()
    data = published(meter)

    meter.accepts(4, memory, key_of(data), data, 1.5)
    meter.accepts(4, memory, key_of(data), data, 1.6)

    assert meter.safety == Safety(delivered_twice=1)
    assert meter.traffic.deliveries == 1


def test_judging_a_message_again_within_the_seen_window_is_a_breach() -> None:
    meter, memory, case = Meter(), Memory(), handed_out(b"\1")

    meter.judges(memory, case, 10.0, restarted_at=0.0)
    meter.judges(memory, case, 10.0 + SEEN_S + 1, restarted_at=0.0)

    assert meter.safety.is_kept

    meter.judges(memory, case, 10.0 + SEEN_S + 2, restarted_at=0.0)

    assert meter.safety == Safety(judged_again=1)


def test_a_router_that_was_started_anew_may_judge_again() -> None:
    meter, memory, case = Meter(), Memory(), handed_out(b"\1")

    meter.judges(memory, case, 10.0, restarted_at=0.0)
    meter.judges(memory, case, 12.0, restarted_at=11.0)

    assert meter.safety.is_kept


def test_passing_on_what_was_not_accepted_is_a_breach() -> None:
    meter, memory = Meter(), Memory()
    data = published(meter)

    meter.pushes(memory, key_of(data))

    assert meter.safety == Safety(passed_unjudged=1)

    meter.accepts(4, memory, key_of(data), data, 1.5)
    meter.pushes(memory, key_of(data))

    assert meter.safety == Safety(passed_unjudged=1)
