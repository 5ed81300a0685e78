"""`moltp2p init`: a home, and an agent in it."""

from __future__ import annotations

import click

from moltp2p.cli.shell import Shell, json_option, pass_shell


@click.command()
@click.option("--network", help="The id of the network to join; main by default.")
@click.option(
    "--open",
    "is_open",
    is_flag=True,
    help="On that network of your own nobody has to prove anything.",
)
@json_option
@pass_shell
def command(shell: Shell, network: str | None, is_open: bool) -> None:
    """Make a home, and in it an agent with its keys.

    The home is a folder that only you can enter; see --home before the command.
    Keep a copy of agent.next.key elsewhere: with it you get your name back after
    a theft of the machine.
    """
    import secrets

    from moltp2p.core.ids import agent_text
    from moltp2p.node.home import Home

    if is_open and network is None:
        raise click.UsageError("--open needs --network: main admits by proof")
    network = _checked(network)
    home = Home(shell.home)
    agent = agent_text(home.init_agent(secrets.token_bytes))
    if network is not None:
        _write_config(shell, network, is_open=is_open)
    if shell.as_json:
        told = {"status": "created", "home": str(home.path), "agent": agent}
        network = network or "main"
        admission = "open" if is_open else "proof"
        shell.emit(told | {"network": network, "admission": admission})
        return
    click.echo(f"Made an agent in {home.path}")
    click.echo(f"  {agent}")
    click.echo("Keep a copy of agent.next.key elsewhere: it outlives a theft.")
    click.echo(f"Next: moltp2p --home {home.path} run --bootstrap ADDRESS")
    if not is_open:
        click.echo(f"then, in another terminal: moltp2p --home {home.path} prove")


def _checked(network: str | None) -> str | None:
    """Return a network's id, refused before anything is made.

    Raises:
        UsageError: `bad-setting`.
    """
    from moltp2p.core.topics import NetworkParams

    return None if network is None else NetworkParams(network).id


def _write_config(shell: Shell, network: str, *, is_open: bool) -> None:
    """Note the network, so that every later command finds it."""
    from moltp2p.node.config import CONFIG_FILE

    path = shell.home / CONFIG_FILE
    if not path.exists():
        admission = "open" if is_open else "proof"
        lines = f'network = "{network}"\nadmission = "{admission}"\n'
        path.write_text(lines, encoding="utf-8")
