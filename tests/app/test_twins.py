"""Each sync method has an async twin with the prefix `a`, which takes the same."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from sidework import App
from sidework.managers.jobs import Jobs
from sidework.managers.queues import Queues
from sidework.managers.workers import Workers
from sidework.task import BoundTask, Task

WITHOUT = {
    App: {
        *("task", "include", "middleware", "on_failure", "subscribe", "worker"),  # declare, and touch no database
        "migration_sql",
    },
    Task: {"job", "using", "attach", "sender", "name"},
    BoundTask: {"job", "using"},
    Jobs: set[str](),
    Queues: set[str](),
    Workers: set[str](),
}


@pytest.mark.parametrize("cls", WITHOUT, ids=lambda cls: cls.__name__)
def test_every_method_has_its_twin_with_the_same_parameters(cls: Any) -> None:
    methods = {
        name: member for name, member in vars(cls).items() if not name.startswith("_") and inspect.isroutine(member)
    }
    sync = {name for name in methods if not inspect.iscoroutinefunction(methods[name])}
    twins = {name: f"a{name}" for name in sync - WITHOUT[cls]}
    assert twins
    assert set(twins.values()) == set(methods) - sync
    for name, twin in twins.items():
        assert inspect.signature(methods[name]) == inspect.signature(methods[twin]), twin
        assert methods[name].__doc__, name
        assert methods[twin].__doc__, twin
