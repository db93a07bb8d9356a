"""`sidework jobs`: look at jobs, and retry, cancel, delete or purge them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import click

from sidework.app import App
from sidework.cli.explain import why_waiting
from sidework.cli.output import clean, full_moment, json_option, moment, plain, print_json, print_table, span
from sidework.cli.target import Target, pass_target
from sidework.cli.values import STATES, duration
from sidework.core.job import FINISHED, AttemptError, Job
from sidework.managers.choosing import Filters


@click.group()
def jobs() -> None:
    """Look at jobs, and retry, cancel, delete or purge them."""


def _choosing(command: Callable[..., None]) -> Callable[..., None]:
    """The arguments that say which jobs are meant."""
    for option in (
        click.option("--tag", help="Of this tag."),
        click.option("--task", help="Of this task."),
        click.option("--queue", help="In this queue."),
        click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="In this state (repeatable)."),
        click.argument("ids", metavar="[ID]...", nargs=-1, type=click.UUID),
    ):
        command = option(command)
    return command


def _filters(options: dict[str, Any]) -> Filters:
    filters = Filters(queue=options["queue"], task=options["task"], tag=options["tag"])
    if options["states"]:
        filters["state"] = options["states"]
    return filters


@jobs.command("list")
@_choosing
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="At most so many.")
@click.option("--after", metavar="ID", type=click.UUID, help="Go on after this job, the last one of the page before.")
@json_option
@pass_target
def list_jobs(target: Target, /, ids: tuple[UUID, ...], **options: Any) -> None:
    """List jobs, the newest first."""
    found = target.app().jobs.find(ids or None, limit=options["limit"], after=options["after"], **_filters(options))
    if options["as_json"]:
        print_json(found)
        return
    _print_jobs(found)
    if len(found) == options["limit"]:
        click.echo(f"There may be more: --limit, or --after {found[-1].id}", err=True)


@jobs.command()
@click.argument("id", type=click.UUID)
@json_option
@pass_target
def show(target: Target, id: UUID, *, as_json: bool) -> None:
    """Show everything about a job: its times, its errors, and why it waits."""
    app = target.app()
    job = app.jobs.get(id)
    reason = _why(app, job)
    if as_json:
        print_json({**plain(job), "why_waiting": reason})
        return
    facts = {name: value for name, value in _facts(job, reason) if value is not None}
    for name, value in facts.items():
        click.echo(f"{name:<13}{clean(value)}")
    for error in job.errors:
        click.echo(_error_text(error))


@jobs.command()
@_choosing
@json_option
@pass_target
def retry(target: Target, /, ids: tuple[UUID, ...], **options: Any) -> None:
    """Run finished jobs again from their first attempt, and waiting ones now."""
    _print_changed(target.app().jobs.retry(*_given(ids), **_filters(options)), "will run again", options)


@jobs.command()
@_choosing
@json_option
@pass_target
def cancel(target: Target, /, ids: tuple[UUID, ...], **options: Any) -> None:
    """Cancel waiting jobs, and ask running ones to stop."""
    _print_changed(target.app().jobs.cancel(*_given(ids), **_filters(options)), "cancelled or asked to stop", options)


@jobs.command()
@_choosing
@json_option
@pass_target
def delete(target: Target, /, ids: tuple[UUID, ...], **options: Any) -> None:
    """Remove jobs that are not running."""
    _print_changed(target.app().jobs.delete(*_given(ids), **_filters(options)), "deleted", options)


@jobs.command()
@click.option(
    "--older-than",
    required=True,
    metavar="DURATION",
    callback=duration,
    help="Finished so long ago, such as 7d; 0 for all.",
)
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(sorted(state.value for state in FINISHED)),
    help="In this state (repeatable). [default: every finished state]",
)
@json_option
@pass_target
def purge(target: Target, *, older_than: float, states: tuple[str, ...], as_json: bool) -> None:
    """Remove jobs that have finished some time ago."""
    removed = target.app().jobs.purge(older_than=older_than, state=states or None)
    if as_json:
        print_json({"removed": removed})
    else:
        click.echo(_counted(removed, "removed"))


def _given(ids: tuple[UUID, ...]) -> tuple[tuple[UUID, ...] | None]:
    return (ids or None,)


def _why(app: App, job: Job) -> str | None:
    return why_waiting(job, app.queues.list(), app.workers.list(), datetime.now(UTC))


def _print_changed(changed: Sequence[Job], what: str, options: dict[str, Any]) -> None:
    if options["as_json"]:
        print_json(changed)
        return
    click.echo(_counted(len(changed), what))
    if changed:
        _print_jobs(changed)


def _counted(number: int, what: str) -> str:
    return f"{number} {'job' if number == 1 else 'jobs'} {what}"


def _print_jobs(found: Sequence[Job]) -> None:
    now = datetime.now(UTC)
    rows = [
        (
            job.id,
            job.state,
            job.task,
            job.queue,
            _attempts(job),
            moment(job.finished_at or job.started_at or job.run_at, now),
            job.errors[-1].message if job.errors else "",
        )
        for job in found
    ]
    print_table(("id", "state", "task", "queue", "attempt", "when", "last error"), rows, empty="No such jobs.")


def _attempts(job: Job) -> str:
    return f"{job.attempt}/{job.max_attempts or '-'}"


def _facts(job: Job, reason: str | None) -> list[tuple[str, str | None]]:
    now = datetime.now(UTC)
    return [
        ("id", str(job.id)),
        ("task", job.task),
        ("state", job.state),
        ("why waiting", reason),
        ("queue", f"{job.queue}, priority {job.priority}"),
        ("arguments", _call(job)),
        ("tags", ", ".join(job.tags) or None),
        ("attempt", _attempts(job) + (f", {job.crashes} lost with their worker" if job.crashes else "")),
        ("enqueued", full_moment(job.enqueued_at, now)),
        ("due", full_moment(job.run_at, now)),
        ("started", full_moment(job.started_at, now)),
        ("finished", full_moment(job.finished_at, now)),
        ("ran for", _ran_for(job)),
        ("worker", job.worker),
        ("progress", _progress(job)),
        ("result", None if job.result is None else repr(job.result)),
    ]


def _progress(job: Job) -> str | None:
    if job.progress is None:
        return None
    return f"{job.progress.fraction:.0%} {job.progress.message or ''}".rstrip()


def _ran_for(job: Job) -> str | None:
    if job.started_at is None or job.finished_at is None:
        return None
    return span((job.finished_at - job.started_at).total_seconds())


def _call(job: Job) -> str:
    named = [f"{name}={value!r}" for name, value in job.kwargs.items()]
    return f"({', '.join([*map(repr, job.args), *named])})"


def _error_text(error: AttemptError) -> str:
    at = "" if error.at is None else f" at {error.at.astimezone().isoformat(' ', timespec='seconds')}"
    lines = [f"\nattempt {error.attempt}{at}: {error.type}: {error.message}", *error.traceback.splitlines()]
    return clean("\n  ".join(lines), keep="\n\t")
