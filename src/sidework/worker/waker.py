"""When an idle claimer looks again: at a hint, when the next job is due, and always after a while."""

from __future__ import annotations

import asyncio
import time

from sidework.threads import call_on

HOT_SECONDS = 5.0
"""How long a worker looks often for jobs of a caller's transaction, whose commit nobody tells it of."""

FIRST_PAUSE, LONGEST_BLIND_PAUSE = 0.01, 1.0


class Waker:
    """One claimer's sleep; `wake` may be called from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, poll_interval: float, *, is_blind: bool) -> None:
        self._loop = loop
        self._event = asyncio.Event()
        self._poll_interval = min(poll_interval, LONGEST_BLIND_PAUSE) if is_blind else poll_interval
        self._is_blind = is_blind
        self._pause = FIRST_PAUSE
        self._hot_until = 0.0

    def wake(self, is_certain: bool = True) -> None:
        """Jobs were stored, or (not certain) may soon be committed."""
        if not is_certain:
            self._hot_until = time.monotonic() + HOT_SECONDS
        call_on(self._loop, self._wake)

    def look(self) -> None:
        """A claim begins: hints from here on end the next sleep."""
        self._event.clear()

    def found(self) -> None:
        """The claim brought jobs: look often again for a while."""
        self._pause = FIRST_PAUSE

    async def sleep(self, next_due: float | None) -> bool:
        """Until a hint, the due time, or the next poll; was it a hint?"""
        bounds = [self._poll_interval]
        if next_due is not None:
            bounds.append(max(next_due, FIRST_PAUSE))
        if self._is_blind or time.monotonic() < self._hot_until:
            bounds.append(self._pause)
            self._pause = min(self._pause * 1.5, self._poll_interval)
        try:
            async with asyncio.timeout(min(bounds)):
                await self._event.wait()
        except TimeoutError:
            return False
        return True

    def _wake(self) -> None:
        self._pause = FIRST_PAUSE
        self._event.set()
