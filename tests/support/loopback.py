"""A small HTTP server on the loopback interface whose answers a test writes byte by byte."""

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from local_world.http_server import JsonHandler, LocalServer

#: Takes path and body of a request, writes the answer's pieces; a float is a pause in seconds.
Script = Callable[[str, bytes], Iterator[bytes | float]]


class Loopback:
    """A running server: its address and what it was asked."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.asked: list[str] = []
        self.closing = threading.Event()


@contextmanager
def serving(script: Script) -> Iterator[Loopback]:
    """Serve until the test leaves the block; a server that hangs is let go then."""
    box: list[Loopback] = []

    class Handler(JsonHandler):
        def do_GET(self) -> None:  # noqa: N802 - the base class names it
            self._play(b"")

        def do_POST(self) -> None:  # noqa: N802 - the base class names it
            self._play(self.body())

        def _play(self, body: bytes) -> None:
            box[0].asked.append(self.path)
            self.close_connection = True
            with suppress(OSError):
                for piece in script(self.path, body):
                    if isinstance(piece, float):
                        if box[0].closing.wait(piece):
                            break
                    else:
                        self.wfile.write(piece)
                        self.wfile.flush()

    server = LocalServer(Handler)
    box.append(Loopback(server.port))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield box[0]
    finally:
        box[0].closing.set()
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


def http(body: bytes, status: str = "200 OK", *headers: str, length: int | None = None) -> bytes:
    """A whole HTTP answer."""
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Length: {len(body) if length is None else length}",
        "Connection: close",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def document(value: object) -> bytes:
    """A JSON answer."""
    return http(json.dumps(value).encode(), "200 OK", "Content-Type: application/json")


def bad_answers(good: bytes) -> dict[str, Callable[[], Iterator[bytes | float]]]:
    """Answers that no client may take for one, whatever the protocol; ``good`` is the body of a right answer."""

    def drip() -> Iterator[bytes | float]:
        yield http(b"", length=len(good))
        for index in range(len(good)):
            yield 0.2
            yield good[index : index + 1]

    def hang() -> Iterator[bytes | float]:
        yield 60.0

    return {
        "html": lambda: iter([http(b"<html><h1>502 Bad Gateway</h1></html>", "200 OK", "Content-Type: text/html")]),
        "html error": lambda: iter([http(b"<html>no</html>", "502 Bad Gateway")]),
        "status 500": lambda: iter([http(good, "500 Internal Server Error")]),
        "status 429": lambda: iter([http(good, "429 Too Many Requests", "Retry-After: 1")]),
        "redirect": lambda: iter([http(b"", "302 Found", "Location: http://127.0.0.1:9/elsewhere")]),
        "empty": lambda: iter([http(b"")]),
        "truncated": lambda: iter([http(good[:-5], length=len(good))]),
        "no http": lambda: iter([b"SSH-2.0-OpenSSH_9.2p1\r\n"]),
        "closed": lambda: iter([]),
        "not utf-8": lambda: iter([http(b'{"round": "\xff\xfe"}')]),
        "not gzip": lambda: iter([http(good, "200 OK", "Content-Encoding: gzip")]),
        "deep json": lambda: iter([http(b"[" * 60_000)]),
        "a list": lambda: iter([http(b"[1, 2]")]),
        "a number": lambda: iter([http(b"7")]),
        "null": lambda: iter([http(b"null")]),
        "nan": lambda: iter([http(b'{"id": NaN, "result": Infinity}')]),
        "drip": drip,
        "hang": hang,
    }


def gzip_bomb(size: int) -> Iterator[bytes | float]:
    """A few kilobytes that unpack to ``size`` bytes of blanks."""
    packed = gzip.compress(b" " * size, compresslevel=9)
    yield http(packed, "200 OK", "Content-Encoding: gzip")


def timed(act: Callable[[], object]) -> float:
    """How many seconds it takes."""
    start = time.monotonic()
    act()
    return time.monotonic() - start
