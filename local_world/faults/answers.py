"""Wrong answers: what an endpoint says when it lags, leaves out, lies or refuses. Each is a whole answer in JSON-RPC.

A fault that is about one method leaves the others alone, so that its rule may stand for all methods.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from eth_abi.abi import decode, encode

Request = dict[str, Any]
Answer = dict[str, Any]

_HEAD_TAGS: Final = frozenset({"latest", "pending", "safe", "finalized"})
_NOT_FOUND: Final = "header not found"
_LIMIT_EXCEEDED: Final = -32005  # the code that providers use for all their limits
_SEND: Final = "eth_sendRawTransaction"
_AGGREGATE3: Final = "0x82ad56cb"


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that is to be answered wrongly, and what the fault needs for it."""

    request: Request
    args: Mapping[str, Any]
    place: int  # which call it is, of all since the rules were set
    memory: dict[Any, Any]  # as long as the rules stand
    forward: Callable[[Request], Answer]  # the chain's own answer

    @property
    def method(self) -> str:
        """The method's name."""
        return str(self.request["method"])

    def honest(self) -> Answer:
        """What the chain says."""
        return self.forward(self.request)

    def ask(self, method: str, *params: object) -> Any:
        """The chain's result for another question."""
        return self.forward({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}).get("result")

    def says(self, result: object) -> Answer:
        """A result."""
        return {"jsonrpc": "2.0", "id": self.request.get("id"), "result": result}

    def refuses(self, message: str, code: int = -32000) -> Answer:
        """An error object."""
        return {"jsonrpc": "2.0", "id": self.request.get("id"), "error": {"code": code, "message": message}}


# -- what it knows ---------------------------------------------------------------------------------------------------


def _wrong_chain_id(asked: Asked) -> Answer:
    chain_id = int(asked.args.get("chain_id", 1))
    names = {"eth_chainId": hex(chain_id), "net_version": str(chain_id)}
    return asked.says(names[asked.method]) if asked.method in names else asked.honest()


def _stale_head(asked: Asked) -> Answer:
    """An endpoint that lags ``blocks`` behind, in all its answers: tags, blocks, receipts, logs, pinned calls."""
    lag = int(asked.args.get("blocks", 10))
    return _as_of(asked, lambda tag: max(0, _true_height(asked, tag) - lag))


def _frozen_head(asked: Asked) -> Answer:
    """No block comes any more: what is sent waits unseen."""
    if not asked.memory:
        # All at once, or the final block would stand above the newest one.
        asked.memory.update({tag: _true_height(asked, tag) for tag in sorted(_HEAD_TAGS)})
    return _as_of(asked, lambda tag: int(asked.memory[tag]))


def _frozen_finality(asked: Asked) -> Answer:
    """Blocks come, and none becomes final any more."""

    def number(param: object) -> object:
        if param not in ("finalized", "safe"):
            return param
        return hex(asked.memory.setdefault("final", _true_height(asked, "finalized")))

    return asked.forward({**asked.request, "params": [number(param) for param in asked.request.get("params", [])]})


def _as_of(asked: Asked, number_of: Callable[[str], int]) -> Answer:
    """The answer of a node for which the tags stand at these heights."""

    def lagging(param: object) -> object:
        if isinstance(param, str) and param in _HEAD_TAGS:
            return hex(number_of(param))
        if isinstance(param, dict):
            return {key: lagging(value) if key in ("fromBlock", "toBlock") else value for key, value in param.items()}
        return param

    head = number_of("latest")
    if asked.method == "eth_blockNumber":
        return asked.says(hex(head))
    params = [lagging(param) for param in asked.request.get("params", [])]
    if any(_is_beyond(param, head, asked) for param in params):
        return asked.refuses(_NOT_FOUND)
    answer = asked.forward({**asked.request, "params": params})
    result = answer.get("result")
    if isinstance(result, list):
        return {**answer, "result": [item for item in result if _height_of(item) <= head]}
    return {**answer, "result": None} if _height_of(result) > head else answer


def _moving_backwards(asked: Asked) -> Answer:
    """Two nodes behind one address, of which one lags: they answer in turn."""
    return _stale_head(asked) if asked.place % 2 == 0 else asked.honest()


def _true_height(asked: Asked, tag: str) -> int:
    return _height_of(asked.ask("eth_getBlockByNumber", tag, False))


def _is_beyond(param: object, head: int, asked: Asked) -> bool:
    # A call pinned to a block by its hash: an endpoint that lags does not know that block yet.
    if not isinstance(param, dict) or "blockHash" not in param or "data" in param:
        return False
    return _height_of(asked.ask("eth_getBlockByHash", param["blockHash"], False)) > head


def _height_of(result: object) -> int:
    if isinstance(result, dict):
        for key in ("blockNumber", "number"):
            if isinstance(result.get(key), str):
                return int(result[key], 16)
    return -1


def _head_is_final(asked: Asked) -> Answer:
    return asked.forward({**asked.request, "params": [_instead(one) for one in asked.request.get("params", [])]})


def _instead(param: object) -> object:
    return "latest" if param in ("finalized", "safe") else param


def _no_finalized(asked: Asked) -> Answer:
    if "finalized" in asked.request.get("params", []):
        return asked.refuses("invalid argument 0: finalized is not supported on pre-merge network", -32602)
    return asked.honest()


def _null_result(asked: Asked) -> Answer:
    return asked.says(None)


def _foreign_id(asked: Asked) -> Answer:
    return {**asked.honest(), "id": 987_654_321}


# -- logs ------------------------------------------------------------------------------------------------------------


def _logs(change: Callable[[list[Any]], list[Any]]) -> Callable[[Asked], Answer]:
    def answer(asked: Asked) -> Answer:
        true_answer = asked.honest()
        if asked.method != "eth_getLogs" or not isinstance(true_answer.get("result"), list):
            return true_answer
        return {**true_answer, "result": change(true_answer["result"])}

    return answer


def _each_third_lost(logs: list[Any]) -> list[Any]:
    return [log for place, log in enumerate(logs) if place % 3 != 2]


def _log_range_limit(asked: Asked) -> Answer:
    if asked.method == "eth_getLogs":
        query = asked.request["params"][0]
        limit = int(asked.args.get("blocks", 2_000))
        ends = [str(query.get(name, "")) for name in ("fromBlock", "toBlock")]
        if all(end.startswith("0x") for end in ends) and int(ends[1], 16) - int(ends[0], 16) >= limit:
            return asked.refuses(f"query exceeds max block range {limit}", _LIMIT_EXCEEDED)
    return asked.honest()


def _log_result_limit(asked: Asked) -> Answer:
    answer, limit = asked.honest(), int(asked.args.get("results", 10_000))
    if asked.method == "eth_getLogs" and len(answer.get("result") or ()) > limit:
        return asked.refuses(f"query returned more than {limit} results", _LIMIT_EXCEEDED)
    return answer


# -- values ----------------------------------------------------------------------------------------------------------


def _wrong_call(asked: Asked) -> Answer:
    """Another value for eth_call: ``value``, else the last hex digit changed. ``to`` and ``selector`` narrow it; a call
    inside Multicall3's aggregate3 is hit like one that stands alone."""
    answer = asked.honest()
    if asked.method != "eth_call" or not isinstance(answer.get("result"), str):
        return answer
    call = asked.request["params"][0]
    data = str(call.get("data") or call.get("input") or "").lower()
    return {**answer, "result": _changed(asked.args, str(call.get("to", "")).lower(), data, answer["result"])}


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
    return str(args.get("value", _other_digit(result) if len(result) > 2 else result))


def _wrong_receipt(asked: Asked) -> Answer:
    """A success is told as a failure, and the other way round."""
    return _with_field(asked, "eth_getTransactionReceipt", "status", lambda true: hex(1 - int(true, 16)))


def _wrong_block(asked: Asked) -> Answer:
    return _with_field(asked, "eth_getBlockByNumber", "hash", _other_digit)


def _wrong_time(asked: Asked) -> Answer:
    """Each block is told to be so many seconds (``by_s``) younger than it is."""
    by_s = int(asked.args.get("by_s", 86_400))
    return _with_field(asked, "eth_getBlockByNumber", "timestamp", lambda true: hex(int(true, 16) + by_s))


def _with_field(asked: Asked, method: str, name: str, change: Callable[[str], str]) -> Answer:
    answer = asked.honest()
    result = answer.get("result")
    if asked.method != method or not isinstance(result, dict) or not isinstance(result.get(name), str):
        return answer
    return {**answer, "result": {**result, name: change(result[name])}}


def _other_digit(text: str) -> str:
    return text[:-1] + format(int(text[-1], 16) ^ 1, "x")


def _says(asked: Asked) -> Answer:
    """``value`` as the result, or ``refusal`` (and ``code``) as the error; the call is not passed on."""
    if "refusal" in asked.args:
        return asked.refuses(str(asked.args["refusal"]), int(asked.args.get("code", -32000)))
    return asked.says(asked.args["value"])


# -- transactions ----------------------------------------------------------------------------------------------------


def _swallowed(asked: Asked) -> Answer:
    """A transaction is accepted and goes nowhere."""
    if asked.method != _SEND:
        return asked.honest()
    from bo_engine.keccak import keccak256

    return asked.says("0x" + keccak256(bytes.fromhex(asked.request["params"][0][2:])).hex())


def _replacement_rule(asked: Asked) -> Answer:
    """What pools of real nodes ask for, and anvil does not: a replacement raises both fees by a tenth."""
    if asked.method != _SEND:
        return asked.honest()
    place, fees = _place_and_fees(str(asked.request["params"][0]))
    known = asked.memory.get(place)
    is_mined = int(asked.ask("eth_getTransactionCount", place[0], "latest"), 16) > place[1]
    is_replacement = known not in (None, fees) and not is_mined
    if is_replacement and any(new * 10 < old * 11 for new, old in zip(fees, known or fees, strict=True)):
        return asked.refuses("replacement transaction underpriced")
    answer = asked.honest()
    if "error" not in answer:
        asked.memory[place] = fees
    return answer


def _place_and_fees(raw: str) -> tuple[tuple[str, int], tuple[int, int]]:
    """(Sender, nonce) and (fee, priority fee) of signed bytes. Imported late: the proxy starts in no time without."""
    from eth_account import Account
    from eth_account.typed_transactions.typed_transaction import TypedTransaction
    from hexbytes import HexBytes

    fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    fees = (int(fields["maxFeePerGas"]), int(fields["maxPriorityFeePerGas"]))
    return (str(Account.recover_transaction(raw)).lower(), int(fields["nonce"])), fees


ANSWER_FAULTS: Final[Mapping[str, Callable[[Asked], Answer]]] = {
    "wrong_chain_id": _wrong_chain_id,
    "stale_head": _stale_head,
    "frozen_head": _frozen_head,
    "frozen_finality": _frozen_finality,
    "moving_backwards": _moving_backwards,
    "head_is_final": _head_is_final,
    "no_finalized": _no_finalized,
    "null_result": _null_result,
    "foreign_id": _foreign_id,
    "empty_logs": _logs(lambda logs: []),
    "truncated_logs": _logs(_each_third_lost),
    "duplicate_logs": _logs(lambda logs: [log for log in logs for _ in range(2)]),
    "log_range_limit": _log_range_limit,
    "log_result_limit": _log_result_limit,
    "wrong_call": _wrong_call,
    "wrong_receipt": _wrong_receipt,
    "wrong_block": _wrong_block,
    "wrong_time": _wrong_time,
    "says": _says,
    "swallowed": _swallowed,
    "replacement_rule": _replacement_rule,
}
