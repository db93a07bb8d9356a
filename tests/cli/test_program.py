"""The program itself: its help, its version, pipes that close, and the libraries that it needs."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from sidework import App
from sidework.cli.values import duration
from tests.cli.conftest import Cli


def test_the_version_is_shown() -> None:
    assert Cli().ok("version").startswith(f"sidework {version('sidework')}, Python 3.")


def test_a_command_that_is_not_there_exits_with_2() -> None:
    result = Cli()("frobnicate")
    assert result.exit_code == 2
    assert "No such command 'frobnicate'" in result.stderr


def test_a_pipe_that_closes_ends_it_quietly(sqlite_url: str, tmp_path: Path) -> None:
    with App(sqlite_url) as app:
        app.migrate()
        for n in range(1000):
            app.enqueue("number", [n])
    for options in ((), ("--json",)):
        command = [sys.executable, "-m", "sidework", "--url", sqlite_url, "jobs", "list", "--limit", "2000", *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path) as program:
            assert program.stdout is not None
            assert program.stderr is not None
            # More is to come than a pipe holds.
            assert program.stdout.readline()
            program.stdout.close()
            assert program.stderr.read() == b""


@pytest.mark.parametrize("library", ["click", "rich"])
def test_without_its_libraries_it_says_how_to_install_them(library: str) -> None:
    code = f"import sys; sys.modules[{library!r}] = None; from sidework.cli import main; sys.exit(main())"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert (
        ended.stderr == f"The command line needs {library}, which is not installed here: pip install 'sidework[cli]'\n"
    )


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("1.5h", 5400), ("2 min", 120), ("7D", 604_800), ("1w", 604_800), ("0", 0)]
)
def test_durations_have_units(text: str, seconds: float) -> None:
    assert duration(None, None, text) == seconds  # type: ignore[arg-type] # it reads neither
