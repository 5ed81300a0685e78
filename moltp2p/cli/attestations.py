"""`moltp2p attestations`: who attested whom, as a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from moltp2p.cli.shell import Shell, json_option, pass_shell

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

View = dict[str, Any]


@click.command()
@click.argument("agent", required=False)
@json_option
@pass_shell
def command(shell: Shell, /, agent: str | None) -> None:
    """Show who attests for AGENT, a did:key, and who for those; your own by default.

    Each says whether it counts here, or why not. Your node goes by its own
    challenges: those it has challenged itself stand at depth 0, those for whom enough
    of these attest at depth 1, and so on.
    """
    from moltp2p.cli.client import open_client

    async def work() -> tuple[View, str | None]:
        async with open_client(shell.home) as client:
            own: str | None = (await client.get("/status"))["agent"]
            whom = agent or own
            if whom is None:
                raise click.UsageError("this node has no agent: name one")
            return await client.get(f"/attestations/{_in_path(whom)}"), own

    pedigree, own = shell.run(work)
    if shell.as_json:
        shell.emit(pedigree)
    else:
        shell.console().print(tree(pedigree, own))


def _in_path(agent: str) -> str:
    """Return an agent as it was typed, fit to stand in a path.

    Raises:
        UsageError: `bad-agent`.
    """
    from moltp2p.core.ids import agent_text, parse_agent

    return agent_text(parse_agent(agent))


def tree(pedigree: View, own: str | None) -> Tree:
    """Return who attests for an agent, drawn; `own` is this node's."""
    from rich.text import Text
    from rich.tree import Tree

    standing = _standing(pedigree, own)
    name = Text.assemble((pedigree["agent"], "bold"), "\n", standing)
    drawn = Tree(name, guide_style="dim")
    _grow(drawn, pedigree, own)
    if not pedigree["attested_by"]:
        drawn.add(Text("nobody attests for it, as far as is known here", "dim"))
    return drawn


def _grow(drawn: Tree, pedigree: View, own: str | None) -> None:
    from rich.text import Text

    branches = pedigree["attested_by"]
    for branch in branches:
        is_old = branch["attestation"] != branches[0]["attestation"]
        label = _label(branch, own, is_old=is_old)
        _grow(drawn.add(label), branch["attester"], own)
    if pedigree["is_cut"]:
        drawn.add(Text("…", "dim"))


def _label(branch: View, own: str | None, *, is_old: bool) -> Text:
    from rich.text import Text

    from moltp2p.cli.terminal import moment, short_agent

    attester = branch["attester"]
    mark = ("✓ ", "green") if branch["counts"] else ("✗ ", "red")
    name = (short_agent(attester["agent"]), "cyan")
    until = f"until {moment(branch['expires_ms'])}"
    why = until if branch["counts"] else f"{branch['reason']} ({branch['code']})"
    proof = " · of an earlier proof" if is_old else ""
    return Text.assemble(mark, name, f" {_standing(attester, own)} · {why}{proof}")


def _standing(pedigree: View, own: str | None) -> str:
    """Return how an agent stands here, in a few words."""
    state, depth = pedigree["state"], pedigree["depth"]
    if pedigree["agent"] == own:
        return f"{state}, this node's own"
    if depth is None:
        return str(state)
    return f"{state}, {'challenged by this node' if depth == 0 else f'depth {depth}'}"
