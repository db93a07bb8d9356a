"""`sidework worker`: run jobs, in this process or in several."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click

from sidework.cli.logs import LEVELS, set_up_logging
from sidework.cli.processes import keep_processes, run_supervised
from sidework.cli.target import Target, pass_target
from sidework.cli.values import duration
from sidework.core.options import QueueChoice


@dataclass(frozen=True)
class Settings:
    """The options of the command, by their names there."""

    queue: tuple[str, ...]
    concurrency: int | None
    processes: int
    poll_interval: float
    shutdown_timeout: float
    lease: float
    log_level: str
    log_json: bool
    supervised: int | None

    def arguments(self) -> list[str]:
        """The same options for a child process, which runs alone."""
        return [part for option in self._options() for part in option]

    def _options(self) -> Iterator[tuple[str, ...]]:
        for queue in self.queue:
            yield "--queue", queue
        if self.concurrency is not None:
            yield "--concurrency", str(self.concurrency)
        yield "--poll-interval", str(self.poll_interval)
        yield "--shutdown-timeout", str(self.shutdown_timeout)
        yield "--lease", str(self.lease)
        yield "--log-level", self.log_level
        if self.log_json:
            yield ("--log-json",)


@click.command()
@click.option(
    "--queue", multiple=True, help="Only this one (repeatable, in strict order); mail=5 gives it slots of its own."
)
@click.option("--concurrency", type=click.IntRange(1, 10_000), help="Jobs at a time in each process. [default: 10]")
@click.option("--processes", default=1, show_default=True, type=click.IntRange(1, 256), help="Worker processes.")
@click.option(
    "--poll-interval",
    default="5s",
    show_default=True,
    metavar="DURATION",
    callback=duration,
    help="At the latest, look so often.",
)
@click.option(
    "--shutdown-timeout",
    default="30s",
    show_default=True,
    metavar="DURATION",
    callback=duration,
    help="To finish when stopped.",
)
@click.option(
    "--lease",
    default="30s",
    show_default=True,
    metavar="DURATION",
    callback=duration,
    help="Silent so long, a worker is lost.",
)
@click.option(
    "--log-level",
    default="INFO",
    show_default=True,
    type=click.Choice(LEVELS, case_sensitive=False),
    help="Log this and worse.",
)
@click.option("--log-json", is_flag=True, help="Log one JSON object a line.")
@click.option("--supervised", type=int, hidden=True, help="The socket to the process that started this one.")
@pass_target
def worker(target: Target, /, **options: Any) -> None:
    """Run jobs until SIGTERM or SIGINT, which let running jobs finish.

    With --processes, a process that dies is replaced, and all end with the first one.
    """
    settings = Settings(**options)
    if settings.processes > 1:
        _run_processes(target, settings)
    else:
        _run_here(target, settings)


def _run_processes(target: Target, settings: Settings) -> None:
    if os.name != "posix":
        raise click.UsageError("--processes needs a POSIX system; start several workers instead")
    if target.reference is None:
        target.app_with_tasks()
    set_up_logging(settings.log_level.upper(), as_json=settings.log_json)
    command = [sys.executable, "-m", "sidework", "--app", str(target.reference), "worker", *settings.arguments()]
    sys.exit(keep_processes(command, settings.processes, patience=settings.shutdown_timeout))


def _run_here(target: Target, settings: Settings) -> None:
    queues = _queue_choice(settings)
    app = target.app_with_tasks()
    set_up_logging(settings.log_level.upper(), as_json=settings.log_json)
    running = app.worker(
        queues,
        concurrency=settings.concurrency or 10,
        poll_interval=settings.poll_interval,
        shutdown_timeout=settings.shutdown_timeout,
        lease=settings.lease,
    )
    if settings.supervised is None:
        running.run()
    else:
        run_supervised(running, app.events, settings.supervised, patience=settings.shutdown_timeout)


def _queue_choice(settings: Settings) -> QueueChoice:
    pairs = [queue.partition("=") for queue in settings.queue]
    if not pairs:
        return None
    if not any(equals for _, equals, _ in pairs):
        return [name for name, _, _ in pairs]
    if not all(count.isdecimal() for _, _, count in pairs):
        raise click.UsageError("give each --queue a number of slots, as in --queue mail=5, or none of them")
    if settings.concurrency is not None:
        raise click.UsageError("give --concurrency, or --queue NAME=SLOTS, not both")
    return {name: int(count) for name, _, count in pairs}
