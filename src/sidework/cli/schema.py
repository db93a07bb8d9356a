"""`sidework migrate` and `sidework rollback`: the tables."""

from __future__ import annotations

import click

from sidework.cli.target import Target, pass_target


@click.command()
@click.option("--sql", is_flag=True, help="Print the SQL for an empty database, and do nothing.")
@click.option("--plan", is_flag=True, help="Say what would be done, and do nothing.")
@pass_target
def migrate(target: Target, *, sql: bool, plan: bool) -> None:
    """Create the tables, or bring them to this release's version.

    Safe to repeat, and from many processes at once.
    """
    if sql and plan:
        raise click.UsageError("give --sql or --plan, not both")
    app = target.app()
    if sql:
        click.echo(app.migration_sql(), nl=False)
    elif plan:
        steps = app.migration_plan()
        click.echo("\n".join(f"would run {step}" for step in steps) or "nothing to do")
    else:
        before = app.schema_version()
        after = app.migrate()
        click.echo(f"The tables have version {after}{' already' if before == after else ''}.")


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_target
def rollback(target: Target, *, yes: bool) -> None:
    """Remove the tables, with every job in them."""
    app = target.app()
    if app.schema_version() == 0:
        click.echo("There are no tables to remove.")
        return
    if not yes:
        click.confirm("Remove the tables, with every job in them?", abort=True)
    app.rollback()
    click.echo("The tables are removed.")
