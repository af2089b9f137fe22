"""What one endpoint's newest block shows of the days, asked in every run, idle or not.

So it loads none of the chain's libraries, which take most of a start, and gives up soon. Nothing but an alarm rests on
it: the answer is taken for what it is, one endpoint's word.
"""

import time
from typing import Any, Final

import requests

from bo_engine.errors import Unavailable
from bo_engine.keccak import keccak256
from bo_engine.redaction import know_secrets
from bo_engine.units import DayId, Hash32, Wallet, hex_of
from io_layer.lottery.contracts.day_record import ON_CHAIN, DayRecord
from io_layer.rpc import wire
from io_layer.rpc.http_body import read_object

_NEXT_DAY: Final = keccak256(b"nextDay()")[:4]
_DAY_RECORD: Final = keccak256(b"dayRecord(uint256)")[:4]
_RECORD_WORDS: Final = 6
#: Sales stop five days behind, so more unsettled days than this hold no money.
_DAYS: Final = 8
_TIMEOUT_S: Final = 5
_MAX_ANSWER_BYTES: Final = 65_536


def read_settling_at_head(
    name: str, url: str, settlement: Wallet, first: DayId | None
) -> list[tuple[DayId, DayRecord]]:
    """The records of the days from ``first`` to the next one, at most ``_DAYS`` of them, as the endpoint ``name`` tells
    them. Raises: Unavailable ``rpc_unreachable``, also for what is no answer of SettlementV4.
    """
    know_secrets([url])
    deadline = time.monotonic() + _TIMEOUT_S
    try:
        with requests.Session() as session:

            def words(data: bytes, count: int) -> list[int]:
                return _words(session, url, {"to": settlement, "data": hex_of(data)}, count, deadline)

            (next_day,) = words(_NEXT_DAY, 1)
            begin = max(next_day - _DAYS + 1, 0 if first is None else min(first, next_day))
            return [
                (DayId(day), _record(words(_DAY_RECORD + day.to_bytes(32, "big"), _RECORD_WORDS)))
                for day in range(begin, next_day + 1)
            ]
    except (requests.RequestException, ValueError, OverflowError, Unavailable) as error:
        # Not the error's own words: the URL stands in them.
        raise Unavailable(
            "rpc_unreachable", f"the {name} RPC endpoint does not say what is settled: {type(error).__name__}"
        ) from error


def _record(words: list[int]) -> DayRecord:
    status, settlement_hash, run_hash, committed_at, released_at, takebacks = words
    if status >= len(ON_CHAIN):
        raise ValueError("no status of a day")
    return DayRecord(
        status,
        Hash32(settlement_hash.to_bytes(32, "big")),
        Hash32(run_hash.to_bytes(32, "big")),
        committed_at,
        released_at,
        takebacks,
    )


def _words(session: requests.Session, url: str, call: dict[str, str], count: int, deadline: float) -> list[int]:
    """What a call at the newest block returns: so many 32-byte words."""
    body: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [call, "latest"]}
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise requests.Timeout("the endpoint is too slow")
    with session.post(url, json=body, timeout=left_s, stream=True, allow_redirects=False) as response:
        answer = read_object(response, max_bytes=_MAX_ANSWER_BYTES, deadline=deadline)
    found = wire.data(answer.get("result"))
    if len(found) != 32 * count:
        raise ValueError("not an answer of SettlementV4")
    return [int.from_bytes(found[32 * place : 32 * place + 32], "big") for place in range(count)]
