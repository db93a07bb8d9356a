"""`migrate` and `rollback`."""

from __future__ import annotations

from tests.cli.conftest import Cli


def test_migrating_twice_changes_nothing(url: str) -> None:
    cli = Cli("--url", url)
    assert cli.ok("migrate") == "The tables have version 1.\n"
    assert cli.ok("migrate") == "The tables have version 1 already.\n"


def test_the_plan_says_what_would_be_done_and_does_nothing(url: str) -> None:
    cli = Cli("--url", url)
    assert cli.ok("migrate", "--plan").startswith("would run 0001 ")
    assert cli("jobs", "list").exit_code == 1
    cli.ok("migrate")
    assert cli.ok("migrate", "--plan") == "nothing to do\n"


def test_the_sql_is_printed_and_not_run(url: str) -> None:
    cli = Cli("--url", url)
    assert "create table" in cli.ok("migrate", "--sql").lower()
    assert cli("jobs", "list").exit_code == 1


def test_sql_and_plan_together_are_refused(cli: Cli) -> None:
    assert cli("migrate", "--sql", "--plan").exit_code == 2


def test_rollback_asks_first(cli: Cli) -> None:
    assert cli("rollback", answer="n\n").exit_code == 1
    assert cli.json("jobs", "list") == []
    assert cli("rollback", answer="y\n").exit_code == 0
    assert cli("jobs", "list").exit_code == 1


def test_rollback_with_yes_does_not_ask(cli: Cli) -> None:
    assert cli.ok("rollback", "--yes") == "The tables are removed.\n"
    assert cli.ok("rollback") == "There are no tables to remove.\n"


def test_missing_tables_are_said_in_one_sentence_with_the_command_to_run(url: str) -> None:
    result = Cli("--url", url)("jobs", "list")
    assert result.exit_code == 1
    assert result.stderr == "Error: the Sidework tables are missing; run `sidework migrate` (or app.migrate()) first\n"
