"""The benchmark with tiny numbers: every row yields a figure. No time is asserted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.rows import ROWS
from benchmarks.targets import DATABASES

ROOT = Path(__file__).parents[2]
TINY = ("--rounds", "1", "--jobs", "20", "--samples", "1", "--seconds", "0.5")


@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.usefixtures("postgres_url", "mysql_url")  # the run's servers are started, and named in the environment
def test_every_row_yields_a_figure(database: str, tmp_path: Path) -> None:
    kept = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *TINY, "--databases", database, "--json", str(kept)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr

    document = json.loads(kept.read_text())
    figures = {figure["row"]: figure for figure in document["figures"]}
    expected = {name for name, row in ROWS.items() if database in row.databases}
    assert figures.keys() == expected
    for name in expected:
        assert figures[name]["ours"], name
        assert all(value > 0 for value in figures[name]["ours"]) or name == "idle"
        assert bool(figures[name]["floor"]) == (database in ROWS[name].floor), name
        assert ROWS[name].title in done.stdout
    assert document["conditions"][database]


def test_a_row_that_is_not_there_is_refused_with_the_names_of_those_that_are() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--rows", "speed"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "enqueue" in done.stderr
