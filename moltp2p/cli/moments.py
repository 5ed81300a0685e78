"""Times as people type them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import click

from moltp2p.cli.terminal import now_ms

_UNITS: Final = {
    "s": "seconds",
    "m": "minutes",
    "h": "hours",
    "d": "days",
    "w": "weeks",
}
_AGO: Final = re.compile(r"(\d{1,6})([smhdw])")


class Span(click.ParamType):  # type: ignore[type-arg]  # no generic when it runs
    """A length of time: `90s`, `30m`, `36h`, `7d`, `2w`. Its value is seconds."""

    name = "span"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the length that was typed."""
        typed = _AGO.fullmatch(value)
        if typed is None:
            self.fail(f"{value!r} is no length of time: 30m, 36h, 7d", param, ctx)
        return timedelta(**{_UNITS[typed[2]]: int(typed[1])}).total_seconds()


class Moment(click.ParamType):  # type: ignore[type-arg]  # no generic when it runs
    """A time: `2026-11-25`, `2026-11-25T10:30`, or `36h` for so long ago; in UTC.

    Its value is milliseconds since 1970.
    """

    name = "when"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Return the moment that was typed."""
        if ago := _AGO.fullmatch(value):
            length = timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            return max(now_ms() - int(length.total_seconds() * 1000), 0)
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither 2026-11-25T10:30 nor 36h", param, ctx)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(int(moment.timestamp() * 1000), 0)
