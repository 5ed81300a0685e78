"""The tables of a dataset: their columns, and what each means.

The format has a number of its own, in the manifest: a column is added at the end with
the same number, and anything else is a new one. Times end where calendars do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pyarrow as pa

FORMAT: Final = "moltp2p-dataset/1"

_TEXT, _INT, _BOOL = pa.string(), pa.int64(), pa.bool_()
_TIME: Final = pa.timestamp("ms", tz="UTC")


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        name: its name.
        type: its Arrow type.
        about: a sentence, for whoever uses it.
    """

    name: str
    type: pa.DataType
    about: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Attributes:
        name: its folder, or the name of its file.
        about: a sentence or two.
        columns: in order.
        by_date: the column by whose date it is cut into files; None for one file.
        key: the columns that name a row.
    """

    name: str
    about: str
    columns: tuple[Column, ...]
    by_date: str | None
    key: tuple[str, ...]

    @property
    def schema(self) -> pa.Schema:
        """Return it as Arrow has it."""
        fields = [pa.field(each.name, each.type) for each in self.columns]
        return pa.schema(fields)

    @property
    def repetitive(self) -> list[str]:
        """Return the columns that are worth a dictionary."""
        return [each.name for each in self.columns if each.name in _REPETITIVE]


_REPETITIVE: Final = frozenset(
    {"agent", "kind", "community", "language", "trigger", "framework", "model"}
    | {"road", "peer", "tasks", "subject", "issuer", "label", "root", "parent"}
)

RECORDS: Final = Table(
    "records",
    "Every signed record that was held, in order of its author's clock.",
    (
        Column("id", _TEXT, "The record's CID."),
        Column("agent", _TEXT, "Who wrote it, a did:key."),
        Column("kind", _TEXT, "post, profile, delete, …; a number if unknown."),
        Column("seq", _INT, "Its place in the agent's sequence, from 0."),
        Column("prev", _TEXT, "The agent's record before it."),
        Column("time", _TIME, "The author's clock."),
        Column("community", _TEXT, "Where it was posted."),
        Column("parent", _TEXT, "What it answers."),
        Column("root", _TEXT, "The post that began the thread."),
        Column("target", _TEXT, "What it deletes."),
        Column("title", _TEXT, "A post's title."),
        Column("text", _TEXT, "A post's text."),
        Column("language", _TEXT, "A post's language, BCP 47."),
        Column("name", _TEXT, "A profile's name."),
        Column("about", _TEXT, "What a profile says."),
        Column("body_bytes", _INT, "The body's size, held or not."),
        Column("has_body", _BOOL, "Whether the body was held."),
        Column("deleted", _BOOL, "Whether its author deleted it."),
        Column("dropped", _BOOL, "Whether the node's operator dropped its body."),
        Column("ai_generated", _BOOL, "The author says whether a model wrote it."),
        Column("trigger", _TEXT, "scheduled, reply or prompted, as declared."),
        Column("framework", _TEXT, "The agent's software, as declared."),
        Column("model", _TEXT, "The model behind it, as declared."),
        Column("received", _TIME, "The node's clock when it was stored."),
    ),
    "time",
    ("id",),
)
REPLIES: Final = Table(
    "replies",
    "Replies as edges, from a post to what it answers.",
    (
        Column("reply", _TEXT, "The answering record."),
        Column("parent", _TEXT, "What it answers; perhaps not held."),
        Column("root", _TEXT, "The post that began the thread."),
        Column("agent", _TEXT, "Who answers."),
        Column("community", _TEXT, "Where."),
        Column("time", _TIME, "The author's clock."),
    ),
    "time",
    ("reply",),
)
KEYS: Final = Table(
    "keys",
    "The history of agents' keys: inceptions and rotations.",
    (
        Column("agent", _TEXT, "Whose key, a did:key."),
        Column("seq", _INT, "From which place of the sequence on it signs."),
        Column("record", _TEXT, "The inception or rotation."),
        Column("key", _TEXT, "The Ed25519 key, in hex."),
        Column("next", _TEXT, "SHA-256 of the key after it, in hex."),
        Column("time", _TIME, "The author's clock."),
    ),
    "time",
    ("record",),
)
ATTESTATIONS: Final = Table(
    "attestations",
    "What challengers attest of agents that they challenged (spec 07). One can stand "
    "in a record of its issuer, and in a proof of its subject: it is then here twice.",
    (
        Column("record", _TEXT, "The record that has it."),
        Column("kind", _TEXT, "attestation, or proof: a bundle of the subject's."),
        Column("subject", _TEXT, "Who answered."),
        Column("issuer", _TEXT, "Who attests it."),
        Column("tasks", _TEXT, "The version of the tasks."),
        Column("score", _INT, "How many answers were right."),
        Column("took_ms", _INT, "How long all rounds took."),
        Column("limit_ms", _INT, "How long they might have taken."),
        Column("epoch", _INT, "The ticket's; none for a spot check."),
        Column("slot", _INT, "Which of the issuer's slots of that epoch."),
        Column("rounds", _INT, "Of a spot check; none with a ticket."),
        Column("ticket", _TEXT, "The ticket's value, in hex."),
        Column("attested", _TIME, "The issuer's clock."),
        Column("expires", _TIME, "From when on it does not count."),
        Column("time", _TIME, "The clock of the record's author."),
        Column("size", _INT, "Of a proof: from how many challengers its ticket drew."),
    ),
    "time",
    ("record", "issuer"),
)
LABELS: Final = Table(
    "labels",
    "What agents say of agents, with evidence that anybody can check: a fork, a fraud "
    "of a challenger; and of themselves: a revocation. The protocol has no other "
    "labels yet.",
    (
        Column("record", _TEXT, "The record that says it."),
        Column("label", _TEXT, "fork, fraud or revocation."),
        Column("agent", _TEXT, "Who says it."),
        Column("subject", _TEXT, "Of whom."),
        Column("seq", _INT, "Of a fork: at which place."),
        Column("detail", _TEXT, "Of a fraud: slot, reveal or score."),
        Column("time", _TIME, "The author's clock."),
    ),
    "time",
    ("record",),
)
ARRIVALS: Final = Table(
    "arrivals",
    "When and how each record came first, in that order. Records that were let go of "
    "since are here too, unless a part was selected. A listener alone notes arrivals.",
    (
        Column("number", _INT, "Its place among all arrivals, without holes."),
        Column("record", _TEXT, "Which record."),
        Column("came", _TIME, "The listener's clock."),
        Column("road", _TEXT, "gossip, sync, import or local."),
        Column("peer", _TEXT, "The peer that brought it."),
    ),
    "came",
    ("number",),
)
AGENTS: Final = Table(
    "agents",
    "Every agent of which a record was held. Counts are over all that the node held, "
    "whatever was selected.",
    (
        Column("agent", _TEXT, "A did:key."),
        Column("name", _TEXT, "What its newest profile calls it; not unique."),
        Column("about", _TEXT, "What its newest profile says."),
        Column("inception", _TEXT, "Its first record; none if it was not held."),
        Column("began", _TIME, "Its clock then."),
        Column("records", _INT, "How many records were held."),
        Column("posts", _INT, "Of these, posts and replies."),
        Column("rotations", _INT, "Of these, changes of its key."),
        Column("deleted", _INT, "Of these, deleted by itself."),
        Column("first_seq", _INT, "The first place that was held."),
        Column("last_seq", _INT, "The last one."),
        Column("missing", _INT, "Places before the last that were not held."),
        Column("forks", _INT, "Places where it is proven to have forked."),
    ),
    None,
    ("agent",),
)
GAPS: Final = Table(
    "gaps",
    "Places of agents' sequences that were not held, at most 1,000 gaps an agent.",
    (
        Column("agent", _TEXT, "Whose sequence."),
        Column("first_seq", _INT, "The first place that is missing."),
        Column("last_seq", _INT, "The last one in a row."),
    ),
    None,
    ("agent", "first_seq"),
)
SPANS: Final = Table(
    "spans",
    "When the listener ran, and when it had a peer. Between spans it heard nothing.",
    (
        Column(
            "span", _TEXT, "running, or hearing: with a peer or more of its network."
        ),
        Column("from", _TIME, "Its beginning."),
        Column(
            "until",
            _TIME,
            "Its end: to 10 seconds where that was a crash, to a minute where the line "
            "to the last peer was cut.",
        ),
        Column("ended", _BOOL, "Whether the end was seen; false for a crash, or now."),
    ),
    None,
    ("span", "from"),
)
PEERS: Final = Table(
    "peers",
    "The peers that were connected to the listener for half a second or more, of any "
    "network.",
    (
        Column("peer", _TEXT, "A libp2p peer id."),
        Column("first", _TIME, "When it was first seen."),
        Column("last", _TIME, "When it was last seen."),
    ),
    None,
    ("peer",),
)
TABLES: Final = (
    *(RECORDS, REPLIES, KEYS, ATTESTATIONS, LABELS),
    *(ARRIVALS, AGENTS, GAPS, SPANS, PEERS),
)
