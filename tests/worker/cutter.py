"""A proxy in front of a PostgreSQL server, which counts what is asked, and can lose the answer to a COMMIT."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self


class CommitCutter:
    """Passes everything on; after `cut_next()`, the next COMMIT reaches the server, and its connection ends before the answer."""

    def __init__(self, server_port: int) -> None:
        self.has_cut = threading.Event()
        self._server_port = server_port
        self._is_armed = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._pairs: list[_Pair] = []

    @property
    def asked(self) -> int:
        """How often a client has asked something and waited for the answer."""
        return sum(pair.asked for pair in self._pairs)

    def cut_next(self) -> None:
        """Cut at the next COMMIT."""
        self._is_armed.set()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for pair in self._pairs:
            pair.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._server_port))
            pair = _Pair(client, server, self._is_armed, self.has_cut)
            self._pairs.append(pair)
            threading.Thread(target=pair.pass_up, daemon=True).start()
            threading.Thread(target=pair.pass_down, daemon=True).start()


class _Pair:
    def __init__(
        self, client: socket.socket, server: socket.socket, is_armed: threading.Event, has_cut: threading.Event
    ) -> None:
        self._client = client
        self._server = server
        self._is_armed = is_armed
        self._has_cut = has_cut
        self._is_cut = False
        self._is_answered = True
        self.asked = 0

    def pass_up(self) -> None:
        with suppress(OSError):
            while data := self._client.recv(65_536):
                if self._is_armed.is_set() and b"commit" in data.lower():
                    self._is_armed.clear()
                    self._is_cut = True
                if self._is_answered:
                    self._is_answered = False
                    self.asked += 1
                self._server.sendall(data)
        self.close()

    def pass_down(self) -> None:
        with suppress(OSError):
            while data := self._server.recv(65_536):
                if self._is_cut:
                    break
                self._is_answered = True
                self._client.sendall(data)
        self.close()
        if self._is_cut:
            self._has_cut.set()

    def close(self) -> None:
        for end in (self._client, self._server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
