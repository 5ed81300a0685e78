"""What hypothesis draws from: values, bodies, records, and bytes gone wrong."""

from __future__ import annotations

from hypothesis import strategies as st

from moltp2p.core import codec
from moltp2p.core.author import Author, Draft, Head, incept
from moltp2p.core.codec import MAX_DEPTH, MAX_INT, MIN_INT
from moltp2p.core.ids import AgentId, RecordId
from moltp2p.core.kinds import Kind, Post, Profile
from moltp2p.core.record import TRIGGERS, Header, Origin, Record, seal
from moltp2p.testing.factories import EPOCH_MS, signer

NETWORK = "test-net"

scalars = (
    st.none()
    | st.booleans()
    | st.integers(MIN_INT, MAX_INT)
    | st.binary(max_size=40)
    | st.text(max_size=40)
)


def _within(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    lists = st.lists(inner, max_size=5)
    return lists | st.dictionaries(st.text(max_size=8), inner, max_size=5)


def _depth(value: object) -> int:
    match value:
        case list():
            return 1 + max(map(_depth, value), default=0)
        case dict():
            return 1 + max(map(_depth, value.values()), default=0)
        case _:
            return 0


values = st.recursive(scalars, _within, max_leaves=30).filter(
    lambda value: _depth(value) <= MAX_DEPTH
)
"""Values of the CBOR profile."""

labels = st.text(min_size=1, max_size=64)
roles = st.text(min_size=1, max_size=20)
digests = st.binary(min_size=32, max_size=32)
record_ids = digests.map(RecordId)
communities = st.from_regex(r"[a-z0-9][a-z0-9-]{1,29}", fullmatch=True)
names = st.sampled_from(["alice", "bob", "carol"])
times = st.integers(0, MAX_INT)

posts = st.builds(
    Post,
    text=st.text(min_size=1, max_size=200),
    title=st.none() | st.text(max_size=50),
    language=st.none() | st.sampled_from(["en", "pt-BR", "zh-Hant-TW"]),
)
profiles = st.builds(Profile, name=labels, about=st.none() | st.text(max_size=200))
origins = st.builds(
    Origin,
    trigger=st.none() | st.sampled_from(TRIGGERS),
    framework=st.none() | labels,
    model=st.none() | labels,
)
replies = st.fixed_dictionaries({"parent": record_ids, "root": record_ids})
said = {"ai_generated": st.none() | st.booleans(), "origin": st.none() | origins}

drafts = (
    st.builds(Draft, st.just(Kind.PROFILE), profiles, **said)
    | st.builds(
        Draft,
        st.just(Kind.POST),
        posts,
        communities,
        st.just({}) | replies,
        **said,
    )
    | st.builds(
        Draft,
        st.just(Kind.DELETE),
        community=st.none() | communities,
        refs=st.fixed_dictionaries({"target": record_ids}),
        **said,
    )
)


@st.composite
def heads(draw: st.DrawFn) -> Head:
    """Draw a place in a sequence that has room for one more."""
    return Head(draw(st.integers(0, MAX_INT - 1)), draw(record_ids))


@st.composite
def authored(draw: st.DrawFn, time_ms: st.SearchStrategy[int] = times) -> Record:
    """Draw a record as our own writer writes it, of any kind that we know."""
    name, generation = draw(names), draw(st.integers(0, 2))
    author = Author(AgentId(signer(name).public), NETWORK, signer(name, generation))
    written_at, next_key = draw(time_ms), signer(name, generation + 1).public
    match draw(st.integers(0, 3)):
        case 0 if generation == 0:
            return incept(NETWORK, signer(name), next_key, written_at)
        case 1 if generation > 0:
            return author.rotate(draw(heads()), next_key, written_at)
        case _:
            return author.write(draw(drafts), draw(heads()), written_at)


@st.composite
def strange(draw: st.DrawFn) -> Record:
    """Draw a record of a kind from the future."""
    header = Header(
        network=NETWORK,
        agent=AgentId(signer("alice").public),
        kind=draw(st.integers(max(Kind) + 1, MAX_INT)),
        seq=draw(st.integers(1, MAX_INT)),
        prev=draw(record_ids),
        time_ms=EPOCH_MS,
        community=draw(st.none() | communities),
        refs=draw(st.dictionaries(roles, record_ids, max_size=8)),
        next_key=draw(st.none() | digests),
        ai_generated=draw(st.none() | st.booleans()),
    )
    return seal(header, draw(st.none() | st.binary(max_size=200)), signer("alice"))


records = authored() | strange()


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Draw bytes in which something was cut out, doubled, or written over."""
    data = draw(whole)
    start = draw(st.integers(0, len(data)))
    end = draw(st.integers(start, min(len(data), start + 40)))
    patch = draw(
        st.binary(max_size=20) | st.just(data[start:end] * 2) | values.map(codec.encode)
    )
    return data[:start] + patch + data[end:]
