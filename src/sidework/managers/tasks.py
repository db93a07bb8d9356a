"""`app.tasks`: what is registered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sidework.core.registry import Registry
from sidework.task import Sender, Task


class Tasks:
    """The registered tasks of one App, by name: iterate, `in`, `[name]`, `len`, `names()`, `remove(name)`."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._tasks: dict[str, Task[..., ..., Any]] = {}

    def add(self, task: Task[..., ..., Any], sender: Sender) -> None:
        """Register a task of this App."""
        self._registry.add(task.spec)
        self._tasks[task.name] = task
        task.attach(sender)

    def remove(self, name: str) -> None:
        """Forget a task: its waiting jobs are left for workers that know it. UnknownTask where there is none."""
        self._registry.remove(name)
        del self._tasks[name]

    def names(self) -> list[str]:
        """The names, sorted."""
        return sorted(self._tasks)

    def __getitem__(self, name: str) -> Task[..., ..., Any]:
        self._registry.get(name)
        return self._tasks[name]

    def __contains__(self, task: object) -> bool:
        name = task.name if isinstance(task, Task) else task
        return name in self._tasks

    def __iter__(self) -> Iterator[Task[..., ..., Any]]:
        return iter(list(self._tasks.values()))

    def __len__(self) -> int:
        return len(self._tasks)
