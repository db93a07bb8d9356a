"""`sidework workers`: which worker processes are there."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from sidework.cli.output import json_option, moment, plain, print_json, print_table
from sidework.cli.target import Target, pass_target
from sidework.managers.workers import WorkerInfo


@click.command()
@json_option
@pass_target
def workers(target: Target, *, as_json: bool) -> None:
    """List the worker processes, those that died a moment ago included."""
    found, now = target.app().workers.list(), datetime.now(UTC)
    if as_json:
        print_json([{**plain(worker), "live": _is_live(worker, now)} for worker in found])
        return
    rows = [
        (
            worker.id,
            f"{worker.pid}@{worker.host}",
            "live" if _is_live(worker, now) else "lost",
            f"{worker.running}/{worker.concurrency}",
            "all" if worker.queues is None else ", ".join(worker.queues),
            len(worker.tasks),
            moment(worker.started_at, now),
            moment(worker.beat_at, now),
        )
        for worker in found
    ]
    columns = ("id", "process", "", "running", "queues", "tasks", "started", "last beat")
    print_table(columns, rows, empty="No worker is running.")


def _is_live(worker: WorkerInfo, now: datetime) -> bool:
    return worker.lease_until is not None and worker.lease_until > now
