"""The command line, `sidework`: one file a command group. It needs the extra `cli` (click and rich)."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command that the arguments name; without click and rich, say how to install them."""
    try:
        import click
        import rich
    except ImportError as error:
        print(
            f"The command line needs {error.name}, which is not installed here: pip install 'sidework[cli]'",
            file=sys.stderr,
        )
        return 2
    del click, rich
    from sidework.cli.root import root

    root(prog_name="sidework")
    return 0
