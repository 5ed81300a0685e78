"""Statistics are right, bounded, and the same whatever order the clocks say."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moltp2p.core.author import Draft
from moltp2p.core.codec import MAX_INT
from moltp2p.core.ids import agent_text
from moltp2p.core.kinds import Kind, Post, Profile
from moltp2p.core.record import seal
from moltp2p.core.selection import Selection
from moltp2p.core.validate import Road
from moltp2p.store.arrivals import Came
from moltp2p.study import stats as statistics
from moltp2p.study import tally as tallying
from moltp2p.study import timeline as timelines
from moltp2p.study.forces import groups, place
from moltp2p.study.report import report
from moltp2p.study.stats import DELAY_BOUNDS_MS, Stats, summarise
from moltp2p.study.tally import Tally
from moltp2p.study.timeline import DAY_MS, HOUR_MS, SHOWN_BUCKETS, Timeline
from moltp2p.testing.factories import EPOCH_MS, TestAgent, signer
from tests.unit.study.conftest import BOB, Rig


def stats_of(rig: Rig, selection: Selection | None = None) -> Stats:
    tally = Tally(selection)
    for tag, payload in rig.frames(selection):
        tally.take(tag, payload)
    return summarise(tally)


def test_who_wrote_what_where_is_counted(rig: Rig) -> None:
    alice, bob = TestAgent("alice"), TestAgent("bob")
    first = alice.post("hello", "art")
    bob.reply(first)
    bob.post("hello", "general")
    alice.delete(alice.post("oops", "general"))
    bob.write(Draft(Kind.PROFILE, Profile("Bob")))
    rig.hear(*alice.records, *bob.records)

    stats = stats_of(rig)

    assert (stats.records, stats.agents) == (8, 2)
    assert (stats.posts, stats.replies, stats.deleted) == (3, 1, 1)
    assert stats.kinds == {"inception": 2, "profile": 1, "post": 4, "delete": 1}
    assert stats.top_communities == [("art", 2), ("general", 2)]
    assert sorted(
        (each.name, each.posts) for each in stats.top_agents if each.name
    ) == [("Bob", 2)]
    assert sum(map(sum, stats.hours)) == 4
    assert stats.first_ms == EPOCH_MS
    assert stats.view()["communities"] == 2


def test_hours_and_weekdays_are_utc(rig: Rig) -> None:
    alice = TestAgent("alice", time_ms=1_764_115_200_000 - 1_000)  # a Tuesday's end
    alice.post("on Wednesday, 2025-11-26, at 00:00:00 UTC")
    rig.hear(*alice.records)

    hours = stats_of(rig).hours

    assert hours[2][0] == 1


def test_depth_and_edges_follow_what_answers_what(rig: Rig) -> None:
    alice, bob = TestAgent("alice"), TestAgent("bob")
    post = alice.post("0")
    one = bob.reply(post)
    two = alice.reply(one)
    three = bob.reply(two)
    bob.reply(one)
    rig.hear(*alice.records, *bob.records)

    stats = stats_of(rig)

    assert three.header.refs["root"] == post.id
    assert stats.depths == [1, 2, 1]
    numbers = {each.agent: n for n, each in enumerate(stats.graph.agents)}
    a, b = numbers[agent_text(alice.id)], numbers[agent_text(bob.id)]
    assert sorted(stats.graph.edges) == sorted([(b, a, 2), (a, b, 1)])


def test_a_reply_whose_clock_is_behind_still_answers(rig: Rig) -> None:
    alice, early = TestAgent("alice"), TestAgent("bob", time_ms=EPOCH_MS - DAY_MS)
    early.reply(alice.post("later, by its clock"))
    rig.hear(*alice.records, *early.records)

    stats = stats_of(rig)

    assert stats.depths == [1]
    assert [times for _, _, times in stats.graph.edges] == [1]


def test_a_whole_thread_in_the_wrong_order_is_put_right(rig: Rig) -> None:
    agents = [
        TestAgent(name, time_ms=EPOCH_MS - number * DAY_MS)
        for number, name in enumerate(("alice", "bob", "carol", "dave", "erin"))
    ]
    last = agents[0].post("the newest, by its clock")
    for agent in agents[1:]:
        last = agent.reply(last)
    rig.hear(*(record for agent in agents for record in agent.records))

    stats = stats_of(rig)

    assert stats.depths == [1, 1, 1, 1]
    assert len(stats.graph.edges) == 4


def test_a_reply_to_what_is_not_held_has_no_depth(rig: Rig) -> None:
    alice, bob = TestAgent("alice"), TestAgent("bob")
    bob.reply(alice.post("never heard here"))
    rig.hear(*bob.records)

    stats = stats_of(rig)

    assert (stats.replies, stats.depths, stats.graph.agents) == (1, [], [])


def test_delays_are_from_the_authors_clock_by_road(rig: Rig) -> None:
    alice = TestAgent("alice")
    for delay in (*range(1, 100), -5):
        record = alice.post("x")
        came = Came(record.header.time_ms + delay, Road.GOSSIP, BOB)
        rig.store.add([record], EPOCH_MS, [came])
    rig.store.add([alice.records[0]], EPOCH_MS, [Came(EPOCH_MS, Road.IMPORT)])

    (gossip,) = [each for each in stats_of(rig).delays if each.road == "gossip"]

    assert (gossip.records, gossip.ahead) == (100, 1)
    assert gossip.quantiles_ms == {"p50": 50, "p90": 90, "p99": 99}
    assert sum(gossip.counts) == 100
    for bound, count in zip(DELAY_BOUNDS_MS, gossip.counts, strict=True):
        assert bound < 100 or not count


def test_a_part_can_be_counted(rig: Rig) -> None:
    alice = TestAgent("alice")
    alice.post("here", "art")
    alice.post("there", "general")
    rig.hear(*alice.records)

    stats = stats_of(rig, Selection(community="art"))

    assert (stats.posts, stats.top_communities) == (1, [("art", 1)])
    assert "Only a part: posted in art." in report(stats)
    assert "Only a part" not in report(stats_of(rig))


def test_of_a_part_those_agents_count_that_are_in_it(rig: Rig) -> None:
    alice, bob = TestAgent("alice"), TestAgent("bob")
    alice.post("here", "art")
    bob.incept()
    skipped = bob.post("there", "general")
    bob.post("there", "general")
    rig.hear(*alice.records, *(each for each in bob.records if each != skipped))

    part, whole = stats_of(rig, Selection(community="art")), stats_of(rig)

    assert (part.agents, part.missing, part.with_gaps) == (1, 0, 0)
    assert (whole.agents, whole.missing, whole.with_gaps) == (2, 1, 1)


def test_nothing_is_counted_without_complaint(rig: Rig) -> None:
    stats = stats_of(rig)

    assert (stats.records, stats.over_time, stats.depths) == (0, None, [])


def test_what_is_remembered_is_bounded(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, limit in (
        ("KNOWN_POSTS", 5),
        ("KNOWN_AGENTS", 2),
        ("KNOWN_EDGES", 1),
        ("KNOWN_COMMUNITIES", 2),
    ):
        monkeypatch.setattr(tallying, name, limit)
    agents = [TestAgent(name) for name in ("alice", "bob", "carol", "dave")]
    last = agents[0].post("begin", "c-0")
    for number in range(20):
        author = agents[number % 4]
        author.time_ms = last.header.time_ms + 1
        last = author.reply(last) if number % 2 else author.post("x", f"c-{number}")
    rig.hear(*(record for each in agents for record in each.records))
    tally = Tally()
    for tag, payload in rig.frames():
        tally.take(tag, payload)

    stats = summarise(tally)

    assert len(tally._known) <= 5
    assert len(tally.edges) <= 1
    assert (stats.communities, len(tally._ids)) == (2, 2)
    assert stats.posts + stats.replies == 21


@given(st.lists(st.integers(0, 60 * DAY_MS), min_size=1, max_size=60))
def test_a_timeline_loses_nothing(times: list[int]) -> None:
    timeline = Timeline(("posts",))
    for time_ms in times:
        timeline.add("posts", time_ms)

    shown = timeline.shown()

    assert shown is not None
    assert len(shown.counts["posts"]) <= SHOWN_BUCKETS + 1
    assert shown.totals("posts")[-1] == len(times)


def test_one_liar_does_not_flatten_the_picture() -> None:
    timeline = Timeline(("posts",))
    timeline.add("posts", 0)
    for number in range(2_000):
        timeline.add("posts", EPOCH_MS + number * 60_000)

    shown = timeline.shown()

    assert shown is not None
    assert shown.begin_ms > EPOCH_MS - DAY_MS
    assert shown.step_ms <= HOUR_MS
    assert (shown.before["posts"], sum(shown.counts["posts"])) == (1, 2_000)


def test_one_liar_does_not_flatten_the_picture_of_a_small_network() -> None:
    timeline = Timeline(("posts",))
    timeline.add("posts", 0)
    for number in range(30):
        timeline.add("posts", EPOCH_MS + number * 60_000)

    shown = timeline.shown()

    assert shown is not None
    assert (shown.before["posts"], sum(shown.counts["posts"])) == (1, 30)
    assert shown.step_ms <= HOUR_MS


def test_the_first_record_is_shown_where_it_is_not_far() -> None:
    timeline = Timeline(("posts",))
    for number in range(2_000):
        timeline.add("posts", EPOCH_MS + number * 60_000)

    shown = timeline.shown()

    assert shown is not None
    assert (shown.before["posts"], sum(shown.counts["posts"])) == (0, 2_000)


def test_who_claims_the_last_place_is_one_agent_with_gaps(rig: Rig) -> None:
    eve = TestAgent("eve")
    post = eve.post()
    far = replace(post.header, seq=MAX_INT)
    rig.hear(eve.records[0], seal(far, post.body, signer("eve")))

    stats = stats_of(rig)

    assert (stats.with_gaps, stats.missing) == (1, MAX_INT - 1)
    assert "9.2e+18" in report(stats)


def test_a_timeline_coarsens_instead_of_growing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timelines, "MAX_BUCKETS", 100)
    timeline = Timeline(("posts", "replies"))
    for day in range(5_000):
        timeline.add("posts" if day % 2 else "replies", day * DAY_MS)

    shown = timeline.shown()

    assert len(timeline._buckets) <= 100
    assert shown is not None
    assert shown.totals("posts")[-1] == shown.totals("replies")[-1] == 2_500


def test_who_is_drawn_has_an_arrow_however_many_are_stronger(
    monkeypatch: pytest.MonkeyPatch, rig: Rig
) -> None:
    monkeypatch.setattr(statistics, "GRAPH_EDGES", 4)
    crowd = [TestAgent(f"agent {number}") for number in range(5)]
    hermit = TestAgent("hermit")
    posts = [agent.post() for agent in crowd]
    for agent in crowd:
        for post in posts:
            agent.reply(agent.reply(post))
    hermit.reply(posts[0])
    rig.hear(*(each for agent in (*crowd, hermit) for each in agent.records))

    graph = stats_of(rig).graph

    ends = [end for edge in graph.edges for end in edge[:2]]
    assert set(ends) == set(range(len(graph.agents))) == set(range(6))
    assert [edge[2] for edge in graph.edges] == sorted(
        (edge[2] for edge in graph.edges), reverse=True
    )


def test_one_liar_does_not_say_when_a_network_began(rig: Rig) -> None:
    liar, alice = TestAgent("liar", time_ms=1), TestAgent("alice")
    liar.post()
    for _ in range(40):
        alice.post()
    rig.hear(*liar.records, *alice.records)

    stats = stats_of(rig)

    assert stats.first_ms == 1
    assert stats.begin_ms is not None
    assert EPOCH_MS - DAY_MS < stats.begin_ms <= EPOCH_MS
    assert "(1 posts claim to be older)" in report(stats)


def test_a_graph_is_drawn_the_same_way_and_on_the_page() -> None:
    edges = [(0, 1, 5), (1, 2, 3), (3, 4, 9), (4, 5, 1)]

    spots = place(8, edges)

    assert spots == place(8, edges)
    assert all(-1 <= x <= 1 and -1 <= y <= 1 for x, y in spots)
    assert len(set(spots)) == 8
    assert place(1, []) == [(-1, -1)]
    assert place(0, []) == []
    found = groups(8, edges)
    assert found[0] == found[1] == found[2] != found[3] == found[4] == found[5]


def test_texts_are_left_alone(rig: Rig) -> None:
    alice = TestAgent("alice")
    alice.write(Draft(Kind.POST, Post("a secret text"), "general"))
    rig.hear(*alice.records)

    assert "secret" not in str(stats_of(rig).view())
