"""Interruption and shutdown: what SIGTERM does to a job that polls `ctx.cancelled` and to one that does not.

    python examples/shutdown.py

It starts a worker in a process of its own (`python examples/shutdown.py worker`) with two jobs, and ends it with
SIGTERM. The worker claims no more and lets the running jobs go on for its `shutdown_timeout`, one second here; then it
sets `ctx.cancelled` for both:

- `count` polls it, hands the rest of its work to a new job, and returns: *done*.
- `sleep` never looks, so it is interrupted, or left behind five seconds later. Either way the worker gives it back,
  *waiting* with no attempt spent.

A second worker then finishes what is left.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from sidework import App, Context

app = App(os.environ.get("SIDEWORK_URL", "sqlite:///shutdown.db"))


@app.task(name="count")
def count(ctx: Context, up_to: int, so_far: int = 0) -> str:
    print(f"count: from {so_far}", flush=True)
    for number in range(so_far, up_to):
        if ctx.cancelled.wait(0.05):  # sleeps, and wakes when it is time to stop
            count.enqueue(up_to, number)
            return f"stopped at {number}"
    return f"counted to {up_to}"


@app.task(name="sleep")
def sleep(seconds: float) -> str:
    print("sleep: good night", flush=True)
    time.sleep(seconds)
    return "slept well"


def work() -> None:
    """What a worker process runs; `run` stops at SIGINT and SIGTERM."""
    app.worker(concurrency=2, shutdown_timeout=1, poll_interval=0.2).run()


def show(title: str) -> None:
    print(title)
    for job in reversed(app.jobs.find()):
        print(f"  {job.task}: {job.state}, attempt {job.attempt}, {job.result}")


def start_worker() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, __file__, "worker"])


def wait_until_both_run() -> None:
    while app.jobs.count(state="running") < 2:
        time.sleep(0.05)


def main() -> None:
    app.migrate()
    app.jobs.delete(state=["waiting", "done", "failed", "cancelled"])
    count.enqueue(100)
    sleeping = sleep.enqueue(4)
    first = start_worker()
    wait_until_both_run()
    first.send_signal(signal.SIGTERM)
    print(f"the first worker ended with exit code {first.wait()}")
    show("after the first worker:")
    second = start_worker()
    app.jobs.join([sleeping, *app.jobs.find(task="count")], timeout=60)
    second.send_signal(signal.SIGTERM)
    second.wait()
    show("after the second worker:")


if __name__ == "__main__":
    work() if sys.argv[1:] == ["worker"] else main()
