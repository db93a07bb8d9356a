"""Which database an App uses, and what it says where it cannot."""

from __future__ import annotations

import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sidework import App, ConfigurationError, SchemaError
from sidework.errors import SideworkError, Unavailable

PASSWORD = "hunter2-s3cret"


def test_an_url_is_looked_for_in_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/second.db")
    assert _file(App()) == tmp_path / "second.db"
    monkeypatch.setenv("SIDEWORK_URL", f"sqlite:///{tmp_path}/first.db")
    assert _file(App()) == tmp_path / "first.db"
    assert _file(App(f"sqlite:///{tmp_path}/given.db")) == tmp_path / "given.db"


def test_without_any_url_a_file_is_used_and_a_warning_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.warns(UserWarning, match=r"using sqlite:///sidework\.db") as warned:
        app = App()
    assert Path(warned[0].filename) == Path(__file__)
    app.migrate()
    app.close()
    assert (tmp_path / "sidework.db").exists()


@pytest.mark.parametrize(
    "url",
    ["", "shop.db", "postgres", "oracle://host/db", "redis://localhost", f"postgres:/me:{PASSWORD}@host/db", None, 5],
)
def test_an_url_that_cannot_be_understood_is_refused_at_construction(url: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if url is None:
        monkeypatch.setenv("SIDEWORK_URL", "nonsense")
    with pytest.raises(ConfigurationError, match="expected a database URL such as postgresql://host/db"):
        App(url)


@pytest.mark.parametrize("scheme", ["postgresql+asyncpg", "postgresql+psycopg2", "postgres", "postgresql+psycopg"])
def test_the_forms_of_other_libraries_are_understood(postgres_url: str, scheme: str) -> None:
    with App(f"{scheme}://{postgres_url.partition('://')[2]}") as app:
        assert app.schema_version() == 0


@pytest.mark.parametrize("scheme", ["mysql", "mariadb", "mysql+pymysql", "mysql+asyncmy"])
def test_those_of_mysql_too(mysql_url: str, scheme: str) -> None:
    with App(f"{scheme}://{mysql_url.partition('://')[2]}") as app:
        assert app.schema_version() == 0


def test_a_database_in_memory_serves_one_app() -> None:
    with App("sqlite://") as one, App("sqlite://") as other:
        assert one.migrate() > 0
        assert other.schema_version() == 0
        with pytest.raises(SchemaError):
            other.jobs.count()


@pytest.mark.parametrize("schema", ["", "9a", "Shop", "a b", "x" * 41, 'a"b', None])
def test_a_schema_name_that_would_need_quotes_is_refused(schema: Any) -> None:
    with pytest.raises(ConfigurationError, match="expected schema to be"):
        App("sqlite://", schema=schema)


def test_nothing_connects_when_an_app_is_made_and_tasks_declared(closed_port: int) -> None:
    for scheme in ("postgresql", "mysql"):
        app = App(f"{scheme}://me:{PASSWORD}@127.0.0.1:{closed_port}/shop")
        app.task(name="log")(print)
        app.worker()
        app.close()
    App("sqlite:////no/such/folder/jobs.db")


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_server_that_does_not_answer_is_told_in_one_sentence(scheme: str, closed_port: int) -> None:
    with App(f"{scheme}://me:{PASSWORD}@127.0.0.1:{closed_port}/shop") as app:
        began = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            app.migrate()
        assert time.monotonic() - began < 15
    _one_sentence(caught.value)


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
async def test_an_async_connection_says_the_same(scheme: str, closed_port: int) -> None:
    async with App(f"{scheme}://me:{PASSWORD}@127.0.0.1:{closed_port}/shop") as app:
        with pytest.raises(Unavailable) as caught:
            await app.amigrate()
    _one_sentence(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{PASSWORD}@host:port/shop",
        f"mysql://me:{PASSWORD}@host:port/shop",
        f"mysql://me:{PASSWORD}@host/",
        f"oracle://me:{PASSWORD}@host/shop",
        f"postgresql://me:{PASSWORD}@127.0.0.1:1/shop?nonsense=1",
    ],
)
def test_a_password_is_shown_nowhere(url: str) -> None:
    with pytest.raises(SideworkError) as caught:
        App(url).migrate()
    error: BaseException | None = caught.value
    while error is not None:
        assert PASSWORD not in f"{error!r} {error}"
        error = error.__cause__


def test_nor_in_what_an_app_and_its_parts_look_like() -> None:
    for scheme in ("postgresql", "mysql"):
        app = App(f"{scheme}://me:{PASSWORD}@host/shop")
        parts = [app, app.setup, app.setup.database, app.setup.database.backend, app.jobs, app.worker()]
        assert not [part for part in parts if PASSWORD in repr(part)]


@pytest.mark.parametrize(
    ("url", "library", "extra"),
    [("postgresql://host/shop", "psycopg", "postgres"), ("mysql://host/shop", "pymysql", "mysql")],
)
def test_a_library_that_is_missing_is_named_with_its_extra(url: str, library: str, extra: str) -> None:
    told = _without(library, f"App({url!r})")
    assert f"MissingDriver: this URL needs the library {library}" in told
    assert f'pip install "sidework[{extra}]"' in told


def test_an_async_library_that_is_missing_is_named_when_it_is_needed(tmp_path: Path) -> None:
    told = _without("aiosqlite", f"asyncio.run(App('sqlite:///{tmp_path}/a.db').amigrate())")
    assert 'pip install "sidework[aiosqlite]"' in told


def test_the_embedded_default_needs_nothing_installed(tmp_path: Path) -> None:
    told = _without(
        "psycopg pymysql asyncmy aiosqlite sqlalchemy django click rich pydantic msgspec",
        f"""
        app = App('sqlite:///{tmp_path}/a.db')
        app.migrate()
        app.task(name="add")(lambda x, y: x + y)
        app.enqueue("add", [3, 4])
        print(app.work_once().job.result)
        """,
    )
    assert told.strip() == "7"


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def _file(app: App) -> Path:
    backend = app.setup.database.backend
    app.migrate()
    handle: Any = backend.owned.take()
    [[_, _, file]] = handle.raw.execute("pragma database_list").fetchall()
    handle.close()
    app.close()
    return Path(file)


def _one_sentence(error: BaseException) -> None:
    text = str(error)
    assert "\n" not in text
    assert "127.0.0.1" in text
    assert PASSWORD not in text


def _without(libraries: str, code: str) -> str:
    """What a program prints in whose environment these libraries are not installed."""
    program = f"""
import asyncio, logging, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {libraries.split()!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocker())
from sidework import App
{textwrap.dedent(code)}
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr
