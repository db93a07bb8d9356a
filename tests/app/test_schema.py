"""The tables: made, removed, and refused where they are missing or of another version."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import psycopg
import pymysql
import pytest

from sidework import App, SchemaError
from sidework.drivers.mysql_url import parse_mysql_url

COLUMNS = {
    "postgresql": """
        select table_name, column_name, data_type, column_default from information_schema.columns
        where table_schema in ('sidework') order by 1, ordinal_position
    """,
    "mysql": """
        select table_name, column_name, column_type, column_default from information_schema.columns
        where table_schema = database() order by 1, ordinal_position
    """,
    "sqlite": "select name, sql, type, tbl_name from sqlite_master where name like 'sidework%' order by 1",
}


def test_migrating_is_safe_to_repeat_and_rolling_back_leaves_nothing(any_url: str) -> None:
    with App(any_url) as app:
        assert app.schema_version() == 0
        before = _everything(any_url)
        version = app.migrate()
        assert app.migrate() == app.schema_version() == version > 0
        app.enqueue("t")
        assert app.migration_plan() == []
        app.rollback()
        assert app.schema_version() == 0
        app.rollback()
        assert _everything(any_url) == before
        assert app.migrate() == version


async def test_the_async_twins_do_the_same(any_url: str) -> None:
    async with App(any_url) as app:
        assert await app.aschema_version() == 0
        assert await app.amigration_plan() == app.migration_plan() != []
        assert await app.amigrate() == await app.aschema_version() > 0
        await app.arollback()
        assert await app.aschema_version() == 0


def test_many_may_migrate_at_once(any_url: str) -> None:
    def migrate(_: int) -> int:
        with App(any_url) as app:
            return app.migrate()

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(migrate, range(6)))) == 1


def test_missing_and_newer_tables_are_told_in_one_sentence_with_the_command(any_url: str) -> None:
    with App(any_url) as app, closing(_connect(any_url)) as connection:
        app.task(name="t")(print)
        for use in (
            lambda: app.enqueue("t"),
            app.work_once,
            app.jobs.count,
            app.worker().run,
            lambda: app.enqueue("t", connection=connection),
        ):
            with pytest.raises(SchemaError, match=r"run `sidework migrate` \(or app\.migrate\(\)\)") as caught:
                use()
            assert "\n" not in str(caught.value)
        connection.rollback()
        version = app.migrate()
        app.enqueue("t")
        _execute(any_url, f"update {_table(any_url, 'migrations')} set version = 99 where version = {version}")
    newer = r"have version 99, newer than the .* run `pip install"
    with App(any_url) as app, pytest.raises(SchemaError, match=newer):
        app.enqueue("t")
    with App(any_url) as app, pytest.raises(SchemaError, match=newer):
        app.migrate()


def test_a_table_that_goes_missing_later_is_told_too(any_url: str) -> None:
    with App(any_url) as app, App(any_url) as other:
        app.migrate()
        app.enqueue("t")
        other.rollback()
        with pytest.raises(SchemaError, match="run `sidework migrate`"):
            app.enqueue("t")
        other.migrate()
        assert app.enqueue("t").state == "waiting"


def test_schemas_do_not_see_each_other(any_url: str) -> None:
    with App(any_url, schema="one") as one, App(any_url, schema="two") as two:
        for app in (one, two):
            app.migrate()
            app.task(name="t")(print)
        one.enqueue("t")
        assert (one.jobs.count(), two.jobs.count()) == (1, 0)
        assert two.work_once() is None
        two.rollback()
        assert one.work_once() is not None
        assert one.jobs.count(state="done") == 1


def test_the_sql_of_the_migrations_run_by_hand_makes_the_same_tables(any_url: str) -> None:
    with App(any_url) as app:
        app.migrate()
        made = _columns(any_url)
        app.rollback()
        script = app.migration_sql()
        _script(any_url, script)
        assert _columns(any_url) == made
        assert len(made) > 8
        assert app.migrate() == app.schema_version() > 0
        app.task(name="t")(print)
        app.enqueue("t", args=["by hand"])
        ack = app.work_once()
    assert ack is not None
    assert ack.job.state == "done"


def _connect(url: str) -> Any:
    if url.startswith("postgresql"):
        return psycopg.connect(url)
    if url.startswith("mysql"):
        return pymysql.connect(**{**parse_mysql_url(url).arguments(), "autocommit": False})
    return sqlite3.connect(url.removeprefix("sqlite:///"))


def _execute(url: str, sql: str) -> list[Any]:
    with closing(_connect(url)) as connection:
        cursor = connection.cursor()
        cursor.execute(sql)
        rows = list(cursor.fetchall()) if cursor.description else []
        connection.commit()
        return rows


def _script(url: str, script: str) -> None:
    with closing(_connect(url)) as connection:
        if url.startswith("sqlite"):
            connection.executescript(script)
        elif url.startswith("postgresql"):
            connection.execute(script)
        else:
            for statement in script.split(";\n"):
                if statement.strip():
                    connection.cursor().execute(statement)
        connection.commit()


def _columns(url: str) -> list[Any]:
    return _execute(url, COLUMNS[url.partition("://")[0]])


def _everything(url: str) -> list[Any]:
    if url.startswith("postgresql"):
        return _execute(
            url, "select nspname, relname from pg_class c join pg_namespace n on n.oid = relnamespace order by 1, 2"
        )
    if url.startswith("mysql"):
        return _execute(url, "select table_name from information_schema.tables where table_schema = database()")
    return _execute(url, "select name from sqlite_master where name not like 'sqlite_%'")


def _table(url: str, name: str) -> str:
    return f"sidework.{name}" if url.startswith("postgresql") else f"sidework_{name}"
