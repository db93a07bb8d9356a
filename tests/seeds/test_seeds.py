"""What the four systems could do that this one grew from: one test a capability, on every database where it applies.

Schedules have a folder of their own.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pydantic
import pymysql
import pytest

import sidework
from sidework import Ack, App, ConfigurationError, Context, Job, Reject, Retry
from sidework.core.options import Retention
from sidework.drivers.mysql_url import parse_mysql_url
from sidework.events import Event, JobDone, JobFailed, JobGivenBack, JobRetried, LoopFailed
from sidework.worker.upkeep import Prune, rescue_operation
from tests.worker.helpers import DEADLINE, ROOT, Heard, wait_for

# Byplay


def test_byplay_the_schema_is_installed_and_removed_and_leaves_nothing(any_url: str) -> None:
    with App(any_url) as app:
        assert app.migrate() == app.migrate()
        app.rollback()
        app.rollback()
        assert app.schema_version() == 0


def test_byplay_a_job_is_any_named_function_with_a_queue_in_its_declaration(app: App) -> None:
    plain, mail = app.task(_double), app.task(name="mail", queue="mail")(_double)
    jobs = [plain.enqueue(1), mail.enqueue(2), mail.using(queue="slow").enqueue(3)]
    assert [job.queue for job in jobs] == ["default", "mail", "slow"]
    assert jobs[0].task == f"{__name__}._double"
    with pytest.raises(ConfigurationError, match="expected a queue name"):
        mail.using(queue="no spaces")


def test_byplay_scheduling_belongs_to_the_callers_transaction(app: App, url: str) -> None:
    task = app.task(name="t")(_double)
    with closing(_connect(url)) as connection:
        task.using(connection=connection).enqueue(1)
        assert app.jobs.count() == 0, "not visible before commit"
        connection.rollback()
        assert app.jobs.count() == 0
        task.using(connection=connection).enqueue(2)
        connection.commit()
    assert [job.args for job in app.jobs.find()] == [(2,)]


def test_byplay_done_means_that_the_handlers_statements_were_committed(app: App) -> None:
    @app.task(name="t", delivery="transactional", retry=None)
    def t(ctx: Context, left: int) -> None:
        t.using(connection=ctx.connection, queue="next").enqueue(left - 1)
        assert left, "an assertion error is an error"

    t.enqueue(1)
    first, second = app.work_once(), app.work_once()
    assert first is not None
    assert second is not None
    assert (first.job.state, second.job.state) == ("done", "failed")
    assert isinstance(second.exception, AssertionError)
    assert app.jobs.count() == 2, "what the failed one scheduled is gone"


def test_byplay_one_job_is_processed_by_hand_and_nothing_is_raised(app: App) -> None:
    ok, bad = app.task(name="ok")(_double), app.task(name="bad", retry=None)(_fail)
    assert app.work_once() is None
    ok.enqueue(2)
    bad.enqueue()
    done, failed = app.work_once(), app.work_once()
    assert done is not None
    assert failed is not None
    assert (done.job.state, done.job.result, done.exception) == ("done", 4, None)
    assert (failed.job.state, str(failed.exception)) == ("failed", "on purpose")


def test_byplay_the_order_of_queues_matters_and_a_failed_job_stays_failed(app: App) -> None:
    task, bad = app.task(name="t")(_double), app.task(name="bad", retry=None)(_fail)
    for number, queue in enumerate("abab"):
        task.using(queue=queue).enqueue(number)
    assert [ack.job.args[0] for ack in app.drain(["b", "a"])] == [1, 3, 0, 2]
    for number, queue in enumerate("abab"):
        task.using(queue=queue).enqueue(number)
    bad.enqueue()
    assert [ack.job.args for ack in app.drain()] == [(0,), (1,), (2,), (3,), ()]
    assert app.drain() == []


def test_byplay_a_background_worker_has_threads_callbacks_states_and_a_graceful_stop(app: App) -> None:
    together, heard, failures = threading.Barrier(3), _listen(app), []

    @app.task(name="t")
    def t() -> None:
        together.wait(DEADLINE)

    app.task(name="bad", retry=None, on_failure=lambda job, error: failures.append((job.task, str(error))))(_fail)
    worker = app.worker(concurrency=4)
    assert worker.state == "new"
    worker.start()
    assert worker.state == "running"
    jobs = [t.enqueue() for _ in range(3)] + [app.enqueue("bad")]
    app.jobs.join(jobs, timeout=DEADLINE)
    heard.wait(JobDone, 3)
    heard.wait(JobFailed)
    worker.stop()
    worker.join(DEADLINE)
    assert worker.state == "stopped"
    assert failures == [("bad", "on purpose")]


def test_byplay_done_and_failed_jobs_stay_for_inspection_retry_and_purge(app: App) -> None:
    app.task(name="ok")(_double)
    app.task(name="bad", retry=None)(_fail)
    app.enqueue("ok", [1])
    app.enqueue("bad")
    app.drain()
    assert sorted(job.state for job in app.jobs.find()) == ["done", "failed"]
    assert [job.state for job in app.jobs.retry(state="failed")] == ["waiting"]
    app.drain()
    assert app.jobs.purge() == 2


def test_byplay_a_large_table_is_drained_once_and_in_good_time(app: App) -> None:
    ran: list[int] = []
    task = app.task(name="t", store_result=False)(ran.append)
    app.enqueue_many(task.job(i) for i in range(2_500))
    heard = _listen(app)
    with _running(app, concurrency=20):
        heard.wait(JobDone, 2_500)
    assert sorted(ran) == list(range(2_500))


# Taskmaster


def test_taskmaster_pending_jobs_are_picked_up_at_the_start_and_new_ones_at_once(app: App) -> None:
    heard, task = _listen(app), app.task(name="t")(_double)
    task.enqueue(1)
    with _running(app, poll_interval=3600):
        heard.wait(JobDone)
        task.enqueue(2)
        heard.wait(JobDone, 2)


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
def test_taskmaster_an_insert_elsewhere_wakes_by_notification(app: App, url: str) -> None:
    heard = _listen(app)
    app.task(name="t")(_double)
    with _running(app, poll_interval=3600), App(url) as elsewhere:
        elsewhere.enqueue("t", [1])
        heard.wait(JobDone)


def test_taskmaster_a_handlers_answer_rejects_and_rejected_jobs_are_requeued(app: App) -> None:
    answers: list[Exception] = [Reject("not today")]

    @app.task(name="t", queue="q")
    def t() -> None:
        if answers:
            raise answers.pop()

    job = t.enqueue()
    with _running(app, {"q": 2}):
        [rejected] = app.jobs.join(job, timeout=DEADLINE)
        assert (rejected.state, rejected.errors[0].message) == ("failed", "not today")
        app.jobs.retry(job.id)
        assert app.jobs.join(job, timeout=DEADLINE)[0].state == "done"


def test_taskmaster_payloads_are_json_and_queues_are_looked_after(any_url: str) -> None:
    with App(any_url, schema="tables_of_mine") as app:
        app.migrate()
        jobs = [app.enqueue("t", [{"a": [1]}], queue=queue) for queue in "aab"]
        handle = app.setup.database.backend.owned.take()
        cursor = handle.raw.cursor()
        dot = "." if any_url.startswith("postgresql") else "_"
        cursor.execute(f"select payload from tables_of_mine{dot}jobs")
        assert {row[0] for row in cursor.fetchall()} == {'[[{"a":[1]}],{}]'}
        handle.close()
        assert app.queues.size("a") == 2
        assert len(app.jobs.delete(jobs[0].id)) == 1
        assert len(app.jobs.delete(queue="a")) == 1
        assert [job.id for job in app.jobs.find(state="waiting")] == [jobs[2].id]
        app.rollback()


def test_taskmaster_jobs_held_by_dead_consumers_are_found_and_freed(app: App, url: str) -> None:
    job = _held_by_a_dead_process(app, url)
    freed = app.setup.database.run(rescue_operation(app.setup))
    assert [entry.row.id for entry in freed] == [job.id]
    app.task(name="deadly")(_double)
    assert (app.jobs.get(job.id).state, app.jobs.get(job.id).crashes) == ("waiting", 1)


def test_taskmaster_middleware_wraps_the_handler(app: App) -> None:
    times: list[float] = []

    @app.middleware
    def timing(_: Context) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        except RuntimeError as error:
            raise Reject(f"rejected: {error}") from error
        finally:
            times.append(time.monotonic() - began)

    app.task(name="ok")(_double)
    app.task(name="bad")(_fail)
    app.enqueue("ok", [1])
    app.enqueue("bad")
    assert [(ack.job.state, ack.job.result) for ack in app.drain()] == [("done", 2), ("failed", None)]
    assert len(times) == 2


def test_taskmaster_components_start_and_stop_with_their_dependencies(url: str) -> None:
    life: list[str] = []

    @contextmanager
    def lifespan() -> Iterator[dict[str, str]]:
        life.append("up")
        yield {"mailer": "smtp"}
        life.append("down")

    with App(url, lifespan=lifespan) as consumer, App(url) as publisher:
        consumer.task(name="t")(_mailer)
        heard = _listen(consumer)
        with _running(consumer, poll_interval=0.05):
            publisher.enqueue("t")
            heard.wait(JobDone)
            assert life == ["up"]
        assert publisher.jobs.find()[0].result == "smtp"
    assert life == ["up", "down"]


def test_taskmaster_acknowledged_jobs_stay_and_payloads_are_validated(app: App) -> None:
    class Unsent(pydantic.BaseModel):
        to: str

    app.task(name="t")(_order)
    job = app.enqueue("t", [Order(to="me")])
    app.drain()
    assert app.jobs.get(job.id).result == "me"
    with pytest.raises(pydantic.ValidationError):
        Order(to=5)  # type: ignore[arg-type]
    with pytest.raises(sidework.InvalidPayload, match="annotate the parameter"):
        app.enqueue("t", [Unsent(to="you")])
    with pytest.raises(TypeError, match="task t"):
        app.enqueue("t", [])


# Backtick


def test_backtick_a_worker_is_declared_listed_and_unregistered(app: App) -> None:
    task = app.task(name="t")(_double)
    assert task(4) == 8
    app.enqueue("t", [1])
    app.enqueue(task, [2])
    assert app.tasks.names() == ["t"]
    assert len(app.drain()) == 2
    app.tasks.remove("t")
    assert list(app.tasks) == []


def test_backtick_a_job_runs_at_a_time(url: str) -> None:
    now = [datetime(2030, 1, 1, tzinfo=UTC)]
    with App(url, clock=lambda: now[0]) as app:
        app.task(name="t")(_double).using(run_at=now[0] + timedelta(minutes=5)).enqueue(1)
        assert app.work_once() is None
        now[0] += timedelta(minutes=5)
        assert app.work_once() is not None


def test_backtick_a_job_over_its_timeout_is_tried_again_with_backoff_until_it_is_given_up(app: App) -> None:
    heard = _listen(app)

    @app.task(name="slow", timeout=0.05, retry=Retry.exponential(2, base=0.02, jitter=0.5), queue="q")
    async def slow() -> None:
        await asyncio.sleep(DEADLINE)

    job = slow.enqueue()
    with _running(app, ["q"], concurrency=4):
        assert 0.01 <= heard.wait(JobRetried).delay <= 0.03
        [given_up] = app.jobs.join(job, timeout=DEADLINE)
    assert (given_up.state, given_up.attempt) == ("failed", 2)
    assert [error.type for error in given_up.errors] == ["sidework.errors.JobTimeout"] * 2


def test_backtick_jobs_of_killed_servers_are_revived(app: App, url: str) -> None:
    job = _held_by_a_dead_process(app, url)
    app.setup.database.run(rescue_operation(app.setup))
    app.task(name="deadly")(lambda: "revived")
    assert [(ack.job.id, ack.job.result) for ack in app.drain()] == [(job.id, "revived")]


async def test_backtick_old_finished_jobs_are_removed_and_queued_ones_cancelled(app: App) -> None:
    app.task(name="t")(_double)
    app.enqueue("t", [1])
    await app.adrain()
    for queue in "ab":
        app.enqueue("t", [2], queue=queue)
    assert len(app.jobs.cancel(state="waiting")) == 2
    assert await Prune(app.setup, Retention()).run_once() == 0
    assert await Prune(app.setup, Retention(done=0, cancelled=0)).run_once() == 3
    assert app.jobs.count() == 0
    await app.aclose()


def test_backtick_the_running_job_is_readable_from_below_and_types_are_rich(app: App) -> None:
    def below() -> tuple[uuid.UUID, object]:
        job = sidework.current().job
        return job.id, job.args[0]

    task = app.task(name="t")(lambda _: below())
    value = {datetime(2030, 1, 1, tzinfo=UTC), frozenset({"keyword"})}
    job = task.enqueue(value)
    assert [ack.job.result for ack in app.drain()] == [(job.id, value)]


def test_backtick_configuration_comes_from_the_environment_and_the_command_line_starts(url: str) -> None:
    environment = {**os.environ, "SIDEWORK_URL": url}
    program = [sys.executable, "-m", "sidework", "jobs", "list", "--json"]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "[]")


# Proletarian


def test_proletarian_the_outbox_commits_with_the_data_at_a_time_or_after_a_delay(app: App, url: str) -> None:
    task = app.task(name="t")(_double)
    with closing(_connect(url)) as connection:
        cursor = connection.cursor()
        cursor.execute("create table if not exists orders (id int)")
        cursor.execute("delete from orders")
        cursor.execute("insert into orders values (7)")
        task.using(connection=connection, delay=timedelta(hours=1)).enqueue(7)
        task.using(connection=connection, run_at=datetime(2070, 1, 1, tzinfo=UTC)).enqueue(8)
        connection.commit()
        cursor.execute("select count(*) from orders")
        assert cursor.fetchone() == (1,)
    assert app.jobs.count(state="waiting") == 2
    assert app.work_once() is None


def test_proletarian_ids_serializer_clock_and_tables_are_the_applications_choice(any_url: str) -> None:
    class Codec(sidework.JsonCodec):
        pass

    clock = datetime(2031, 2, 3, tzinfo=UTC)
    with App(any_url, schema="other_tables", codec=Codec(), clock=lambda: clock) as app:
        app.migrate()
        own, ours = uuid.uuid4(), app.enqueue("t")
        assert app.enqueue("t", id=own).id == own
        assert ours.id.version == 7
        assert app.jobs.get(own).enqueued_at == clock
        app.rollback()


def test_proletarian_workers_name_themselves_in_threads_and_logs(app: App, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "sidework")
    app.task(name="t")(lambda: threading.current_thread().name)
    worker = app.worker(poll_interval=0.05)
    worker.start()
    job = app.enqueue("t")
    [done] = app.jobs.join(job, timeout=DEADLINE)
    worker.stop()
    worker.join(DEADLINE)
    assert "sidework" in done.result
    assert done.worker == worker.id
    assert worker.id in caplog.text


def test_proletarian_retries_follow_a_function_or_delays_whose_last_repeats(app: App) -> None:
    failed_for_good: list[Job] = []

    def policy(job: Job, error: BaseException) -> float | None:
        assert (job.args, str(error)) == (("payload",), "on purpose")
        return 0 if job.attempt < 3 else None

    @app.task(name="t", retry=policy, on_failure=lambda job, _: failed_for_good.append(job))
    def t(ctx: Context, payload: str) -> None:
        assert (ctx.job.task, ctx.job.args) == ("t", (payload,))
        raise RuntimeError("on purpose")

    t.enqueue("payload")
    assert [ack.job.attempt for ack in app.drain()] == [1, 2, 3]
    assert [job.state for job in failed_for_good] == ["failed"]
    assert [Retry(9, delays=[1, 5]).delay(n, None, chance=0.5) for n in (1, 2, 3, 8, 9)] == [1, 5, 5, 5, None]


def test_proletarian_finished_jobs_move_to_the_archive(app: App) -> None:
    app.task(name="t")(_double)
    job = app.enqueue("t", [1])
    app.drain()
    handle = app.setup.database.backend.owned.take()
    table = "sidework.{}" if app.setup.database.store.database == "postgresql" else "sidework_{}"
    counts = []
    for name in ("jobs", "history"):
        cursor = handle.raw.cursor()
        cursor.execute(f"select count(*) from {table.format(name)}")
        counts.append(cursor.fetchone()[0])
    handle.close()
    assert counts == [0, 1]
    assert app.jobs.get(job.id).finished_at is not None


def test_proletarian_events_are_structured_and_polling_errors_continue(any_url: str) -> None:
    events: list[Event] = []
    heard = Heard()
    with App(any_url) as app, App(any_url) as admin:
        admin.migrate()
        app.subscribe(events.append)
        app.subscribe(heard)
        app.task(name="t")(_double)
        with _running(app, poll_interval=0.02):
            admin.rollback()
            heard.wait(LoopFailed)
            admin.migrate()
            admin.enqueue("t", [1])
            app.jobs.join(admin.jobs.find(), timeout=60)
        admin.rollback()
    assert {type(event).__name__ for event in events} >= {"WorkerStarted", "JobDone", "LoopFailed"}


def test_proletarian_shutdown_waits_up_to_a_limit_and_an_interrupted_job_runs_again(url: str) -> None:
    life: list[str] = []

    @contextmanager
    def lifespan() -> Iterator[None]:
        yield
        life.append("on-shutdown")

    with App(url, lifespan=lifespan) as app:
        begun, heard = threading.Event(), _listen(app)

        @app.task(name="t")
        def t(ctx: Context) -> str:
            if begun.is_set():
                return "again"
            begun.set()
            ctx.cancelled.wait(DEADLINE)
            raise InterruptedError

        job = t.enqueue()
        worker = app.worker(shutdown_timeout=0.05)
        worker.start()
        wait_for(begun)
        worker.stop()
        worker.join(DEADLINE)
        assert life == ["on-shutdown"]
        heard.wait(JobGivenBack)
        assert (app.jobs.get(job.id).state, app.jobs.get(job.id).attempt) == ("waiting", 0)
        ack = app.work_once()
        assert isinstance(ack, Ack)
        assert (ack.job.result, ack.job.attempt) == ("again", 1)


def test_proletarian_the_installation_is_a_script(any_url: str) -> None:
    with App(any_url) as app:
        script = app.migration_sql()
        assert "create table" in script
        assert script.count(";") > 8
        assert app.schema_version() == 0, "showing it changes nothing"


class Order(pydantic.BaseModel):
    to: str


def _double(x: int) -> int:
    return 2 * x


def _fail() -> None:
    raise RuntimeError("on purpose")


def _mailer(ctx: Context) -> str:
    return str(ctx.state["mailer"])


def _order(order: Order) -> str:
    return order.to


def _listen(app: App) -> Heard:
    heard = Heard()
    app.subscribe(heard)
    return heard


@contextmanager
def _running(app: App, queues: Any = None, **options: Any) -> Iterator[None]:
    worker = app.worker(queues, **options)
    worker.start()
    try:
        yield
    finally:
        worker.stop()
        worker.join(DEADLINE)


def _held_by_a_dead_process(app: App, url: str) -> Job:
    job = app.enqueue("deadly")
    code = """
import os, signal, sys
from sidework import App
app = App(sys.argv[1])
app.task(name="deadly")(lambda: os.kill(os.getpid(), signal.SIGKILL))
app.work_once()
"""
    done = subprocess.run([sys.executable, "-c", code, url], cwd=ROOT, timeout=DEADLINE, check=False)
    assert done.returncode == -signal.SIGKILL
    assert app.jobs.get(job.id).state == "running"
    handle = app.setup.database.backend.owned.take()
    table = "sidework.workers" if url.startswith("postgresql") else "sidework_workers"
    handle.raw.cursor().execute(f"update {table} set lease_until = 1")
    handle.close()
    return job


def _connect(url: str) -> Any:
    if url.startswith("postgresql"):
        return psycopg.connect(url)
    if url.startswith("mysql"):
        return pymysql.connect(**{**parse_mysql_url(url).arguments(), "autocommit": False})
    return sqlite3.connect(url.removeprefix("sqlite:///"))
