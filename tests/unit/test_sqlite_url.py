"""What SQLite URLs mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidework.drivers.sqlite_url import BUSY_TIMEOUT, parse_sqlite_url
from sidework.errors import ConfigurationError


@pytest.mark.parametrize("scheme", ["sqlite", "sqlite+pysqlite", "sqlite+aiosqlite"])
def test_four_slashes_are_an_absolute_path(scheme: str) -> None:
    assert parse_sqlite_url(f"{scheme}:////srv/app/jobs.db").path == Path("/srv/app/jobs.db")


def test_three_slashes_are_a_path_from_the_folder_current_at_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url = parse_sqlite_url("sqlite:///data/jobs.db")
    monkeypatch.chdir("/")
    assert url.path == tmp_path / "data" / "jobs.db"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite+aiosqlite://"])
def test_no_path_is_a_database_in_memory(url: str) -> None:
    parsed = parse_sqlite_url(url)
    assert parsed.path is None
    assert parsed.memory is not None


def test_each_database_in_memory_has_a_name_of_its_own() -> None:
    assert parse_sqlite_url("sqlite://").target != parse_sqlite_url("sqlite://").target


@pytest.mark.parametrize("name", ["a%20b.db", "100%.db", "é.db", "with space.db", "a:b#c.db"])
def test_a_path_is_taken_literally(name: str) -> None:
    assert parse_sqlite_url(f"sqlite:////srv/{name}").path == Path("/srv") / name


def test_the_wait_for_a_lock_can_be_given() -> None:
    assert parse_sqlite_url("sqlite:////a.db?timeout=2.5").timeout == 2.5
    assert parse_sqlite_url("sqlite:////a.db").timeout == BUSY_TIMEOUT


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite://jobs.db", "three or four slashes"),
        ("sqlite:jobs.db", "expected an SQLite URL"),
        ("sqlite+pysqlcipher:////a.db", "expected an SQLite URL"),
        ("postgresql://localhost/shop", "expected an SQLite URL"),
        ("sqlite:///file:a.db", "plain path"),
        ("sqlite:////a\0b.db", "plain path"),
        ("sqlite:////a.db?mode=ro", "unknown option 'mode'"),
        ("sqlite:////a.db?timeout=5&cache=shared", "unknown option 'cache'"),
        ("sqlite:////a.db?timeout=soon", "got 'soon'"),
        ("sqlite:////a.db?timeout=-1", "got '-1'"),
        ("sqlite:////a.db?timeout=nan", "got 'nan'"),
        ("sqlite:////a.db?timeout=", "got ''"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_value(url: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        parse_sqlite_url(url)
