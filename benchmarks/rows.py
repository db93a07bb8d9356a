"""What is measured: each row is a piece of work, done by Sidework and, where it has one, by the floor."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from benchmarks.floors import open_floor
from benchmarks.proxy import CountingProxy
from benchmarks.targets import DATABASES, Target, connect, execute, refresh_statistics
from benchmarks.tasks import EFFECT, TEXT, Bench, open_bench

CHUNK = 1000
WIDE, USUAL = 100, 10
"""The concurrency of a worker that drains no-ops, and of one with a transaction a job (the default of `app.worker`)."""

QUIET = (1.0, 2.0)
"""Seconds, at random between the two, that nothing happens before a job whose start is timed."""

SETTLE = 2.0
"""Seconds after a worker's start before its idle statements are counted."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to do: jobs of a drain and of the bulk, starts timed, seconds of idleness watched."""

    jobs: int
    samples: int
    seconds: float

    @property
    def few(self) -> int:
        """How many where each takes a commit of its own."""
        return max(1, self.jobs // 10)


Measure = Callable[[Target, Plan], list[float]]


@dataclass(frozen=True, slots=True)
class Row:
    """One piece of work; `floor` by database. A rate is shown as its median, milliseconds as p50 and p95."""

    title: str
    unit: str
    ours: Measure
    floor: Mapping[str, Measure]
    databases: tuple[str, ...] = DATABASES


def every(measure: Measure) -> dict[str, Measure]:
    """The same floor on each database."""
    return dict.fromkeys(DATABASES, measure)


def enqueue(target: Target, plan: Plan) -> list[float]:
    """One job an `enqueue`, on our connection."""
    with _ours(target) as (bench, _), _timed(plan.few) as rate:
        for number in range(plan.few):
            bench.plain.enqueue(number, TEXT)
    return rate


def enqueue_floor(target: Target, plan: Plan) -> list[float]:
    """One row a statement, committed."""
    with _floor(target) as url:
        floor = open_floor(url)
        with _timed(plan.few) as rate:
            for number in range(plan.few):
                floor.insert(json.dumps([number, TEXT]))
        floor.connection.close()
    return rate


def enqueue_within(target: Target, plan: Plan) -> list[float]:
    """A row of the application's and a job, in the caller's transaction."""
    with _ours(target) as (bench, url):
        connection = connect(url, autocommit=False)
        with _timed(plan.few) as rate:
            for number in range(plan.few):
                execute(connection, EFFECT)
                bench.plain.using(connection=connection).enqueue(number, TEXT)
                connection.commit()
        connection.close()
    return rate


def enqueue_within_floor(target: Target, plan: Plan) -> list[float]:
    """The same two rows by bare statements."""
    with _floor(target) as url:
        floor = open_floor(url, autocommit=False)
        with _timed(plan.few) as rate:
            for number in range(plan.few):
                execute(floor.connection, EFFECT)
                floor.insert(json.dumps([number, TEXT]))
                floor.connection.commit()
        floor.connection.close()
    return rate


def enqueue_bulk(target: Target, plan: Plan) -> list[float]:
    """One `enqueue_many` of them all."""
    with _ours(target) as (bench, _), _timed(plan.jobs) as rate:
        bench.app.enqueue_many(bench.plain.job(number, TEXT) for number in range(plan.jobs))
    return rate


def enqueue_bulk_floor(target: Target, plan: Plan) -> list[float]:
    """Statements of a thousand rows in one transaction."""
    with _floor(target) as url, _timed(plan.jobs) as rate:
        _fill_floor(url, plan.jobs)
    return rate


def drain_coroutines(target: Target, plan: Plan) -> list[float]:
    """One worker process, no-op coroutines."""
    with _ours(target) as (bench, url):
        bench.app.enqueue_many(bench.coroutine.job(number, TEXT) for number in range(plan.jobs))
        return _drained("drain", url, plan.jobs, WIDE)


def drain_threads(target: Target, plan: Plan) -> list[float]:
    """One worker process, no-op functions in threads."""
    with _ours(target) as (bench, url):
        bench.app.enqueue_many(bench.plain.job(number, TEXT) for number in range(plan.jobs))
        return _drained("drain", url, plan.jobs, WIDE)


def drain_floor(target: Target, plan: Plan) -> list[float]:
    """One process that claims and finishes batches as large as our concurrency."""
    with _floor(target) as url:
        _fill_floor(url, plan.jobs)
        return _drained("floor-drain", url, plan.jobs, WIDE)


def transactions(target: Target, plan: Plan) -> list[float]:
    """One worker process, transactional tasks that write one row each."""
    with _ours(target) as (bench, url):
        bench.app.enqueue_many(bench.paid.job(number, TEXT) for number in range(plan.few))
        return _drained("drain", url, plan.few, USUAL)


def transactions_floor(target: Target, plan: Plan) -> list[float]:
    """One process with as many connections, each job locked, run and finished in one transaction."""
    with _floor(target) as url:
        _fill_floor(url, plan.few)
        return _drained("floor-transactions", url, plan.few, 1 if target.name == "sqlite" else USUAL)


def start_latency(target: Target, plan: Plan) -> list[float]:
    """Milliseconds from before `enqueue` here until the handler starts in an idle worker process."""
    with _ours(target) as (bench, url), _listening("listen", url) as lines:
        return _latencies(plan, lines, bench.marked.enqueue)


def start_latency_floor(target: Target, plan: Plan) -> list[float]:
    """The same with NOTIFY, LISTEN and the bare statements."""
    with _floor(target) as url, _listening("floor-listen", url) as lines:
        floor = open_floor(url)
        return _latencies(plan, lines, lambda number: floor.insert(json.dumps([number])))


def idle_statements(target: Target, plan: Plan) -> list[float]:
    """Statements a second that a worker sends while there is nothing to do."""
    with _ours(target) as (_, url), CountingProxy(url) as proxy, _listening("listen", proxy.url):
        time.sleep(SETTLE)
        before = proxy.count
        time.sleep(plan.seconds)
        return [(proxy.count - before) / plan.seconds]


ROWS: Mapping[str, Row] = {
    "enqueue": Row("enqueue one, own connection", "jobs/s", enqueue, every(enqueue_floor)),
    "within": Row("enqueue one, caller's transaction", "jobs/s", enqueue_within, every(enqueue_within_floor)),
    "bulk": Row("enqueue many", "jobs/s", enqueue_bulk, every(enqueue_bulk_floor)),
    "coroutines": Row("drain, coroutines", "jobs/s", drain_coroutines, every(drain_floor)),
    "threads": Row("drain, threads", "jobs/s", drain_threads, every(drain_floor)),
    "transactions": Row("one transaction a job", "jobs/s", transactions, every(transactions_floor)),
    "latency": Row("idle start", "ms", start_latency, {"postgresql": start_latency_floor}),
    "idle": Row("idle worker", "statements/s", idle_statements, {}, databases=("postgresql",)),
}


@contextmanager
def _ours(target: Target) -> Iterator[tuple[Bench, str]]:
    with target.fresh() as url:
        bench = open_bench(url)
        bench.app.migrate()
        connection = connect(url, autocommit=True)
        execute(connection, "create table effects (n integer)")
        connection.close()
        with bench.app:
            yield bench, url


@contextmanager
def _floor(target: Target) -> Iterator[str]:
    with target.fresh() as url:
        floor = open_floor(url)
        floor.create()
        floor.connection.close()
        yield url


def _fill_floor(url: str, jobs: int) -> None:
    floor = open_floor(url)
    floor.begin()
    for first in range(0, jobs, CHUNK):
        floor.insert_many([json.dumps([number, TEXT]) for number in range(first, min(first + CHUNK, jobs))])
    floor.commit()
    floor.connection.close()


@contextmanager
def _timed(count: int) -> Iterator[list[float]]:
    """A list that holds the rate once the block has ended."""
    rate: list[float] = []
    began = time.monotonic()
    yield rate
    rate.append(count / (time.monotonic() - began))


def _drained(work: str, url: str, jobs: int, concurrency: int) -> list[float]:
    refresh_statistics(url)
    options = ["--jobs", str(jobs), "--concurrency", str(concurrency)]
    ended = subprocess.run(_command(work, url, *options), stdout=subprocess.PIPE, text=True, check=True)
    return [jobs / float(ended.stdout)]


@contextmanager
def _listening(work: str, url: str) -> Iterator[IO[str]]:
    """The output of a worker process that is up, and ends with the block."""
    with subprocess.Popen(_command(work, url), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None  # noqa: S101 - as asked for
        assert process.stdout is not None  # noqa: S101
        if process.stdout.readline() != "ready\n":
            raise RuntimeError(f"the process {work} of the benchmark did not come up; its message is above")
        yield process.stdout
        process.stdin.close()


def _latencies(plan: Plan, lines: IO[str], send: Callable[[int], object]) -> list[float]:
    samples = []
    for number in range(plan.samples):
        time.sleep(random.uniform(*QUIET))
        sent = time.monotonic()
        send(number)
        _, started, clock = lines.readline().split()
        if int(started) != number:
            raise RuntimeError(f"expected job {number} to start, got {started}: the worker ran another one")
        samples.append((float(clock) - sent) * 1000)
    return samples


def _command(work: str, url: str, *options: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.worker", work, url, *options]
