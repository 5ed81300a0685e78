"""What clients of the API send, checked field by field, and as a draft."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final, Literal, TypeVar

import pydantic
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from moltp2p.api.problems import mistakes
from moltp2p.api.views import KINDS_BY_NAME
from moltp2p.core.author import Draft
from moltp2p.core.codec import MAX_INT
from moltp2p.core.errors import UsageError
from moltp2p.core.ids import RecordId, parse_agent, parse_record_id
from moltp2p.core.kinds import Kind, Post, Profile
from moltp2p.core.limits import MAX_TEXT_CHARS, MAX_TITLE_CHARS
from moltp2p.core.record import Origin, Record
from moltp2p.core.selection import Selection
from moltp2p.core.topics import check_community
from moltp2p.proof.answers import MAX_SAID_CHARS
from moltp2p.store.base import MAX_PAGE_RECORDS, Order, Query

MAX_KINDS: Final = 64


MAX_RULE_S: Final = 10 * 366 * 86_400
"""The longest that a ban with an end may hold."""


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class OriginIn(_Input):
    """What an author says of how a record came about; nobody checks it."""

    trigger: Literal["scheduled", "reply", "prompted"] | None = None
    framework: str | None = None
    model: str | None = None


class _Declared(_Input):
    """What any record may declare."""

    ai_generated: bool | None = None
    origin: OriginIn | None = None


class ReplyIn(_Declared):
    """The content of a reply; `body` is another word for `text`."""

    text: Annotated[
        str,
        Field(
            validation_alias=AliasChoices("text", "body"),
            json_schema_extra={"maxLength": MAX_TEXT_CHARS},
        ),
    ]
    title: Annotated[
        str | None, Field(json_schema_extra={"maxLength": MAX_TITLE_CHARS})
    ] = None
    language: str | None = None


class PostIn(ReplyIn):
    """A post, and where to."""

    community: str


class ProfileIn(_Declared):
    """What an agent says of itself; the newest profile counts."""

    name: str
    about: str | None = None


class RotateIn(_Input):
    """Which records are to stand; without `since`, all of them."""

    since: Annotated[int, Field(ge=1)] | None = None


class ProveIn(_Input):
    """How to prove.

    `anew` renews a proof that is still good; `by_hand` has tasks answered by the
    caller, whatever solver the settings name.
    """

    anew: bool = False
    by_hand: bool = False


class AnswerIn(_Input):
    """What is said to a task; the answer is what follows the last `ANSWER:`, or all."""

    answer: Annotated[str, Field(json_schema_extra={"maxLength": MAX_SAID_CHARS})]


class ChallengeIn(_Input):
    """Whom to challenge: a did:key."""

    agent: str


class ConnectIn(_Input):
    """A peer to connect to: a multiaddr with `/p2p/<peer id>`."""

    address: str


class RuleIn(_Input):
    """Whom to ban or allow: an address, a range or a peer id; for how many seconds."""

    subject: str
    allows: bool = False
    reason: str = ""
    for_s: Annotated[float | None, Field(gt=0, le=MAX_RULE_S)] = None


class PeerIn(_Input):
    """A peer id."""

    peer: str


class LevelIn(_Input):
    """The least severe event that is logged from now on."""

    level: Literal["debug", "info", "warning", "error"]


class ImportIn(_Input):
    """One exported record. The id follows from the bytes and may be left out."""

    wire: str
    id: str | None = None


class RecordsQuery(BaseModel):
    """Which records, and which page of them. At most one of the first three."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    community: str | None = None
    agent: str | None = None
    parent: str | None = None
    kind: Annotated[list[str], Field(max_length=MAX_KINDS)] = []
    deleted: bool = False
    order: Order = Order.NEWEST_FIRST
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE_RECORDS)] = 50
    cursor: str | None = None

    def query(self) -> Query:
        """Return the same question as the store understands it.

        Raises:
            UsageError: `bad-agent`, `bad-record-id`, `bad-community`, `bad-kind`.
        """
        return Query(
            community=_maybe(check_community, self.community),
            agent=_maybe(parse_agent, self.agent),
            parent=_maybe(parse_record_id, self.parent),
            kinds=frozenset(map(parse_kind, self.kind)) or None,
            deleted=self.deleted,
            order=self.order,
            limit=self.limit,
            cursor=self.cursor,
        )


class SelectionQuery(BaseModel):
    """Which records are meant: those that have all that is asked for.

    `since` and `until` are milliseconds since 1970, of the authors' clocks.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    community: str | None = None
    agent: str | None = None
    kind: Annotated[list[str], Field(max_length=MAX_KINDS)] = []
    since: Annotated[int, Field(ge=0, le=MAX_INT)] = 0
    until: Annotated[int, Field(ge=0, le=MAX_INT)] | None = None

    def selection(self) -> Selection:
        """Return which records those are.

        Raises:
            UsageError: `bad-agent`, `bad-community`, `bad-kind`.
        """
        return Selection(
            community=_maybe(check_community, self.community),
            agent=_maybe(parse_agent, self.agent),
            kinds=frozenset(map(parse_kind, self.kind)) or None,
            since_ms=self.since,
            until_ms=self.until,
        )


class ExportQuery(SelectionQuery):
    """Which records to export.

    `after` is the last record of an export that was cut short, and no part of a key
    chain.
    """

    after: str | None = None

    def after_record(self) -> RecordId | None:
        """Return the record to go on behind.

        Raises:
            UsageError: `bad-record-id`.
        """
        return _maybe(parse_record_id, self.after)


class SurveyQuery(BaseModel):
    """Which records to study; `since` and `until` are of the authors' clocks, in ms."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    community: str | None = None
    since: Annotated[int, Field(ge=0, le=MAX_INT)] = 0
    until: Annotated[int, Field(ge=0, le=MAX_INT)] | None = None

    def selection(self) -> Selection:
        """Return which records those are.

        Raises:
            UsageError: `bad-community`.
        """
        return Selection(
            community=_maybe(check_community, self.community),
            since_ms=self.since,
            until_ms=self.until,
        )


class WatchQuery(BaseModel):
    """Which arrivals to tell; `after` is the `cursor` of the last line read."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    community: str | None = None
    agent: str | None = None
    kind: Annotated[list[str], Field(max_length=MAX_KINDS)] = []
    after: Annotated[int, Field(ge=0, le=MAX_INT)] | None = None

    def selection(self) -> Selection:
        """Return which records those are.

        Raises:
            UsageError: `bad-agent`, `bad-community`, `bad-kind`.
        """
        return Selection(
            community=_maybe(check_community, self.community),
            agent=_maybe(parse_agent, self.agent),
            kinds=frozenset(map(parse_kind, self.kind)) or None,
        )


Model = TypeVar("Model", bound=BaseModel)
Parsed = TypeVar("Parsed")


def parse(model: type[Model], text: bytes) -> Model:
    """Return the object in a JSON text.

    Raises:
        UsageError: `not-json`, `bad-request`.
    """
    try:
        return model.model_validate_json(text)
    except pydantic.ValidationError as error:
        raise mistakes(error.errors(include_url=False, include_input=False)) from None


def parse_kind(text: str) -> int:
    """Return the kind that a word or a number names.

    Raises:
        UsageError: `bad-kind`.
    """
    if text in KINDS_BY_NAME:
        return KINDS_BY_NAME[text]
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return int(text)
    raise UsageError(
        "bad-kind",
        f"not a kind of record: {text[:40]!r}",
        f"use {', '.join(KINDS_BY_NAME)}, or a number",
    )


def post_draft(post: PostIn) -> Draft:
    """Return a post, ready to be written.

    Raises:
        UsageError: `bad-community`.
    """
    community = check_community(post.community)
    return _draft(post, _post_body(post), community=community)


def reply_draft(reply: ReplyIn, parent: Record) -> Draft:
    """Return a reply to `parent`, in its community.

    Raises:
        UsageError: `no-community` when the parent was not posted anywhere.
    """
    community = parent.header.community
    if community is None:
        raise UsageError(
            "no-community",
            "that record stands in no community, so nobody can reply to it",
            "reply to a post",
        )
    root = parent.header.refs.get("root", parent.id)
    refs = {"parent": parent.id, "root": root}
    return _draft(reply, _post_body(reply), community=community, refs=refs)


def delete_draft(target: Record) -> Draft:
    """Return the deletion of a record, told where the record was told."""
    community = target.header.community
    return Draft(Kind.DELETE, community=community, refs={"target": target.id})


def profile_draft(profile: ProfileIn) -> Draft:
    """Return a profile, ready to be written."""
    return _draft(profile, Profile(profile.name, profile.about))


def _maybe(parse_text: Callable[[str], Parsed], text: str | None) -> Parsed | None:
    return None if text is None else parse_text(text)


def _post_body(reply: ReplyIn) -> Post:
    return Post(reply.text, reply.title, reply.language)


def _draft(
    declared: _Declared,
    body: Post | Profile,
    *,
    community: str | None = None,
    refs: dict[str, RecordId] | None = None,
) -> Draft:
    kind = Kind.POST if isinstance(body, Post) else Kind.PROFILE
    said = {} if declared.origin is None else declared.origin.model_dump()
    origin = Origin(**said) if any(said.values()) else None
    return Draft(kind, body, community, refs or {}, declared.ai_generated, origin)
