"""The worker: puts the loops together, keeps them running, and stops them in order."""

from __future__ import annotations

import asyncio
import atexit
import signal
import sys
import threading
from typing import Any

from sidework.core.options import WorkerOptions
from sidework.errors import Seconds, SideworkError, delay_seconds
from sidework.events import LoopFailed, WorkerStarted
from sidework.worker.engine import Engine
from sidework.worker.heart import new_worker_id
from sidework.worker.setup import Setup


class Worker:
    """Runs jobs in this process: `run()`, `await arun()`, or `start()`, `stop()` and `join()` in the background.

    `state` is "new", "running", "stopping" or "stopped"; a worker runs once.
    """

    def __init__(self, setup: Setup, options: WorkerOptions) -> None:
        self.id = new_worker_id()
        self.options = options
        self._setup = setup
        self._state = "new"
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._is_up = threading.Event()
        self._is_down = threading.Event()
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None

    @property
    def state(self) -> str:
        """new, running, stopping or stopped."""
        return self._state

    def run(self) -> None:
        """Run until `stop()`, SIGINT or SIGTERM (a second one gives unfinished jobs back at once); blocks."""
        self._take_up()
        self._run_loop(handles_signals=threading.current_thread() is threading.main_thread())

    async def arun(self) -> None:
        """Run on this loop until `stop()` or until cancelled, which stops gracefully too."""
        self._take_up()
        await self._serve(handles_signals=False)

    def start(self, *, stop_at_exit: bool = False) -> None:
        """Run in a background thread with a loop of its own; returns once it claims jobs, or raises what prevented it.

        `stop_at_exit` stops it gracefully when the interpreter exits.
        """
        self._take_up()
        self._thread = threading.Thread(target=self._run_in_thread, name=f"sidework {self.id}", daemon=True)
        self._thread.start()
        self._is_up.wait()
        if self._error is not None:
            raise self._error
        if stop_at_exit:
            atexit.register(self._stop_and_join)

    def stop(self) -> None:
        """Claim no more, let running jobs finish until `shutdown_timeout`, give the others back; does not wait for it."""
        with self._lock:
            if self._state == "new":
                self._state = "stopped"
                self._is_down.set()
            elif self._state == "running":
                self._state = "stopping"
            engine = self._engine
        if engine is not None:
            engine.stop()

    def join(self, timeout: Seconds | None = None) -> None:
        """Wait until a worker in the background has stopped; TimeoutError after `timeout` seconds."""
        if not self._is_down.wait(None if timeout is None else delay_seconds(timeout)):
            raise TimeoutError(f"worker {self.id} is still {self._state} after {timeout} s")
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _take_up(self) -> None:
        with self._lock:
            if self._state != "new":
                raise SideworkError(
                    f"this worker is {self._state}, and a worker runs once: make another with app.worker()"
                )
            if getattr(getattr(sys.modules["__main__"], "__spec__", None), "name", None) == "sidework.child":
                raise SideworkError(
                    "a process for handlers imported a module that runs a worker; put that below"
                    " `if __name__ == '__main__':`"
                )
            self._state = "running"

    def _run_loop(self, *, handles_signals: bool) -> None:
        with asyncio.Runner() as runner:
            loop = runner.get_loop()
            task = loop.create_task(self._serve(handles_signals=handles_signals))
            while True:
                try:
                    loop.run_until_complete(task)
                except (SystemExit, KeyboardInterrupt):
                    # A task that a handler began has raised it, which halts any loop; whoever awaits that task is told.
                    if task.done() or not self._is_up.is_set():
                        raise
                else:
                    return

    async def _serve(self, *, handles_signals: bool) -> None:
        try:
            with self._lock:
                engine = self._engine = Engine(self._setup, self.options, self.id)
                if self._state == "stopping":
                    engine.stop()
            with _Signals(engine, is_on=handles_signals):
                await engine.run(self._on_up)
        finally:
            with self._lock:
                self._state = "stopped"
            self._is_down.set()

    def _on_up(self) -> None:
        self._setup.events.emit(WorkerStarted(self.id))
        self._is_up.set()

    def _run_in_thread(self) -> None:
        try:
            self._run_loop(handles_signals=False)
        except BaseException as error:
            if self._is_up.is_set():
                self._setup.events.emit(LoopFailed(self.id, "worker", error, 0.0))
            self._error = error
        finally:
            self._is_up.set()
            self._is_down.set()

    def _stop_and_join(self) -> None:
        self.stop()
        self.join()


class _Signals:
    """SIGINT and SIGTERM as requests to stop, while the worker runs in the main thread."""

    def __init__(self, engine: Engine, *, is_on: bool) -> None:
        self._engine = engine
        self._is_on = is_on
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> None:
        if self._is_on:
            for each in (signal.SIGINT, signal.SIGTERM):
                self._before[each] = signal.signal(each, lambda *_: self._engine.stop())

    def __exit__(self, *error: object) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)
