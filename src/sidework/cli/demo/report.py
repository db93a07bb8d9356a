"""What the demo says at the end: numbers, failures with their reasons, and that nothing was lost or doubled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sidework.cli.demo.story import Result
from sidework.cli.output import clean, span
from sidework.core.job import Job, JobState

FAILURES_SHOWN = 5


def print_report(console: Console, result: Result) -> None:
    """Print the numbers and the failures."""
    console.print()
    console.print(_numbers(result))
    console.print(_times([job for job in result.jobs if job.state is JobState.DONE]))
    failed = [job for job in result.jobs if job.state is JobState.FAILED]
    for job in failed[:FAILURES_SHOWN]:
        last = job.errors[-1]
        path = str(job.args[0]).removeprefix(f"{result.corpus.root}/")
        console.print(
            Text(clean(f"failed after {job.attempt} attempts: {path}: {last.type}: {last.message}")), soft_wrap=True
        )
    if len(failed) > FAILURES_SHOWN:
        console.print(f"and {len(failed) - FAILURES_SHOWN} more")


def print_check(console: Console, result: Result) -> bool:
    """Print each thing that must hold, and whether it does; returns whether all do."""
    checks = _checks(result)
    console.print()
    for text, holds in checks:
        console.print(f"{'[green]holds[/]' if holds else '[bold red]FAILS[/]'}  {text}", soft_wrap=True)
    return all(holds for _, holds in checks)


def _checks(result: Result) -> list[tuple[str, bool]]:
    done = {str(job.id) for job in result.jobs if job.state is JobState.DONE}
    failed = {job.args[0] for job in result.jobs if job.state is JobState.FAILED}
    rows = [job_id for job_id, _, _ in result.rows]
    paths = [path for _, path, _ in result.rows]
    unreadable = {str(path) for path in result.corpus.unreadable}
    files = len(result.corpus.files)
    return [
        (
            f"every file had a job, and every job came to an end: {len(result.jobs):,} of {files:,}",
            len(result.jobs) == files,
        ),
        (f"no file was counted twice: {len(paths):,} rows, {len(set(paths)):,} files", len(paths) == len(set(paths))),
        (f"a row for each job that is done, and for no other: {len(done):,}", sorted(rows) == sorted(done)),
        (f"what failed are the files that are not UTF-8, and only those: {len(failed)}", failed == unreadable),
    ]


def _numbers(result: Result) -> Table:
    jobs = result.jobs
    # The wait for the killed worker's lease would hide how fast the rest went.
    rate = _rate([job for job in jobs if job.state is JobState.DONE and not job.crashes])
    numbers = {
        "files": f"{len(result.corpus.files):,}",
        "done": f"{sum(job.state is JobState.DONE for job in jobs):,}",
        "failed": str(sum(job.state is JobState.FAILED for job in jobs)),
        "retries": str(sum(max(job.attempt - 1 - job.crashes, 0) for job in jobs)),
        "rescued": str(sum(job.crashes > 0 for job in jobs)),
        "lines": f"{sum(lines for _, _, lines in result.rows):,}",
        "per second, rescue aside": f"{rate:,.0f}",
    }
    table = Table(*numbers)
    table.add_row(*numbers.values())
    return table


def _rate(jobs: Sequence[Job]) -> float:
    started = [job.started_at for job in jobs if job.started_at]
    finished = [job.finished_at for job in jobs if job.finished_at]
    seconds = _between(min(started, default=None), max(finished, default=None))
    return len(jobs) / seconds if seconds else math.inf


def _times(done: Sequence[Job]) -> Table:
    table = Table("", "p50", "p95", "p99", title="Jobs that are done", title_justify="left", title_style="")
    table.add_row("waited, from due to started", *_percentiles([_between(job.run_at, job.started_at) for job in done]))
    table.add_row(
        "ran, from started to committed", *_percentiles([_between(job.started_at, job.finished_at) for job in done])
    )
    return table


def _between(start: datetime | None, end: datetime | None) -> float:
    return 0.0 if start is None or end is None else max((end - start).total_seconds(), 0.0)


def _percentiles(values: Sequence[float]) -> list[str]:
    ordered = sorted(values)
    return [span(ordered[math.ceil(part * len(ordered)) - 1]) if ordered else "-" for part in (0.5, 0.95, 0.99)]
