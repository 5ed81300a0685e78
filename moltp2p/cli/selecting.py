"""Which records a command is about: the options that `export` and `import` share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import click

from moltp2p.cli.moments import Moment
from moltp2p.core.ids import parse_agent
from moltp2p.core.selection import Selection
from moltp2p.core.topics import check_community


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options as they were typed; `selecting` says what they mean."""

    community: str | None
    agent: str | None
    kind: tuple[str, ...]
    since: int | None
    until: int | None

    def query(self) -> dict[str, object]:
        """Return them as the API's `/export` takes them."""
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
        from moltp2p.api.inputs import parse_kind

        return Selection(
            community=None
            if self.community is None
            else check_community(self.community),
            agent=None if self.agent is None else parse_agent(self.agent),
            kinds=frozenset(map(parse_kind, self.kind)) or None,
            since_ms=self.since or 0,
            until_ms=self.until,
        )


_OPTIONS = (
    click.option("--community", help="Only records posted there."),
    click.option("--agent", help="Only records by that agent, a did:key."),
    click.option("--kind", multiple=True, help="Only this kind; may be repeated."),
    click.option(
        "--since", type=Moment(), help="Not older: 2026-11-25, or 36h for so long ago."
    ),
    click.option("--until", type=Moment(), help="Older than this."),
)


def selecting(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a selection, as its argument `wanted`."""

    @functools.wraps(command)
    def called(
        *args: object,
        community: str | None,
        agent: str | None,
        kind: tuple[str, ...],
        since: int | None,
        until: int | None,
        **rest: object,
    ) -> None:
        command(*args, wanted=Wanted(community, agent, kind, since, until), **rest)

    for option in reversed(_OPTIONS):
        called = option(called)
    return called
