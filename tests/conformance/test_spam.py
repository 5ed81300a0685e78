"""What a peer may not gain by saying too much: go-libp2p-pubsub's spam cases."""

from __future__ import annotations

import pytest

from moltp2p.core.ids import MessageId
from moltp2p.core.verdict import Verdict
from moltp2p.proto.gossip.events import Judged, Publish, Push, Validate
from moltp2p.proto.gossip.rpc import IHave, Message, Prune, Rpc
from tests.lone_router import BOB, CAROL, SUBSCRIBE, UNSUBSCRIBE, LoneRouter, rpcs_to
from tests.swarm import TOPIC, id_of

GRAFT = Rpc(graft=(TOPIC,))
PRUNE = Rpc(prune=(Prune(TOPIC, 60),))


def ids(count: int, word: str = "m") -> tuple[MessageId, ...]:
    return tuple(id_of(f"{word} {number}".encode()) for number in range(count))


def said(*datas: bytes) -> Rpc:
    return Rpc(messages=tuple(Message(TOPIC, data) for data in datas))


def iwants(lone: LoneRouter, rpc: Rpc) -> int:
    return sum(len(each.iwant) for each in rpcs_to(BOB, lone.hear(BOB, rpc)))


def test_an_iwant_in_answer_to_each_answer_ends_after_three() -> None:
    lone = LoneRouter(BOB)
    waiting = lone.tell(Publish(TOPIC, b"0"))
    sent = 0
    while waiting:
        sent += len(waiting)
        waiting = lone.hear(BOB, Rpc(iwant=(id_of(b"0"),)))

    assert sent == 1 + 3


def test_an_ihave_flood_gets_so_many_iwants_a_heartbeat_and_costs_the_score() -> None:
    lone = LoneRouter(BOB)
    asked, heartbeat = [], 0
    while lone.router.score(BOB) >= 0:
        floods = [ids(1, f"{heartbeat} {number}") for number in range(300)]
        asked.append(
            sum(iwants(lone, Rpc(ihave=(IHave(TOPIC, each),))) for each in floods)
        )
        lone.beat()
        heartbeat += 1

    assert max(asked) <= 10
    assert heartbeat <= 7  # seven heartbeats of flood, six of which are forgiven
    assert lone.drops()["flood"] == heartbeat


def test_ids_that_are_announced_and_never_sent_cost_the_score() -> None:
    lone = LoneRouter(BOB)
    scores = []
    for heartbeat in range(20):
        lone.hear(BOB, Rpc(ihave=(IHave(TOPIC, ids(3, f"{heartbeat}")),)))
        lone.beat()
        scores.append(lone.router.score(BOB))

    assert all(score >= 0 for score in scores[:8])
    assert scores[-1] < -500
    assert lone.hear(BOB, Rpc(ihave=(IHave(TOPIC, ids(3, "last")),))) == []


def test_what_comes_late_but_comes_costs_nothing() -> None:
    lone = LoneRouter(BOB)
    for heartbeat in range(30):
        data = b"%d" % heartbeat
        lone.hear(BOB, Rpc(ihave=(IHave(TOPIC, (id_of(data),)),)))
        lone.beat(2)
        lone.hear(BOB, said(data))
        lone.tell(Judged(id_of(data), Verdict.ACCEPT))

    assert lone.router.score(BOB) > 0
    assert "broken-promise" not in lone.drops()


def test_our_own_lateness_is_held_against_nobody() -> None:
    lone = LoneRouter(BOB)
    for heartbeat in range(30):
        lone.hear(BOB, Rpc(ihave=(IHave(TOPIC, ids(1, f"{heartbeat}")),)))
        lone.now += 4
        lone.beat()

    assert lone.drops()["broken-promise"] == 30
    assert lone.router.score(BOB) >= 0


def test_a_judge_that_is_behind_is_held_against_nobody() -> None:
    lone = LoneRouter(BOB, CAROL)
    for heartbeat in range(30):
        lone.hear(CAROL, said(b"%d waits for the judge" % heartbeat))
        lone.hear(BOB, Rpc(ihave=(IHave(TOPIC, ids(1, f"{heartbeat}")),)))
        lone.beat()

    assert lone.router.score(BOB) >= 0


def test_a_graft_of_a_topic_that_does_not_exist_is_not_answered() -> None:
    lone = LoneRouter(BOB)

    assert lone.hear(BOB, Rpc(graft=("/no/such/topic",))) == []
    assert lone.router.score(BOB) == 0


def test_grafting_within_the_backoff_is_pruned_then_penalised_then_ignored() -> None:
    lone = LoneRouter(BOB)
    lone.hear(BOB, PRUNE)
    answers = []
    for _ in range(40):
        lone.now += 0.2
        answers.append(len(rpcs_to(BOB, lone.hear(BOB, GRAFT))))

    scores_negative_at = 7
    assert answers[:scores_negative_at] == [1] * scores_negative_at
    assert answers[-1] == 0
    assert sum(answers) == 22  # -10 (22 - 6)^2 is below -2,500
    assert lone.router.is_graylisted(BOB)


def test_a_graft_in_time_is_let_in_without_a_penalty() -> None:
    lone = LoneRouter(BOB)
    lone.hear(BOB, PRUNE)
    lone.now += 60

    assert lone.hear(BOB, GRAFT) == []
    assert lone.router.mesh(TOPIC) == [BOB]
    assert lone.router.score(BOB) >= 0


def test_invalid_messages_end_in_the_graylist_and_are_not_even_judged_then() -> None:
    lone = LoneRouter(BOB)
    judged = 0
    for number in range(100):
        data = b"%d" % number
        actions = lone.hear(BOB, said(data))
        judged += sum(isinstance(action, Validate) for action in actions)
        lone.tell(Judged(id_of(data), Verdict.REJECT))

    assert judged == 2
    assert lone.router.is_graylisted(BOB)
    assert lone.drops()["graylisted"] == 98


def test_invalid_messages_in_one_rpc_are_all_blamed_on_their_sender() -> None:
    lone = LoneRouter(BOB)
    datas = [b"%d" % number for number in range(64)]
    lone.hear(BOB, said(*datas))
    for data in datas:
        lone.tell(Judged(id_of(data), Verdict.REJECT))

    assert lone.router.score(BOB) == -1000 * 64**2


def test_an_idontwant_flood_is_cut_off_and_costs_the_score() -> None:
    lone = LoneRouter(BOB)
    for heartbeat in range(7):
        for number in range(30):
            lone.hear(BOB, Rpc(idontwant=ids(100, f"{heartbeat} {number}")))
        lone.beat()

    assert lone.drops()["idontwant-flood"] > 10_000
    assert lone.router.score(BOB) < 0


def test_refused_ids_are_forgotten_after_three_heartbeats() -> None:
    lone = LoneRouter(BOB, CAROL)
    lone.hear(CAROL, Rpc(idontwant=(id_of(b"0"),)))

    lone.beat(3)
    lone.hear(BOB, said(b"0"))
    pushed = lone.tell(Judged(id_of(b"0"), Verdict.ACCEPT))

    assert pushed == [Push((CAROL,), TOPIC, id_of(b"0"), b"0")]


def test_an_iwant_flood_costs_the_score() -> None:
    lone = LoneRouter(BOB)
    for _ in range(7):
        for _ in range(3):
            lone.hear(BOB, Rpc(iwant=ids(4000)))
        lone.beat()

    assert lone.router.score(BOB) < 0


@pytest.mark.parametrize("rpc", [SUBSCRIBE, UNSUBSCRIBE, PRUNE], ids=["+", "-", "x"])
def test_a_flood_of_subscriptions_and_prunes_is_cut_off(rpc: Rpc) -> None:
    lone = LoneRouter(BOB)
    for _ in range(7):
        for _ in range(4200):
            lone.hear(BOB, rpc)
        lone.beat()

    assert lone.drops()["control-flood"] > 7 * 2000
    assert lone.router.score(BOB) < 0


def test_two_heartbeats_of_a_peer_in_one_of_ours_are_no_flood() -> None:
    lone = LoneRouter(BOB)
    for heartbeat in range(30):
        for number in range(20):
            lone.hear(BOB, Rpc(ihave=(IHave(TOPIC, ids(1, f"{number}")),)))
        lone.hear(BOB, said(*[b"m %d" % number for number in range(20)]))
        lone.now += heartbeat % 2
        lone.beat()

    assert "flood" not in lone.drops()
