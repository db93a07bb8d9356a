"""The demo on a part of its input, as the program that it is: a worker is killed, and every file is counted once."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

from sidework import App
from sidework.cli.demo.corpus import Corpus, standard_library
from sidework.cli.demo.report import print_check
from sidework.cli.demo.story import Result
from sidework.cli.demo.tables import SCHEMA, Tables


def run_demo(*options: str, folder: Path, temporary: Path | None = None) -> str:
    """What it prints; its temporary files go below `folder`, or another one."""
    ended = subprocess.run(
        [sys.executable, "-m", "sidework", "demo", *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "TMPDIR": str(temporary or folder)},
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def assert_right(output: str) -> None:
    assert re.search(r"killed worker process \d+ with SIGKILL", output)
    assert len(re.findall(r"^holds  ", output, re.MULTILINE)) == 4
    assert "FAILS" not in output
    assert "UnicodeDecodeError" in output
    assert output.count("\n3. ") == 1


def test_every_file_is_counted_once_on_sqlite_and_nothing_is_left(tmp_path: Path) -> None:
    assert_right(run_demo("--files", "400", folder=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_every_file_is_counted_once_on_postgresql_and_nothing_is_left(postgres_url: str, tmp_path: Path) -> None:
    assert_right(run_demo("--files", "400", "--url", postgres_url, folder=tmp_path))
    with psycopg.connect(postgres_url) as connection:
        left = connection.execute(
            "select table_schema, table_name from information_schema.tables"
            " where table_schema = 'public' or table_schema like 'sidework%'"
        ).fetchall()
    assert left == []
    assert list(tmp_path.iterdir()) == []


def test_its_own_postgresql_server_comes_and_goes(tmp_path: Path) -> None:
    # A server does not run as root, and no other account can reach the folder of a test.
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        assert_right(run_demo("--files", "50", "--postgres", folder=tmp_path, temporary=Path(name)))
        assert list(Path(name).iterdir()) == []


def test_its_tables_can_be_kept(sqlite_url: str, tmp_path: Path) -> None:
    output = run_demo("--files", "50", "--keep", "--url", sqlite_url, folder=tmp_path)
    assert f"sidework --url {sqlite_url} --schema sidework_demo jobs list --state failed" in output
    with App(sqlite_url, schema=SCHEMA) as app:
        assert app.jobs.count(state="done") == len(Tables(sqlite_url).files())


@pytest.mark.parametrize("url", ["sqlite://", "mysql://localhost/shop", "nonsense"])
def test_a_database_that_it_cannot_use_is_refused(url: str, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "sidework", "demo", "--url", url],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: the demo")


def test_unreadable_files_are_made_up_where_the_interpreter_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "lib"
    library.mkdir()
    (library / "good.py").write_text("x = 1\n")
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(library))
    corpus = standard_library(None, tmp_path)
    assert corpus.made_up == len(corpus.unreadable) == 3
    assert len(corpus.files) == 4


def test_the_check_sees_a_file_that_was_counted_twice_and_one_that_was_lost(tmp_path: Path) -> None:
    from rich.console import Console

    with App(f"sqlite:///{tmp_path / 'check.db'}") as app:
        app.migrate()

        @app.task(name="count")
        def count(path: str) -> None: ...

        paths = [tmp_path / "a.py", tmp_path / "b.py"]
        jobs = [app.enqueue("count", [str(path)]) for path in paths]
        app.drain()
        done = tuple(app.jobs.get(job.id) for job in jobs)
    corpus = Corpus(tmp_path, tuple(paths), frozenset())
    rows = tuple((str(job.id), str(job.args[0]), 1) for job in done)
    console = Console(quiet=True)
    assert print_check(console, Result(corpus, done, rows, ()))
    assert not print_check(console, Result(corpus, done, (*rows, rows[0]), ()))
    assert not print_check(console, Result(corpus, done, rows[:1], ()))
    assert not print_check(console, Result(corpus, done[:1], rows[:1], ()))
    assert not print_check(console, Result(Corpus(tmp_path, tuple(paths), frozenset(paths[:1])), done, rows, ()))
