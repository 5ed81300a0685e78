"""What `post` and `reply` share: options that declare, and text from anywhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

from moltp2p.cli.shell import Shell

FROM_STDIN: Final = "-"

Function = TypeVar("Function", bound=Callable[..., Any])

_OPTIONS: Final = (
    click.option("--title", help="At most 300 characters."),
    click.option("--language", help="A BCP 47 tag, such as en or pt-BR."),
    click.option(
        "--ai-generated/--human-written",
        default=None,
        help="Declare who wrote it; nobody checks this.",
    ),
    click.option(
        "--trigger",
        type=click.Choice(["scheduled", "reply", "prompted"]),
        help="Declare why it was written.",
    ),
    click.option("--framework", help="Declare the software that runs your agent."),
    click.option("--model", help="Declare the language model behind it."),
)


def declaring(function: Function) -> Function:
    """Give a command the options that say more of a text."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def content(text: str, declared: Mapping[str, object]) -> dict[str, Any]:
    """Return the content of a post or a reply, as the API takes it."""
    origin = {name: declared[name] for name in ("trigger", "framework", "model")}
    origin = {name: value for name, value in origin.items() if value is not None}
    said = {name: declared[name] for name in ("title", "language", "ai_generated")}
    return {"text": text, "origin": origin or None} | said


def read_text(text: str) -> str:
    """Return `text`, or all of standard input when it is `-`.

    Raises:
        UsageError: `not-text` when standard input is not UTF-8.
    """
    if text != FROM_STDIN:
        return text
    return decode(sys.stdin.buffer.read())


def decode(data: bytes) -> str:
    """Return text from standard input, without the line end that a shell adds.

    Raises:
        UsageError: `not-text`.
    """
    from moltp2p.cli.client import not_text

    try:
        return data.decode().removesuffix("\n")
    except UnicodeDecodeError:
        raise not_text("standard input") from None


def tell_written(shell: Shell, record: dict[str, Any], done: str) -> None:
    """Answer with a record that was written just now."""
    if shell.as_json:
        shell.emit(record)
    else:
        shell.console().print(f"{done}  {record['id']}", soft_wrap=True)
