"""`moltp2p admin bans`, `ban`, `allow` and `unban`."""

from __future__ import annotations

from typing import Any

import click

from moltp2p.cli.admin.group import ask
from moltp2p.cli.moments import Span
from moltp2p.cli.shell import Shell, json_option, pass_shell

_reason = click.option("--reason", default="", help="Why, for whoever reads `bans`.")
_for = click.option(
    "--for",
    "for_s",
    type=Span(),
    metavar="SPAN",
    help="How long it holds: 90s, 30m, 36h, 7d. For ever, if not given.",
)


@click.command()
@json_option
@pass_shell
def bans(shell: Shell) -> None:
    """List the bans and allowances in force, oldest first.

    With --json: a rule a line; "until_ms" is null for those without an end.
    """
    rules = ask(shell, "GET", "/rules")["rules"]
    if shell.as_json:
        for rule in rules:
            shell.emit(rule)
        return
    if not rules:
        click.echo("Nobody is banned, and nobody allowed more than others.")
        return
    from moltp2p.cli.terminal import now_ms

    for rule in rules:
        click.echo(f"{rule['subject']}\n  {_in_words(rule, now_ms())}")


def _in_words(rule: dict[str, Any], now_ms: int) -> str:
    """Return what holds of a subject, since when, for how long, and why."""
    from moltp2p.cli.terminal import moment, safe, span

    until = rule["until_ms"]
    left = "for ever" if until is None else f"for {span((until - now_ms) / 1000)} more"
    word = "allowed" if rule["allows"] else "banned"
    why = f": {safe(rule['reason'])}" if rule["reason"] else ""
    return f"{word} since {moment(rule['since_ms'])}, {left}{why}"


@click.command()
@click.argument("subject")
@_reason
@_for
@json_option
@pass_shell
def ban(shell: Shell, subject: str, reason: str, for_s: float | None) -> None:
    """Let SUBJECT connect no more, and end what connections it has.

    SUBJECT is an IP address, a range such as 192.0.2.0/24 or 2001:db8::/32, or a peer
    id. Of the ranges that hold an address, the narrowest decides. A ban is kept over
    restarts, in access.json in the home.
    """
    _put(shell, subject, allows=False, reason=reason, for_s=for_s)


@click.command()
@click.argument("subject")
@_reason
@_for
@json_option
@pass_shell
def allow(shell: Shell, subject: str, reason: str, for_s: float | None) -> None:
    """Let SUBJECT in though a wider range is banned.

    The limits for one address and one subnet do not hold of it; those for all do.
    A peer that is allowed is not hung up on for what it does wrong.
    """
    _put(shell, subject, allows=True, reason=reason, for_s=for_s)


def _put(shell: Shell, subject: str, **fields: object) -> None:
    _tell(
        shell, ask(shell, "PUT", "/rules", {"subject": subject} | fields), undone=False
    )


@click.command()
@click.argument("subject")
@json_option
@pass_shell
def unban(shell: Shell, subject: str) -> None:
    """Undo the ban, or the allowance, of SUBJECT, named as `bans` names it."""
    _tell(shell, ask(shell, "DELETE", "/rules", subject=subject), undone=True)


def _tell(shell: Shell, rule: dict[str, Any], *, undone: bool) -> None:
    if shell.as_json:
        shell.emit(rule)
        return
    from moltp2p.cli.terminal import moment

    word = "allowed" if rule["allows"] else "banned"
    if undone:
        shell.console().print(f"{rule['subject']} is {word} no more")
        return
    until = rule["until_ms"]
    end = "" if until is None else f" until {moment(until)}"
    shell.console().print(f"{rule['subject']} is {word}{end}", soft_wrap=True)
