"""The command `sidework` itself: its options, how it fails, and the list of its commands."""

from __future__ import annotations

from typing import Any

import click

from sidework.cli.demo.command import demo
from sidework.cli.enqueue import enqueue
from sidework.cli.jobs import jobs
from sidework.cli.queues import queues
from sidework.cli.schema import migrate, rollback
from sidework.cli.target import Target
from sidework.cli.version import version
from sidework.cli.worker import worker
from sidework.cli.workers import workers
from sidework.errors import SideworkError


class Root(click.Group):
    """Shows an error of Sidework's as its message; any other one is a defect, and keeps its traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except SideworkError as error:
            if ctx.params["traceback"]:
                raise
            raise click.ClickException(" ".join(str(error).split())) from error

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names in the order that they were added."""
        return list(self.commands)


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--app", metavar="MODULE[:ATTRIBUTE]", envvar="SIDEWORK_APP", help="The App. [env: SIDEWORK_APP]")
@click.option("--url", help="The database, instead of an App's. [default: $SIDEWORK_URL, then $DATABASE_URL]")
@click.option("--schema", help='With a database alone: its schema or table prefix. [default: "sidework"]')
@click.option("--traceback", is_flag=True, help="Show where an error came from.")
@click.pass_context
def root(ctx: click.Context, app: str | None, url: str | None, schema: str | None, traceback: bool) -> None:
    """Background jobs that commit together with your data.

    An App is named as in "shop.tasks:app" (the current folder is importable); a module alone stands for the only App
    in it. Commands that run no tasks work with the database alone.
    """
    del traceback
    ctx.obj = Target(app, url, schema, is_app_explicit=_is_typed(ctx, "app"))


def _is_typed(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


for _command in (worker, migrate, rollback, enqueue, jobs, queues, workers, version, demo):
    root.add_command(_command)
