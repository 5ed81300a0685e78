from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from moltp2p.core.ids import MessageId
from moltp2p.net.gossip.rpc_codec import encode_message, encode_rpc, frame
from moltp2p.proto.gossip.rpc import IHave, Message, Prune, Rpc, Subscription
from moltp2p.testing.sim.sizes import message_bytes, rpc_bytes

topics = st.text(max_size=128)
ids = st.binary(min_size=32, max_size=32).map(MessageId)
id_lists = st.lists(ids, max_size=6).map(tuple)
rpcs = st.builds(
    Rpc,
    subscriptions=st.lists(
        st.builds(Subscription, topics, st.booleans()), max_size=3
    ).map(tuple),
    messages=st.lists(
        st.builds(Message, topics, st.binary(max_size=300)), max_size=3
    ).map(tuple),
    ihave=st.lists(st.builds(IHave, topics, id_lists), max_size=3).map(tuple),
    iwant=id_lists,
    graft=st.lists(topics, max_size=3).map(tuple),
    prune=st.lists(
        st.builds(Prune, topics, st.none() | st.integers(0, 10_000)), max_size=3
    ).map(tuple),
    idontwant=id_lists,
)


@given(rpcs)
def test_an_rpc_is_as_large_as_its_frame_on_the_wire(rpc: Rpc) -> None:
    assert rpc_bytes(rpc) == len(frame([encode_rpc(rpc)]))


@given(topics, st.integers(0, 70_000))
def test_a_message_is_as_large_as_its_frame_on_the_wire(topic: str, size: int) -> None:
    data = bytes(size)

    assert message_bytes(topic, data) == len(frame([encode_message(topic, data)]))
