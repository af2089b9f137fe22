"""One JSON-RPC endpoint: web3.py's provider with our own policy around it.

web3.py would retry by itself (sends included), accept an answer with a foreign id and put the URL into errors; here a
call has one deadline for all its tries, a bounded number of them, a size cap, and obeys Retry-After; an endpoint that
fails again and again is left alone; and an error names the endpoint, never its URL.
"""

import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, Final

import requests
from web3 import HTTPProvider
from web3.types import RPCEndpoint as Method

from bo_engine.errors import EngineError, Unavailable
from bo_engine.redaction import know_secrets, told
from io_layer.rpc import wire
from io_layer.rpc.breaker import Circuit
from io_layer.rpc.http_body import read_object

MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
_TRIES: Final = 3
_TIMEOUT_S: Final = 10.0
_BUDGET_S: Final = 30.0
_BUSY: Final = frozenset({requests.codes.too_many_requests, requests.codes.service_unavailable})
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
        self,
        name: str,
        url: str,
        *,
        chain_id: int | None = None,
        timeout_s: float = _TIMEOUT_S,
        budget_s: float = _BUDGET_S,
        wait: Callable[..., None] = time.sleep,
        clock_s: Callable[[], float] = time.monotonic,
        wall_s: Callable[[], float] = time.time,
        jitter: Callable[[], Any] = random.random,
    ) -> None:
        """``timeout_s`` is for one try, ``budget_s`` for a whole call with its waits; ``wait`` may end the run;
        ``chain_id`` is what an endpoint that failed must be on before it is used again; ``wall_s`` is the host's clock
        and serves only to read a Retry-After that names a date."""
        self.name = name
        know_secrets([url])
        self._provider = HTTPProvider(url, exception_retry_configuration=None)
        self._session = requests.Session()
        self._chain_id = chain_id
        self._timeout_s = timeout_s
        self._budget_s = budget_s
        self._wait = wait
        self._clock_s = clock_s
        self._wall_s = wall_s
        self._jitter = jitter
        self._circuit = Circuit(clock_s)
        self._not_before_s = clock_s()  # what the last Retry-After asked for
        self.calls: Counter[str] = Counter()  # requests sent, by method

    def __repr__(self) -> str:
        return f"RpcEndpoint({self.name})"

    def request(self, method: str, params: Sequence[object], *, may_be_null: bool = False) -> Any:
        """The ``result`` of one JSON-RPC call.

        Raises: RpcRefused when the node answers with an error; Unavailable ``rpc_unreachable`` when no usable answer
        came within the tries and the budget (a send is tried once: its outcome is then unknown, not failed), and at
        once while the endpoint is left alone.
        """
        ends_s = self._clock_s() + self._budget_s
        self._require_circuit(method, ends_s)
        tries = 1 if method in _NEVER_REPEATED else _TRIES
        for attempt in range(tries):
            self._wait_as_asked(method, ends_s)
            try:
                answer = self._post(method, params, ends_s)
            except (requests.RequestException, ValueError) as error:
                reason = self._reason(error)
            else:
                if answer.get("error") is not None:
                    self._circuit.succeeded()
                    raise _refusal(self.name, method, answer["error"])
                if answer.get("result") is not None or may_be_null:
                    self._circuit.succeeded()
                    return answer.get("result")
                reason = "an answer without a result"
            self._circuit.failed()
            # Jitter only spreads retries in time; nothing that is computed depends on it.
            pause_s = 0.1 * 2**attempt * (1 + self._jitter())
            if self._circuit.open_for_s or self._clock_s() + pause_s >= ends_s:
                break
            if attempt + 1 < tries:
                self._wait(pause_s)
        raise self._unreachable(f"gave no usable answer to {method}: {reason}")

    def _require_circuit(self, method: str, ends_s: float) -> None:
        if self._circuit.wants_probe:
            self._wait_as_asked(method, ends_s)
            try:
                found = wire.number(self._post("eth_chainId", [], ends_s).get("result"))
                head = wire.fields(self._post("eth_getBlockByNumber", ["latest", False], ends_s).get("result"))
                wire.count(head.get("number"))
                is_good = found == (found if self._chain_id is None else self._chain_id)
            except (requests.RequestException, ValueError, Unavailable) as error:
                self._reason(error)
                is_good = False
            if is_good:
                self._circuit.succeeded()
            else:
                self._circuit.failed()
        if left_s := self._circuit.open_for_s:
            raise self._unreachable(f"failed again and again and is not asked for another {left_s:.0f} s: no {method}")

    def _wait_as_asked(self, method: str, ends_s: float) -> None:
        now_s = self._clock_s()
        if self._not_before_s >= ends_s:
            raise self._unreachable(
                f"asks to be left alone for another {self._not_before_s - now_s:.0f} s (Retry-After), longer than a "
                f"call may take: no {method}"
            )
        if self._not_before_s > now_s:
            self._wait(self._not_before_s - now_s)

    def _reason(self, error: Exception) -> str:
        """What went wrong, without the URL that stands in the error; notes how long the endpoint wants its peace."""
        response = getattr(error, "response", None)
        if not isinstance(response, requests.Response):
            return type(error).__name__
        if response.status_code in _BUSY:
            self._not_before_s = self._clock_s() + self._retry_after_s(response.headers.get("Retry-After", ""))
        return f"HTTP {response.status_code}"

    def _retry_after_s(self, header: str) -> float:
        """Seconds, or until a date; 0 for what is neither."""
        if re.fullmatch(r"[0-9]{1,9}", header):
            return float(header)
        try:
            return max(parsedate_to_datetime(header).timestamp() - self._wall_s(), 0.0)
        except (ValueError, OverflowError):
            return 0.0

    def _unreachable(self, what: str) -> Unavailable:
        return Unavailable("rpc_unreachable", f"the {self.name} RPC endpoint {what}")

    def _post(self, method: str, params: Sequence[object], ends_s: float) -> dict[str, Any]:
        self.calls[method] += 1
        body = self._provider.encode_rpc_request(Method(method), list(params))
        timeout_s = max(min(self._timeout_s, ends_s - self._clock_s()), 0.001)
        deadline = time.monotonic() + timeout_s
        with self._session.post(
            str(self._provider.endpoint_uri),
            data=body,
            headers={"Content-Type": "application/json"},
            timeout=timeout_s,
            stream=True,
            allow_redirects=False,
        ) as response:
            answer = read_object(response, max_bytes=MAX_ANSWER_BYTES, deadline=deadline)
        # Not the number alone: false and 0.0 would pass for 0.
        if (type(answer.get("id")), answer.get("id")) != (int, json.loads(body)["id"]):
            raise ValueError("not an answer to our request")
        return answer
