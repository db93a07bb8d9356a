"""Which App or database a command works on, and what it says when there is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

WriteModule = Callable[[str], str]

ONE_APP = """
from sidework import App
shop = App("sqlite:///shop.db")
same = shop
number = 1
"""
TWO_APPS = """
from sidework import App
a = App("sqlite://")
b = App("sqlite://")
"""


def test_an_app_is_found_in_the_current_folder(module: WriteModule) -> None:
    assert Cli("--app", f"{module(ONE_APP)}:shop").ok("migrate") == "The tables have version 1.\n"


def test_a_module_alone_stands_for_the_only_app_in_it(module: WriteModule) -> None:
    assert Cli("--app", module(ONE_APP)).ok("migrate") == "The tables have version 1.\n"


def test_the_app_comes_from_the_environment(
    module: WriteModule, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SIDEWORK_APP", module(ONE_APP))
    Cli().ok("migrate")
    assert (tmp_path / "shop.db").exists()


def test_an_url_given_by_hand_wins_over_the_app_of_the_environment(
    module: WriteModule, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SIDEWORK_APP", module(ONE_APP))
    Cli("--url", "sqlite:///other.db").ok("migrate")
    assert (tmp_path / "other.db").exists()
    assert not (tmp_path / "shop.db").exists()


def test_without_an_app_the_database_of_the_environment_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///from_env.db")
    Cli().ok("migrate")
    assert (tmp_path / "from_env.db").exists()


def test_without_anything_a_file_here_is_used_and_said_so(tmp_path: Path) -> None:
    result = Cli()("migrate")
    assert result.exit_code == 0
    assert "Note: no database URL was given" in result.stderr
    assert (tmp_path / "sidework.db").exists()


def test_the_schema_of_the_database_can_be_given() -> None:
    Cli("--url", "sqlite:///a.db", "--schema", "other").ok("migrate")
    assert Cli("--url", "sqlite:///a.db")("jobs", "list").exit_code == 1
    assert Cli("--url", "sqlite:///a.db", "--schema", "other").json("jobs", "list") == []


def test_a_module_that_is_not_there_is_named() -> None:
    result = Cli("--app", "no_such_shop:app")("migrate")
    assert result.exit_code == 2
    assert "there is no module 'no_such_shop'" in result.stderr


def test_what_a_module_itself_cannot_import_is_not_blamed_on_the_option(module: WriteModule) -> None:
    result = Cli("--app", module("import no_such_library"))("migrate")
    assert isinstance(result.exception, ModuleNotFoundError)
    assert result.exception.name == "no_such_library"


def test_a_missing_attribute_is_said_with_the_apps_that_are_there(module: WriteModule) -> None:
    result = Cli("--app", f"{module(ONE_APP)}:sop")("migrate")
    assert result.exit_code == 2
    assert "has no attribute 'sop'; its Apps are: shop, same" in result.stderr


def test_something_else_than_an_app_is_refused(module: WriteModule) -> None:
    result = Cli("--app", f"{module(ONE_APP)}:number")("migrate")
    assert result.exit_code == 2
    assert "is not an App but int" in result.stderr


def test_a_module_with_two_apps_needs_the_attribute(module: WriteModule) -> None:
    name = module(TWO_APPS)
    result = Cli("--app", name)("migrate")
    assert result.exit_code == 2
    assert f"--app {name}:attribute; its Apps are: a, b" in result.stderr


def test_a_module_without_an_app_is_refused(module: WriteModule) -> None:
    result = Cli("--app", module("x = 1"))("migrate")
    assert result.exit_code == 2
    assert "there is no App in it" in result.stderr


def test_an_app_and_an_url_together_are_refused(module: WriteModule) -> None:
    result = Cli("--app", module(ONE_APP), "--url", "sqlite://")("migrate")
    assert result.exit_code == 2
    assert "not both" in result.stderr


def test_a_worker_needs_an_app() -> None:
    result = Cli("--url", "sqlite:///a.db")("worker")
    assert result.exit_code == 2
    assert "say --app module:attribute" in result.stderr
