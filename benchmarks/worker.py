"""One worker process of a measurement: Sidework's, or the floor's loop; `rows.py` starts it with `python -m benchmarks.worker`.

`drain` prints the seconds from connecting until the last job was finished. `listen` prints "ready", then a line for each
job that starts, until its standard input closes.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import threading
import time
from collections.abc import Callable

import psycopg

from benchmarks.floors import Floor, open_floor
from benchmarks.targets import execute
from benchmarks.tasks import EFFECT, mark, open_bench, run_plain
from sidework.events import Event, JobDone, JobFailed, JobRetried, LoopFailed, SettlementRefused, WorkerStarted

LISTEN_PAUSE = 0.2
"""Seconds after which the floor's listener looks whether it should end."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worker")
    parser.add_argument("work", choices=["drain", "listen", "floor-drain", "floor-transactions", "floor-listen"])
    parser.add_argument("url")
    parser.add_argument("--jobs", type=int, default=0)
    parser.add_argument("--concurrency", type=int, default=10)
    given = parser.parse_args()
    match given.work:
        case "drain":
            print(drain(given.url, given.jobs, given.concurrency))
        case "floor-drain":
            print(drain_floor(given.url, given.concurrency))
        case "floor-transactions":
            print(run_transactions(given.url, given.concurrency))
        case "listen":
            listen(given.url, given.concurrency)
        case "floor-listen":
            listen_floor(given.url)


def drain(url: str, jobs: int, concurrency: int) -> float:
    """Seconds until a worker of ours has finished the jobs that are there."""
    app = open_bench(url).app
    worker = app.worker(concurrency=concurrency)
    done = itertools.count(1)
    ended: list[float] = []

    @app.subscribe
    def watch(event: Event) -> None:
        if isinstance(event, JobDone):
            if next(done) == jobs:
                ended.append(time.monotonic())
                worker.stop()
        elif isinstance(event, JobFailed | JobRetried | LoopFailed | SettlementRefused):
            print(event, file=sys.stderr)
            worker.stop()

    began = time.monotonic()
    worker.run()
    if not ended:
        sys.exit("the worker stopped before every job was done; the event that stopped it is above")
    return ended[0] - began


def drain_floor(url: str, batch: int) -> float:
    """The same with the bare statements: claim a batch, call the handlers, finish the batch."""
    began = time.monotonic()
    floor = open_floor(url)
    while rows := floor.claim(batch):
        for _, payload in rows:
            run_plain(*json.loads(payload))
        floor.begin()
        floor.finish([id for id, _ in rows])
        floor.commit()
    return time.monotonic() - began


def run_transactions(url: str, connections: int) -> float:
    """Seconds until the jobs are done, each locked, run and finished in one transaction, on that many connections."""
    began = time.monotonic()
    threads = [threading.Thread(target=_take_all, args=(url,)) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - began


def listen(url: str, concurrency: int) -> None:
    """Run a worker of ours until standard input closes."""
    app = open_bench(url).app
    worker = app.worker(concurrency=concurrency)

    @app.subscribe
    def watch(event: Event) -> None:
        if isinstance(event, WorkerStarted):
            print("ready", flush=True)

    _at_end_of_input(worker.stop)
    worker.run()


def listen_floor(url: str) -> None:
    """The same with LISTEN and the bare statements, on PostgreSQL."""
    over = threading.Event()
    _at_end_of_input(over.set)
    floor = open_floor(url)
    with psycopg.connect(url, autocommit=True) as listener:
        listener.execute("listen floor")
        print("ready", flush=True)
        while not over.is_set():
            for _ in listener.notifies(timeout=LISTEN_PAUSE):
                _run_due(floor)


def _at_end_of_input(end: Callable[[], None]) -> None:
    def wait() -> None:
        sys.stdin.read()
        end()

    threading.Thread(target=wait, daemon=True).start()


def _run_due(floor: Floor) -> None:
    for id, payload in floor.claim(1):
        mark(*json.loads(payload))
        floor.finish([id])


def _take_all(url: str) -> None:
    floor = open_floor(url)
    while True:
        floor.begin()
        row = floor.take()
        if row is None:
            floor.commit()
            return
        id, payload = row
        json.loads(payload)
        execute(floor.connection, EFFECT)
        floor.finish([id])
        floor.commit()


if __name__ == "__main__":
    main()
