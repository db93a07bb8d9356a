"""Enqueuing many jobs: in order, all or none, on a connection of ours or in the caller's transaction."""

from __future__ import annotations

import gc
import sqlite3
import tracemalloc
import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pymysql
import pytest

from sidework import App, ConfigurationError, IdConflict, NewJob
from sidework.drivers.mysql_url import parse_mysql_url
from tests.app.test_enqueue import timeless


def test_none_are_no_jobs(app: App) -> None:
    assert app.enqueue_many([]) == []
    assert app.enqueue_many(iter(())) == []
    assert app.jobs.count() == 0


def test_one_and_ten_thousand_come_back_in_order(app: App) -> None:
    @app.task
    def add(x: int, y: str = "") -> None: ...

    [one] = app.enqueue_many([add.job(1)])
    assert timeless(app.jobs.get(one.id)) == timeless(one)
    jobs = app.enqueue_many(add.using(priority=i % 3, tags=["t"]).job(i, y=str(i)) for i in range(10_000))
    assert [job.args for job in jobs] == [(i,) for i in range(10_000)]
    assert [job.priority for job in jobs[:4]] == [0, 1, 2, 0]
    assert app.jobs.count() == 10_001
    stored = app.jobs.get(jobs[7_777].id)
    assert (stored.args, stored.kwargs, stored.tags) == ((7_777,), {"y": "7777"}, ("t",))
    assert sorted(job.id for job in jobs) == [job.id for job in jobs]


async def test_the_async_twin_does_the_same(app: App) -> None:
    add = app.task(name="add")(print)
    jobs = await app.aenqueue_many(add.job(i) for i in range(2_500))
    assert [job.args for job in jobs] == [(i,) for i in range(2_500)]
    assert await app.jobs.acount() == 2_500
    await app.aclose()


def test_a_hundred_thousand_of_mixed_kinds_go_in_at_once(any_url: str) -> None:
    with App(any_url) as app:  # tables that have held so many are slow to the tests that come after
        app.migrate()
        tasks = [app.task(name=f"t{n}", queue=f"q{n}")(print) for n in range(3)]
        jobs = app.enqueue_many(tasks[i % 3].using(delay=i % 2 * 3600).job(i, "x" * 10) for i in range(100_000))
        assert len(jobs) == 100_000
        assert app.jobs.count() == 100_000
        assert [app.queues.size(f"q{n}") for n in range(3)] == [33_334, 33_333, 33_333]


def test_what_is_on_its_way_is_one_chunk_and_not_everything(lite: App) -> None:
    add = lite.task(name="add")(print)
    tracemalloc.start()
    jobs = lite.enqueue_many(add.job(i, "x" * 5_000) for i in range(6_000))
    gc.collect()
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(jobs) == 6_000
    assert peak - kept < 45e6, "of 60 MB of arguments"


def test_a_generator_that_raises_leaves_nothing(app: App) -> None:
    add = app.task(name="add")(print)

    def jobs() -> Iterator[NewJob]:
        for i in range(7_000):
            yield add.job(i)
        raise ZeroDivisionError("the 7,000th")

    with pytest.raises(ZeroDivisionError):
        app.enqueue_many(jobs())
    assert app.jobs.count() == 0


def test_the_callers_transaction_stays_usable_and_keeps_its_own_row(url: str) -> None:
    with App(url) as app, closing(_connect(url)) as connection:
        add = app.task(name="add")(print)

        def jobs() -> Iterator[NewJob]:
            for i in range(7_000):
                yield add.job(i)
            raise ZeroDivisionError("the 7,000th")

        cursor = connection.cursor()
        cursor.execute("create table if not exists own_rows (x int)")
        cursor.execute("delete from own_rows")
        connection.commit()
        cursor.execute("insert into own_rows values (1)")
        with pytest.raises(ZeroDivisionError):
            app.enqueue_many(jobs(), connection=connection)
        app.enqueue_many([add.job(i) for i in range(3)], connection=connection)
        connection.commit()
        cursor.execute("select count(*) from own_rows")
        assert cursor.fetchone() == (1,)
        assert app.jobs.count() == 3


def test_what_is_no_job_is_named_by_its_place(app: App) -> None:
    add = app.task(name="add")(print)
    with pytest.raises(TypeError, match=r"element 2 is <Task add>"):
        app.enqueue_many([add.job(1), add.job(2), add])  # type: ignore[list-item]
    with pytest.raises(TypeError, match=r"element 0 is 5"):
        app.enqueue_many([5])  # type: ignore[list-item]
    assert app.jobs.count() == 0


def test_the_same_job_twice_is_named_by_its_place_and_nothing_is_stored(app: App) -> None:
    @app.task
    def add(x: int) -> None: ...

    job = add.job(1)
    with pytest.raises(ConfigurationError, match=r"element 2 is a job of task .* that came before"):
        app.enqueue_many([job, add.job(2), job])
    assert app.jobs.count() == 0


def test_a_taken_id_among_many_is_a_conflict_or_the_same_job(app: App) -> None:
    add = app.task(name="add")(print)
    id = uuid.uuid4()
    add.using(id=id).enqueue(1)
    jobs = app.enqueue_many([add.job(0), add.using(id=id).job(1)])
    assert jobs[1].id == id
    assert app.jobs.count() == 2
    with pytest.raises(IdConflict):
        app.enqueue_many([add.job(0), add.using(id=id).job(2)])
    assert app.jobs.count() == 2


def _connect(url: str) -> Any:
    if url.startswith("postgresql"):
        return psycopg.connect(url)
    if url.startswith("mysql"):
        return pymysql.connect(**{**parse_mysql_url(url).arguments(), "autocommit": False})
    return sqlite3.connect(url.removeprefix("sqlite:///"))
