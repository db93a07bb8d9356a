"""The files beside this one type-check, with an error at every line that expects one; `make check` adds pyright."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [f"tests/typing/{name}.py" for name in ("calls", "declarations", "options", "results")]


@pytest.mark.timeout(300)
def test_what_users_type_is_checked_as_documented() -> None:
    # Errors of what they import are the business of `make check`, which has the stubs of every client library.
    command = [sys.executable, "-m", "mypy", "--follow-imports=silent", *FILES]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("file", FILES)
def test_each_file_expects_errors_too(file: str) -> None:
    assert (ROOT / file).read_text().count("# type: ignore[") > 1
