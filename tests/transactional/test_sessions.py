"""What a handler leaves behind in its session does not meet the next job."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from sidework import Context
from tests.transactional.till import Till

POLLUTE = {
    "postgresql": [
        "sql set search_path to pg_catalog, public",
        "sql set statement_timeout to 12345",
        "sql set default_transaction_isolation to serializable",
        "sql create temp table scratch (x int)",
        "sql select pg_advisory_lock(4711)",
        "sql prepare mine as select 1",
        "sql declare held cursor with hold for select 1",
    ],
    "mysql": [
        "sql set @mine = 5",
        "sql set session sql_mode = ''",
        "sql set session transaction isolation level serializable",
        "sql set names latin1",
        "sql create temporary table scratch (x int)",
        "sql do get_lock('sidework-test', 1)",
    ],
    "sqlite": [
        "sql pragma case_sensitive_like = on",
        "sql pragma cache_size = 17",
        "sql create temp table scratch (x int)",
    ],
}

INSPECT = {
    "postgresql": [
        (
            "sql insert into public.words select name || '=' || setting from pg_settings where name in"
            " ('search_path', 'statement_timeout', 'default_transaction_isolation', 'application_name', 'TimeZone')"
        ),
        "sql create temp table scratch (x int)",
        "sql insert into public.words select 'locks=' || count(*) from pg_locks where objid = 4711 and granted",
        "sql insert into public.words select 'prepared=' || count(*) from pg_prepared_statements where name = 'mine'",
        "sql insert into public.words select 'cursors=' || count(*) from pg_cursors where name = 'held'",
    ],
    "mysql": [
        "sql insert into words select concat('variable=', ifnull(@mine, 'none'))",
        "sql insert into words select concat('mode=', md5(@@session.sql_mode))",
        "sql insert into words select concat('isolation=', @@session.tx_isolation)",
        "sql insert into words select concat('charset=', @@session.character_set_client)",
        "sql insert into words select concat('autocommit=', @@session.autocommit)",
        "sql insert into words select concat('lock=', ifnull(is_used_lock('sidework-test'), 'none'))",
        "sql create temporary table scratch (x int)",
    ],
    "sqlite": [
        "sql insert into words select 'like=' || ('a' like 'A')",
        "sql insert into words select 'cache=' || cache_size from pragma_cache_size",
        "sql insert into words select 'synchronous=' || synchronous from pragma_synchronous",
        "sql create temp table scratch (x int)",
    ],
}


def test_settings_locks_and_temporary_tables_end_with_their_job(till: Till, kind: str) -> None:
    seen = []
    for steps in (INSPECT, POLLUTE, INSPECT):
        ack = till.play(kind, *steps[till.database])
        assert (ack.job.state, ack.exception) == ("done", None)
        seen.append(till.words)
        till.execute("delete from words")
    assert seen[0] == seen[2] != []


def test_they_end_with_a_job_that_fails_too(till: Till, kind: str) -> None:
    till.play(kind, *INSPECT[till.database])
    clean = till.words
    till.execute("delete from words")
    till.play(kind, *POLLUTE[till.database], "raise on purpose")
    till.app.jobs.delete(state="waiting")
    assert till.play(kind, *INSPECT[till.database]).exception is None
    assert till.words == clean


def test_a_connection_that_a_handler_kept_is_closed_with_its_job(till: Till) -> None:
    kept: list[Any] = []
    till.calls["keep"] = lambda ctx: kept.append(ctx.connection)
    assert till.play("plain", "call keep", "write a").job.state == "done"

    def use(_: Context) -> None:
        with pytest.raises(Exception, match=r"(?i)closed|\(0, ''\)"):
            kept[0].cursor().execute("insert into words values ('from the past')")

    till.calls["use"] = use
    assert till.play("plain", "write b", "call use", "write c").job.state == "done"
    assert till.words == ["a", "b", "c"]


def test_what_a_handler_changes_about_the_connection_object_ends_with_its_job(till: Till) -> None:
    def change(ctx: Context) -> None:
        if till.database == "postgresql":
            ctx.connection.row_factory = lambda _: lambda values: {"row": values}
        elif till.database == "mysql":
            from pymysql.cursors import DictCursor

            ctx.connection.cursorclass = DictCursor
        else:
            ctx.connection.row_factory = sqlite3.Row

    rows: list[Any] = []

    def look(ctx: Context) -> None:
        cursor = ctx.connection.cursor()
        cursor.execute("select 1, 2")
        rows.append(cursor.fetchone())

    till.calls.update(change=change, look=look)
    till.play("plain", "call change")
    till.play("plain", "call look")
    assert [type(row) for row in rows] == [tuple]
    assert rows == [(1, 2)]
