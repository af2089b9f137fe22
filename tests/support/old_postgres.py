"""A PostgreSQL server of any version, as far as a client hears of it: it greets, names its version, and hangs up.

Real PostgreSQL 15 binaries are not to be had beside those of 18; the version travels in the start-up conversation, so a
server that speaks only that is enough: a real socket, a real driver.
"""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SSL_REQUEST, _GSS_REQUEST = 80877103, 80877104


class OldPostgres:
    """Answers on a loopback port and counts what clients ask for after the greeting."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.logins = 0
        self.statements = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                client.settimeout(10)
                try:
                    self._greet(client)
                except (OSError, struct.error):
                    continue

    def _greet(self, client: socket.socket) -> None:
        while True:
            (size,) = struct.unpack(">I", _exactly(client, 4))
            body = _exactly(client, size - 4)
            if struct.unpack_from(">I", body)[0] not in (_SSL_REQUEST, _GSS_REQUEST):
                break
            client.sendall(b"N")
        self.logins += 1
        settings = {"server_version": self.version, "client_encoding": "UTF8", "standard_conforming_strings": "on"}
        greeting = _message(b"R", struct.pack(">I", 0))
        for name, value in settings.items():
            greeting += _message(b"S", name.encode() + b"\0" + value.encode() + b"\0")
        client.sendall(greeting + _message(b"K", struct.pack(">II", 1, 1)) + _message(b"Z", b"I"))
        kind = client.recv(1)
        # X is the client's goodbye; whatever else it wants, this server has nothing to say.
        self.statements += kind not in (b"X", b"")


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">I", len(body) + 4) + body


def _exactly(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = client.recv(size - len(data))
        if not piece:
            raise OSError("the client hung up")
        data += piece
    return data


@contextmanager
def old_postgres(version: str) -> Iterator[OldPostgres]:
    """Such a server for a while."""
    server = OldPostgres(version)
    try:
        yield server
    finally:
        server.close()
