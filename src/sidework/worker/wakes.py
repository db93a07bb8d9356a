"""Waking this process's own workers when it enqueues, on every database alike."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Wakes:
    """The workers of one App in this process, as callbacks; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[bool], None]] = []

    def add(self, callback: Callable[[bool], None]) -> None:
        """Call `callback(is_certain)` when jobs were stored, or may soon be."""
        with self._lock:
            self._callbacks.append(callback)

    def remove(self, callback: Callable[[bool], None]) -> None:
        """Stop calling."""
        with self._lock:
            self._callbacks.remove(callback)

    def wake(self) -> None:
        """Jobs were committed."""
        self._call(True)

    def wake_soon(self) -> None:
        """Jobs were stored in a transaction of the caller's, whose commit nobody will tell us of."""
        self._call(False)

    def _call(self, is_certain: bool) -> None:
        with self._lock:
            callbacks = tuple(self._callbacks)
        for callback in callbacks:
            callback(is_certain)
