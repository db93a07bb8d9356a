"""`python -m benchmarks`: ours and the floor in turn, in several rounds; prints medians and ratios."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.report import Figures, conditions, settings, table
from benchmarks.rows import ROWS, Plan
from benchmarks.targets import DATABASES, Target, opened


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the arguments ask for."""
    given = _parser().parse_args(arguments)
    plan = Plan(given.jobs, given.samples, given.seconds)
    about = conditions(plan, given.rounds)
    with ExitStack() as stack:
        targets = [stack.enter_context(opened(name)) for name in given.databases]
        about |= settings(targets)
        figures = measure(targets, given.rows, plan, given.rounds)
    print("\n".join(f"{name}: {value}" for name, value in about.items()), table(figures), sep="\n\n")
    if given.json:
        document = {"conditions": about, "figures": [each.as_json() for each in figures]}
        given.json.write_text(json.dumps(document, indent=1) + "\n")


def measure(targets: Iterable[Target], rows: Iterable[str], plan: Plan, rounds: int) -> list[Figures]:
    """The figures of each row on each target; which side goes first changes every round."""
    chosen = [
        (target, Figures(target.name, name, ROWS[name]))
        for target in targets
        for name in rows
        if target.name in ROWS[name].databases
    ]
    for turn in range(rounds):
        for target, figures in chosen:
            print(f"round {turn + 1} of {rounds}: {target.name}, {figures.row.title}", file=sys.stderr)
            sides = [(figures.ours, figures.row.ours), (figures.floor, figures.row.floor.get(target.name))]
            for samples, take in sides if turn % 2 == 0 else reversed(sides):
                if take is not None:
                    samples.extend(take(target, plan))
    return [figures for _, figures in chosen]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each row is measured (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=10_000, help="jobs of a drain; a tenth where each has a commit")
    parser.add_argument("--samples", type=int, default=10, help="starts timed in a round (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=15.0, help="how long an idle worker is watched")
    parser.add_argument("--databases", nargs="+", choices=DATABASES, default=DATABASES, metavar="DATABASE")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=tuple(ROWS), metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep every sample here")
    return parser


if __name__ == "__main__":
    main()
