"""The command line as its users meet it: in this process where that is enough, as a program where it must be."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sidework import App, Retry
from sidework.cli.root import root

DEADLINE = 30.0
SHOP = """
import os, time
from pathlib import Path
from sidework import App, Context
app = App()

@app.task(name="write")
def write(text: str) -> int:
    Path(text).write_text(str(os.getpid()))
    return os.getpid()

@app.task(name="hold")
def hold(ctx: Context, seconds: float) -> str:
    Path("held").touch()
    ctx.cancelled.wait(seconds)
    return "stopped" if ctx.cancelled.is_set() else "slept"

@app.task(name="deaf")
def deaf() -> None:
    Path("held").touch()
    time.sleep(1000)
"""
_numbers = itertools.count(1)


class Cli:
    """Runs commands in this process, with the given options before each."""

    def __init__(self, *options: str) -> None:
        self._options = options

    def __call__(self, *arguments: str, answer: str | None = None) -> Result:
        return CliRunner().invoke(root, [*self._options, *arguments], input=answer, prog_name="sidework")

    def ok(self, *arguments: str) -> str:
        """What a command that succeeds prints."""
        result = self(*arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *arguments: str) -> Any:
        """What a command prints as JSON."""
        return json.loads(self.ok(*arguments, "--json"))


class Program:
    """A running `python -m sidework`, its standard error in a file."""

    def __init__(self, folder: Path, arguments: tuple[str, ...], environment: dict[str, str]) -> None:
        self.log = folder / f"program-{next(_numbers)}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sidework", *arguments], cwd=folder, env=environment, stdout=log, stderr=log
            )

    def wait_for(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait until the condition holds, while the program runs; returns its value."""
        deadline = time.monotonic() + DEADLINE
        while not (value := condition()):
            assert time.monotonic() < deadline, f"{what} did not happen; the log:\n{self.log.read_text()}"
            time.sleep(0.02)
        return value

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        """The exit code, once it has ended."""
        try:
            return self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the program goes on; its log:\n{self.log.read_text()}")


StartProgram = Callable[..., Program]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartProgram]:
    """Starts programs in a folder of the test's own, and ends what is left of them."""
    started: list[Program] = []

    def start(*arguments: str, **variables: str) -> Program:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SIDEWORK_", "DATABASE_"))}
        started.append(Program(tmp_path, arguments, {**kept, **variables}))
        return started[-1]

    yield start
    for program in started:
        if program.process.poll() is None:
            program.process.kill()
        program.process.wait()


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """An empty database."""
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest.fixture
def app(url: str) -> Iterator[App]:
    """An App with one task that adds and one that fails, on tables that are there."""
    with App(url) as app:
        app.migrate()

        @app.task(name="add")
        def add(x: int, y: int = 0) -> int:
            return x + y

        @app.task(name="fail", retry=Retry(max_attempts=1))
        def fail(message: str) -> None:
            raise RuntimeError(message)

        yield app


@pytest.fixture
def cli(app: App, url: str) -> Cli:
    """The command line on that App's database."""
    return Cli("--url", url)


@pytest.fixture(autouse=True)
def _clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("SIDEWORK_APP", "SIDEWORK_URL", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "path", [*sys.path])


@pytest.fixture
def module(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Writes modules into the current folder, and gives their names, which no other test uses."""
    written: list[str] = []

    def write(code: str) -> str:
        name = f"shop_{next(_numbers)}"
        (tmp_path / f"{name}.py").write_text(code)
        written.append(name)
        return name

    yield write
    for name in written:
        sys.modules.pop(name, None)


@pytest.fixture
def shop(tmp_path: Path, url: str) -> Iterator[App]:
    """An App's database, with its code in the current folder as `shop`."""
    (tmp_path / "shop.py").write_text(SHOP)
    with App(url) as app:
        app.migrate()
        yield app
