"""What an RPC endpoint can do wrong: rules, and the wrong answers that they make.

A rule says which method, from which call on and how often. Without a matching rule a call passes unchanged.
"""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from eth_abi.abi import decode, encode

Request = dict[str, Any]
Answer = dict[str, Any]
Forward = Callable[[Request], Answer]

#: Faults of the line: no JSON-RPC answer is made at all. ``lost``: the call arrives, its answer does not.
LINE_FAULTS: Final = frozenset({"down", "http", "hang", "lost"})
_HEAD_TAGS: Final = frozenset({"latest", "pending", "safe", "finalized"})
_AGGREGATE3: Final = "0x82ad56cb"
_NOT_FOUND: Final = {"code": -32000, "message": "header not found"}


@dataclass(frozen=True, slots=True)
class Rule:
    """One fault. Calls of a method are counted from 1, starting when the rules were set."""

    fault: str
    method: str = "*"
    from_call: int = 1
    calls: int | None = None  # how many calls are hit; None: all that follow
    args: Mapping[str, Any] = field(default_factory=dict)

    def hits(self, method: str, call: int) -> bool:
        """Whether this rule applies to the ``call``-th call of ``method``."""
        last = None if self.calls is None else self.from_call + self.calls
        return self.method in ("*", method) and call >= self.from_call and (last is None or call < last)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


class Rules:
    """The rules in force and the calls counted so far; shared by all threads of the proxy."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: tuple[Rule, ...] = ()
        self._calls: Counter[str] = Counter()
        self.generation = 0

    def set(self, rules: tuple[Rule, ...]) -> None:
        """Replace all rules; counting starts again. The first rule that hits wins."""
        for rule in rules:
            if rule.fault not in LINE_FAULTS and rule.fault not in ANSWER_FAULTS:
                raise ValueError(f"no such fault: {rule.fault}")
        with self._lock:
            self._rules = rules
            self._calls.clear()
            self.generation += 1

    def count(self, method: str) -> Rule | None:
        """Count a call; the rule that hits it, if any."""
        with self._lock:
            self._calls[method] += 1
            call = self._calls[method]
            return next((rule for rule in self._rules if rule.hits(method, call)), None)

    def document(self) -> dict[str, Any]:
        """Rules and calls per method, as JSON."""
        with self._lock:
            return {"rules": [rule.document() for rule in self._rules], "calls": dict(self._calls)}


def wrong_answer(rule: Rule, request: Request, forward: Forward) -> Answer:
    """The answer of an endpoint that has this fault."""
    return ANSWER_FAULTS[rule.fault](rule.args, request, forward)


def _wrong_chain_id(args: Mapping[str, Any], request: Request, forward: Forward) -> Answer:
    chain_id = int(args.get("chain_id", 1))
    if request["method"] == "eth_chainId":
        return _result(request, hex(chain_id))
    if request["method"] == "net_version":
        return _result(request, str(chain_id))
    return forward(request)


def _empty_logs(args: Mapping[str, Any], request: Request, forward: Forward) -> Answer:
    return _result(request, []) if request["method"] == "eth_getLogs" else forward(request)


def _wrong_call(args: Mapping[str, Any], request: Request, forward: Forward) -> Answer:
    """Another value for eth_call: ``value``, else the last hex digit changed. ``to`` and ``selector`` narrow it; a call
    inside Multicall3's aggregate3 is hit like one that stands alone."""
    answer = forward(request)
    if request["method"] != "eth_call" or not isinstance(answer.get("result"), str):
        return answer
    call = request["params"][0]
    data = str(call.get("data") or call.get("input") or "").lower()
    return {**answer, "result": _changed(args, str(call.get("to", "")).lower(), data, answer["result"])}


def _changed(args: Mapping[str, Any], to: str, data: str, result: str) -> str:
    if data.startswith(_AGGREGATE3) and len(result) > 2:
        (calls,) = decode(["(address,bool,bytes)[]"], bytes.fromhex(data[10:]))
        (found,) = decode(["(bool,bytes)[]"], bytes.fromhex(result[2:]))
        inner = [
            (ok, bytes.fromhex(_changed(args, address.lower(), "0x" + asked.hex(), "0x" + value.hex())[2:]))
            for (address, _, asked), (ok, value) in zip(calls, found, strict=True)
        ]
        return "0x" + encode(["(bool,bytes)[]"], [inner]).hex()
    if to != str(args.get("to", to)).lower() or not data.startswith(str(args.get("selector", "")).lower()):
        return result
    flipped = result[:-1] + format(int(result[-1], 16) ^ 1, "x") if len(result) > 2 else result
    return str(args.get("value", flipped))


def _stale_head(args: Mapping[str, Any], request: Request, forward: Forward) -> Answer:
    """An endpoint that lags ``blocks`` behind, in all its answers: tags, blocks, receipts, logs, pinned calls."""
    lag = int(args.get("blocks", 10))

    def true_number(tag: str) -> int:
        block = forward({"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber", "params": [tag, False]})["result"]
        return int(block["number"], 16)

    def lagging(param: object) -> object:
        if isinstance(param, str) and param in _HEAD_TAGS:
            return hex(max(0, true_number(param) - lag))
        if isinstance(param, dict):
            return {key: lagging(value) if key in ("fromBlock", "toBlock") else value for key, value in param.items()}
        return param

    head = max(0, true_number("latest") - lag)
    if request["method"] == "eth_blockNumber":
        return _result(request, hex(head))
    params = [lagging(param) for param in request.get("params", [])]
    if any(_is_beyond(param, head, forward) for param in params):
        return {"jsonrpc": "2.0", "id": request.get("id"), "error": _NOT_FOUND}
    answer = forward({**request, "params": params})
    result = answer.get("result")
    if isinstance(result, list):
        return {**answer, "result": [item for item in result if _height_of(item) <= head]}
    return {**answer, "result": None} if _height_of(result) > head else answer


def _is_beyond(param: object, head: int, forward: Forward) -> bool:
    # A call pinned to a block by its hash: an endpoint that lags does not know that block yet.
    if not isinstance(param, dict) or "blockHash" not in param or "data" in param:
        return False
    request = {"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByHash", "params": [param["blockHash"], False]}
    return _height_of(forward(request).get("result")) > head


def _height_of(result: object) -> int:
    if isinstance(result, dict):
        for key in ("blockNumber", "number"):
            if isinstance(result.get(key), str):
                return int(result[key], 16)
    return -1


def _null_result(args: Mapping[str, Any], request: Request, forward: Forward) -> Answer:
    return _result(request, None)


def _foreign_id(args: Mapping[str, Any], request: Request, forward: Forward) -> Answer:
    return {**forward(request), "id": 987_654_321}


def _result(request: Request, value: object) -> Answer:
    return {"jsonrpc": "2.0", "id": request.get("id"), "result": value}


def _says(args: Mapping[str, Any], request: Request, forward: Forward) -> Answer:
    """``value`` as the result, or ``refusal`` as the error's message; the call is not passed on."""
    if "refusal" in args:
        return {"jsonrpc": "2.0", "id": request.get("id"), "error": {"code": -32000, "message": args["refusal"]}}
    return _result(request, args["value"])


ANSWER_FAULTS: Final[Mapping[str, Callable[[Mapping[str, Any], Request, Forward], Answer]]] = {
    "wrong_chain_id": _wrong_chain_id,
    "stale_head": _stale_head,
    "empty_logs": _empty_logs,
    "wrong_call": _wrong_call,
    "null_result": _null_result,
    "foreign_id": _foreign_id,
    "says": _says,
}
