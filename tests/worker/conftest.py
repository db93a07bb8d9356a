"""Apps on every database, workers that are stopped at the end, and an App in a module for handlers in other processes."""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import pytest

from sidework import App
from sidework.worker.worker import Worker
from tests.worker.helpers import DEADLINE, Heard, Program


class StartWorker(Protocol):
    """Starts a worker of an App; `stop_grace` besides the options of `App.worker`."""

    def __call__(self, app: App, queues: Any = None, *, stop_grace: float = 5.0, **options: Any) -> Worker: ...


@pytest.fixture
def app(any_url: str) -> Iterator[App]:
    """An App on every kind of database in turn, its tables there."""
    yield from _app(any_url)


@pytest.fixture
def lite(sqlite_url: str) -> Iterator[App]:
    """An App on SQLite, where the database makes no difference."""
    yield from _app(sqlite_url)


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[App]:
    """An App on PostgreSQL."""
    yield from _app(postgres_url)


@pytest.fixture
def make_worker() -> Iterator[StartWorker]:
    """Makes workers that do not poll, so that what runs was woken up; all are stopped at the end."""
    made: list[Worker] = []

    def make(app: App, queues: Any = None, *, stop_grace: float = 5.0, **options: Any) -> Worker:
        plain = app.worker(queues, **{"poll_interval": 60, "shutdown_timeout": 10, **options})
        made.append(Worker(app.setup, replace(plain.options, stop_grace=stop_grace)))
        return made[-1]

    yield make
    for worker in made:
        worker.stop()
        worker.stop()
    for worker in made:
        worker.join(DEADLINE)


@pytest.fixture
def start(make_worker: StartWorker) -> StartWorker:
    """The same, started in the background."""

    def start(app: App, queues: Any = None, *, stop_grace: float = 5.0, **options: Any) -> Worker:
        worker = make_worker(app, queues, stop_grace=stop_grace, **options)
        worker.start()
        return worker

    return start


@pytest.fixture
def listen() -> Callable[[App], Heard]:
    """Subscribes to an App's events."""

    def listen(app: App) -> Heard:
        heard = Heard()
        app.subscribe(heard)
        return heard

    return listen


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Imports `tests.worker.apps.handlers` anew, its App on the given database and its tables there."""
    name = "tests.worker.apps.handlers"
    loaded: list[ModuleType] = []

    def load(url: str) -> ModuleType:
        monkeypatch.setenv("SIDEWORK_TEST_APP", url)
        sys.modules.pop(name, None)
        module = importlib.import_module(name)
        module.app.migrate()
        loaded.append(module)
        return module

    yield load
    for module in loaded:
        module.app.close()
    sys.modules.pop(name, None)


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Starts programs, and kills what is left of them."""
    launched: list[Program] = []
    numbers = itertools.count()

    def launch(url: str, *arguments: str, **options: Any) -> Program:
        launched.append(Program(tmp_path / f"program-{next(numbers)}.log", url, *arguments, **options))
        return launched[-1]

    yield launch
    for program in launched:
        program.kill()


def _app(url: str) -> Iterator[App]:
    with App(url) as app:
        app.migrate()
        yield app
