"""Starts a worker in the background with stop_at_exit, waits until a job of `hold` runs, and lets the interpreter exit."""

from __future__ import annotations

import json
import sys
import threading

from sidework.events import Event, JobStarted
from tests.worker.apps.handlers import app

if __name__ == "__main__":
    running = threading.Event()

    @app.subscribe
    def notice(event: Event) -> None:
        if isinstance(event, JobStarted):
            running.set()

    app.worker(**json.loads(sys.argv[1])).start(stop_at_exit=True)
    assert running.wait(20)
