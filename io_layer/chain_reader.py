"""Reads Arbitrum through two endpoints.

Display reads fall back when the first endpoint fails. Money reads ask both at one final block, by its hash, and must
agree value by value: a node that lies or lags alone can delay a day but never change it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from bo_engine.errors import InvariantBroken, Unavailable, UsageError
from bo_engine.units import Wallet, hex_of
from io_layer.contract_codec import codec
from io_layer.rpc import RpcEndpoint, RpcRefused

_LOG_PAGE_BLOCKS: Final = 5_000
_LOG_FIELDS: Final = frozenset({"address", "topics", "data", "blockNumber", "blockHash", "transactionHash", "logIndex"})
_BLOCK_FIELDS: Final = frozenset({"number", "hash", "timestamp"})
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})


@dataclass(frozen=True, slots=True)
class Block:
    """A block as both endpoints see it. ``timestamp_s`` is unix time, UTC."""

    number: int
    block_hash: str
    timestamp_s: int


@dataclass(frozen=True, slots=True)
class Call:
    """One contract call to be read."""

    contract: str
    address: Wallet
    function: str
    arguments: tuple[object, ...] = ()


class ChainReader:
    """Both endpoints of one chain. Opened by ``open_chain``, which has checked the chain id."""

    def __init__(self, primary: RpcEndpoint, fallback: RpcEndpoint, *, chain_id: int, is_local: bool) -> None:
        self.primary = primary
        self.fallback = fallback
        self.chain_id = chain_id
        self.is_local = is_local

    @property
    def endpoints(self) -> tuple[RpcEndpoint, RpcEndpoint]:
        """Primary, fallback."""
        return (self.primary, self.fallback)

    def request_any(self, method: str, params: Sequence[object], *, may_be_null: bool = False) -> Any:
        """A display read: the fallback answers when the primary does not."""
        try:
            return self.primary.request(method, params, may_be_null=may_be_null)
        except Unavailable:
            return self.fallback.request(method, params, may_be_null=may_be_null)

    def request_both(self, method: str, params: Sequence[object], *, kept: frozenset[str] | None = None) -> Any:
        """A money read: both endpoints answer, and equally. ``kept`` names the fields of each row that count, because
        clients add fields of their own.

        Raises: Unavailable when one does not answer; InvariantBroken ``rpc_disagreement`` when they differ.
        """
        first, second = (_kept(endpoint.request(method, params), kept) for endpoint in self.endpoints)
        if first != second:
            raise InvariantBroken(
                "rpc_disagreement",
                f"the two RPC endpoints answer {method} differently at the same block: primary {_short(first)}, "
                f"fallback {_short(second)}; find out which one lies before `bo-engine resume`",
            )
        return first

    def read_final_block(self) -> Block:
        """The newest block that both endpoints report as ``finalized``.

        Raises: UsageError ``no_finality`` when an endpoint calls its head final (refused outside local chains);
        Unavailable ``rpc_out_of_step`` when the two do not know the same block.
        """
        finals = [self._numbered(endpoint, "finalized") for endpoint in self.endpoints]
        if not self.is_local:
            for endpoint, final in zip(self.endpoints, finals, strict=True):
                if final.number >= self._numbered(endpoint, "latest").number:
                    raise UsageError(
                        "no_finality", f"the {endpoint.name} RPC endpoint calls its newest block final: use another one"
                    )
        number = min(final.number for final in finals)
        first, second = (self._numbered(endpoint, hex(number)) for endpoint in self.endpoints)
        if first != second:
            raise Unavailable("rpc_out_of_step", f"the two RPC endpoints know different blocks at height {number}")
        return first

    def read_latest_block(self) -> Block:
        """The head, for display and for waiting; never for money."""
        return _block(self.request_any("eth_getBlockByNumber", ["latest", False]))

    def read_block(self, number: int) -> Block:
        """The block at a height at or below the final one, as both endpoints know it."""
        return _block(self.request_both("eth_getBlockByNumber", [hex(number), False], kept=_BLOCK_FIELDS))

    def read(self, block: Block, calls: Iterable[Call]) -> list[Any]:
        """Money reads at one block, pinned by its hash: the decoded value of each call, in order.

        A function with one return value gives that value, else a tuple.
        Raises: UsageError ``contract_unexpected``; InvariantBroken ``rpc_disagreement``; Unavailable.
        """
        return [self._decoded(call, self._call(call, {"blockHash": block.block_hash}, both=True)) for call in calls]

    def read_display(self, calls: Iterable[Call]) -> list[Any]:
        """Display reads at the head."""
        return [self._decoded(call, self._call(call, "latest", both=False)) for call in calls]

    def read_logs(self, address: Wallet, topics: Sequence[object], first: int, last: int) -> Iterator[dict[str, Any]]:
        """Money read of logs in blocks first..last (both at or below the final block), page by page, oldest first.

        An empty answer proves nothing: the caller compares with the contract's counters.
        """
        seen: set[tuple[str, int]] = set()
        for start in range(first, last + 1, _LOG_PAGE_BLOCKS):
            stop = min(start + _LOG_PAGE_BLOCKS - 1, last)
            query = {"address": address, "topics": list(topics), "fromBlock": hex(start), "toBlock": hex(stop)}
            page = self.request_both("eth_getLogs", [query], kept=_LOG_FIELDS)
            for log in sorted(page, key=lambda entry: (int(entry["blockNumber"], 16), int(entry["logIndex"], 16))):
                key = (log["transactionHash"], int(log["logIndex"], 16))
                if key not in seen:
                    seen.add(key)
                    yield log

    def read_code(self, address: Wallet, block: Block) -> bytes:
        """The bytecode at an address."""
        answer = self.request_both("eth_getCode", [address, {"blockHash": block.block_hash}])
        return bytes.fromhex(answer[2:])

    def read_final_nonce(self, block: Block, wallet: Wallet) -> int:
        """How many transactions of the wallet stand at or below a final block."""
        return int(self.request_both("eth_getTransactionCount", [wallet, {"blockHash": block.block_hash}]), 16)

    def _numbered(self, endpoint: RpcEndpoint, tag: str) -> Block:
        return _block(endpoint.request("eth_getBlockByNumber", [tag, False]))

    def _call(self, call: Call, at: object, *, both: bool) -> bytes:
        data = hex_of(codec(call.contract).call_data(call.function, call.arguments))
        ask = self.request_both if both else self.request_any
        try:
            answer = ask("eth_call", [{"to": call.address, "data": data}, at])
        except RpcRefused as refusal:
            if "revert" not in refusal.rpc_message.lower():
                raise Unavailable("rpc_refused", refusal.message) from refusal
            raise UsageError(
                "contract_unexpected", f"{call.contract}.{call.function} reverts: check SETTLEMENT_ADDRESS and CHAIN_ID"
            ) from refusal
        return bytes.fromhex(answer[2:])

    def _decoded(self, call: Call, data: bytes) -> Any:
        values = codec(call.contract).result(call.function, data)
        return values[0] if len(values) == 1 else values


def open_chain(rpc_url: str, fallback_url: str, *, chain_id: int, says_local: bool) -> ChainReader:
    """Connect to both endpoints and check that they are on the chain that the settings name.

    Raises: UsageError ``wrong_chain``; UsageError ``not_local`` when BO_PROFILE=local but the chain is none.
    """
    endpoints = (RpcEndpoint("primary", rpc_url), RpcEndpoint("fallback", fallback_url))
    for endpoint in endpoints:
        found = int(endpoint.request("eth_chainId", []), 16)
        if found != chain_id:
            raise UsageError(
                "wrong_chain", f"the {endpoint.name} RPC endpoint is on chain {found}, but CHAIN_ID is {chain_id}"
            )
    if says_local:
        _check_local(endpoints, (rpc_url, fallback_url))
    return ChainReader(*endpoints, chain_id=chain_id, is_local=says_local)


def _check_local(endpoints: Sequence[RpcEndpoint], urls: Sequence[str]) -> None:
    # The chain id cannot tell: 421614 is also the real Arbitrum Sepolia.
    for endpoint, url in zip(endpoints, urls, strict=True):
        is_loopback = urlsplit(url).hostname in _LOOPBACK
        if not is_loopback or "anvil" not in str(endpoint.request("web3_clientVersion", [])).lower():
            raise UsageError(
                "not_local", f"BO_PROFILE is local, but the {endpoint.name} RPC endpoint is no anvil on this machine"
            )


def _block(answer: dict[str, Any]) -> Block:
    return Block(number=int(answer["number"], 16), block_hash=answer["hash"], timestamp_s=int(answer["timestamp"], 16))


def _kept(answer: Any, fields: frozenset[str] | None) -> Any:
    if fields is None:
        return answer
    if isinstance(answer, dict):
        return {name: value for name, value in answer.items() if name in fields}
    return [_kept(row, fields) for row in answer]


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
