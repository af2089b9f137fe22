"""Faults of the line: the answer comes late, in pieces, in another dress or not at all."""

import contextlib
import functools
import http.client
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from local_world.http_server import JsonHandler

_PIECE: Final = b" " * 1_048_576
_HANG_S: Final = 120
_HTML: Final = b"<html><head><title>One moment</title></head><body>The node takes a rest.</body></html>"


@dataclass(frozen=True, slots=True)
class Line:
    """An HTTP request whose answer is to go wrong on its way."""

    handler: JsonHandler
    body: bytes
    args: Mapping[str, Any]
    post: Callable[[bytes], bytes]  # to the chain
    in_force: Callable[[], bool]  # whether the rules are still the same

    def arrives(self) -> bytes:
        """The chain's answer; broken as the chain itself is gone."""
        return self.post(self.body)

    def wait(self, seconds: float) -> None:
        """Ends early when the rules change, so that no thread outlives its test by much."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.in_force():
            time.sleep(0.02)


def _down(line: Line) -> None:
    line.handler.reset()


def _hang(line: Line) -> None:
    line.wait(float(line.args.get("seconds", _HANG_S)))
    line.handler.reset()


def _delay(line: Line) -> None:
    line.wait(float(line.args.get("seconds", 0.5)))
    line.handler.answer_bytes(line.arrives())


def _lost(line: Line) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        line.arrives()
    line.handler.reset()


def _cut(line: Line) -> None:
    answer = line.arrives()
    _begin(line, {"Content-Length": str(len(answer))})
    _send(line, answer[: len(answer) // 2])
    line.handler.reset()


def _truncated(line: Line) -> None:
    answer = line.arrives()
    line.handler.answer_bytes(answer[: len(answer) // 2])


def _http(line: Line) -> None:
    after = line.args.get("retry_after")
    headers = None if after is None else {"Retry-After": str(after)}
    line.handler.answer({"error": "made to fail"}, int(line.args.get("status", 500)), headers)


def _html(line: Line) -> None:
    line.handler.answer_bytes(_HTML, int(line.args.get("status", 200)), {"Content-Type": "text/html"})


def _huge(line: Line) -> None:
    """An answer of so many megabytes: JSON whose white space does not end before them."""
    megabytes = int(line.args.get("megabytes", 200))
    _begin(line, {"Content-Length": str(megabytes * len(_PIECE) + 2)})
    _send(line, b"{")
    is_whole = all(line.in_force() and _send(line, _PIECE) for _ in range(megabytes)) and _send(line, b"}")
    if not is_whole:
        line.handler.reset()


def _gzip_bomb(line: Line) -> None:
    """The same, packed a thousand times smaller."""
    line.handler.answer_bytes(_packed(int(line.args.get("megabytes", 200))), headers={"Content-Encoding": "gzip"})


@functools.cache
def _packed(megabytes: int) -> bytes:
    packer = zlib.compressobj(level=1, wbits=31)
    pieces = [packer.compress(b"{"), *(packer.compress(_PIECE) for _ in range(megabytes))]
    return b"".join([*pieces, packer.compress(b"}"), packer.flush()])


def _begin(line: Line, headers: Mapping[str, str]) -> None:
    line.handler.send_response(200)
    for name, value in {"Content-Type": "application/json", **headers}.items():
        line.handler.send_header(name, value)
    line.handler.end_headers()


def _send(line: Line, piece: bytes) -> bool:
    try:
        line.handler.wfile.write(piece)
        line.handler.wfile.flush()
    except OSError:
        return False  # the caller has had enough
    return True


LINE_FAULTS: Final[Mapping[str, Callable[[Line], None]]] = {
    "down": _down,
    "hang": _hang,
    "delay": _delay,
    "lost": _lost,
    "cut": _cut,
    "truncated": _truncated,
    "http": _http,
    "html": _html,
    "huge": _huge,
    "gzip_bomb": _gzip_bomb,
}
