"""`sidework queues`: list, pause and resume them."""

from __future__ import annotations

from collections.abc import Sequence

import click

from sidework.cli.output import json_option, print_json, print_table
from sidework.cli.target import Target, pass_target
from sidework.managers.queues import Queue


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def queues(ctx: click.Context, *, as_json: bool) -> None:
    """List queues, or pause and resume them."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_queues, as_json=as_json)


@queues.command("list")
@json_option
@pass_target
def list_queues(target: Target, *, as_json: bool) -> None:
    """List the queues that have settings or unfinished jobs."""
    _print(target.app().queues.list(), as_json=as_json)


@queues.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@pass_target
def pause(target: Target, names: tuple[str, ...]) -> None:
    """Start no more jobs of these queues; running ones go on, and enqueuing still works."""
    app = target.app()
    for name in names:
        app.queues.pause(name)
        click.echo(f"Queue {name} is paused.")


@queues.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@pass_target
def resume(target: Target, names: tuple[str, ...]) -> None:
    """Start the jobs of these queues again."""
    app = target.app()
    for name in names:
        app.queues.resume(name)
        click.echo(f"Queue {name} runs.")


def _print(found: Sequence[Queue], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    rows = [(queue.name, "paused" if queue.paused else "runs", queue.waiting, queue.running) for queue in found]
    print_table(("queue", "", "waiting", "running"), rows, empty="No queue has settings or unfinished jobs.")
