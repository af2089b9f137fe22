"""What the local HTTP servers share: loopback only, keep-alive, a thread per connection, the port chosen by the kernel.

Only the standard library is imported, so that such a process starts in a few hundredths of a second.
"""

import json
import socket
import struct
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

_MAX_BODY: Final = 64 * 1024 * 1024


class LocalServer(ThreadingHTTPServer):
    """Listens on a free port of the loopback interface; ``announce()`` writes it where the starter reads it."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""

    @property
    def port(self) -> int:
        """The port."""
        return int(self.server_address[1])


class JsonHandler(BaseHTTPRequestHandler):
    """Answers in JSON, each answer in one packet."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a keep-alive answer waits 40 ms for the client's acknowledgement
    wbufsize = -1

    def body(self) -> bytes:
        """The request's body."""
        size = int(self.headers.get("Content-Length") or 0)
        if size > _MAX_BODY:
            raise ValueError("the request is too large")
        return self.rfile.read(size)

    def answer(self, document: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """Send a JSON document."""
        self.answer_bytes(json.dumps(document).encode(), status, headers)

    def answer_bytes(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """Send bytes that are JSON already."""
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def reset(self) -> None:
        """Break the connection off without an answer, as a dead host's router does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
        """Silent: a line per call would fill the disk of a world that stays up."""
