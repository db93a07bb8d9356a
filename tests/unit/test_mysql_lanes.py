"""Which lanes a claim on MySQL takes from, and how many jobs each gives."""

from __future__ import annotations

import pytest

from sidework.core.ops import Row
from sidework.core.store import Claim
from sidework.errors import SchemaError
from sidework.stores.mysql.lanes import Lane, quotas, read_outlook
from sidework.stores.mysql.schema import check_version

LANES = (
    (b"slow", b"t", "0,10,1", None, None, None),
    (b"fast", b"t", b"-5,20,2", None, None, None),
    (b"fast", b"unknown", "-9,1,3", None, None, None),
)
CLOCK = (None, None, None, 100, 250_100, 1)


def claim(queues: tuple[str, ...] | None = None) -> Claim:
    return Claim("w", {"t": 3}, 10, queues)


def test_lanes_of_every_queue_are_ordered_by_their_heads() -> None:
    outlook = read_outlook(claim(), [*LANES, CLOCK])
    assert [(lane.queue, lane.place) for lane in outlook.lanes] == [("fast", 0), ("slow", 0)]


def test_lanes_of_a_strict_list_are_ordered_by_it() -> None:
    outlook = read_outlook(claim(("slow", "other", "fast")), [*LANES, CLOCK])
    assert [(lane.queue, lane.place) for lane in outlook.lanes] == [("slow", 0), ("fast", 2)]


def test_a_worker_without_a_lease_is_offered_no_lane() -> None:
    outlook = read_outlook(claim(), [*LANES, (None, None, None, 100, None, 0)])
    assert outlook.lanes == ()


@pytest.mark.parametrize(("next_run_at", "wait"), [(None, None), (250_100, 0.25), (100, 0.0), (50, 0.0)])
def test_the_next_due_time_is_told_in_seconds(next_run_at: int | None, wait: float | None) -> None:
    row: Row = (None, None, None, 100, next_run_at, 1)
    assert read_outlook(claim(), [row]).wait == wait


def test_quotas_follow_the_order_across_lanes() -> None:
    first, second = Lane("a", "t", 0, (0, 1, 1)), Lane("b", "t", 0, (0, 2, 2))
    peeked = [(0, 0, 1, 1), (0, 0, 5, 3), (1, 0, 2, 2), (1, 0, 3, 4)]
    assert quotas([first, second], peeked, 3) == [(first, 1), (second, 2)]


def test_the_place_of_a_queue_comes_before_the_priority_of_its_jobs() -> None:
    strict, later = Lane("a", "t", 0, (0, 1, 1)), Lane("b", "t", 1, (-9, 1, 2))
    assert quotas([strict, later], [(0, 0, 1, 1), (1, -9, 1, 2)], 1) == [(strict, 1)]


@pytest.mark.parametrize(
    "version", ["8.0.13", "8.4.3", "9.1.0", "10.6.0-MariaDB", "5.5.5-10.11.19-MariaDB-log", "11.8.2-MariaDB"]
)
def test_a_server_that_has_what_is_needed_is_accepted(version: str) -> None:
    check_version(version)


@pytest.mark.parametrize("version", ["5.7.44-log", "8.0.12", "10.5.22-MariaDB", "10.3.39-MariaDB", "who knows"])
def test_a_server_that_is_too_old_is_refused_in_one_sentence(version: str) -> None:
    with pytest.raises(SchemaError, match=r"is too old: Sidework needs MySQL 8\.0\.13 or MariaDB 10\.6") as caught:
        check_version(version)
    assert version in str(caught.value)
