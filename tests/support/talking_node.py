"""A real endpoint with a loose tongue: it passes calls on to the chain, and answers some methods as a test wants."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import requests

from tests.support.loopback import Loopback, document, serving

#: Method -> what makes the whole answer (bytes of HTTP) from the request's path and the call's frame.
Answering = Callable[[str, dict[str, object]], bytes]


@contextmanager
def talking(chain_url: str, odd: Mapping[str, Answering]) -> Iterator[Loopback]:
    """Serve; methods in ``odd`` are answered by it, all others by the chain."""

    def script(path: str, body: bytes) -> Iterator[bytes | float]:
        call = json.loads(body)
        answer = odd.get(call["method"])
        if answer is not None:
            yield answer(path, {"jsonrpc": "2.0", "id": call["id"]})
        else:
            yield document(requests.post(chain_url, json=call, timeout=30).json())

    with serving(script) as node:
        yield node


def refusing(message: str, data: object = None) -> Answering:
    """An error object with this message; ``{path}`` in it is the request's."""

    def answer(path: str, frame: dict[str, object]) -> bytes:
        error = {"code": -32000, "message": message.replace("{path}", path), "data": data}
        return document({**frame, "error": error})

    return answer


def resulting(result: object) -> Answering:
    """This result."""
    return lambda path, frame: document({**frame, "result": result})
