"""The examples that are programs of their own do what they say."""

from __future__ import annotations

import json
import re
import signal
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.examples.programs import EXAMPLES, run_example, running


@pytest.fixture(params=["sqlite", "postgres"])
def shop_url(request: pytest.FixtureRequest) -> str:
    """Where the outbox keeps its orders: the two databases for which it has a function."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


def ask(url: str, item: str | None = None) -> tuple[int, dict[str, object]]:
    request = urllib.request.Request(url, data=None if item is None else item.encode())  # noqa: S310 - of this machine
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - of this machine
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_an_order_of_the_outbox_has_its_receipt_and_a_refused_one_has_none(shop_url: str, tmp_path: Path) -> None:
    with running([str(EXAMPLES / "outbox.py"), "0"], tmp_path, SIDEWORK_URL=shop_url) as program:
        url = program.line_with("http://").replace("localhost", "127.0.0.1")
        assert ask(url, "tea") == (201, {"order": 1})
        assert program.line_with("receipt") == "receipt for order 1: tea"
        assert ask(url, "gold") == (409, {"error": "gold is sold out"})
        status, stored = ask(url)
        assert status == 200
        assert (stored["orders"], stored["receipts"]) == ([[1, "tea"]], 1)
        assert program.end(signal.SIGINT) == 0


def test_failures_are_retried_when_the_server_says_or_the_policy_does(tmp_path: Path) -> None:
    lines = run_example("failures.py", tmp_path).splitlines()
    said = [re.sub(r"^ *[\d.]+ s +", "", line) for line in lines]
    assert "busy: done after 3 attempts: welcome, at last (request 3)" in said
    assert "shaky: done after 3 attempts: welcome, at last (request 3)" in said
    assert "broken: failed after 4 attempts: HTTP Error 500: Internal Server Error" in said
    assert "missing: failed after 1 attempts: missing is not there" in said
    assert sum("failed for good" in line for line in said) == 2


def test_a_busy_server_is_asked_again_no_sooner_than_it_said(tmp_path: Path) -> None:
    lines = run_example("failures.py", tmp_path).splitlines()
    first, second, third = (float(line.split()[0]) for line in lines if "busy: attempt" in line)
    assert second - first >= 0.9
    assert third - second >= 0.9  # a date has whole seconds, so up to one of the two may be gone already


def test_a_stopped_worker_leaves_jobs_that_another_one_finishes(tmp_path: Path) -> None:
    output = run_example("shutdown.py", tmp_path)
    before, _, after = output.partition("after the second worker:")
    assert "the first worker ended with exit code 0" in before
    assert re.search(r"count: done, attempt 1, stopped at \d+", before)
    assert "sleep: waiting, attempt 0, None" in before
    assert "count: done, attempt 1, counted to 100" in after
    assert "sleep: done, attempt 1, slept well" in after


def test_an_embedded_worker_starts_works_and_stops(tmp_path: Path) -> None:
    assert run_example("embedded.py", tmp_path).splitlines() == [
        "worker: new",
        "lifespan: open",
        "worker: running",
        "results: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]",
        "lifespan: closed, 10 mails sent",
        "worker: stopped",
    ]
