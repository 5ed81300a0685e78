"""The js peer against itself: the harness works before it judges us."""

from __future__ import annotations

import hashlib

import pytest

from tests.interop.conftest import OpenJs
from tests.interop.js_peer import MESHSUB_1_1, MESHSUB_1_2, JsOptions
from tests.interop.js_process import JsError

pytestmark = pytest.mark.slow

TOPIC = "/moltp2p/1/test-net/agents"


@pytest.mark.parametrize("protocol", [MESHSUB_1_1, MESHSUB_1_2])
async def test_two_js_peers_form_a_mesh_and_exchange_messages(
    open_js: OpenJs, protocol: str
) -> None:
    options = {name: JsOptions(name, protocols=[protocol]) for name in ("ann", "ben")}
    async with open_js(options["ann"]) as ann, open_js(options["ben"]) as ben:
        await ann.subscribe(TOPIC)
        await ben.subscribe(TOPIC)
        assert await ben.dial(ann.addresses[0]) == ann.peer
        await ann.until(lambda: ann.mesh.get(TOPIC) == {ben.peer})
        await ben.until(lambda: ben.mesh.get(TOPIC) == {ann.peer})
        await ben.until(lambda: ann.peer in ben.identified)

        assert await ann.publish(TOPIC, b"one", b"two") == [1, 1]
        await ben.until(lambda: len(ben.messages) == 2)

        assert ben.data(TOPIC) == [b"one", b"two"]
        assert ben.messages[0].id == hashlib.sha256(b"one").digest()
        assert ben.messages[0].sender == ann.peer
        assert (await ben.state(TOPIC))[ann.peer].protocol == protocol
        meshsub = [each for each in ben.identified[ann.peer].protocols if "sub" in each]
        assert meshsub == [protocol]


async def test_a_js_peer_that_signs_is_not_heard_by_one_that_does_not(
    open_js: OpenJs,
) -> None:
    signing = JsOptions("ann", policy="StrictSign")
    async with open_js(signing) as ann, open_js(JsOptions("ben")) as ben:
        await ben.subscribe(TOPIC)
        await ann.dial(ben.addresses[0])
        await ann.until(lambda: ben.peer in ann.subscribers.get(TOPIC, ()))

        assert await ann.publish(TOPIC, b"signed") == [1]
        await ann.subscribe("fence")  # on the same stream, hence read later
        await ben.until(lambda: ann.peer in ben.subscribers.get("fence", ()))
        await ben.state(TOPIC)  # a turn of its event loop: nothing is pending now

        assert ben.messages == []


async def test_what_js_refuses_is_an_error_here(open_js: OpenJs) -> None:
    async with open_js(JsOptions()) as js:
        with pytest.raises(JsError, match="InvalidMultiaddr"):
            await js.dial("nonsense")
