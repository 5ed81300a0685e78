"""No good deed makes up for a bad one, whatever the order and the topic."""

from __future__ import annotations

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from moltp2p.core.ids import PeerId
from moltp2p.proto.gossip.score import Scores
from moltp2p.proto.gossip.score_settings import RETENTION_S
from tests.unit.proto.gossip.test_score import BOB, arrived, beat

GOOD = st.tuples(st.just("good"), st.sampled_from("abcdefgh"), st.integers(1, 200))


BAD = st.tuples(
    st.just("bad"),
    st.sampled_from(["reject", "fault", "misbehave"]),
    st.integers(1, 20),
)


NOTHING = ("bad", "fault", 0)


PAUSE = st.tuples(st.just("pause"), st.sampled_from(["", "a", "ab"]), st.integers(1, 9))


def play(deeds: list[tuple[str, str, int]], *, good: bool) -> list[float]:
    """Return the score after each deed; without the good ones if they do not count."""
    scores = Scores()
    bob = arrived(scores)
    seen = []
    for deed, what, count in deeds:
        match deed:
            case "good" if good:
                for _ in range(count):
                    bob.first(what)
            case "bad" if what == "reject":
                for _ in range(count):
                    bob.reject()
            case "bad":
                getattr(bob, what)(count)
            case "pause":
                beat(scores, count, **{topic: [BOB] for topic in what if good})
            case _:
                pass
        seen.append(bob.score)
    return seen


@given(st.lists(st.one_of(GOOD, BAD, PAUSE), max_size=30))
def test_no_credit_in_any_topic_makes_up_for_any_blame(
    deeds: list[tuple[str, str, int]],
) -> None:
    with_credit, without = play(deeds, good=True), play(deeds, good=False)

    for better, plain in zip(with_credit, without, strict=True):
        assert better == plain if plain < 0 else 0 <= better <= 100


@given(st.lists(st.one_of(GOOD, BAD, PAUSE), max_size=20), BAD)
def test_a_bad_deed_never_raises_a_score(
    deeds: list[tuple[str, str, int]], worse: tuple[str, str, int]
) -> None:
    assert (
        play([*deeds, worse], good=True)[-1] <= play([*deeds, NOTHING], good=True)[-1]
    )


@given(
    st.lists(
        st.tuples(
            st.sampled_from([PeerId(f"p{n}") for n in range(6)]),
            st.sampled_from(["198.51.100.7", "2001:db8::1", "127.0.0.1", None]),
            st.sampled_from(["arrive", "leave", "reject", "slip", "beat", "wait"]),
        ),
        max_size=60,
    )
)
def test_neighbours_are_counted_right_after_any_comings_and_goings(
    steps: list[tuple[PeerId, str | None, str]],
) -> None:
    scores, here, now = Scores(), {}, 0.0
    for peer, ip, step in steps:
        now += 1
        match step:
            case "arrive" if peer not in here:
                address = None if ip is None else ipaddress.ip_address(ip)
                here[peer] = scores.arrive(peer, address, now)
            case "leave":
                here.pop(peer, None)
                scores.leave(peer, now)
            case "reject" if peer in here:
                scores.reject(peer, here[peer], now)
            case "slip" if peer in here:
                here[peer].misbehave(1)
            case "beat":
                scores.heartbeat({}, now)
            case _:
                now += RETENTION_S / 3
        for standing in here.values():
            fled = [s for _, s in scores._gone.values() if s.score < 0]
            gone = [s for s in fled if s.origin == standing.origin]
            near = [s for s in here.values() if s.origin == standing.origin]
            expected = len(gone) + len(near) if standing.origin else 0
            assert standing.neighbours == expected
