"""The roles of `roles.sql`: each can do its work, and nothing beyond it. SQLite has none."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pymysql
import pytest

from sidework import App, Context
from sidework.drivers.mysql_url import parse_mysql_url
from sidework.errors import DatabaseError
from sidework.stores.sql import split_statements

ROLES = ("producer", "worker", "reader")
PASSWORD = "of-a-test"


@dataclass(frozen=True)
class Roles:
    """A migrated database whose accounts hold the roles of the script: URLs by role, and SQL as any of them."""

    urls: dict[str, str]
    connect: Callable[[str], Any]
    prefix: str

    def app(self, role: str) -> App:
        return make_app(self.urls[role])

    def execute(self, role: str, statement: str) -> None:
        with self.connect(self.urls[role]) as connection, connection.cursor() as cursor:
            cursor.execute(statement.replace("{p}", self.prefix))


def make_app(url: str) -> App:
    app = App(url)

    @app.task(name="add")
    def add(x: int, y: int) -> int:
        return x + y

    @app.task(name="chain", delivery="transactional")
    def chain(ctx: Context) -> None:
        ctx.progress(0.5)
        add.using(connection=ctx.connection).enqueue(1, 2)

    @app.task(name="fail", retry=None)
    def fail() -> None:
        raise ValueError

    return app


@pytest.fixture(params=["postgres", "mysql"])
def roles(request: pytest.FixtureRequest) -> Iterator[Roles]:
    url: str = request.getfixturevalue(f"{request.param}_url")
    with make_app(url) as owner:
        owner.migrate()
    make = {"postgres": postgres_roles, "mysql": mysql_roles}[request.param]
    with make(url, uuid4().hex[:8]) as made:
        yield made


@pytest.fixture
def app_of(roles: Roles) -> Iterator[Callable[[str], App]]:
    """Opens an App as one of the roles; it is closed at the end."""
    opened: list[App] = []

    def open_app(role: str) -> App:
        opened.append(roles.app(role))
        return opened[-1]

    yield open_app
    for app in opened:
        app.close()


def script(database: str, suffix: str) -> list[str]:
    """The statements of a roles.sql, with role names that no other test has."""
    text = (files(f"sidework.stores.{database}") / "roles.sql").read_text()
    own = re.sub(r"\bsidework_(producer|worker|reader)\b", rf"sidework_\1_{suffix}", text)
    return list(split_statements("\n".join(line for line in own.splitlines() if not line.startswith("--"))))


@contextmanager
def postgres_roles(url: str, suffix: str) -> Iterator[Roles]:
    users = {role: f"user_{role}_{suffix}" for role in (*ROLES, "both")}
    with psycopg.connect(url, autocommit=True) as owner:
        for statement in [*script("postgres", suffix), *script("postgres", suffix)]:
            owner.execute(statement.encode())
        for role, user in users.items():
            given = ROLES[::2] if role == "both" else (role,)
            groups = ", ".join(f"sidework_{name}_{suffix}" for name in given)
            owner.execute(f"create role {user} login password '{PASSWORD}' in role {groups}".encode())
        urls = {role: account_url(url, user) for role, user in users.items()}
        yield Roles(urls, lambda of: psycopg.connect(of, autocommit=True), "sidework.")
        for name in (*users.values(), *(f"sidework_{role}_{suffix}" for role in ROLES)):
            owner.execute(f"drop owned by {name}".encode())
            owner.execute(f"drop role {name}".encode())


@contextmanager
def mysql_roles(url: str, suffix: str) -> Iterator[Roles]:
    users = {role: f"user_{role}_{suffix}" for role in (*ROLES, "both")}
    with connect_mysql(url) as connection, connection.cursor() as owner:
        for statement in [*script("mysql", suffix), *script("mysql", suffix)]:
            owner.execute(statement)
        owner.execute(f"create role both_{suffix}")
        for name in ROLES[::2]:
            owner.execute(f"grant sidework_{name}_{suffix} to both_{suffix}")
        for role, user in users.items():
            group = f"both_{suffix}" if role == "both" else f"sidework_{role}_{suffix}"
            owner.execute(f"create user {user}@'%' identified by '{PASSWORD}'")
            owner.execute(f"grant {group} to {user}@'%'")
            owner.execute(f"set default role {group} for {user}@'%'")
        yield Roles({role: account_url(url, user) for role, user in users.items()}, connect_mysql, "sidework_")
        owner.execute("drop user " + ", ".join(f"{user}@'%'" for user in users.values()))
        owner.execute(f"drop role both_{suffix}, " + ", ".join(f"sidework_{role}_{suffix}" for role in ROLES))


def connect_mysql(url: str) -> pymysql.Connection[Any]:
    return pymysql.connect(**parse_mysql_url(url).arguments())


def account_url(url: str, user: str) -> str:
    host = urlsplit(url).netloc.rpartition("@")[2]
    return urlsplit(url)._replace(netloc=f"{user}:{PASSWORD}@{host}").geturl()


def check_refused(*calls: Callable[[], object]) -> None:
    for call in calls:
        with pytest.raises(DatabaseError, match=r"denied|must be owner"):
            call()


def test_a_producer_enqueues_and_sees_no_job(app_of: Callable[[str], App]) -> None:
    app = app_of("producer")
    add = app.tasks["add"]
    job = add.using(delay=1, tags=["a"]).enqueue(1, 2)
    app.enqueue_many(add.job(number, number) for number in range(1500))
    add.using(id=uuid4()).enqueue(1, 2)
    with app_of("reader") as reader:
        assert reader.jobs.count() == 1502
    check_refused(
        lambda: app.jobs.get(job.id),
        app.jobs.count,
        app.queues.list,
        app.workers.list,
        app.work_once,
        lambda: app.jobs.cancel(job.id),
        lambda: app.jobs.delete(job.id),
        app.jobs.purge,
        lambda: app.queues.pause("default"),
        app.rollback,
    )


def test_a_producer_that_may_read_gives_an_id_again(app_of: Callable[[str], App]) -> None:
    id = uuid4()
    producer = app_of("producer").tasks["add"].using(id=id)
    producer.enqueue(1, 2)
    with pytest.raises(DatabaseError):
        producer.enqueue(1, 2)
    both = app_of("both")
    assert both.tasks["add"].using(id=id).enqueue(1, 2).id == id
    assert both.jobs.count() == 1


@pytest.mark.parametrize("table", ["jobs", "history", "given_ids", "workers", "queues"])
def test_a_producer_changes_and_removes_nothing_by_sql(roles: Roles, table: str) -> None:
    with pytest.raises((psycopg.errors.InsufficientPrivilege, pymysql.err.OperationalError), match="denied"):
        roles.execute("producer", f"delete from {{p}}{table}")


def test_a_worker_runs_jobs_and_looks_after_them(app_of: Callable[[str], App]) -> None:
    app = app_of("worker")
    app.tasks["chain"].enqueue()
    failing = app.tasks["fail"].enqueue()
    assert [ack.job.state for ack in app.drain()] == ["done", "failed", "done"]
    assert [job.state for job in app.jobs.retry(failing.id)] == ["waiting"]
    assert app.jobs.reschedule(failing.id, priority=7).priority == 7
    assert [job.state for job in app.jobs.cancel(failing.id)] == ["cancelled"]
    assert len(app.jobs.delete(failing.id)) == 1
    given = uuid4()
    for _ in range(2):
        app.tasks["add"].using(id=given).enqueue(1, 2)
    assert len(app.drain()) == 1
    assert app.jobs.purge() == 3
    assert app.queues.size("default") == 0
    check_refused(lambda: app.queues.pause("default"), app.rollback)


def test_a_worker_works_in_the_background(app_of: Callable[[str], App]) -> None:
    app = app_of("worker")
    worker = app.worker(concurrency=2, poll_interval=0.2)
    worker.start()
    jobs = app.enqueue_many([app.tasks["chain"].job(), app.tasks["add"].job(1, 2)])
    assert [job.state for job in app.jobs.join(jobs, timeout=30)] == ["done", "done"]
    assert [info.id for info in app.workers.list()] == [worker.id]
    worker.stop()
    worker.join(30)
    assert app.workers.list() == []


def test_a_reader_finds_counts_and_lists_and_changes_nothing(roles: Roles, app_of: Callable[[str], App]) -> None:
    job = app_of("producer").tasks["add"].enqueue(1, 2)
    app = app_of("reader")
    assert app.jobs.get(job.id).args == (1, 2)
    assert (app.jobs.count(), app.queues.size("default"), app.workers.list()) == (1, 1, [])
    roles.execute("reader", "select * from {p}overview")
    check_refused(
        lambda: app.tasks["add"].enqueue(1, 2),
        lambda: app.jobs.retry(job.id),
        lambda: app.jobs.cancel(job.id),
        lambda: app.queues.pause("default"),
        app.work_once,
        app.rollback,
    )
