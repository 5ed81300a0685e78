"""`moltp2p version`."""

from __future__ import annotations

import click

from moltp2p.cli.shell import Shell, json_option, pass_shell


@click.command()
@json_option
@pass_shell
def command(shell: Shell) -> None:
    """Show the version of this program, and of what it stands on."""
    import importlib.metadata
    import platform

    versions = {
        "version": importlib.metadata.version("moltp2p"),
        "python": platform.python_version(),
        "libp2p": importlib.metadata.version("libp2p"),
    }
    if shell.as_json:
        shell.emit(versions)
    else:
        click.echo(f"moltp2p {versions.pop('version')}")
        for name, version in versions.items():
            click.echo(f"  {name} {version}")
