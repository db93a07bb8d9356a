"""`sidework enqueue`: store a job by its task's name."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import click

from sidework.cli.output import json_option, print_json
from sidework.cli.target import Target, pass_target
from sidework.cli.values import arguments as parse_arguments
from sidework.cli.values import duration, moment
from sidework.task import Using


@click.command()
@click.argument("name")
@click.argument("arguments", metavar="[JSON]", default="[]", callback=parse_arguments)
@click.option("--queue", help="Instead of the task's. [default without the App: default]")
@click.option("--priority", type=int, help="Higher runs first.")
@click.option("--delay", metavar="DURATION", callback=duration, help="Not before so long from now, such as 90 or 2h.")
@click.option("--run-at", metavar="TIME", callback=moment, help="Not before this time, such as 2030-01-31T14:00+01:00.")
@click.option("--id", type=click.UUID, help="The job's id; the same again gives the same job.")
@click.option("--tag", "tags", multiple=True, help="To find it by (repeatable).")
@json_option
@pass_target
def enqueue(  # noqa: PLR0913 - one parameter an option
    target: Target,
    *,
    name: str,
    arguments: tuple[list[Any], dict[str, Any]],
    queue: str | None,
    priority: int | None,
    delay: float | None,
    run_at: datetime | None,
    id: UUID | None,
    tags: tuple[str, ...],
    as_json: bool,
) -> None:
    """Store a job of the task NAME; JSON is a list of arguments, or an object of named ones.

    With an App that knows the task, the arguments are checked against its signature.
    """
    app = target.app()
    options = Using(queue=queue, priority=priority, delay=delay, run_at=run_at, id=id, tags=tags)
    try:
        job = app.enqueue(name, *arguments, **options)
    except TypeError as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        print_json(job)
    else:
        click.echo(str(job.id))
