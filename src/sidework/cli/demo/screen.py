"""What the demo shows: a live line in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

LINE_EVERY = 0.1
"""Where there is no terminal, a line for each such part of the jobs."""


class Screen:
    """Says things, and shows how far the jobs are."""

    def __init__(self) -> None:
        self.console = Console(highlight=False)
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        """A line of the story, with the seconds since its start."""
        self.console.print(f"{time.monotonic() - self._began:6.1f} s  {text}", soft_wrap=True)

    @contextmanager
    def watching(self, total: int) -> Iterator[Watch]:
        """Show jobs finishing until the block ends."""
        if not self.console.is_terminal:
            yield Watch(self, total)
            return
        columns = (
            TextColumn("          "),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console, transient=True) as bar:
            yield LiveWatch(self, total, bar)


class Watch:
    """Plain lines, one each tenth of the jobs."""

    def __init__(self, screen: Screen, total: int) -> None:
        self._screen = screen
        self._total = total
        self._next = LINE_EVERY

    def show(self, finished: int, note: str) -> None:
        """Show how many have finished."""
        if finished < self._next * self._total:
            return
        self._screen.say(f"{finished:,} of {self._total:,} jobs have finished; {note}")
        self._next = (int(finished / self._total / LINE_EVERY) + 1) * LINE_EVERY


class LiveWatch(Watch):
    """A bar that moves."""

    def __init__(self, screen: Screen, total: int, bar: Progress) -> None:
        super().__init__(screen, total)
        self._bar = bar
        self._task: TaskID = bar.add_task("", total=total)

    def show(self, finished: int, note: str) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=finished, description=note)
