"""What a worker is given of its App: the database, the tasks, and the application's hooks; never the App itself."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from sidework.connect import Database
from sidework.core.codec import Codec
from sidework.core.registry import OnFailure, Registry
from sidework.events import Events
from sidework.worker.wakes import Wakes

Lifespan = Callable[[], AbstractContextManager[Any] | AbstractAsyncContextManager[Any]]
Middleware = Callable[..., Any]


@dataclass(slots=True)
class Hooks:
    """What the application wraps around its jobs."""

    middleware: list[Middleware] = field(default_factory=list)
    on_failure: OnFailure | None = None
    lifespan: Lifespan | None = None


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything that running jobs needs."""

    database: Database
    registry: Registry
    codec: Codec
    events: Events
    wakes: Wakes
    hooks: Hooks
    job_connection: Any
    imports: tuple[str, ...]
    home: str | None
    """The module in which the App was made, for handlers in processes of their own."""

    def import_tasks(self) -> None:
        """Import the modules that declare tasks; an error in one passes through, with its own traceback."""
        for module in self.imports:
            importlib.import_module(module)
