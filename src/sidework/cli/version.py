"""`sidework version`."""

from __future__ import annotations

import platform
from importlib.metadata import version as version_of

import click


@click.command()
def version() -> None:
    """Show the release of Sidework and of Python."""
    click.echo(f"sidework {version_of('sidework')}, Python {platform.python_version()}")
