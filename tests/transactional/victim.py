"""A program that runs one job: `python -m tests.transactional.victim URL die|live`; dying, it kills itself in the handler."""

from __future__ import annotations

import os
import signal
import sys

from sidework import App, Context


def main(url: str, fate: str) -> None:
    with App(url) as app:

        @app.task(name="child", queue="children")
        def child() -> None: ...

        @app.task(name="strike", delivery="transactional", max_crashes=2)
        def strike(ctx: Context) -> None:
            ctx.connection.cursor().execute("insert into words values ('struck')")
            child.using(connection=ctx.connection).enqueue()
            if fate == "die":
                os.kill(os.getpid(), signal.SIGKILL)

        app.work_once(["default"])


if __name__ == "__main__":
    main(*sys.argv[1:])
