"""The RPC on the wire: libp2p's protobufs, and nothing that a stranger can break."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from libp2p.pubsub.pb import rpc_pb2 as pb

from moltp2p.core.ids import MessageId
from moltp2p.net.gossip.rpc_codec import decode_rpc, encode_message, encode_rpc, frame
from moltp2p.proto.framing import FrameDecoder
from moltp2p.proto.gossip.rpc import IHave, Message, Prune, Rpc, Subscription
from tests.refusal import code_of

texts = st.text(max_size=20)
ids = st.binary(max_size=40).map(MessageId)
id_lists = st.lists(ids, max_size=5).map(tuple)
rpcs = st.builds(
    Rpc,
    subscriptions=st.lists(
        st.builds(Subscription, texts, st.booleans()), max_size=5
    ).map(tuple),
    messages=st.lists(
        st.builds(Message, texts, st.binary(max_size=50)), max_size=5
    ).map(tuple),
    ihave=st.lists(st.builds(IHave, texts, id_lists), max_size=5).map(tuple),
    iwant=id_lists,
    graft=st.lists(texts, max_size=5).map(tuple),
    prune=st.lists(
        st.builds(Prune, texts, st.none() | st.integers(0, 2**64 - 1)), max_size=5
    ).map(tuple),
    idontwant=id_lists,
)


def decode_soundly(data: bytes) -> None:
    assert decode_rpc(data).is_within_limits()


@given(rpcs)
def test_what_is_encoded_decodes_to_itself(rpc: Rpc) -> None:
    assert decode_rpc(encode_rpc(rpc)) == rpc


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_an_rpc_or_a_bad_rpc(data: bytes) -> None:
    assert code_of(lambda: decode_soundly(data)) in (None, "bad-rpc")


@given(rpcs, st.data())
def test_an_rpc_gone_wrong_is_an_rpc_or_a_bad_rpc(
    rpc: Rpc, data: st.DataObject
) -> None:
    wire = bytearray(encode_rpc(rpc))
    for _ in range(data.draw(st.integers(1, 4))):
        if wire:
            place = data.draw(st.integers(0, len(wire) - 1))
            wire[place] = data.draw(st.integers(0, 255))

    assert code_of(lambda: decode_soundly(bytes(wire))) in (None, "bad-rpc")


def test_the_field_numbers_are_those_of_the_libp2p_specs() -> None:
    # Written by hand from pubsub/README.md and gossipsub v1.0 to v1.2.
    wire = bytes.fromhex(
        "0a05" "0801" "120174"  # subscriptions = 1: subscribe = 1, topicid = 2
        "1206" "120164" "220174"  # publish = 2: data = 2, topic = 4
        "1a21"  # control = 3
        "0a06" "0a0174" "120169"  # ihave = 1: topicID = 1, messageIDs = 2
        "1203" "0a0177"  # iwant = 2: messageIDs = 1
        "1a03" "0a0174"  # graft = 3: topicID = 1
        "2206" "0a0174" "18bc02"  # prune = 4: topicID = 1, backoff = 3
        "2a05" "0a016e" "0a00"  # idontwant = 5: messageIDs = 1
    )  # fmt: skip

    assert decode_rpc(wire) == Rpc(
        subscriptions=(Subscription("t", subscribed=True),),
        messages=(Message("t", b"d"),),
        ihave=(IHave("t", (MessageId(b"i"),)),),
        iwant=(MessageId(b"w"),),
        graft=("t",),
        prune=(Prune("t", 316),),
        idontwant=(MessageId(b"n"), MessageId(b"")),
    )


def test_a_message_of_ours_bears_data_and_topic_alone() -> None:
    rpc = pb.RPC.FromString(encode_message("topic", b"data"))

    fields = {field.name for field, _ in rpc.publish[0].ListFields()}
    assert fields == {"data", "topicIDs"}
    assert len(rpc.publish) == 1
    assert not rpc.HasField("control")


@pytest.mark.parametrize("name", ["from_id", "seqno", "signature", "key"])
@pytest.mark.parametrize("value", [b"", b"x"], ids=["empty", "something"])
def test_a_message_with_a_forbidden_field_is_marked(name: str, value: bytes) -> None:
    message = pb.Message(data=b"data", topicIDs=["topic"])
    setattr(message, name, value)

    rpc = decode_rpc(pb.RPC(publish=[message]).SerializeToString())

    assert rpc.messages == (Message("topic", b"data", stamped=True),)


@pytest.mark.parametrize("topics", [[], ["a", "b"]], ids=["none", "two"])
def test_a_message_has_one_topic(topics: list[str]) -> None:
    message = pb.Message(data=b"data", topicIDs=topics)

    assert (
        code_of(lambda: decode_rpc(pb.RPC(publish=[message]).SerializeToString()))
        == "bad-rpc"
    )


BAD_TEXT = b"\xff\xfe"
TOPIC_TWICE = b"\x12\x02" + BAD_TEXT


@pytest.mark.parametrize(
    "wire",
    [
        b"\x0a\x04" + TOPIC_TWICE,
        b"\x12\x04\x22\x02" + BAD_TEXT,
        b"\x1a\x06\x0a\x04\x0a\x02" + BAD_TEXT,
        b"\x1a\x06\x1a\x04\x0a\x02" + BAD_TEXT,
        b"\x1a\x06\x22\x04\x0a\x02" + BAD_TEXT,
    ],
    ids=["subscription", "message", "ihave", "graft", "prune"],
)
def test_a_topic_that_is_not_utf8_is_a_bad_rpc(wire: bytes) -> None:
    assert code_of(lambda: decode_rpc(wire)) == "bad-rpc"


def test_the_peers_of_a_prune_are_not_read() -> None:
    prune = pb.ControlPrune(
        topicID="topic", backoff=60, peers=[pb.PeerInfo(peerID=b"x" * 1000)] * 10
    )
    wire = pb.RPC(control=pb.ControlMessage(prune=[prune])).SerializeToString()

    assert decode_rpc(wire) == Rpc(prune=(Prune("topic", 60),))


@pytest.mark.parametrize(
    ("wire", "count"),
    [
        (b"\x12\x00", 65),
        (b"\x0a\x00", 1025),
        (b"\x1a\x02\x1a\x00", 1025),
        (b"\x1a\x02\x22\x00", 1025),
        (b"\x1a\x02\x0a\x00", 1025),
        (b"\x1a\x04\x12\x02\x0a\x00", 8193),
        (b"\x1a\x02\x12\x00", 8193),
        (b"\x1a\x04\x2a\x02\x0a\x00", 8193),
    ],
    ids=["messages", "subscriptions", "graft", "prune", "ihave", "iwant", "empty-iwant",
         "idontwant"],
)  # fmt: skip
def test_more_than_the_limits_is_a_bad_rpc(wire: bytes, count: int) -> None:
    assert code_of(lambda: decode_rpc(wire * count)) == "bad-rpc"


def test_encodings_joined_are_one_rpc() -> None:
    control = encode_rpc(Rpc(graft=("t",), iwant=(MessageId(b"x"),)))
    messages = [encode_message("t", b"%d" % number) for number in range(3)]
    decoder = FrameDecoder(1000)
    decoder.feed(frame([control, *messages]))

    payload = decoder.next_frame()

    assert payload is not None
    assert decode_rpc(payload) == Rpc(
        messages=tuple(Message("t", b"%d" % number) for number in range(3)),
        iwant=(MessageId(b"x"),),
        graft=("t",),
    )


def test_nothing_to_say_is_encoded_as_nothing() -> None:
    assert encode_rpc(Rpc()) == b""
