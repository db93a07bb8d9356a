"""What a command works on: the App that is named, or the database alone."""

from __future__ import annotations

import functools
import importlib
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import click

from sidework.app import App


@dataclass(frozen=True)
class Target:
    """The options --app, --url and --schema; commands take it with `pass_target`."""

    reference: str | None
    url: str | None
    schema: str | None
    is_app_explicit: bool = False

    def app(self) -> App:
        """The App named, else one of the database alone; closed when the command ends."""
        app = self._choose()
        click.get_current_context().call_on_close(app.close)
        return app

    def app_with_tasks(self) -> App:
        """The App named; a usage error without one."""
        if self.reference is None:
            raise click.UsageError("this command runs tasks: say --app module:attribute, or set $SIDEWORK_APP")
        if self.url is not None or self.schema is not None:
            raise click.UsageError("the App says which database it uses: leave out --url and --schema")
        return load_app(self.reference)

    def _choose(self) -> App:
        is_database_given = self.url is not None or self.schema is not None
        if is_database_given and self.is_app_explicit:
            raise click.UsageError("give --app, or --url and --schema, not both: the App says which database it uses")
        if self.reference is not None and not is_database_given:
            return load_app(self.reference)
        with _warnings_as_notes():
            return App(self.url, schema=self.schema or "sidework")


pass_target = click.make_pass_decorator(Target)


def load_app(reference: str) -> App:
    """The App at `module:attribute`, or the only one of `module`; UsageError says what is missing."""
    name, _, attribute = reference.partition(":")
    if not name:
        raise click.UsageError(f"expected --app as module:attribute, got {reference!r}")
    module = _import(name)
    if not attribute:
        return _only_app(module)
    try:
        found = functools.reduce(getattr, attribute.split("."), module)
    except AttributeError:
        raise click.UsageError(f"module {name!r} has no attribute {attribute!r}; {_known(module)}") from None
    if not isinstance(found, App):
        raise click.UsageError(f"{reference!r} is not an App but {type(found).__name__}; {_known(module)}")
    return found


def _import(name: str) -> ModuleType:
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # What a module that is there fails to import is its author's to see, with the traceback.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise click.UsageError(f"there is no module {error.name!r}, neither in {folder} nor installed") from None


def _only_app(module: ModuleType) -> App:
    apps = _apps(module)
    if len({id(app) for app in apps.values()}) != 1:
        raise click.UsageError(f"say which App: --app {module.__name__}:attribute; {_known(module)}")
    return next(iter(apps.values()))


def _known(module: ModuleType) -> str:
    names = ", ".join(_apps(module))
    return f"its Apps are: {names}" if names else "there is no App in it"


def _apps(module: ModuleType) -> dict[str, App]:
    return {name: value for name, value in vars(module).items() if isinstance(value, App)}


@contextmanager
def _warnings_as_notes() -> Iterator[None]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        yield
    for warning in caught:
        click.echo(f"Note: {warning.message}", err=True)
