"""One JSON-RPC endpoint: web3.py's provider with our own policy around it.

web3.py would retry by itself (sends included), accept an answer with a foreign id and put the URL into errors; here a
call has one deadline, a bounded number of tries, a size cap, and an error names the endpoint, never its URL.
"""

import json
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import requests
from web3 import HTTPProvider
from web3.types import RPCEndpoint as Method

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


def _refusal(endpoint: str, method: str, error: object) -> RpcRefused:
    fields = error if isinstance(error, dict) else {"message": error}
    code = fields.get("code")
    return RpcRefused(
        endpoint,
        method,
        code if isinstance(code, int) else 0,
        str(fields.get("message", "no message")),
        fields.get("data"),
    )


class RpcEndpoint:
    """One endpoint, named ``primary`` or ``fallback`` wherever people read it."""

    def __init__(
        self, name: str, url: str, *, timeout_s: float = _TIMEOUT_S, wait: Callable[..., None] = time.sleep
    ) -> None:
        self.name = name
        self._wait = wait
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
        if answer.get("id") != json.loads(body)["id"]:
            raise ValueError("not an answer to our request")
        return answer
