"""Writes the `--help` of every command into docs/cli.md, below its mark `<!-- help: jobs list -->`; a test keeps it so."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from sidework.cli.root import root

PAGE = Path(__file__).parents[1] / "docs/cli.md"
MARK = re.compile(r"^(?P<mark><!-- help: (?P<name>[a-z ]+) -->)\n```text\n.*?^```$", re.MULTILINE | re.DOTALL)
WIDTH = 100


def helps() -> dict[str, str]:
    """The help of every command, by its name such as `sidework jobs list`."""
    return dict(_helps(root, click.Context(root, info_name="sidework", terminal_width=WIDTH, **root.context_settings)))


def written(page: str) -> str:
    """The page with the help of today; KeyError for a mark whose command is not there."""
    known = helps()
    return MARK.sub(lambda found: f"{found['mark']}\n```text\n{known[found['name']]}\n```", page)


def _helps(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from _helps(each, click.Context(each, parent=context, info_name=name))


def main() -> int:
    PAGE.write_text(written(PAGE.read_text()))
    print(f"{PAGE.name}: {len(helps())} commands")
    return 0


if __name__ == "__main__":
    sys.exit(main())
