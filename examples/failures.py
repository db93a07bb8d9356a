"""Failures and retries: a server that is busy says when to come back, and the job comes back then.

    python examples/failures.py

It starts a small HTTP server that answers 503 and 429 with Retry-After, 500, 404, and at last 200, and runs four jobs
against it:

- `/busy`: the handler reads Retry-After and raises `RetryJob(delay)`: the server decides when.
- `/shaky`: an ordinary exception; the task's `Retry(delays=...)` decides when.
- `/broken`: fails each time; after its last attempt the job is *failed*, and `on_failure` is told.
- `/missing`: trying again cannot help, so the handler raises `Reject`: failed at once.
"""

from __future__ import annotations

import os
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic

from sidework import App, Context, Job, Reject, Retry, RetryJob

BUSY = (429, 503)
MISSING = (404, 410)

app = App(os.environ.get("SIDEWORK_URL", "sqlite://"))
started = monotonic()


def say(text: str) -> None:
    print(f"{monotonic() - started:5.1f} s  {text}", flush=True)


@app.on_failure
def give_up(job: Job, exception: BaseException) -> None:
    say(f"{job.args[0].rpartition('/')[2]}: failed for good after {job.attempt} attempts: {exception}")


@app.task(retry=Retry(max_attempts=4, delays=[0.2, 0.5]), timeout=30)
def fetch(ctx: Context, url: str) -> str:
    name = url.rpartition("/")[2]
    say(f"{name}: attempt {ctx.job.attempt}")
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - http, our own server
            text: str = answer.read().decode()
    except urllib.error.HTTPError as error:
        if error.code in BUSY and "Retry-After" in error.headers:
            raise RetryJob(seconds_of(error.headers["Retry-After"])) from error
        if error.code in MISSING:
            raise Reject(f"{name} is not there") from error
        raise
    return text


def seconds_of(retry_after: str) -> float:
    """Retry-After is a number of seconds, or a date."""
    if retry_after.isdigit():
        return float(retry_after)
    return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())


class Server(BaseHTTPRequestHandler):
    """The other side: what it answers depends on the path, and on how often that was asked for."""

    asked: dict[str, int] = {}  # noqa: RUF012 - one server, one count

    def do_GET(self) -> None:
        turn = self.asked[self.path] = self.asked.get(self.path, 0) + 1
        in_two_seconds = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
        match self.path, turn:
            case "/busy", 1:
                self.answer(503, "maintenance", {"Retry-After": "1"})
            case "/busy", 2:
                self.answer(429, "too many requests", {"Retry-After": in_two_seconds})
            case "/shaky", 1 | 2:
                self.answer(500, "try again")
            case "/broken", _:
                self.answer(500, "never")
            case "/missing", _:
                self.answer(404, "no such thing")
            case _:
                self.answer(200, f"welcome, at last (request {turn})")

    def answer(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(text)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args: object) -> None:
        """Keep the output to what the example is about."""


@contextmanager
def serving() -> Iterator[str]:
    """The server in a thread; gives its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def main() -> None:
    app.migrate()
    with serving() as address:
        worker = app.worker(concurrency=4, poll_interval=0.5)
        worker.start()
        jobs = [fetch.enqueue(f"{address}/{name}") for name in ("busy", "shaky", "broken", "missing")]
        for job in app.jobs.join(jobs, timeout=60):
            outcome = job.result or job.errors[-1].message
            say(f"{job.args[0].rpartition('/')[2]}: {job.state} after {job.attempt} attempts: {outcome}")
        worker.stop()
        worker.join()


if __name__ == "__main__":
    main()
