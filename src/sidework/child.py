"""`python -m sidework.child`: the process in which handlers with executor="process" run. Started by the worker only.

Reads lines of JSON from standard input, answers on what was standard output; handlers' own prints go to standard error.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Mapping
from typing import Any, TextIO
from uuid import UUID

from sidework.app import App
from sidework.core.failure import message_of, type_name
from sidework.core.job import JobRow, JobState
from sidework.core.store import ProgressNote
from sidework.worker.attempt import Attempt, Ended, Stop
from sidework.worker.executors.coroutine import CoroutineExecutor
from sidework.worker.executors.process import write_answer
from sidework.worker.executors.thread import run_here
from sidework.worker.kit import WorkKit
from sidework.worker.lifespan import HeldLifespan


def main() -> None:
    """Serve the worker that started this process, until it closes the pipe."""
    for each in (signal.SIGINT, signal.SIGTERM):
        # They may reach the whole group, and the worker decides what they mean. Programs that a handler starts inherit
        # what is ignored, but not a function.
        signal.signal(each, _ignore)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    config = json.loads(sys.stdin.readline())
    try:
        app = find_app(config)
    except Exception as error:
        say(answers, {"error": f"{type_name(error)}: {message_of(error)}"})
        raise
    say(answers, {"ready": True, "is_same": app.setup.database.url == config["url"]})
    with asyncio.Runner() as runner:
        Child(app, runner, answers).serve()


class Child:
    """Runs one attempt at a time in the main thread, while another thread listens for requests to stop."""

    def __init__(self, app: App, runner: asyncio.Runner, answers: TextIO) -> None:
        self._setup = app.setup
        self._runner = runner
        self._answers = answers
        self._lock = threading.Lock()
        self._attempts: queue.SimpleQueue[Attempt] = queue.SimpleQueue()
        self._current: Attempt | None = None
        self._kit = WorkKit(self._setup, lambda awaitable: runner.run(_awaiting(awaitable)))
        self._lifespan = HeldLifespan(self._setup.hooks.lifespan)  # kept: a loop holds its tasks weakly

    def serve(self) -> None:
        """Enter the lifespan and run what is asked for."""
        threading.Thread(target=self._listen, daemon=True).start()
        self._kit.state = self._runner.run(self._lifespan.enter())
        while True:
            self._say({"ended": write_answer(self._run(self._attempts.get()))})

    def _run(self, attempt: Attempt) -> Ended:
        try:
            if attempt.spec.is_async:
                return self._runner.run(CoroutineExecutor(self._kit).run(attempt))
            return run_here(attempt, self._kit)
        finally:
            self._current = None

    def _listen(self) -> None:
        for line in sys.stdin:
            message = json.loads(line)
            if "run" in message:
                self._take(read_row(message["run"]))
            elif (attempt := self._current) is not None:
                attempt.request_stop(Stop(message["stop"]))
        os._exit(0)  # the worker is gone: whatever runs here is fenced

    def _take(self, row: JobRow) -> None:
        """Accept an attempt, which can be asked to stop from now on."""
        spec = self._setup.registry.find(row.task)
        if spec is None:
            self._say(
                {"refused": f"task {row.task!r} is not declared by the modules that a process of its own imports"}
            )
            return
        self._current = Attempt(row, spec, self._setup.codec, self._report)
        self._attempts.put(self._current)

    def _report(self, note: ProgressNote) -> None:
        self._say({"progress": json.loads(note.text)})

    def _say(self, message: Mapping[str, Any]) -> None:
        with self._lock:
            say(self._answers, message)


def say(answers: TextIO, message: Mapping[str, Any]) -> None:
    """Send one line."""
    answers.write(json.dumps(message, default=str) + "\n")
    answers.flush()


def find_app(config: Mapping[str, Any]) -> App:
    """The App that the worker has, made by importing the module in which it was made."""
    sys.path[:] = config["path"]
    modules = [importlib.import_module(name) for name in (config["home"], *config["imports"]) if name]
    apps = [value for module in modules for value in vars(module).values() if isinstance(value, App)]
    for app in sorted(apps, key=lambda app: app.setup.database.url != config["url"]):
        app.setup.import_tasks()
        return app
    raise LookupError(
        f"no App was found in module {config['home']!r}; tasks with executor='process' need an App that is"
        " made at the top level of a module"
    )


def read_row(fields: dict[str, Any]) -> JobRow:
    """The claimed row as the worker sent it."""
    read: dict[str, Any] = {**fields, "id": UUID(fields["id"]), "state": JobState(fields["state"])}
    return JobRow(**read)


def _ignore(_number: int, _frame: object) -> None:
    """A signal that is the worker's to heed."""


async def _awaiting(awaitable: Any) -> Any:
    return await awaitable


if __name__ == "__main__":
    main()
