"""A worker inside an application: started and stopped by it, with what its handlers need, and no other process.

    python examples/embedded.py

`lifespan` opens what handlers share (here an HTTP-like client) on the worker's own loop, and closes it when the worker
stops. `start(stop_at_exit=True)` stops the worker when the interpreter exits, whatever way the application ends.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sidework import App, Context


@dataclass
class Mailer:
    """Stands for a client with connections of its own."""

    sent: list[str] = field(default_factory=list)

    async def send(self, address: str) -> int:
        self.sent.append(address)
        return len(self.sent)


@asynccontextmanager
async def open_mailer() -> AsyncIterator[Mailer]:
    mailer = Mailer()
    print("lifespan: open")
    yield mailer
    print(f"lifespan: closed, {len(mailer.sent)} mails sent", flush=True)


app = App(os.environ.get("SIDEWORK_URL", "sqlite://"), lifespan=open_mailer)


@app.task
async def welcome(ctx: Context, address: str) -> int:
    return await ctx.state.send(address)  # type: ignore[no-any-return]


def main() -> None:
    app.migrate()
    worker = app.worker(concurrency=5)
    print("worker:", worker.state)
    worker.start(stop_at_exit=True)
    jobs = [welcome.enqueue(f"user{number}@example.org") for number in range(10)]
    finished = app.jobs.join(jobs, timeout=30)
    print("worker:", worker.state)
    print("results:", sorted(job.result for job in finished))

    worker.stop()  # an application that ends here may as well leave this to stop_at_exit
    worker.join()
    print("worker:", worker.state)


if __name__ == "__main__":
    main()
