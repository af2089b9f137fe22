"""Reads Arbitrum through two endpoints.

Display reads fall back when the first endpoint fails. Money reads ask both at one final block, by its hash, and must
agree value by value: a node that lies or lags alone can delay a day but never change it.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from bo_engine.errors import InvariantBroken, Unavailable, UsageError
from bo_engine.units import Wallet, hex_of
from io_layer import wire
from io_layer.contract_codec import codec
from io_layer.rpc import RpcEndpoint, RpcRefused

_LOG_PAGE_BLOCKS: Final = 5_000
_SILENT_PAGES: Final = 2
_HEAD_MOVES_S: Final = 3
T = TypeVar("T")
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
        self.newest_final: Block | None = None  # of those that read_final_block gave

    @property
    def endpoints(self) -> tuple[RpcEndpoint, RpcEndpoint]:
        """Primary, fallback."""
        return (self.primary, self.fallback)

    def request_any(self, method: str, params: Sequence[object], decode: Callable[[Any], T]) -> T:
        """A display read, decoded: the fallback answers when the primary does not, or not with what was asked."""
        try:
            return self.request_one(self.primary, method, params, decode)
        except Unavailable:
            return self.request_one(self.fallback, method, params, decode)

    def request_both(self, method: str, params: Sequence[object], decode: Callable[[Any], T]) -> T:
        """A money read: both endpoints answer, each answer decodes, and both are the same value.

        Raises: Unavailable when one does not answer or not with what was asked; InvariantBroken ``rpc_disagreement``
        when they differ; RpcRefused when for both the contract refuses the call.
        """
        first, second = (self._value_or_revert(endpoint, method, params, decode) for endpoint in self.endpoints)
        if isinstance(first, RpcRefused) and isinstance(second, RpcRefused):
            raise first
        if isinstance(first, RpcRefused) or isinstance(second, RpcRefused) or first != second:
            raise InvariantBroken(
                "rpc_disagreement",
                f"the two RPC endpoints answer {method} differently at the same block: primary {_short(first)}, "
                f"fallback {_short(second)}; find out which one lies before `bo-engine resume`",
            )
        return first

    def request_one(
        self,
        endpoint: RpcEndpoint,
        method: str,
        params: Sequence[object],
        decode: Callable[[Any], T],
        *,
        may_be_null: bool = False,
    ) -> T:
        """One endpoint's own answer, decoded. Raises: Unavailable, also for a refusal that is no revert."""
        try:
            return decode(endpoint.request(method, params, may_be_null=may_be_null))
        except RpcRefused as refusal:
            # A revert is the contract's answer; every other refusal (a rate limit, say) is the endpoint's own.
            if refusal.is_revert:
                raise
            raise Unavailable("rpc_refused", refusal.message) from refusal
        except Unavailable as error:
            if error.code != "rpc_unusable":
                raise
            message = f"the {endpoint.name} RPC endpoint's answer to {method} is of no use: {error.message}"
            raise Unavailable(error.code, message) from error

    def _value_or_revert(
        self, endpoint: RpcEndpoint, method: str, params: Sequence[object], decode: Callable[[Any], T]
    ) -> T | RpcRefused:
        try:
            return self.request_one(endpoint, method, params, decode)
        except RpcRefused as refusal:
            return refusal

    def read_final_block(self) -> Block:
        """The newest block that both endpoints report as ``finalized``.

        Raises: UsageError ``no_finality`` when an endpoint calls its head final (refused outside local chains);
        Unavailable ``rpc_out_of_step`` when the two do not know the same block.
        """
        # The head first: asked in the other order, a head that moves in between would make itself look final.
        heads = [] if self.is_local else [self._numbered(endpoint, "latest") for endpoint in self.endpoints]
        finals = [self._numbered(endpoint, "finalized") for endpoint in self.endpoints]
        for endpoint, head, final in zip(self.endpoints, heads, finals, strict=False):
            self._require_finality(endpoint, head, final)
        number = min(final.number for final in finals)
        first, second = (self._numbered(endpoint, hex(number)) for endpoint in self.endpoints)
        if first != second:
            raise Unavailable("rpc_out_of_step", f"the two RPC endpoints know different blocks at height {number}")
        if self.newest_final is None or first.number >= self.newest_final.number:
            self.newest_final = first
        return first

    def read_block(self, number: int) -> Block:
        """The block at a height at or below the final one, as both endpoints know it."""
        return self.request_both("eth_getBlockByNumber", [hex(number), False], partial(block_of, number=number))

    def read_final_block_of(self, endpoint: RpcEndpoint) -> Block:
        """The newest block that one endpoint reports as ``finalized``, for display."""
        return self._numbered(endpoint, "finalized")

    def read(self, block: Block, calls: Iterable[Call]) -> list[Any]:
        """Money reads at one block, pinned by its hash: the decoded value of each call, in order.

        A function with one return value gives that value, else a tuple.
        Raises: UsageError ``contract_unexpected``; InvariantBroken ``rpc_disagreement``; Unavailable.
        """
        return [self._decoded(call, self._call(call, {"blockHash": block.block_hash}, both=True)) for call in calls]

    def read_at_head(self, call: Call) -> Any:
        """A display read of one call at the head: what is under way, never what counts."""
        return self._decoded(call, self._call(call, "latest", both=False))

    def read_at_head_of(self, endpoint: RpcEndpoint, call: Call) -> Any:
        """The same as one endpoint sees it. Raises: Unavailable."""
        data = hex_of(codec(call.contract).call_data(call.function, call.arguments))
        question = [{"to": call.address, "data": data}, "latest"]
        return self._decoded(call, self.request_one(endpoint, "eth_call", question, wire.data))

    def read_log_pages(
        self, address: Wallet, topics: Sequence[object], first: int, last: int
    ) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """Money read of logs in blocks first..last (both at or below the final block): pages of (last block of the
        page, its logs), oldest first, each log once.

        A page that a provider refuses (its range or result limit) or that is too large is halved; success grows it.
        An empty answer proves nothing: the caller compares with the contract's counters.
        """
        start, size, silent = first, _LOG_PAGE_BLOCKS, 0
        while start <= last:
            stop = min(start + size - 1, last)
            query = {"address": address, "topics": list(topics), "fromBlock": hex(start), "toBlock": hex(stop)}
            try:
                page = self.request_both("eth_getLogs", [query], _each_once)
            except Unavailable as error:
                # A long page may also be answered too late; an endpoint that is gone is not asked ten times.
                silent += error.code == "rpc_unreachable"
                if stop == start or silent > _SILENT_PAGES:
                    raise
                size = max((stop - start + 1) // 2, 1)
                continue
            yield stop, page
            start, size, silent = stop + 1, min(size * 2, _LOG_PAGE_BLOCKS), 0

    def read_head_number(self, endpoint: RpcEndpoint) -> int:
        """The number of one endpoint's newest block."""
        return self._numbered(endpoint, "latest").number

    def read_code(self, address: Wallet, block: Block) -> bytes:
        """The bytecode at an address."""
        return self.request_both("eth_getCode", [address, {"blockHash": block.block_hash}], wire.data)

    def read_final_nonce(self, block: Block, wallet: Wallet) -> int:
        """How many transactions of the wallet stand at or below a final block."""
        return self.request_both("eth_getTransactionCount", [wallet, {"blockHash": block.block_hash}], wire.count)

    def _require_finality(self, endpoint: RpcEndpoint, head: Block, final: Block) -> None:
        if final.number < head.number:
            return
        # A chain that stands still lets finality catch up with its head; one that moves and stays final is a lie.
        time.sleep(_HEAD_MOVES_S)
        head_again, final_again = self._numbered(endpoint, "latest"), self._numbered(endpoint, "finalized")
        if head_again.number == final.number:
            raise Unavailable("chain_stands_still", f"no new block at the {endpoint.name} RPC endpoint")
        if final_again.number >= head_again.number:
            raise UsageError(
                "no_finality", f"the {endpoint.name} RPC endpoint calls its newest block final: use another one"
            )

    def _numbered(self, endpoint: RpcEndpoint, tag: str) -> Block:
        return self.request_one(endpoint, "eth_getBlockByNumber", [tag, False], block_of)

    def _call(self, call: Call, at: object, *, both: bool) -> bytes:
        data = hex_of(codec(call.contract).call_data(call.function, call.arguments))
        ask = self.request_both if both else self.request_any
        try:
            return ask("eth_call", [{"to": call.address, "data": data}, at], wire.data)
        except RpcRefused as refusal:
            raise UsageError(
                "contract_unexpected", f"{call.contract}.{call.function} reverts: check SETTLEMENT_ADDRESS and CHAIN_ID"
            ) from refusal

    def _decoded(self, call: Call, data: bytes) -> Any:
        values = codec(call.contract).result(call.function, data)
        return values[0] if len(values) == 1 else values


def open_chain(
    rpc_url: str, fallback_url: str, *, chain_id: int, says_local: bool, wait: Callable[..., None] = time.sleep
) -> ChainReader:
    """Connect to both endpoints and check that they are on the chain that the settings name.

    ``wait`` is how time passes between two tries; it may end the run.

    Raises: UsageError ``wrong_chain``; UsageError ``not_local`` when BO_PROFILE=local but the chain is none.
    """
    if rpc_url == fallback_url and not says_local:
        raise UsageError(
            "bad_setting", "RPC_FALLBACK_URL is the same endpoint as RPC_URL; name one of another provider"
        )
    endpoints = (
        RpcEndpoint("primary", rpc_url, wait=wait),
        RpcEndpoint("fallback", fallback_url, wait=wait),
    )
    chain = ChainReader(*endpoints, chain_id=chain_id, is_local=says_local)
    for endpoint in endpoints:
        found = chain.request_one(endpoint, "eth_chainId", [], wire.number)
        if found != chain_id:
            raise UsageError(
                "wrong_chain", f"the {endpoint.name} RPC endpoint is on chain {found}, but CHAIN_ID is {chain_id}"
            )
    if says_local:
        _check_local(chain, (rpc_url, fallback_url))
    return chain


def _check_local(chain: ChainReader, urls: Sequence[str]) -> None:
    # The chain id cannot tell: 421614 is also the real Arbitrum Sepolia.
    for endpoint, url in zip(chain.endpoints, urls, strict=True):
        is_loopback = urlsplit(url).hostname in _LOOPBACK
        version = chain.request_one(endpoint, "web3_clientVersion", [], wire.text) if is_loopback else ""
        if "anvil" not in version.lower():
            raise UsageError(
                "not_local", f"BO_PROFILE is local, but the {endpoint.name} RPC endpoint is no anvil on this machine"
            )


def block_of(answer: object, *, number: int | None = None) -> Block:
    """A block as a node tells it, of that height if one is given. Raises: Unavailable ``rpc_unusable``."""
    block = wire.fields(answer)
    found = Block(
        number=wire.count(block.get("number")),
        block_hash=hex_of(wire.hash32(block.get("hash"))),
        timestamp_s=wire.count(block.get("timestamp")),
    )
    if number is not None and found.number != number:
        raise wire.unusable("the block that was asked for")
    return found


def _each_once(answer: object) -> list[dict[str, Any]]:
    """An endpoint's logs in the chain's order; one that it tells twice in the same words counts once."""
    logs: dict[tuple[str, str], dict[str, Any]] = {}
    for log in wire.logs(answer):
        if logs.setdefault((log["transactionHash"], log["logIndex"]), log) != log:
            raise wire.unusable("logs: one event is told in two ways")
    return sorted(logs.values(), key=lambda log: (int(log["blockNumber"], 16), int(log["logIndex"], 16)))


def _short(value: object) -> str:
    text = value.message if isinstance(value, RpcRefused) else hex_of(value) if isinstance(value, bytes) else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
