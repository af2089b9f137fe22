"""One JSON-RPC endpoint: web3.py's provider with our own policy around it.

web3.py would retry by itself (sends included), accept an answer with a foreign id and put the URL into errors; here a
call has one deadline, a bounded number of tries, a size cap, and an error names the endpoint, never its URL.
"""

import json
import random
import time
from collections.abc import Sequence
from typing import Any, Final, cast

import requests
from web3 import HTTPProvider
from web3.types import RPCEndpoint as Method

from bo_engine.errors import EngineError, Unavailable

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


class RpcEndpoint:
    """One endpoint, named ``primary`` or ``fallback`` wherever people read it."""

    def __init__(self, name: str, url: str, *, timeout_s: float = _TIMEOUT_S) -> None:
        self.name = name
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
                if "error" in answer:
                    error_object = answer["error"] if isinstance(answer["error"], dict) else {}
                    raise RpcRefused(
                        self.name,
                        method,
                        int(error_object.get("code", 0)),
                        str(error_object.get("message", "no message")),
                        error_object.get("data"),
                    )
                if answer.get("result") is not None or may_be_null:
                    return answer.get("result")
                reason = "an answer without a result"
            if attempt + 1 < tries:
                # Jitter only spreads retries in time; nothing that is computed depends on it.
                time.sleep(0.1 * 2**attempt * (1 + random.random()))  # noqa: S311
        message = f"the {self.name} RPC endpoint gave no usable answer to {method}: {reason}"
        raise Unavailable("rpc_unreachable", message)

    def _post(self, method: str, params: Sequence[object]) -> dict[str, Any]:
        self.calls += 1
        body = self._provider.encode_rpc_request(Method(method), list(params))
        deadline = time.monotonic() + self._timeout_s
        chunks: list[bytes] = []
        size = 0
        with self._session.post(
            str(self._provider.endpoint_uri),
            data=body,
            headers={"Content-Type": "application/json"},
            timeout=self._timeout_s,
            stream=True,
            allow_redirects=False,
        ) as response:
            response.raise_for_status()
            for chunk in response.iter_content(65536):
                size += len(chunk)
                if size > MAX_ANSWER_BYTES:
                    raise ValueError("the answer is too large")
                if time.monotonic() > deadline:
                    raise requests.Timeout("the answer came too slowly")
                chunks.append(chunk)
        answer = json.loads(b"".join(chunks))
        if not isinstance(answer, dict) or answer.get("id") != json.loads(body)["id"]:
            raise ValueError("not an answer to our request")
        return cast(dict[str, Any], answer)
