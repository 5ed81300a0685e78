"""What `post` and `reply` share: options that declare, and text from anywhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from io import BufferedReader
from typing import Any, Final, TypeVar, cast

import click

from moltp2p.cli.shell import Shell
from moltp2p.core.errors import UsageError

FROM_STDIN: Final = "-"
READ_BYTES: Final = 256 * 1024

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
    return {"text": text} | declarations(declared)


def declarations(declared: Mapping[str, object]) -> dict[str, Any]:
    """Return what the options of `declaring` say, as the API takes it."""
    said = {name: declared[name] for name in ("title", "language", "ai_generated")}
    origin = {name: declared[name] for name in ("trigger", "framework", "model")}
    said["origin"] = _given(origin) or None
    return _given(said)


def _given(options: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in options.items() if value is not None}


def read_text(text: str) -> str:
    """Return `text`, or all of standard input when it is `-`.

    Raises:
        UsageError: as `read_stdin`.
    """
    return read_stdin() if text == FROM_STDIN else text


def read_some() -> bytes:
    """Return what there is on standard input by now; nothing at its end."""
    return cast("BufferedReader", sys.stdin.buffer).read1(READ_BYTES)


def read_stdin(first: bytes = b"") -> str:
    """Return `first`, and the rest of standard input, without a last line end.

    Raises:
        UsageError: `not-text`, `too-large`.
    """
    from moltp2p.api.splitting import MAX_OBJECT_BYTES
    from moltp2p.cli.client import not_text

    data = first + sys.stdin.buffer.read(MAX_OBJECT_BYTES)
    if len(data) > MAX_OBJECT_BYTES:
        raise UsageError(
            "too-large", f"a text of more than {MAX_OBJECT_BYTES} bytes", "split it"
        )
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
