"""The diagram of a job's life on the architecture page is the one that the transition table gives."""

from __future__ import annotations

import pytest

from scripts.draw_lifecycle import PAGE, diagram, redrawn
from sidework.core.job import JobState
from sidework.core.lifecycle import TRANSITIONS, Step


def test_the_page_shows_the_table_as_it_is() -> None:
    assert diagram() in PAGE.read_text(), "run: python scripts/draw_lifecycle.py --write"


def test_every_transition_is_drawn() -> None:
    arrows = {tuple(line.split(": ")) for line in diagram().splitlines() if "-->" in line}
    drawn = {(arrow.strip(), step) for arrow, steps in arrows for step in steps.split(", ")}
    assert {(f"{state} --> {after}", str(step)) for (state, step), after in TRANSITIONS.items()} <= drawn


def test_a_changed_table_changes_the_page() -> None:
    page = f"before\n{diagram({(JobState.WAITING, Step.CLAIM): JobState.RUNNING})}after\n"
    assert redrawn(page) == f"before\n{diagram()}after\n"


def test_a_page_without_a_place_for_it_is_refused() -> None:
    with pytest.raises(ValueError, match="no ```mermaid block"):
        redrawn("nothing here\n")
