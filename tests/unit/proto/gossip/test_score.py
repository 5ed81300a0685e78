"""How a score is made, decays, and outlives a connection."""

from __future__ import annotations

import ipaddress

import pytest

from moltp2p.core.ids import PeerId
from moltp2p.proto.address import origin_of
from moltp2p.proto.gossip.score import Scores
from moltp2p.proto.gossip.score_settings import RETENTION_S
from moltp2p.proto.gossip.standing import ScoreParts, Standing

BOB = PeerId("bob")
CAROL = PeerId("carol")
PUBLIC = ipaddress.ip_address("198.51.100.7")
HOUR = 3600


def arrived(scores: Scores, peer: PeerId = BOB, ip: str | None = None) -> Standing:
    return scores.arrive(peer, None if ip is None else ipaddress.ip_address(ip), 0.0)


def crowd(scores: Scores, ips: list[str]) -> list[float]:
    """Let a peer arrive from each address; return all their scores."""
    names = [PeerId(f"p{number}") for number in range(len(ips))]
    for name, ip in zip(names, ips, strict=True):
        arrived(scores, name, ip)
    return [scores.of(name) for name in names]


def beat(scores: Scores, times: int, **meshes: list[PeerId]) -> None:
    for _ in range(times):
        scores.heartbeat(meshes, 0.0)


def parts(standing: Standing) -> ScoreParts:
    standing.settle()
    return standing.explain()


# Credit.


def test_a_newcomer_has_a_score_of_zero() -> None:
    scores = Scores()

    assert arrived(scores).score == 0
    assert scores.of(PeerId("nobody")) == 0


def test_time_in_a_mesh_earns_credit() -> None:
    scores = Scores()
    bob = arrived(scores)

    beat(scores, 360, t=[BOB])

    assert bob.score == pytest.approx(0.1)


def test_time_in_a_mesh_counts_for_an_hour_at_most() -> None:
    scores = Scores()
    bob = arrived(scores)

    beat(scores, 2 * HOUR, t=[BOB])

    assert bob.score == pytest.approx(1.0)


def test_time_in_a_mesh_is_lost_with_the_place_in_it() -> None:
    scores = Scores()
    bob = arrived(scores)
    beat(scores, 360, t=[BOB])

    beat(scores, 1)
    left = bob.score
    beat(scores, 36, t=[BOB])

    assert left == 0
    assert bob.score == pytest.approx(0.01)


def test_bringing_messages_first_earns_credit_at_the_next_heartbeat() -> None:
    scores = Scores()
    bob = arrived(scores)
    for _ in range(10):
        bob.first("t")

    before = bob.score
    beat(scores, 1)

    assert before == 0
    assert bob.score == pytest.approx(5, rel=0.01)


def test_first_deliveries_count_to_a_hundred() -> None:
    bob = Standing()
    for _ in range(500):
        bob.first("t")

    assert parts(bob).topics == {"t": 50}


def test_first_deliveries_are_zero_after_ten_minutes() -> None:
    scores = Scores()
    bob = arrived(scores)
    bob.first("t")

    beat(scores, 598)
    before = bob.score
    beat(scores, 3)

    assert 0.005 <= before < 0.0051
    assert bob.score == 0
    assert bob.topics == {}


def test_credit_of_many_topics_together_is_capped() -> None:
    bob = Standing()
    for topic in "abcdef":
        for _ in range(100):
            bob.first(topic)

    assert parts(bob).score == 100


# Blame.


def test_an_invalid_message_costs_a_thousand_at_once_and_two_four_times_that() -> None:
    bob = Standing()

    bob.reject()
    one = bob.score
    bob.reject()

    assert [one, bob.score] == [-1000, -4000]


def test_invalid_messages_are_forgiven_after_an_hour() -> None:
    scores = Scores()
    bob = arrived(scores)
    bob.reject()

    beat(scores, 271)
    gossips_again = bob.score
    beat(scores, HOUR - 272)
    before = bob.score
    beat(scores, 2)

    assert gossips_again == pytest.approx(-500, abs=1)
    assert -0.11 < before < 0
    assert bob.score == 0


def test_counts_have_a_ceiling_so_that_nobody_is_shut_out_for_days() -> None:
    scores = Scores()
    bob = arrived(scores)
    for _ in range(100_000):
        bob.reject()
        bob.misbehave(1000)

    beat(scores, 2 * HOUR + 2)

    assert bob.score == 0


def test_a_few_faults_are_forgiven() -> None:
    bob = Standing()

    bob.fault(5)
    forgiven = bob.score
    bob.fault(1)

    assert [forgiven, bob.score] == [0, -20]


def test_faults_alone_never_keep_a_peer_from_gossip() -> None:
    bob = Standing()

    bob.fault(1_000_000)

    assert bob.score == -400
    assert bob.may_gossip
    assert not bob.may_mesh


def test_six_misbehaviours_are_forgiven_and_the_rest_is_squared() -> None:
    bob = Standing()

    seen = []
    for _ in range(9):
        bob.misbehave(1)
        seen.append(bob.score)

    assert seen == [0] * 6 + [-10, -40, -90]


def test_misbehaviour_decays() -> None:
    scores = Scores()
    bob = arrived(scores)
    bob.misbehave(16)

    beat(scores, 1)
    soon = bob.score
    beat(scores, 800)

    assert -1000 < soon < -990
    assert bob.score == 0


@pytest.mark.parametrize(
    ("score", "means"),
    [
        (0, "welcome"),
        (-1, "kept-out"),
        (-500, "kept-out"),
        (-501, "no-gossip"),
        (-1000, "no-gossip"),
        (-1001, "no-messages"),
        (-2500, "no-messages"),
        (-2501, "graylisted"),
    ],
)
def test_what_a_score_lets_a_peer_do(score: float, means: str) -> None:
    bob = Standing(score=score)

    assert bob.explain().means == means
    assert [bob.may_mesh, bob.may_gossip, bob.may_publish, not bob.is_graylisted] == [
        score >= 0,
        score >= -500,
        score >= -1000,
        score >= -2500,
    ]


def test_a_score_is_explained_by_its_parts() -> None:
    scores = Scores()
    bob = arrived(scores)
    bob.first("t")
    bob.reject()
    bob.fault(7)
    bob.misbehave(8)

    explained = bob.explain()

    assert explained == ScoreParts(
        score=-1080,
        credit=0.5,
        blame=-1080,
        invalid=-1000,
        faults=-40,
        colocation=0,
        behaviour=-40,
        topics={"t": 0.5},
        means="no-messages",
    )
    assert "-0.0" not in str(Standing().explain())


# Addresses.


def test_five_peers_at_one_address_are_nobodys_fault_and_more_are_everybodys() -> None:
    assert crowd(Scores(), ["198.51.100.7"] * 5) == [0] * 5
    assert crowd(Scores(), ["198.51.100.7"] * 7) == [-400] * 7


def test_addresses_of_ipv4_are_counted_one_by_one() -> None:
    assert crowd(Scores(), [f"198.51.100.{n}" for n in range(50)]) == [0] * 50


def test_addresses_of_ipv6_are_counted_by_64_bits() -> None:
    same = [f"2001:db8:0:1::{n:x}" for n in range(6)]
    other = [f"2001:db8:0:{n:x}::1" for n in range(6)]

    assert crowd(Scores(), same) == [-100] * 6
    assert crowd(Scores(), other) == [0] * 6


def test_an_ipv4_address_written_as_ipv6_is_the_same_address() -> None:
    assert crowd(Scores(), ["198.51.100.7"] * 3 + ["::ffff:198.51.100.7"] * 3) == (
        [-100] * 6
    )
    mapped = ipaddress.ip_address("::ffff:198.51.100.7")
    assert origin_of(mapped) == origin_of(PUBLIC)


@pytest.mark.parametrize("ip", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_meshes_on_one_machine_are_not_blamed_for_it(ip: str) -> None:
    assert crowd(Scores(), [ip] * 50) == [0] * 50


def test_an_operator_may_name_addresses_that_many_share() -> None:
    scores = Scores([ipaddress.ip_network("10.0.0.0/8")])

    assert crowd(scores, ["10.1.2.3"] * 50) == [0] * 50
    assert crowd(Scores(), ["10.1.2.3"] * 6) == [-100] * 6


def test_when_neighbours_leave_in_peace_the_others_are_not_blamed_any_more() -> None:
    scores = Scores()
    crowd(scores, ["198.51.100.7"] * 7)

    scores.leave(PeerId("p0"), 0.0)
    one_less = scores.of(PeerId("p1"))
    scores.leave(PeerId("p1"), 0.0)

    assert one_less == -100
    assert scores.of(PeerId("p2")) == 0
    assert scores.retained == 0


def test_burning_names_from_one_address_gets_worse_with_each() -> None:
    scores = Scores()
    seen = []
    for number in range(8):
        name = PeerId(f"sybil-{number}")
        standing = arrived(scores, name, "198.51.100.7")
        seen.append(standing.score)
        standing.reject()
        scores.leave(name, 0.0)

    assert seen == [0] * 5 + [-100, -400, -900]


# Coming and going.


def test_blame_outlives_a_connection_and_does_not_decay_meanwhile() -> None:
    scores = Scores()
    arrived(scores).misbehave(10)
    scores.leave(BOB, 0.0)

    beat(scores, 1000)
    back = scores.arrive(BOB, None, RETENTION_S - 1)

    assert back.score == -160


def test_coming_and_going_makes_nothing_forgiven() -> None:
    scores = Scores()
    for _ in range(3):
        arrived(scores, ip="198.51.100.7").misbehave(3)
        scores.leave(BOB, 0.0)

    assert arrived(scores).score == -90


def test_who_leaves_with_no_more_than_is_forgiven_is_no_neighbour() -> None:
    scores = Scores()
    for number in range(10):
        arrived(scores, PeerId(f"p{number}"), "198.51.100.7").fault(1)
        scores.leave(PeerId(f"p{number}"), 0.0)

    assert scores.retained == 10
    assert arrived(scores, ip="198.51.100.7").score == 0


def test_blame_is_forgotten_after_six_hours() -> None:
    scores = Scores()
    arrived(scores).misbehave(10)
    scores.leave(BOB, 0.0)

    assert scores.arrive(BOB, None, RETENTION_S).score == 0


def test_credit_ends_with_the_connection() -> None:
    scores = Scores()
    bob = arrived(scores)
    for _ in range(100):
        bob.first("t")
    beat(scores, 1, t=[BOB])
    scores.leave(BOB, 0.0)

    assert scores.retained == 0
    assert arrived(scores).score == 0


def test_an_invalid_message_counts_although_its_sender_has_left() -> None:
    scores = Scores()
    bob = arrived(scores, ip="198.51.100.7")
    scores.leave(BOB, 0.0)

    scores.reject(BOB, bob, 1.0)
    scores.reject(BOB, bob, 1.0)

    assert scores.arrive(BOB, None, 2.0).score == -4000


def test_an_invalid_message_counts_although_its_sender_left_and_came_back() -> None:
    scores = Scores()
    before = arrived(scores)
    scores.leave(BOB, 0.0)
    after = arrived(scores)

    scores.reject(BOB, before, 1.0)

    assert after.score == -1000


def test_leaving_twice_is_harmless() -> None:
    scores = Scores()
    arrived(scores, ip="198.51.100.7")

    scores.leave(BOB, 0.0)
    scores.leave(BOB, 0.0)

    assert scores.of(BOB) == 0


def test_what_is_kept_of_those_who_left_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("moltp2p.proto.gossip.score.MAX_RETAINED", 10)
    scores = Scores()
    for number in range(1000):
        name = PeerId(f"p{number}")
        arrived(scores, name, f"198.51.{number // 250}.{number % 250}").reject()
        scores.leave(name, 0.0)

    assert scores.retained == 10
    assert len(scores._fled) == 10
    assert scores._residents == {}
    assert arrived(scores, PeerId("p999")).score == -1000
    assert arrived(scores, PeerId("p0")).score == 0
