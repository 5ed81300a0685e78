"""Our gossip router and js-libp2p's: meshes, messages, and what may go wrong."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from moltp2p.proto.gossip.settings import Degrees, GossipSettings
from tests.interop.conftest import OpenJs
from tests.interop.js_peer import (
    MESHSUB_1_1,
    MESHSUB_1_2,
    JsOptions,
    JsPeer,
    RawAnswer,
)
from tests.interop.js_process import JsProcesses
from tests.interop.ours import INVALID, OTHER_TOPIC, TOPIC, Ours, eventually, open_ours

pytestmark = pytest.mark.slow

LONELY = {"D": 0, "Dlo": 0, "Dhi": 0, "Dout": 0, "Dscore": 0}
"""js options with which it lets nobody into a mesh who dialled it: they hear of its
older messages by IHAVE alone."""

MANY = 10_000


@pytest.fixture
async def ours() -> AsyncIterator[Ours]:
    async with open_ours() as ours:
        yield ours


async def js_dials(js: JsPeer, ours: Ours) -> None:
    await js.dial(ours.address)


async def we_dial(js: JsPeer, ours: Ours) -> None:
    await ours.network.dial(js.addresses[0])


async def meshed(js: JsPeer, ours: Ours) -> None:
    """Wait until each is in the other's mesh."""
    await js.until(lambda: js.mesh.get(TOPIC) == {ours.peer})
    await eventually(lambda: js.peer in ours.pubsub.mesh(TOPIC))


async def exchange(js: JsPeer, ours: Ours, word: bytes) -> None:
    """See one new message pass each way."""
    await ours.pubsub.publish(TOPIC, b"ours " + word)
    await js.until(lambda: b"ours " + word in js.data(TOPIC))
    assert await js.publish(TOPIC, b"js " + word) in ([1], [2])
    await eventually(lambda: b"js " + word in ours.data())


@pytest.mark.parametrize("dial", [js_dials, we_dial])
@pytest.mark.parametrize("protocol", [MESHSUB_1_1, MESHSUB_1_2])
async def test_a_mesh_forms_and_messages_pass_both_ways(
    open_js: OpenJs,
    ours: Ours,
    protocol: str,
    dial: Callable[[JsPeer, Ours], Awaitable[None]],
) -> None:
    async with open_js(JsOptions(protocols=[protocol])) as js:
        await js.subscribe(TOPIC)
        await dial(js, ours)
        await meshed(js, ours)

        await exchange(js, ours, b"once")

        assert ours.protocol_of(js.peer) == protocol
        state = (await js.state(TOPIC))[ours.peer]
        assert (state.protocol, state.score) == (protocol, 0)
        assert js.subscribers[TOPIC] == {ours.peer}
        assert js.messages[0].id == hashlib.sha256(b"ours once").digest()
        assert ours.heard[0].message_id == hashlib.sha256(b"js once").digest()
        assert ours.heard[0].peer == js.peer
        assert len(js.messages) == len(ours.heard) == 1
    await eventually(lambda: ours.pubsub.mesh(TOPIC) == [])


async def test_the_newest_protocol_that_both_speak_is_chosen(
    open_js: OpenJs, ours: Ours
) -> None:
    both = JsOptions(protocols=["/meshsub/1.3.0", MESHSUB_1_2, MESHSUB_1_1])
    async with open_js(both) as js:
        await js.subscribe(TOPIC)
        await js.dial(ours.address)
        await meshed(js, ours)

        assert ours.protocol_of(js.peer) == MESHSUB_1_2
        assert (await js.state(TOPIC))[ours.peer].protocol == MESHSUB_1_2


async def test_topics_joined_and_left_later_are_announced_both_ways(
    open_js: OpenJs, ours: Ours
) -> None:
    async with open_js(JsOptions()) as js:
        await js.dial(ours.address)
        await js.subscribe(OTHER_TOPIC)
        await eventually(lambda: ours.subscribers(OTHER_TOPIC) == {js.peer})
        await ours.pubsub.join(OTHER_TOPIC)
        await js.until(lambda: js.mesh.get(OTHER_TOPIC) == {ours.peer})

        await js.unsubscribe(OTHER_TOPIC)
        await eventually(lambda: not ours.subscribers(OTHER_TOPIC))
        assert ours.pubsub.mesh(OTHER_TOPIC) == []
        await ours.pubsub.leave(OTHER_TOPIC)
        await js.until(lambda: js.subscribers[OTHER_TOPIC] == set())


async def test_a_message_goes_through_us_from_one_js_peer_to_another(
    open_js: OpenJs, ours: Ours
) -> None:
    large = bytes(range(256)) * 250
    async with open_js(JsOptions("ann")) as ann, open_js(JsOptions("ben")) as ben:
        for js in (ann, ben):
            await js.subscribe(TOPIC)
            await js.dial(ours.address)
            await meshed(js, ours)

        await ann.publish(TOPIC, INVALID, b"small", large)
        await ben.until(lambda: len(ben.messages) == 2)

        assert ben.data(TOPIC) == [b"small", large]
        assert {message.sender for message in ben.messages} == {ours.peer}
        assert ours.data() == [INVALID, b"small", large]
        assert ann.messages == []


async def test_ten_thousand_messages_pass_each_way_and_none_is_lost(
    open_js: OpenJs, ours: Ours
) -> None:
    from_us = [b"ours %d" % number + b"." * 300 for number in range(MANY)]
    from_js = [b"js %d" % number + b"." * 300 for number in range(MANY)]
    async with open_js(JsOptions()) as js:
        await js.subscribe(TOPIC)
        await js.dial(ours.address)
        await meshed(js, ours)

        for start in range(0, MANY, 500):
            await ours.pubsub.publish(TOPIC, *from_us[start : start + 500])
            await js.publish(TOPIC, *from_js[start : start + 500])
        await js.until(lambda: len(js.messages) >= MANY)
        await eventually(lambda: len(ours.heard) >= MANY)

        assert js.data(TOPIC) == from_us
        assert ours.data() == from_js
        assert ours.pubsub.stats().drops == {}


async def test_what_js_did_not_push_we_ask_for(open_js: OpenJs, ours: Ours) -> None:
    messages = [b"%d" % number for number in range(200)]
    async with open_js(JsOptions(gossipsub=LONELY)) as js:
        await js.subscribe(TOPIC)
        assert set(await js.publish(TOPIC, *messages)) == {0}

        await ours.network.dial(js.addresses[0])
        await eventually(lambda: len(ours.heard) >= len(messages))

        assert sorted(ours.data()) == sorted(messages)
        assert (await js.state(TOPIC))[ours.peer].score == 0
        assert js.mesh[TOPIC] == set()


async def test_what_we_did_not_push_js_asks_for(open_js: OpenJs) -> None:
    nobody = Degrees(0, 0, 0, 0)
    silent = GossipSettings(nobody, nobody, flood_publish=False)
    messages = [b"%d" % number for number in range(200)]
    async with open_ours(settings=silent) as ours, open_js(JsOptions()) as js:
        await js.subscribe(TOPIC)
        await js.dial(ours.address)
        await eventually(lambda: ours.subscribers() == {js.peer})

        await ours.pubsub.publish(TOPIC, *messages)
        await js.until(lambda: len(js.messages) >= len(messages))

        assert sorted(js.data(TOPIC)) == sorted(messages)
        assert ours.pubsub.mesh(TOPIC) == []
        assert (await js.state(TOPIC))[ours.peer].score == 0


async def test_large_messages_that_js_did_not_push_arrive_too(
    open_js: OpenJs, ours: Ours
) -> None:
    # js answers an IWANT with one RPC, however large it becomes.
    messages = [b"%d" % number + b"." * 16_000 for number in range(64)]
    async with open_js(JsOptions(gossipsub=LONELY)) as js:
        await js.subscribe(TOPIC)
        assert set(await js.publish(TOPIC, *messages)) == {0}

        await ours.network.dial(js.addresses[0])
        await eventually(lambda: len(ours.heard) >= len(messages))

        assert sorted(ours.data()) == sorted(messages)
        assert ours.network.stats().faults == {}


async def test_js_is_heard_again_after_a_frame_that_was_too_large(
    open_js: OpenJs, ours: Ours
) -> None:
    # js never opens again a stream that we ended, unless we open ours again.
    async with open_js(JsOptions()) as js:
        await js.subscribe(TOPIC)
        await js.dial(ours.address)
        await meshed(js, ours)

        await js.publish(TOPIC, bytes(2_000_000))
        await eventually(lambda: bool(ours.network.stats().faults))
        await eventually(lambda: not ours.subscribers())
        await eventually(lambda: ours.subscribers() == {js.peer})

        await exchange(js, ours, b"again")
        assert ours.network.stats().faults == {"frame-too-large": 1}


async def test_a_js_peer_that_restarts_is_heard_and_hears_again(
    open_js: OpenJs, js_processes: JsProcesses, ours: Ours
) -> None:
    for word in (b"first", b"second"):
        process = js_processes.start()
        async with open_js(JsOptions(), process) as js:
            await js.subscribe(TOPIC)
            await js.dial(ours.address)
            await meshed(js, ours)
            await exchange(js, ours, word)
            process.kill()


async def test_a_js_peer_that_comes_back_before_it_is_missed_is_heard_and_hears(
    open_js: OpenJs, js_processes: JsProcesses, ours: Ours
) -> None:
    process = js_processes.start()
    async with open_js(JsOptions(), process) as frozen:
        await frozen.subscribe(TOPIC)
        await frozen.dial(ours.address)
        await meshed(frozen, ours)
        process.freeze()

        async with open_js(JsOptions()) as js:  # the same key
            assert js.peer == frozen.peer
            await js.subscribe(TOPIC)
            await js.dial(ours.address)
            await js.until(lambda: js.mesh.get(TOPIC) == {ours.peer})
            await exchange(js, ours, b"again")
            process.kill()
            await exchange(js, ours, b"still")

        assert ours.network.stats().handler_bugs == {}


async def test_we_stay_out_of_a_js_mesh_for_as_long_as_it_asked(
    open_js: OpenJs, ours: Ours
) -> None:
    async with open_js(JsOptions(gossipsub={"unsubcribeBackoff": 2000})) as js:
        await js.subscribe(TOPIC)
        await js.dial(ours.address)
        await meshed(js, ours)

        await js.unsubscribe(TOPIC)
        await eventually(lambda: ours.pubsub.mesh(TOPIC) == [])
        await js.subscribe(TOPIC)
        await eventually(lambda: ours.subscribers() == {js.peer})
        await exchange(js, ours, b"outside the mesh")
        await meshed(js, ours)

        # js holds a GRAFT inside the backoff against who sent it.
        assert (await js.state(TOPIC))[ours.peer].score == 0


async def test_signed_messages_are_counted_and_passed_over(
    open_js: OpenJs, ours: Ours
) -> None:
    async with open_js(JsOptions(policy="StrictSign")) as js:
        await js.subscribe(TOPIC)
        await js.dial(ours.address)
        await meshed(js, ours)

        await js.publish(TOPIC, b"signed one", b"signed two")
        await eventually(lambda: bool(ours.pubsub.stats().drops))
        await js.subscribe(OTHER_TOPIC)  # its session goes on

        await eventually(lambda: ours.subscribers(OTHER_TOPIC) == {js.peer})
        assert ours.heard == []
        assert ours.pubsub.stats().drops == {"message-stamped": 2}


GARBAGE = [
    b"\x03\x02\xff\xff",  # no protobuf
    b"\xff\xff\xff\xff\x0f",  # a frame of 4 GiB
    b"\xff" * 64,  # a length without end
    b"\x07\x0a\x05\x08\x01\x12\x01\xff",  # a topic that is not UTF-8
    b"\x05\x12\x03\x12\x01x",  # a message without a topic
]


async def test_garbage_ends_its_stream_and_nothing_else(
    open_js: OpenJs, ours: Ours
) -> None:
    async with open_js(JsOptions()) as js, open_js(JsOptions("mallory")) as mallory:
        for each in (js, mallory):
            await each.subscribe(TOPIC)
            await each.dial(ours.address)
            await meshed(each, ours)

        for garbage in GARBAGE:
            answer = await mallory.send_raw(ours.peer, MESHSUB_1_1, garbage)
            assert answer == RawAnswer("reset", b"")
            await exchange(js, ours, garbage)

        assert sum(ours.network.stats().faults.values()) == len(GARBAGE)
        assert ours.network.stats().handler_bugs == {}
        # Its old stream gave way to those with the garbage: js needs to reconnect.
        await ours.network.disconnect(mallory.peer)
        await mallory.until(lambda: ours.peer not in mallory.connected)
        await mallory.dial(ours.address)
        await meshed(mallory, ours)
        await exchange(mallory, ours, b"after all")
