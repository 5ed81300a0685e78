from __future__ import annotations

from moltp2p.testing.sim.timeline import Timeline


def test_calls_are_made_in_order_of_time_and_then_as_they_were_planned() -> None:
    timeline, made = Timeline(), list[str]()
    timeline.at(2, made.append, "third")
    timeline.at(1, made.append, "first")
    timeline.at(1, made.append, "second")

    timeline.run(3)

    assert made == ["first", "second", "third"]
    assert timeline.event_count == 3


def test_what_falls_on_the_end_waits_for_the_next_run() -> None:
    timeline, made = Timeline(), list[str]()
    timeline.at(5, made.append, "later")

    timeline.run(5)

    assert made == []
    assert timeline.now == 5

    timeline.run(6)

    assert made == ["later"]


def test_a_call_sees_its_own_time_and_may_plan_others() -> None:
    timeline, seen = Timeline(), list[float]()

    def twice(again: bool) -> None:
        seen.append(timeline.now)
        if again:
            timeline.at(timeline.now + 1, twice, False)

    timeline.at(1.5, twice, True)
    timeline.run(10)

    assert seen == [1.5, 2.5]


def test_time_does_not_go_back_for_a_call_planned_too_late() -> None:
    timeline, seen = Timeline(), list[float]()
    timeline.run(4)
    timeline.at(1, lambda _: seen.append(timeline.now), None)

    timeline.run(5)

    assert seen == [4]
