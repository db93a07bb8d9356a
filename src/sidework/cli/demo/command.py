"""`sidework demo`: its options, and what it ends with."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from sidework.cli.target import Target, pass_target
from sidework.connect import hide_password


@click.command()
@click.option("--url", help="A database to use. [default: an SQLite file in a temporary folder]")
@click.option(
    "--postgres", is_flag=True, help="On a PostgreSQL server that is started for it, where no --url names one."
)
@click.option("--files", type=click.IntRange(10), help="Only about so many files.")
@click.option("--keep", is_flag=True, help="Keep the tables, to look at the jobs afterwards.")
@pass_target
def demo(target: Target, *, url: str | None, postgres: bool, files: int | None, keep: bool) -> None:
    """Count the lines of Python's standard library with two workers, and kill one of them half way.

    Exits with 1 when a file was lost or counted twice.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(_folder(keep=keep))
        place = stack.enter_context(_database(url or target.url, folder, postgres=postgres, keep=keep))
        is_right = _run(place, folder, files, keep=keep)
    sys.exit(0 if is_right else 1)


def _run(url: str, folder: Path, files: int | None, *, keep: bool) -> bool:
    # Imported here, so that other commands need not load it.
    from sidework.cli.demo.report import print_check, print_report
    from sidework.cli.demo.screen import Screen
    from sidework.cli.demo.story import Story

    screen = Screen()
    story = Story(url, folder, screen)
    screen.say(f"a transactional job for each file, on {url.partition(':')[0]}")
    try:
        result = story.run(files)
    finally:
        if not keep:
            story.remove()
    print_report(screen.console, result)
    is_right = print_check(screen.console, result)
    screen.console.print(_NEXT if not keep else _NEXT_KEPT.format(url=hide_password(url)), soft_wrap=True, markup=False)
    return is_right


@contextmanager
def _folder(*, keep: bool) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="sidework-demo-"))
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder)


@contextmanager
def _database(url: str | None, folder: Path, *, postgres: bool, keep: bool) -> Iterator[str]:
    if url is not None:
        if postgres and not url.startswith("postgres"):
            raise click.UsageError(f"--postgres and --url disagree: {url.partition(':')[0]} is another database")
        yield url
    elif postgres:
        if keep:
            raise click.UsageError(
                "--keep needs a database that stays: give --url postgresql://..., or leave out --postgres"
            )
        from sidework.cli.demo.server import embedded_postgres

        with embedded_postgres() as started:
            yield started
    else:
        yield f"sqlite:///{folder / 'demo.db'}"


_TAIL = """\
2. See the same on PostgreSQL:           sidework demo --postgres (in a checkout: make demo ARGS=--postgres)
3. Write a task of your own:             docs/quickstart.md
"""

_NEXT = f"""
What next?
1. Look at the jobs that failed:         sidework demo --keep, then the command that it ends with
{_TAIL}"""

_NEXT_KEPT = f"""
What next?
1. Look at the jobs that failed:         sidework --url {{url}} --schema sidework_demo jobs list --state failed
{_TAIL}"""
