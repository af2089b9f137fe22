"""One JSON-RPC endpoint: web3.py's provider with our own policy around it.

web3.py would retry by itself (sends included), accept an answer with a foreign id and put the URL into errors; here a
call has one deadline, a bounded number of tries, a size cap, and an error names the endpoint, never its URL.
"""

import json
import random
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import requests
from web3 import HTTPProvider
from web3.types import RPCEndpoint as Method

from bo_engine.blots import know_secrets, told
from bo_engine.errors import EngineError, Unavailable
from io_layer.http_body import read_object

MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
_TRIES: Final = 3
_TIMEOUT_S: Final = 10.0
_NEVER_REPEATED: Final = frozenset({"eth_sendRawTransaction"})


class RpcRefused(EngineError):
    """The node answered with an error object: it understood the call and refused it."""

    def __init__(self, endpoint: str, method: str, code: int, message: str, data: object) -> None:
        super().__init__("rpc_refused", f"the {endpoint} RPC endpoint refused {method}: {message[:200]}")
        self.rpc_code = code
        self.rpc_message = message
        self.data = data

    @property
    def revert_data(self) -> bytes | None:
        """What the contract itself returned with its refusal, selector first; None if the node sent no such bytes."""
        data = self.data.get("data") if isinstance(self.data, dict) else self.data
        if isinstance(data, str) and re.fullmatch(r"0x(?:[0-9a-fA-F]{2}){4,}", data):
            return bytes.fromhex(data[2:])
        return None

    @property
    def is_revert(self) -> bool:
        """Whether the contract refused the call; a node that is busy may send data of other kinds, too."""
        return self.revert_data is not None or "revert" in self.rpc_message.lower()


def _refusal(endpoint: str, method: str, error: object) -> RpcRefused:
    fields = error if isinstance(error, dict) else {"message": error}
    code, message = fields.get("code"), fields.get("message")
    # What a node says is shown and stored. Some repeat the URL, and with it the key that stands in it.
    said = told(message) if isinstance(message, str) else "no message"
    return RpcRefused(endpoint, method, code if type(code) is int else 0, said, fields.get("data"))


class RpcEndpoint:
    """One endpoint, named ``primary`` or ``fallback`` wherever people read it."""

    def __init__(
        self, name: str, url: str, *, timeout_s: float = _TIMEOUT_S, wait: Callable[..., None] = time.sleep
    ) -> None:
        self.name = name
        self._wait = wait
        know_secrets([url])
        self._provider = HTTPProvider(url, exception_retry_configuration=None)
        self._session = requests.Session()
        self._timeout_s = timeout_s
        self.calls = 0

    def __repr__(self) -> str:
        return f"RpcEndpoint({self.name})"

    def request(self, method: str, params: Sequence[object], *, may_be_null: bool = False) -> Any:
        """The ``result`` of one JSON-RPC call.

        Raises: RpcRefused when the node answers with an error; Unavailable ``rpc_unreachable`` when no usable answer
        came within the tries (a send is tried once: its outcome is then unknown, not failed).
        """
        tries = 1 if method in _NEVER_REPEATED else _TRIES
        for attempt in range(tries):
            try:
                answer = self._post(method, params)
            except (requests.RequestException, ValueError) as error:
                reason = f"{type(error).__name__}"
            else:
                if answer.get("error") is not None:
                    raise _refusal(self.name, method, answer["error"])
                if answer.get("result") is not None or may_be_null:
                    return answer.get("result")
                reason = "an answer without a result"
            if attempt + 1 < tries:
                # Jitter only spreads retries in time; nothing that is computed depends on it.
                pause_s = 0.1 * 2**attempt * (1 + random.random())  # noqa: S311
                self._wait(pause_s)
        message = f"the {self.name} RPC endpoint gave no usable answer to {method}: {reason}"
        raise Unavailable("rpc_unreachable", message)

    def _post(self, method: str, params: Sequence[object]) -> dict[str, Any]:
        self.calls += 1
        body = self._provider.encode_rpc_request(Method(method), list(params))
        deadline = time.monotonic() + self._timeout_s
        with self._session.post(
            str(self._provider.endpoint_uri),
            data=body,
            headers={"Content-Type": "application/json"},
            timeout=self._timeout_s,
            stream=True,
            allow_redirects=False,
        ) as response:
            answer = read_object(response, max_bytes=MAX_ANSWER_BYTES, deadline=deadline)
        # Not the number alone: false and 0.0 would pass for 0.
        if (type(answer.get("id")), answer.get("id")) != (int, json.loads(body)["id"]):
            raise ValueError("not an answer to our request")
        return answer
