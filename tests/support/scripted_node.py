"""A node that says what a test wants, over real HTTP: for answers that no real client can be made to give."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from tests.support.loopback import Loopback, document, serving

#: Method -> its result, or what makes it from the parameters. Without an entry the method is unknown.
Answers = dict[str, object]


class Refusal(Exception):
    """Answer with an error object."""

    def __init__(self, message: str, code: int = -32000, data: object = None) -> None:
        super().__init__(message)
        self.document = {"code": code, "message": message, **({} if data is None else {"data": data})}


class Down(Exception):
    """Close the connection without an answer."""


@contextmanager
def scripted(answers: Mapping[str, object]) -> Iterator[Loopback]:
    """Serve the answers; the mapping may change while the node runs."""

    def script(path: str, body: bytes) -> Iterator[bytes | float]:
        call = json.loads(body)
        frame = {"jsonrpc": "2.0", "id": call["id"]}
        answer = answers.get(call["method"], Refusal(f"the method {call['method']} does not exist", -32601))
        try:
            if isinstance(answer, Exception):
                raise answer
            result = answer(call["params"]) if isinstance(answer, Callable) else answer  # type: ignore[arg-type]
        except Refusal as refusal:
            yield document({**frame, "error": refusal.document})
        except Down:
            return
        else:
            yield document({**frame, "result": result})

    with serving(script) as node:
        yield node


def block_at(number: int, *, name: str = "", timestamp_s: int = 1_700_000_000) -> dict[str, object]:
    """A block as a node tells it; ``name`` makes another one of the same height."""
    digest = f"{number:08x}{name.encode().hex()}".ljust(64, "0")
    return {"number": hex(number), "hash": f"0x{digest}", "timestamp": hex(timestamp_s + number), "size": hex(500)}


def chain_of(head: int, final: int, *, name: str = "") -> Answers:
    """The answers of a node whose head and final block stand at these heights."""

    def block(params: list[object]) -> dict[str, object] | None:
        heights = {"latest": head, "finalized": final}
        number = heights[str(params[0])] if params[0] in heights else int(str(params[0]), 16)
        return block_at(number, name=name) if number <= head else None

    return {"eth_chainId": "0x66eee", "web3_clientVersion": "anvil/v1.7.1", "eth_getBlockByNumber": block}
