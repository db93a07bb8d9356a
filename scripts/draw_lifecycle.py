"""Draws the life of a job from the table that decides it, as Mermaid; `--write` puts it into docs/architecture.md.

A test holds the page to the table: after a change of `TRANSITIONS`, run `python scripts/draw_lifecycle.py --write`.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from sidework.core.job import FINISHED, JobState
from sidework.core.lifecycle import TRANSITIONS, Step

PAGE = Path(__file__).parents[1] / "docs/architecture.md"
_PLACE = re.compile(r"```mermaid\nstateDiagram-v2\n.*?```\n", re.DOTALL)


def diagram(transitions: Mapping[tuple[JobState, Step], JobState] = TRANSITIONS) -> str:
    """The fenced block; steps between the same two states share an arrow."""
    return "\n".join(["```mermaid", "stateDiagram-v2", *_lines(transitions), "```", ""])


def redrawn(page: str) -> str:
    """The text of the page with the diagram of today."""
    if not _PLACE.search(page):
        raise ValueError(f"{PAGE.name} has no ```mermaid block that begins with stateDiagram-v2; add one")
    return _PLACE.sub(lambda _: diagram(), page)


def _lines(transitions: Mapping[tuple[JobState, Step], JobState]) -> Iterator[str]:
    yield f"    [*] --> {JobState.WAITING}: enqueue"
    arrows: dict[tuple[JobState, JobState], list[Step]] = {}
    for (state, step), after in transitions.items():
        arrows.setdefault((state, after), []).append(step)
    for (state, after), steps in arrows.items():
        yield f"    {state} --> {after}: {', '.join(steps)}"
    for state in JobState:
        if state in FINISHED:
            yield f"    {state} --> [*]: retention"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put it into docs/architecture.md")
    if parser.parse_args().write:
        PAGE.write_text(redrawn(PAGE.read_text()))
    else:
        print(diagram(), end="")


if __name__ == "__main__":
    main()
