from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from moltp2p.proto.ratelimit import Rate, RateLimiter, units

RATE = Rate(per_s=10, burst=20)


def limiter(max_keys: int = 100) -> RateLimiter[str]:
    return RateLimiter(RATE, max_keys)


def taken(limit: RateLimiter[str], key: str, count: int, now: float) -> int:
    return sum(limit.take(key, 1, now) for _ in range(count))


def test_a_burst_passes_and_no_more() -> None:
    assert taken(limiter(), "alice", 100, 0.0) == 20


def test_an_empty_bucket_fills_at_the_rate() -> None:
    limit = limiter()
    taken(limit, "alice", 20, 0.0)

    assert taken(limit, "alice", 100, 1.5) == 15


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    limit = limiter()
    taken(limit, "alice", 20, 0.0)

    assert taken(limit, "alice", 100, 3600.0) == 20


def test_one_key_does_not_spend_what_is_anothers() -> None:
    limit = limiter()
    taken(limit, "mallory", 100, 0.0)

    assert taken(limit, "bob", 100, 0.0) == 20


def test_what_is_refused_costs_nothing() -> None:
    limit = limiter()
    taken(limit, "alice", 100, 0.0)

    assert limit.take("alice", 10, 1.0)


def test_what_costs_more_than_the_burst_never_passes() -> None:
    assert not limiter().take("alice", 21, 0.0)


def test_inventing_keys_wins_nothing_once_there_are_too_many() -> None:
    limit = limiter(max_keys=10)

    passed = sum(taken(limit, f"sybil-{n}", 20, 0.0) for n in range(1000))

    assert passed == 11 * 20  # the tenth key's bucket, and the last one
    assert len(limit) == 11


def test_full_buckets_make_room_for_new_keys() -> None:
    limit = limiter(max_keys=10)
    for n in range(1000):
        taken(limit, f"sybil-{n}", 20, 0.0)

    assert taken(limit, "alice", 100, 2.5) == 20
    assert len(limit) == 1


def test_a_message_costs_its_size_in_units_begun() -> None:
    assert [units(size) for size in (0, 1, 1024, 1025, 65_536)] == [1, 1, 1, 2, 64]


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcdef"), st.integers(1, 20), st.floats(0, 2, width=16)
        )
    )
)
def test_nobody_passes_more_than_rate_and_burst_allow(
    steps: list[tuple[str, int, float]],
) -> None:
    limit, now = limiter(max_keys=3), 0.0
    passed: dict[str, int] = {}
    for key, cost, pause in steps:
        now += pause
        if limit.take(key, cost, now):
            passed[key] = passed.get(key, 0) + cost

    assert all(sum_ <= RATE.burst + RATE.per_s * now + 0.1 for sum_ in passed.values())
    assert len(limit) <= 4
