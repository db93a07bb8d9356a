"""Runs one server for as long as its own standard input is open; `process.py` starts it as a program.

A test run that is killed cannot clean up, but the system closes its pipes: at that end of file the keeper stops the
server and removes its folder. PR_SET_PDEATHSIG would not do: the system clears it when the server changes its user.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

GRACE = 20.0


def main() -> int:
    order = json.loads(sys.argv[1])
    # Ctrl-C in the terminal is for the test run, which then closes our input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    account = {"user": order["user"], "group": order["group"], "extra_groups": []} if order["user"] is not None else {}
    with Path(order["log"]).open("ab") as log:
        server = subprocess.Popen(
            order["command"],
            cwd=order["folder"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            **account,
        )
    print(server.pid, flush=True)
    orphaned = threading.Event()
    threading.Thread(target=_end_with_input, args=(server, order["stop_signal"], orphaned), daemon=True).start()
    code = server.wait()
    if orphaned.is_set():
        shutil.rmtree(order["folder"], ignore_errors=True)
    return code


def _end_with_input(server: subprocess.Popen[bytes], stop_signal: int, orphaned: threading.Event) -> None:
    # Not through sys.stdin, whose lock would be held by this thread when the interpreter ends.
    while os.read(0, 1024):
        pass
    orphaned.set()
    server.send_signal(stop_signal)
    try:
        server.wait(GRACE)
    except subprocess.TimeoutExpired:
        server.kill()


if __name__ == "__main__":
    sys.exit(main())
