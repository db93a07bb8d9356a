"""docs/cli.md: every command is on it, with its help as it is."""

from __future__ import annotations

from scripts.write_cli_help import MARK, PAGE, helps, written


def test_every_command_is_documented() -> None:
    assert sorted(found["name"] for found in MARK.finditer(PAGE.read_text())) == sorted(helps())


def test_the_help_on_the_page_is_that_of_the_commands() -> None:
    page = PAGE.read_text()
    assert page == written(page), "run: python scripts/write_cli_help.py"
