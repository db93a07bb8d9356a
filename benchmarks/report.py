"""From samples to a table in Markdown, and to JSON."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from benchmarks.rows import USUAL, WIDE, Plan, Row
from benchmarks.targets import Target

HEADINGS = ("database", "work", "", "ours", "floor", "ours / floor", "spread of ours")


@dataclass(slots=True)
class Figures:
    """The samples of one row on one database; rounds add to them."""

    database: str
    name: str
    row: Row
    ours: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)

    def lines(self) -> Iterator[tuple[str, ...]]:
        """One line of the table for the median, and one for p95 where the row is a latency."""
        shares = {"p50": 0.5, "p95": 0.95} if self.row.unit == "ms" else {"": 0.5}
        for label, share in shares.items():
            ours, floor = quantile(self.ours, share), quantile(self.floor, share)
            ratio = f"{ours / floor:.2f}" if ours is not None and floor else "-"
            title = f"{self.row.title} {label}".rstrip()
            spread = f"{_number(min(self.ours))} to {_number(max(self.ours))}" if self.ours else "-"
            yield self.database, title, self.row.unit, _number(ours), _number(floor), ratio, spread

    def as_json(self) -> dict[str, Any]:
        """Every sample, and its row."""
        return {
            "database": self.database,
            "row": self.name,
            "unit": self.row.unit,
            "ours": self.ours,
            "floor": self.floor or None,
        }


def quantile(samples: Sequence[float], share: float) -> float | None:
    """The sample below which that share of them lies; the median between two where they are even in number.

    >>> quantile([1.0, 2.0, 3.0, 9.0], 0.5), quantile([1.0, 2.0, 3.0, 9.0], 0.95), quantile([], 0.5)
    (2.5, 9.0, None)
    """
    if not samples:
        return None
    if share == 0.5:
        return statistics.median(samples)
    return sorted(samples)[min(len(samples) - 1, int(share * len(samples)))]


def table(figures: Sequence[Figures]) -> str:
    """The figures as a Markdown table."""
    lines = [HEADINGS, *(line for each in figures for line in each.lines())]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    rule = tuple("-" * max(3, width) for width in widths)
    padded = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    return "\n".join(f"| {line} |" for line in (padded[0], " | ".join(rule), *padded[1:]))


def conditions(plan: Plan, rounds: int) -> dict[str, str]:
    """Where and how it was measured."""
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "sidework": version("sidework"),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "load": " ".join(f"{load:.1f}" for load in os.getloadavg()),
        "rounds": str(rounds),
        "a round": f"{plan.jobs} jobs (drain, many), {plan.few} (a commit each), {plan.samples} starts, {plan.seconds:g} s idle",
        "concurrency": f"{WIDE} (drain), {USUAL} (transactions, idle start)",
    }


def settings(targets: Sequence[Target]) -> dict[str, str]:
    """The databases' versions and settings."""
    return {target.name: f"{target.version}; {target.settings}" for target in targets}


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
