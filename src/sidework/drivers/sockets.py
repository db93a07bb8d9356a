"""Looking at an idle connection's socket, for the drivers of our own connections."""

from __future__ import annotations

import select


def has_said_something(descriptor: int) -> bool:
    """Is there something to read? An idle server says nothing, except goodbye."""
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([descriptor], [], [], 0)[0])
    poll = select.poll()  # select() refuses descriptors from 1024 on
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
