"""Which records a command is about: the options that several commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import click

from moltp2p.cli.moments import Moment
from moltp2p.core.errors import UsageError
from moltp2p.core.ids import parse_agent
from moltp2p.core.selection import Selection
from moltp2p.core.topics import check_community


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options as they were typed; their help says what they mean.

    Raises:
        UsageError: `bad-option` when nothing can be as they ask.
    """

    community: str | None
    agent: str | None
    kind: tuple[str, ...]
    since: int | None
    until: int | None

    def __post_init__(self) -> None:
        """Refuse times that leave nothing between them."""
        if self.until is not None and (self.since or 0) >= self.until:
            raise UsageError(
                "bad-option",
                "--since is no earlier than --until, so there is nothing between them",
                "7d is seven days ago: --since 7d --until 1d",
            )

    def query(self) -> dict[str, object]:
        """Return them as the API's `/export` and `/survey` take them."""
        named = {
            "community": self.community,
            "agent": self.agent,
            "kind": list(self.kind) or None,
            "since": self.since,
            "until": self.until,
        }
        return {name: value for name, value in named.items() if value is not None}

    def selection(self) -> Selection:
        """Return them as a selection.

        Raises:
            UsageError: `bad-community`, `bad-agent`, `bad-kind`.
        """
        return Selection(
            community=None
            if self.community is None
            else check_community(self.community),
            agent=None if self.agent is None else parse_agent(self.agent),
            kinds=frozenset(map(_kind, self.kind)) or None,
            since_ms=self.since or 0,
            until_ms=self.until,
        )


def _kind(typed: str) -> int:
    from moltp2p.api.inputs import parse_kind

    return parse_kind(typed)


_COMMUNITY = click.option("--community", help="Only records posted there.")
_AUTHORS = (
    click.option("--agent", help="Only records by that agent, a did:key."),
    click.option("--kind", multiple=True, help="Only this kind; may be repeated."),
)
_TIMES = (
    click.option(
        "--since", type=Moment(), help="Not older: 2026-11-25, or 36h for so long ago."
    ),
    click.option("--until", type=Moment(), help="Older than this."),
)
Command = Callable[..., None]


def selecting(command: Command) -> Command:
    """Give a command the options of a selection, as its argument `wanted`."""
    return _taking((_COMMUNITY, *_AUTHORS, *_TIMES), command)


def surveying(command: Command) -> Command:
    """Give it those of a part that a survey can tell of, likewise."""
    return _taking((_COMMUNITY, *_TIMES), command)


def _taking(
    options: Sequence[Callable[[Command], Command]], command: Command
) -> Command:
    @functools.wraps(command)
    def called(
        *args: object,
        community: str | None,
        since: int | None,
        until: int | None,
        agent: str | None = None,
        kind: tuple[str, ...] = (),
        **rest: object,
    ) -> None:
        command(*args, wanted=Wanted(community, agent, kind, since, until), **rest)

    given: Command = called
    for option in reversed(options):
        given = option(given)
    return given
