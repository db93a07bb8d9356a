"""A relay in front of PostgreSQL that counts the statements a client sends."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import IO, Self
from urllib.parse import urlsplit

QUERY, EXECUTE = b"Q", b"E"


class CountingProxy:
    """Listens on loopback and relays to the server of a URL; `count` is how many statements have passed."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._server = (parts.hostname or "127.0.0.1", parts.port or 5432)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self.count = 0
        account = parts.netloc.rpartition("@")[0]
        place = f"{account}@127.0.0.1:{self._listener.getsockname()[1]}"
        # Encrypted messages could not be counted.
        self.url = parts._replace(netloc=place, query="sslmode=disable&gssencmode=disable").geturl()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        for each in (self._listener, *self._sockets):
            _end(each)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed: the measurement is over
                return
            server = socket.create_connection(self._server)
            self._sockets += [client, server]
            threading.Thread(target=self._relay_counted, args=(client, server), daemon=True).start()
            threading.Thread(target=_relay, args=(server, client), daemon=True).start()

    def _relay_counted(self, client: socket.socket, server: socket.socket) -> None:
        with client.makefile("rb") as messages, suppress(OSError):  # either side has gone
            _forward(server, b"", messages.read(4), messages)  # the first message has no type
            while kind := messages.read(1):
                self.count += kind in {QUERY, EXECUTE}
                _forward(server, kind, messages.read(4), messages)
        _end(server)


def _forward(server: socket.socket, kind: bytes, length: bytes, messages: IO[bytes]) -> None:
    body = messages.read(int.from_bytes(length, "big") - 4)
    server.sendall(kind + length + body)


def _relay(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):  # either side has gone
        while part := source.recv(65536):
            sink.sendall(part)
    _end(sink)


def _end(each: socket.socket) -> None:
    with suppress(OSError):  # it was not connected, or is not any more
        each.shutdown(socket.SHUT_RDWR)
    each.close()
